#include "fuzz.hpp"

#include <graft/io/safetensors.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return with_file(data, size, ".safetensors", [](const std::string& path) {
    const graft::io::TensorFile file(path);
    for (const auto& [name, info] : file.tensors()) {
      (void)file.get<float>(name);
      (void)file.get<double>(name);
    }
  });
}

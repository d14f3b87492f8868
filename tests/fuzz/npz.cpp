#include "fuzz.hpp"

#include <graft/io/npz.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return with_file(data, size, ".npz", [](const std::string& path) {
    const graft::io::Npz file(path);
    for (const auto& [name, info] : file.tensors()) (void)file.get<float>(name);
  });
}

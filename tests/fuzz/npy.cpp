#include "fuzz.hpp"

#include <graft/io/npy.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return with_file(data, size, ".npy", [](const std::string& path) {
    const graft::io::NpyFile file(path);
    (void)file.get<float>();
    (void)file.get<std::int32_t>();
  });
}

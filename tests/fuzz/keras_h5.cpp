// What this finds lies, as far as known, in the HDF5 library and not in graft; see io/hdf5.hpp.
#include "fuzz.hpp"

#include <graft/io/keras_h5.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  return with_file(data, size, ".h5", [](const std::string& path) {
    const graft::io::KerasFile file(path);
    for (const auto& [name, info] : file.tensors()) (void)file.get<float>(name);
  });
}

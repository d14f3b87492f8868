// The first byte says which reader, the rest is the file.
#include "fuzz.hpp"

#include <graft/data/idx.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const int dimensions = data[0] % 4 + 1;
  const auto read = [&](const std::string& path) { (void)graft::data::read_idx(path, dimensions); };
  if ((data[0] & 128) == 0) return with_file(data + 1, size - 1, ".idx", read);
  // A name of its own for gzipped files: the reader goes by it.
  return with_file(data + 1, size - 1, ".idx", [&](const std::string& path) {
    const std::string zipped = path + ".gz";
    if (std::rename(path.c_str(), zipped.c_str()) != 0) std::abort();
    struct Remove {
      const std::string& name;
      ~Remove() { std::remove(name.c_str()); }
    } remove{zipped};
    read(zipped);
  });
}

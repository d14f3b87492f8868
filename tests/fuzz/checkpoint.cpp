// The last four bytes are replaced by the checksum that they should be, so that what lies behind it is reached; every eighth
// input keeps its own.
#include "fuzz.hpp"

#include <graft/train/checkpoint.hpp>

#include <cstring>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  if (size > 4 && data[size - 1] % 8 != 0) {
    const std::uint32_t crc = graft::detail::crc32(std::string_view(bytes).substr(0, size - 4));
    std::memcpy(bytes.data() + size - 4, &crc, 4);
  }
  return with_file(reinterpret_cast<const std::uint8_t*>(bytes.data()), size, ".checkpoint", [](const std::string& path) {
    const graft::CheckpointReader reader(path);
    float number = 0.0f;
    for (const char* name : {"a", "text", "model/0/w"}) {
      if (!reader.has(name)) continue;
      try {
        reader.get(name, &number, 1);
      } catch (const graft::Error&) {
        (void)reader.text(name);
      }
    }
  });
}

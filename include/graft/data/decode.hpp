#pragma once
/// \file decode.hpp  One image file to bytes: JPEG, PNG and BMP through stb_image (CMake component graft::stb), TIFF through
/// libtiff (graft::tiff). A file is hostile: its size and its claims are checked first, and one that ends too early is refused
/// even where the decoder would fill the rest with grey.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/data/bitmap.hpp"
#include "graft/data/tiff.hpp"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#ifdef GRAFT_WITH_STB
#if __has_include(<stb/stb_image.h>)
#include <stb/stb_image.h>
#else
#include <stb_image.h>
#endif
#endif

GRAFT_BEGIN
namespace data {

/// Whether a file's name ends as that of an image that decode_image reads: .jpg, .jpeg, .png, .bmp, .tif, .tiff in any case.
inline bool is_image_name(const std::filesystem::path& path) {
  std::string end = path.extension().string();
  std::transform(end.begin(), end.end(), end.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const char* known : {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"}) {
    if (end == known) return true;
  }
  return false;
}

namespace detail {

/// A whole file in memory. Throws Error when it cannot be read or is larger than 1 GiB.
inline std::vector<std::uint8_t> file_bytes(const std::string& name) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(name, error);
  if (error) fail("'", name, "' cannot be read (", error.message(), ").");
  if (size > (std::uintmax_t{1} << 30)) fail("'", name, "' has ", size, " bytes; image files of at most 1 GiB are read.");
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(size));
  std::ifstream file(name, std::ios::binary);
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!file || file.gcount() != static_cast<std::streamsize>(bytes.size())) fail("'", name, "' cannot be read.");
  return bytes;
}

#ifdef GRAFT_WITH_STB
/// Bytes as stb_image asks for them; remembers whether it asked for more than there are.
struct StbBytes {
  const std::vector<std::uint8_t>& bytes;
  std::size_t position = 0;
  bool cut_short = false;

  static int read(void* user, char* to, int count) {
    StbBytes& self = *static_cast<StbBytes*>(user);
    const std::size_t left = self.bytes.size() - self.position;
    const std::size_t taken = std::min(left, static_cast<std::size_t>(std::max(count, 0)));
    if (taken == 0 && count > 0) self.cut_short = true;
    if (taken > 0) std::memcpy(to, self.bytes.data() + self.position, taken);
    self.position += taken;
    return static_cast<int>(taken);
  }
  static void skip(void* user, int count) {
    StbBytes& self = *static_cast<StbBytes*>(user);
    if (count < 0) {
      const std::size_t back = static_cast<std::size_t>(-static_cast<std::int64_t>(count));
      self.position -= std::min(self.position, back);
    } else {
      self.position += std::min(self.bytes.size() - self.position, static_cast<std::size_t>(count));
    }
  }
  static int eof(void* user) {
    const StbBytes& self = *static_cast<const StbBytes*>(user);
    return self.position >= self.bytes.size() ? 1 : 0;
  }
};
#endif

}  // namespace detail

/// Decodes one file with the channels it has (a palette as its colours, 16 bits as their upper 8). What it is, its first bytes
/// say, not its name. Throws Error, with the file's name, for one that cannot be read or decoded, ends too early, is larger
/// than 20000 pixels on a side or 2^27 in all, or needs a component that the program was built without.
inline Bitmap decode_image(const std::filesystem::path& path) {
  const std::string name = path.string();
  const std::vector<std::uint8_t> bytes = detail::file_bytes(name);
  if (bytes.size() >= 4 && (std::memcmp(bytes.data(), "II*\0", 4) == 0 || std::memcmp(bytes.data(), "MM\0*", 4) == 0))
    return detail::decode_tiff(bytes, name);
#ifdef GRAFT_WITH_STB
  const stbi_io_callbacks calls{&detail::StbBytes::read, &detail::StbBytes::skip, &detail::StbBytes::eof};
  int w = 0, h = 0, channels = 0;
  detail::StbBytes header{bytes};
  if (stbi_info_from_callbacks(&calls, &header, &w, &h, &channels) == 0)
    fail("'", name, "' cannot be decoded as an image; remove it or replace it.");
  detail::check_image_size(name, static_cast<std::uint64_t>(w), static_cast<std::uint64_t>(h));
  detail::StbBytes source{bytes};
  stbi_uc* pixels = stbi_load_from_callbacks(&calls, &source, &w, &h, &channels, 0);
  if (pixels == nullptr) fail("'", name, "' cannot be decoded (", stbi_failure_reason(), "); remove it or replace it.");
  Bitmap image{h, w, channels, {}};
  try {
    image.pixels.assign(pixels, pixels + image.count() * static_cast<std::size_t>(channels));
  } catch (...) {
    stbi_image_free(pixels);
    throw;
  }
  stbi_image_free(pixels);
  if (source.cut_short) fail("'", name, "' cannot be decoded (it ends too early); remove it or replace it.");
  return image;
#else
  fail("'", name, "' cannot be decoded: this program was built without stb_image; link the CMake component graft::stb.");
#endif
}

}  // namespace data
GRAFT_END

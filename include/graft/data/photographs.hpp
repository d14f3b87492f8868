#pragma once
/// \file photographs.hpp  A folder of photographs (JPEG, PNG, BMP) as RGB images; needs the CMake component graft::stb.
#include "graft/config.hpp"
#include "graft/core/error.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>
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

/// One photograph: height x width x 3.
struct Photograph {
  int height = 0;
  int width = 0;
  std::vector<std::uint8_t> pixels;
};

/// Reads all photographs of a folder in the order of their names. Throws Error for a folder that is missing or has none, and
/// for a file that cannot be decoded or is smaller than `least` pixels on a side, by name.
inline std::vector<Photograph> photographs(const std::filesystem::path& folder, int least = 1) {
  if (!std::filesystem::is_directory(folder))
    fail("'", folder.string(), "' is not a folder; give a folder of photographs (JPEG, PNG or BMP).");
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::string end = entry.path().extension().string();
    std::transform(end.begin(), end.end(), end.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (end == ".jpg" || end == ".jpeg" || end == ".png" || end == ".bmp") files.push_back(entry.path());
  }
  if (files.empty()) fail("the folder '", folder.string(), "' holds no photographs; put JPEG, PNG or BMP files there.");
  std::sort(files.begin(), files.end());
#ifdef GRAFT_WITH_STB
  std::vector<Photograph> result;
  for (const auto& file : files) {
    int w = 0, h = 0, channels = 0;
    const std::string name = file.string();
    if (stbi_info(name.c_str(), &w, &h, &channels) == 0)
      fail("'", name, "' cannot be decoded as an image; remove it or replace it.");
    constexpr int most = 20000;
    if (w > most || h > most) fail("'", name, "' claims ", w, " x ", h, " pixels; at most ", most, " on a side are read.");
    if (w < least || h < least)
      fail("'", name, "' has ", w, " x ", h, " pixels; at least ", least, " on each side are needed.");
    stbi_uc* pixels = stbi_load(name.c_str(), &w, &h, &channels, 3);
    if (pixels == nullptr) fail("'", name, "' cannot be decoded (", stbi_failure_reason(), "); remove it or replace it.");
    Photograph photograph{
        h, w, std::vector<std::uint8_t>(pixels, pixels + static_cast<std::size_t>(h) * static_cast<std::size_t>(w) * 3)};
    stbi_image_free(pixels);
    result.push_back(std::move(photograph));
  }
  return result;
#else
  (void)least;
  fail("this program was built without an image decoder; link the CMake component graft::stb to read '", folder.string(), "'.");
#endif
}

}  // namespace data
GRAFT_END

#pragma once
/// \file photographs.hpp  A folder of photographs (JPEG, PNG, BMP, TIFF) as RGB images; see decode.hpp for the CMake
/// components.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/data/decode.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

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
    fail("'", folder.string(), "' is not a folder; give a folder of photographs (JPEG, PNG, BMP or TIFF).");
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (is_image_name(entry.path())) files.push_back(entry.path());
  }
  if (files.empty()) fail("the folder '", folder.string(), "' holds no photographs; put JPEG, PNG, BMP or TIFF files there.");
  std::sort(files.begin(), files.end());
  std::vector<Photograph> result;
  for (const auto& file : files) {
    Bitmap image = with_channels(decode_image(file), 3);
    if (image.width < least || image.height < least) {
      fail("'", file.string(), "' has ", image.width, " x ", image.height, " pixels; at least ", least,
           " on each side are needed.");
    }
    result.push_back({image.height, image.width, std::move(image.pixels)});
  }
  return result;
}

}  // namespace data
GRAFT_END

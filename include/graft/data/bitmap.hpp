#pragma once
/// \file bitmap.hpp  One image in memory, and how grey, colour and transparency become one another.
#include "graft/config.hpp"
#include "graft/core/error.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

GRAFT_BEGIN
namespace data {

/// One image of bytes: height x width x channels. Channels: 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA.
struct Bitmap {
  int height = 0;
  int width = 0;
  int channels = 0;
  std::vector<std::uint8_t> pixels;
  [[nodiscard]] std::size_t count() const { return static_cast<std::size_t>(height) * static_cast<std::size_t>(width); }
  [[nodiscard]] const std::uint8_t* at(int y, int x) const {
    return pixels.data() + (static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x)) *
                               static_cast<std::size_t>(channels);
  }
};

/// What becomes of transparency when an image loses its alpha channel: it is dropped and the colour below shows (as PIL, Keras
/// and torchvision do), or the image is laid over black or white.
enum class Alpha { drop, over_black, over_white };

/// The image with 1, 3 or 4 channels. Grey from colour is ITU-R 601 luma in PIL's fixed point, (19595 r + 38470 g + 7471 b +
/// 2^15) / 2^16; colour from grey repeats it; a fourth channel that was not there is 255. Throws Error for other channels.
inline Bitmap with_channels(Bitmap image, int channels, Alpha alpha = Alpha::drop) {
  if (channels != 1 && channels != 3 && channels != 4)
    fail("images of ", channels, " channels were asked for; there are 1 (grey), 3 (RGB) and 4 (RGBA).");
  if (image.channels == channels) return image;
  Bitmap out{image.height, image.width, channels,
             std::vector<std::uint8_t>(image.count() * static_cast<std::size_t>(channels))};
  const std::uint8_t* from = image.pixels.data();
  std::uint8_t* to = out.pixels.data();
  const bool grey = image.channels <= 2;
  const bool transparent = image.channels == 2 || image.channels == 4;
  const bool lay = transparent && channels != 4 && alpha != Alpha::drop;
  const unsigned ground = alpha == Alpha::over_white ? 255 : 0;
  for (std::size_t i = 0; i < image.count(); ++i, from += image.channels, to += channels) {
    unsigned rgb[3] = {from[0], from[grey ? 0 : 1], from[grey ? 0 : 2]};
    const unsigned a = transparent ? from[image.channels - 1] : 255;
    if (lay) {
      for (unsigned& v : rgb) v = (v * a + ground * (255 - a) + 127) / 255;
    }
    if (channels == 1) {
      to[0] = static_cast<std::uint8_t>(grey ? rgb[0] : (rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 0x8000) >> 16);
      continue;
    }
    for (int c = 0; c < 3; ++c) to[c] = static_cast<std::uint8_t>(rgb[c]);
    if (channels == 4) to[3] = static_cast<std::uint8_t>(a);
  }
  return out;
}

}  // namespace data
GRAFT_END

#pragma once
/// \file augment_colour.hpp  Changes of colour, with torchvision's meaning. Numbers stay between 0 and 255.
#include "graft/config.hpp"
#include "graft/core/normals.hpp"
#include "graft/data/augment_geometry.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

GRAFT_BEGIN
namespace data {
namespace detail {

inline float luma(const float* p, int channels) { return channels < 3 ? p[0] : 0.2989f * p[0] + 0.587f * p[1] + 0.114f * p[2]; }
inline float byte_range(float v) { return std::clamp(v, 0.0f, 255.0f); }
/// Channels that are colour: a fourth or second one is alpha.
inline int colours(const Canvas& image) { return image.channels >= 3 ? 3 : 1; }

/// The hue of one RGB pixel turned by `turn` (1 is the whole circle), through HSV.
inline void turn_hue(float* p, float turn) {
  const float r = p[0], g = p[1], b = p[2];
  const float high = std::max({r, g, b}), low = std::min({r, g, b}), range = high - low;
  if (range <= 0.0f) return;  // grey has no hue
  float h = high == r ? (g - b) / range : high == g ? 2.0f + (b - r) / range : 4.0f + (r - g) / range;
  h = h / 6.0f + turn;
  h = (h - std::floor(h)) * 6.0f;
  const int sextant = static_cast<int>(h) % 6;
  const float f = h - std::floor(h), s = range / high;
  const float lowest = high * (1.0f - s), falling = high * (1.0f - s * f), rising = high * (1.0f - s * (1.0f - f));
  const float table[6][3] = {{high, rising, lowest},  {falling, high, lowest}, {lowest, high, rising},
                             {lowest, falling, high}, {rising, lowest, high},  {high, lowest, falling}};
  std::copy(table[sextant], table[sextant] + 3, p);
}

}  // namespace detail

/// factor * pixel.
inline void apply_brightness(Canvas& image, float factor) {
  const int colours = detail::colours(image);
  for (std::size_t i = 0; i < image.count(); ++i) {
    float* p = image.pixels + i * static_cast<std::size_t>(image.channels);
    for (int c = 0; c < colours; ++c) p[c] = detail::byte_range(p[c] * factor);
  }
}

/// Away from (factor above 1) or towards the image's mean grey.
inline void apply_contrast(Canvas& image, float factor) {
  const int colours = detail::colours(image);
  double sum = 0.0;
  for (std::size_t i = 0; i < image.count(); ++i)
    sum += static_cast<double>(detail::luma(image.pixels + i * static_cast<std::size_t>(image.channels), image.channels));
  const float mean = static_cast<float>(sum / static_cast<double>(image.count()));
  for (std::size_t i = 0; i < image.count(); ++i) {
    float* p = image.pixels + i * static_cast<std::size_t>(image.channels);
    for (int c = 0; c < colours; ++c) p[c] = detail::byte_range(factor * p[c] + (1.0f - factor) * mean);
  }
}

/// Away from or towards each pixel's own grey. Grey images stay.
inline void apply_saturation(Canvas& image, float factor) {
  if (image.channels < 3) return;
  for (std::size_t i = 0; i < image.count(); ++i) {
    float* p = image.pixels + i * static_cast<std::size_t>(image.channels);
    const float grey = detail::luma(p, image.channels);
    for (int c = 0; c < 3; ++c) p[c] = detail::byte_range(factor * p[c] + (1.0f - factor) * grey);
  }
}

/// All hues turned by `turn`, 1 being the whole circle. Grey images stay.
inline void apply_hue(Canvas& image, float turn) {
  if (image.channels < 3) return;
  for (std::size_t i = 0; i < image.count(); ++i)
    detail::turn_hue(image.pixels + i * static_cast<std::size_t>(image.channels), turn);
}

/// 255 - pixel.
inline void apply_invert(Canvas& image) {
  const int colours = detail::colours(image);
  for (std::size_t i = 0; i < image.count(); ++i) {
    float* p = image.pixels + i * static_cast<std::size_t>(image.channels);
    for (int c = 0; c < colours; ++c) p[c] = 255.0f - p[c];
  }
}

/// Gaussian noise of this deviation, in levels of 0 to 255, on every number.
inline void apply_noise(Canvas& image, double deviation, Random& random) {
  fill_normals(image.room, image.size(), random);
  const float scale = static_cast<float>(deviation);
  for (std::size_t i = 0; i < image.size(); ++i) image.pixels[i] = detail::byte_range(image.pixels[i] + scale * image.room[i]);
}

}  // namespace data
GRAFT_END

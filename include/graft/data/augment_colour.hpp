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

/// Channels that are colour: a fourth or second one is alpha.
inline int colours(const Canvas& image) { return image.channels >= 3 ? 3 : 1; }

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
    for (int c = 0; c < colours; ++c) p[c] = detail::apart_from(mean, p[c], factor);
  }
}

/// Away from or towards each pixel's own grey. Grey images stay.
inline void apply_saturation(Canvas& image, float factor) {
  if (image.channels < 3) return;
  for (std::size_t i = 0; i < image.count(); ++i) {
    float* p = image.pixels + i * static_cast<std::size_t>(image.channels);
    const float grey = detail::luma(p, image.channels);
    for (int c = 0; c < 3; ++c) p[c] = detail::apart_from(grey, p[c], factor);
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

#pragma once
/// \file augment_geometry.hpp  Changes of where things are: affine maps with Keras's fill modes, flips, crops, erased boxes.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/core/random.hpp"
#include "graft/data/pixel_math.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <utility>

GRAFT_BEGIN
namespace data {

/// One image under change: height x width x channels numbers from 0 to 255, and room for the next version.
struct Canvas {
  int height = 0;
  int width = 0;
  int channels = 0;
  float* pixels = nullptr;
  float* room = nullptr;  ///< as large as the largest version
  [[nodiscard]] std::size_t count() const { return static_cast<std::size_t>(height) * static_cast<std::size_t>(width); }
  [[nodiscard]] std::size_t size() const { return count() * static_cast<std::size_t>(channels); }
  [[nodiscard]] std::size_t offset(int y, int x) const {
    return (static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x)) *
           static_cast<std::size_t>(channels);
  }
};

/// Rows of the map (row, column) of the new image -> (row, column) of the old one: {a, b, offset} each.
using AffineMap = std::array<std::array<double, 3>, 2>;

/// Keras's apply_affine_transform: rotation . shift . shear . zoom on (x, y) about the image's centre, from new places to old
/// ones. Angles in degrees, shifts in pixels; a zoom below 1 enlarges. (Of an image that is not square Keras takes half the
/// height for the centre's x and half the width for its y; here the centre is the centre.)
inline AffineMap affine_map(int height, int width, double rotation, double shift_x, double shift_y, double shear, double zoom_x,
                            double zoom_y) {
  const double t = rotation * std::numbers::pi / 180.0, s = shear * std::numbers::pi / 180.0;
  const double a = std::cos(t), b = -std::sin(t), c = std::sin(t), d = std::cos(t);
  AffineMap map{{{(-c * std::sin(s) + d * std::cos(s)) * zoom_y, c * zoom_x, c * shift_x + d * shift_y},
                 {(-a * std::sin(s) + b * std::cos(s)) * zoom_y, a * zoom_x, a * shift_x + b * shift_y}}};
  const double cy = height / 2.0 - 0.5, cx = width / 2.0 - 0.5;
  map[0][2] += cy - map[0][0] * cy - map[0][1] * cx;
  map[1][2] += cx - map[1][0] * cy - map[1][1] * cx;
  return map;
}

/// Each new pixel is the bilinear mean of the old ones about map(new pixel), as scipy.ndimage.affine_transform with order 1.
inline void apply_affine(Canvas& image, const AffineMap& map, Fill fill, float value) {
  float* out = image.room;
  const int channels = image.channels;
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x, out += channels) {
      detail::Taps v, u;
      if (!detail::taps(map[0][0] * y + map[0][1] * x + map[0][2], image.height, fill, v) ||
          !detail::taps(map[1][0] * y + map[1][1] * x + map[1][2], image.width, fill, u)) {
        std::fill(out, out + channels, value);
        continue;
      }
      const float* p00 = image.pixels + image.offset(v.low, u.low);
      const float* p01 = image.pixels + image.offset(v.low, u.high);
      const float* p10 = image.pixels + image.offset(v.high, u.low);
      const float* p11 = image.pixels + image.offset(v.high, u.high);
      for (int c = 0; c < channels; ++c) out[c] = detail::between(p00[c], p01[c], p10[c], p11[c], u.part, v.part);
    }
  }
  std::swap(image.pixels, image.room);
}

/// Left and right, or top and bottom, change places.
inline void apply_flip(Canvas& image, bool horizontal) {
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      const float* from =
          image.pixels + (horizontal ? image.offset(y, image.width - 1 - x) : image.offset(image.height - 1 - y, x));
      std::copy(from, from + image.channels, image.room + image.offset(y, x));
    }
  }
  std::swap(image.pixels, image.room);
}

/// The part of height x width at (top, left); beyond the image lies `value`.
inline void apply_crop(Canvas& image, int top, int left, int height, int width, float value) {
  float* out = image.room;
  for (int y = top; y < top + height; ++y) {
    for (int x = left; x < left + width; ++x, out += image.channels) {
      if (y < 0 || x < 0 || y >= image.height || x >= image.width) {
        std::fill(out, out + image.channels, value);
      } else {
        const float* from = image.pixels + image.offset(y, x);
        std::copy(from, from + image.channels, out);
      }
    }
  }
  image.height = height;
  image.width = width;
  std::swap(image.pixels, image.room);
}

/// A box is covered, its parts beyond the image are not; value() gives each number.
template <class Value>
void apply_erase(Canvas& image, int top, int left, int height, int width, Value&& value) {
  for (int y = std::max(top, 0); y < std::min(top + height, image.height); ++y) {
    for (int x = std::max(left, 0); x < std::min(left + width, image.width); ++x) {
      float* p = image.pixels + image.offset(y, x);
      for (int c = 0; c < image.channels; ++c) p[c] = value();
    }
  }
}

}  // namespace data
GRAFT_END

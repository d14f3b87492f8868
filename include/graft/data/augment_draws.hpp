#pragma once
/// \file augment_draws.hpp  The random draws of each change of an image, and the change itself on the CPU. What is drawn is
/// plain numbers, so that a device does the same to the same image.
#include "graft/config.hpp"
#include "graft/core/pixel_change.hpp"
#include "graft/core/random.hpp"
#include "graft/core/shape.hpp"
#include "graft/data/augment_colour.hpp"
#include "graft/data/augment_geometry.hpp"
#include "graft/data/augment_steps.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <variant>

GRAFT_BEGIN
namespace data {
namespace detail {

/// The draws of one step for one image of height x width that a net takes as `to`.
class Draw {
 public:
  Draw(int height, int width, Shape to, std::uint64_t seed, std::uint64_t stream)
      : height_(height), width_(width), to_(to), seed_(seed), stream_(stream), random_(seed, stream) {}

  PixelChange operator()(const Affine& s) {
    const double rotation = uniform(s.rotation), shear = uniform(s.shear);
    const double y = uniform(s.shift_y) * height_, x = uniform(s.shift_x) * width_;
    const double zoom_y = random_.uniform(s.zoom_low, s.zoom_high);
    const double zoom_x = s.keep_aspect ? zoom_y : random_.uniform(s.zoom_low, s.zoom_high);
    PixelChange change = of(PixelChange::Kind::affine, s.value);
    change.fill = static_cast<int>(s.fill);
    const AffineMap map = affine_map(height_, width_, rotation, x, y, shear, zoom_x, zoom_y);
    for (std::size_t i = 0; i < 2; ++i) std::copy(map[i].begin(), map[i].end(), change.map[i]);
    return change;
  }
  PixelChange operator()(const Flip& s) {
    if (random_.uniform() >= s.probability) return {};
    return of(s.horizontal ? PixelChange::Kind::flip_horizontal : PixelChange::Kind::flip_vertical);
  }
  PixelChange operator()(const RandomCrop& s) {
    PixelChange change = of(PixelChange::Kind::crop, s.value);
    change.height = to_.is_image() ? to_.h : height_, change.width = to_.is_image() ? to_.w : width_;
    change.top = below(height_ + 2 * s.padding - change.height + 1) - s.padding;
    change.left = below(width_ + 2 * s.padding - change.width + 1) - s.padding;
    return change;
  }
  PixelChange operator()(const ColourJitter& s) {
    PixelChange change = of(PixelChange::Kind::colours);
    const double reach[3] = {s.brightness, s.contrast, s.saturation};
    for (int i = 0; i < 3; ++i) {
      change.factor[i] = static_cast<float>(random_.uniform(std::max(0.0, 1.0 - reach[i]), 1.0 + reach[i]));
      if (reach[i] > 0.0) change.colours |= 1 << i;
    }
    change.factor[3] = static_cast<float>(uniform(s.hue));
    if (s.hue > 0.0) change.colours |= PixelChange::hue;
    return change;
  }
  PixelChange operator()(const Invert& s) {
    return random_.uniform() < s.probability ? of(PixelChange::Kind::invert) : PixelChange{};
  }
  PixelChange operator()(const Noise& s) { return of(PixelChange::Kind::noise, 255.0 * s.deviation); }
  PixelChange operator()(const Cutout& s) {
    const int y = below(height_), x = below(width_);
    return cover(y - s.size / 2, x - s.size / 2, s.size, s.size, s.value);
  }
  PixelChange operator()(const RandomErasing& s) {
    if (random_.uniform() >= s.probability) return {};
    for (int attempt = 0; attempt < 10; ++attempt) {
      const double area = random_.uniform(s.area_low, s.area_high) * static_cast<double>(height_) * static_cast<double>(width_);
      const double aspect = std::exp(random_.uniform(std::log(s.ratio), -std::log(s.ratio)));
      const double h = std::round(std::sqrt(area * aspect)), w = std::round(std::sqrt(area / aspect));
      if (h < 1.0 || w < 1.0 || h >= height_ || w >= width_) continue;
      const int high = static_cast<int>(h), wide = static_cast<int>(w);
      const int top = below(height_ - high + 1), left = below(width_ - wide + 1);
      PixelChange change = cover(top, left, high, wide, s.value);
      change.random = s.random;
      change.word = random_.taken();
      return change;
    }
    return {};
  }
  PixelChange operator()(const Mixup&) { return {}; }   // of a batch
  PixelChange operator()(const Change&) { return {}; }  // see Augment::apply()

 private:
  double uniform(double reach) { return random_.uniform(-reach, reach); }
  int below(int count) { return static_cast<int>(random_.below(static_cast<std::uint32_t>(count))); }
  [[nodiscard]] PixelChange of(PixelChange::Kind kind, double value = 0.0) const {
    PixelChange change;
    change.kind = kind;
    change.value = static_cast<float>(value);
    change.seed = seed_, change.stream = stream_;
    return change;
  }
  /// The part of the box that lies in the image.
  [[nodiscard]] PixelChange cover(int top, int left, int height, int width, double value) const {
    PixelChange change = of(PixelChange::Kind::cover, value);
    change.top = std::max(top, 0), change.left = std::max(left, 0);
    change.height = std::max(std::min(top + height, height_) - change.top, 0);
    change.width = std::max(std::min(left + width, width_) - change.left, 0);
    return change;
  }

  int height_, width_;
  Shape to_;
  std::uint64_t seed_, stream_;
  Random random_;
};

inline void apply_colours(Canvas& image, const PixelChange& how) {
  if (how.colours & PixelChange::brightness) apply_brightness(image, how.factor[0]);
  if (how.colours & PixelChange::contrast) apply_contrast(image, how.factor[1]);
  if (how.colours & PixelChange::saturation) apply_saturation(image, how.factor[2]);
  if (how.colours & PixelChange::hue) apply_hue(image, how.factor[3]);
}

/// Does to an image what was drawn for it.
inline void apply(Canvas& image, const PixelChange& how) {
  using Kind = PixelChange::Kind;
  switch (how.kind) {
    case Kind::none:
      return;
    case Kind::affine: {
      AffineMap map;
      for (std::size_t i = 0; i < 2; ++i) std::copy_n(how.map[i], 3, map[i].begin());
      return apply_affine(image, map, static_cast<Fill>(how.fill), how.value);
    }
    case Kind::flip_horizontal:
    case Kind::flip_vertical:
      return apply_flip(image, how.kind == Kind::flip_horizontal);
    case Kind::crop:
      return apply_crop(image, how.top, how.left, how.height, how.width, how.value);
    case Kind::colours:
      return apply_colours(image, how);
    case Kind::invert:
      return apply_invert(image);
    case Kind::noise: {
      Random random(how.seed, how.stream);
      return apply_noise(image, how.value, random);
    }
    case Kind::cover: {
      Random random(how.seed, how.stream);
      random.skip(how.word);
      return apply_erase(image, how.top, how.left, how.height, how.width,
                         [&] { return how.random ? static_cast<float>(random.uniform(0.0, 255.0)) : how.value; });
    }
  }
}

}  // namespace detail
}  // namespace data
GRAFT_END

#pragma once
/// \file augment.hpp  Random changes of training images, as a list: Augment{rotate(20), flip_horizontal(), noise(0.02)}. Each
/// image's draws are a function of (seed, pass over the set, index) and of the place in the list, whatever the threads.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/core/random.hpp"
#include "graft/core/shape.hpp"
#include "graft/data/augment_draws.hpp"
#include "graft/data/augment_steps.hpp"
#include "graft/data/normalize.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <variant>
#include <vector>

GRAFT_BEGIN
namespace data {

namespace detail {
/// Beta(alpha, alpha) (Joehnk 1964 for alpha <= 1, else as a ratio of gammas by Marsaglia and Tsang 2000).
inline double draw_beta(double alpha, Random& random) {
  if (alpha <= 1.0) {
    while (true) {
      const double u = 1.0 - random.uniform(), v = 1.0 - random.uniform();
      // in logarithms: u^(1/alpha) underflows for a small alpha
      const double a = std::log(u) / alpha, b = std::log(v) / alpha, top = std::max(a, b);
      if (top + std::log(std::exp(a - top) + std::exp(b - top)) <= 0.0) return 1.0 / (1.0 + std::exp(b - a));
    }
  }
  const auto gamma = [&] {
    const double d = alpha - 1.0 / 3.0, c = 1.0 / std::sqrt(9.0 * d);
    while (true) {
      const double x = random.normal(), w = 1.0 + c * x, v = w * w * w;
      if (v > 0.0 && std::log(1.0 - random.uniform()) < 0.5 * x * x + d * (1.0 - v + std::log(v))) return d * v;
    }
  };
  const double a = gamma();
  return a / (a + gamma());
}
}  // namespace detail

/// The list. Throws Error, when it is made, for a number that cannot be meant.
class Augment {
 public:
  Augment() = default;
  Augment(std::initializer_list<Augmentation> steps) {
    for (const Augmentation& step : steps) add(step);
  }
  /// Adds one at the end.
  void add(const Augmentation& step) {
    detail::check(step);
    if (const Mixup* m = std::get_if<Mixup>(&step)) {
      alpha_ = m->alpha;
      return;
    }
    const Affine* now = std::get_if<Affine>(&step);
    Affine* before = steps_.empty() ? nullptr : std::get_if<Affine>(&steps_.back());
    if (now != nullptr && before != nullptr && merge(*before, *now)) return;
    steps_.push_back(step);
  }
  /// Whether images stay as they are.
  [[nodiscard]] bool empty() const { return steps_.empty(); }
  /// Mixup's alpha, 0 without.
  [[nodiscard]] double mixup_alpha() const { return alpha_; }
  [[nodiscard]] const std::vector<Augmentation>& steps() const { return steps_; }

  /// Throws Error unless images of `from` can become samples of `to`: as Normalize::check, but a RandomCrop may cut them.
  void check_shapes(const std::string& set, Shape from, Shape to) const {
    if (const RandomCrop* crop = cropping(); crop != nullptr && to.is_image()) {
      if (from.h + 2 * crop->padding < to.h || from.w + 2 * crop->padding < to.w) {
        fail("the images of '", set, "' are ", from.h, " x ", from.w, ", too small for random_crop to ", to.h, " x ", to.w,
             "; resize them to more, or give it padding.");
      }
      from.h = to.h;
      from.w = to.w;
    }
    Normalize::check(set, from, to);
  }
  /// How many floats one canvas needs: `write` wants two of them.
  [[nodiscard]] static std::size_t canvas_size(Shape from, Shape to) {
    const std::size_t c = static_cast<std::size_t>(from.c);
    return std::max(from.size(), to.is_image() ? static_cast<std::size_t>(to.h) * static_cast<std::size_t>(to.w) * c : 0);
  }
  /// One image: bytes of `from` -> changed, normalised numbers of `to`. `key` is the image's own (pass and index); `room` holds
  /// two canvases.
  template <class T>
  void write(const std::uint8_t* pixels, Shape from, Shape to, const Normalize& normalize, std::uint64_t seed,
             std::uint64_t key, float* room, T* out) const {
    Canvas image{from.h, from.w, from.c, room, room + canvas_size(from, to)};
    for (std::size_t i = 0; i < image.size(); ++i) image.pixels[i] = static_cast<float>(pixels[i]);
    apply(image, to, seed, key);
    from.h = image.height;
    from.w = image.width;
    normalize.write(image.pixels, from, to, out);
  }
  /// The steps alone, on numbers from 0 to 255.
  void apply(Canvas& image, Shape to, std::uint64_t seed, std::uint64_t key) const {
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      if (const Change* own = std::get_if<Change>(&steps_[i])) {
        Random random(seed, mix(key, i));
        own->function(image, random);
      } else {
        detail::apply(image, drawn(i, image.height, image.width, to, seed, key));
      }
    }
  }
  /// Whether all steps are known to a device: no Change.
  [[nodiscard]] bool is_plain() const {
    return std::none_of(steps_.begin(), steps_.end(), [](const auto& s) { return std::holds_alternative<Change>(s); });
  }
  /// What is drawn for one image, a number of steps().size(); for steps that are plain.
  void draw(Shape from, Shape to, std::uint64_t seed, std::uint64_t key, PixelChange* out) const {
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      out[i] = drawn(i, from.h, from.w, to, seed, key);
      if (out[i].kind == PixelChange::Kind::crop) from.h = out[i].height, from.w = out[i].width;
    }
  }

 private:
  [[nodiscard]] const RandomCrop* cropping() const {
    for (const Augmentation& step : steps_) {
      if (const RandomCrop* first = std::get_if<RandomCrop>(&step)) return first;  // the others have an image of the net's size
    }
    return nullptr;
  }
  [[nodiscard]] PixelChange drawn(std::size_t i, int height, int width, Shape to, std::uint64_t seed, std::uint64_t key) const {
    return std::visit(detail::Draw(height, width, to, seed, mix(key, i)), steps_[i]);
  }
  static bool merge(Affine& a, const Affine& b) {
    const auto both = [](double x, double y) { return x != 0.0 && y != 0.0; };
    const bool zooms = a.zoom_low != 1.0 || a.zoom_high != 1.0, zooms_too = b.zoom_low != 1.0 || b.zoom_high != 1.0;
    if (a.fill != b.fill || a.value != b.value || both(a.rotation, b.rotation) || both(a.shear, b.shear) ||
        both(a.shift_x, b.shift_x) || both(a.shift_y, b.shift_y) || (zooms && zooms_too)) {
      return false;
    }
    a.rotation += b.rotation, a.shear += b.shear, a.shift_x += b.shift_x, a.shift_y += b.shift_y;
    if (zooms_too) a.zoom_low = b.zoom_low, a.zoom_high = b.zoom_high, a.keep_aspect = b.keep_aspect;
    return true;
  }
  std::vector<Augmentation> steps_;
  double alpha_ = 0.0;
};

}  // namespace data
GRAFT_END

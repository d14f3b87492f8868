#pragma once
/// \file augment.hpp  Random changes of training images, as a list: Augment{rotate(20), flip_horizontal(), noise(0.02)}. Each
/// image's draws are a function of (seed, pass over the set, index) and of the place in the list, whatever the threads.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/core/random.hpp"
#include "graft/core/shape.hpp"
#include "graft/data/augment_colour.hpp"
#include "graft/data/augment_geometry.hpp"
#include "graft/data/normalize.hpp"

#include <cmath>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

GRAFT_BEGIN
namespace data {

/// Uniform draws of a rotation and a shear in +-degrees, shifts in +-parts of the height and width, and a zoom of rows and of
/// columns in [zoom_low, zoom_high] (below 1 enlarges), put together and resampled once, as Keras's ImageDataGenerator does.
struct Affine {
  double rotation = 0.0, shear = 0.0, shift_y = 0.0, shift_x = 0.0, zoom_low = 1.0, zoom_high = 1.0;
  Fill fill = Fill::nearest;
  double value = 0.0;        ///< beyond the edges, with Fill::constant; from 0 to 255
  bool keep_aspect = false;  ///< one zoom for rows and columns
};
struct Flip {
  bool horizontal = true;
  double probability = 0.5;
};
/// A random part of the size that the net takes, of the image with `padding` pixels of `value` around it.
struct RandomCrop {
  int padding = 0;
  double value = 0.0;
};
/// torchvision's ColorJitter in the order brightness, contrast, saturation, hue: factors in [1 - x, 1 + x], not below 0; the
/// hue turns by up to +-hue of the circle, at most 0.5.
struct ColourJitter {
  double brightness = 0.0, contrast = 0.0, saturation = 0.0, hue = 0.0;
};
struct Invert {
  double probability = 0.5;
};
/// Gaussian noise; the deviation is a part of the whole range of a pixel.
struct Noise {
  double deviation = 0.02;
};
/// A square of size x size about a random pixel becomes `value` (DeVries and Taylor 2017; parts beyond the image are lost).
struct Cutout {
  int size = 8;
  double value = 127.5;
};
/// Zhong et al. 2017: with this probability a box of a part of the area in [area_low, area_high] and an aspect in [ratio, 1 /
/// ratio] is covered, with noise (uniform) or `value`; up to ten draws until one fits.
struct RandomErasing {
  double probability = 0.5, area_low = 0.02, area_high = 0.4, ratio = 0.3;
  bool random = true;
  double value = 127.5;
};
/// Zhang et al. 2018: images and labels of a batch become lambda x_i + (1 - lambda) x_(i+1), lambda ~ Beta(alpha, alpha), one
/// for each batch. See Batch::mixed_labels. For one labelled set; acts on the normalised batch, after all others.
struct Mixup {
  double alpha = 0.2;
};
/// Any function; it draws from the Random it is given, so that the result stays a function of (seed, pass, index).
struct Change {
  std::function<void(Canvas&, Random&)> function;
};

using Augmentation = std::variant<Affine, Flip, RandomCrop, ColourJitter, Invert, Noise, Cutout, RandomErasing, Mixup, Change>;

/// Rotation by up to +-degrees about the centre. Neighbours of rotate, shear, zoom and shift become one Affine.
inline Affine rotate(double degrees, Fill fill = Fill::nearest, double value = 0.0) {
  return {.rotation = degrees, .fill = fill, .value = value};
}
inline Affine shear(double degrees, Fill fill = Fill::nearest, double value = 0.0) {
  return {.shear = degrees, .fill = fill, .value = value};
}
/// Zoom in [1 - part, 1 + part], rows and columns apart, as Keras's zoom_range.
inline Affine zoom(double part, Fill fill = Fill::nearest, double value = 0.0) {
  return {.zoom_low = 1.0 - part, .zoom_high = 1.0 + part, .fill = fill, .value = value};
}
/// Shift by up to +-parts of the height and the width.
inline Affine shift(double y, double x, Fill fill = Fill::nearest, double value = 0.0) {
  return {.shift_y = y, .shift_x = x, .fill = fill, .value = value};
}
inline Flip flip_horizontal(double probability = 0.5) { return {true, probability}; }
inline Flip flip_vertical(double probability = 0.5) { return {false, probability}; }
inline RandomCrop random_crop(int padding = 0, double value = 0.0) { return {padding, value}; }
inline ColourJitter colour_jitter(double brightness, double contrast, double saturation, double hue = 0.0) {
  return {brightness, contrast, saturation, hue};
}
inline Invert invert(double probability = 0.5) { return {probability}; }
inline Noise noise(double deviation) { return {deviation}; }
inline Cutout cutout(int size, double value = 127.5) { return {size, value}; }
inline RandomErasing random_erasing(const RandomErasing& options = {}) { return options; }
inline Mixup mixup(double alpha) { return {alpha}; }
template <class F>
Change change(F function) {
  return {std::move(function)};
}

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
    check(step);
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
      Random random(seed, mix(key, i));
      std::visit([&](const auto& step) { run(step, image, to, random); }, steps_[i]);
    }
  }

 private:
  [[nodiscard]] const RandomCrop* cropping() const {
    const RandomCrop* found = nullptr;
    for (const Augmentation& step : steps_) found = std::get_if<RandomCrop>(&step) ? std::get_if<RandomCrop>(&step) : found;
    return found;
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
  static void check(const Augmentation& step);
  static void run(const Affine& s, Canvas& image, Shape, Random& random) {
    const double rotation = random.uniform(-s.rotation, s.rotation), shear = random.uniform(-s.shear, s.shear);
    const double y = random.uniform(-s.shift_y, s.shift_y) * image.height;
    const double x = random.uniform(-s.shift_x, s.shift_x) * image.width;
    const double zoom_y = random.uniform(s.zoom_low, s.zoom_high);
    const double zoom_x = s.keep_aspect ? zoom_y : random.uniform(s.zoom_low, s.zoom_high);
    apply_affine(image, affine_map(image.height, image.width, rotation, x, y, shear, zoom_x, zoom_y), s.fill,
                 static_cast<float>(s.value));
  }
  static void run(const Flip& s, Canvas& image, Shape, Random& random) {
    if (random.uniform() < s.probability) apply_flip(image, s.horizontal);
  }
  static void run(const RandomCrop& s, Canvas& image, Shape to, Random& random) {
    const int h = to.is_image() ? to.h : image.height, w = to.is_image() ? to.w : image.width;
    const int top = static_cast<int>(random.below(static_cast<std::uint32_t>(image.height + 2 * s.padding - h + 1)));
    const int left = static_cast<int>(random.below(static_cast<std::uint32_t>(image.width + 2 * s.padding - w + 1)));
    apply_crop(image, top - s.padding, left - s.padding, h, w, static_cast<float>(s.value));
  }
  static void run(const ColourJitter& s, Canvas& image, Shape, Random& random) {
    const auto factor = [&](double x) { return static_cast<float>(random.uniform(std::max(0.0, 1.0 - x), 1.0 + x)); };
    const float brightness = factor(s.brightness), contrast = factor(s.contrast), saturation = factor(s.saturation);
    const float hue = static_cast<float>(random.uniform(-s.hue, s.hue));
    if (s.brightness > 0.0) apply_brightness(image, brightness);
    if (s.contrast > 0.0) apply_contrast(image, contrast);
    if (s.saturation > 0.0) apply_saturation(image, saturation);
    if (s.hue > 0.0) apply_hue(image, hue);
  }
  static void run(const Invert& s, Canvas& image, Shape, Random& random) {
    if (random.uniform() < s.probability) apply_invert(image);
  }
  static void run(const Noise& s, Canvas& image, Shape, Random& random) { apply_noise(image, 255.0 * s.deviation, random); }
  static void run(const Cutout& s, Canvas& image, Shape, Random& random) {
    const int y = static_cast<int>(random.below(static_cast<std::uint32_t>(image.height)));
    const int x = static_cast<int>(random.below(static_cast<std::uint32_t>(image.width)));
    const float value = static_cast<float>(s.value);
    apply_erase(image, y - s.size / 2, x - s.size / 2, s.size, s.size, [&] { return value; });
  }
  static void run(const RandomErasing& s, Canvas& image, Shape, Random& random);
  static void run(const Mixup&, Canvas&, Shape, Random&) {}
  static void run(const Change& s, Canvas& image, Shape, Random& random) { s.function(image, random); }

  std::vector<Augmentation> steps_;
  double alpha_ = 0.0;
};

inline void Augment::run(const RandomErasing& s, Canvas& image, Shape, Random& random) {
  if (random.uniform() >= s.probability) return;
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double area = random.uniform(s.area_low, s.area_high) * static_cast<double>(image.count());
    const double aspect = std::exp(random.uniform(std::log(s.ratio), -std::log(s.ratio)));
    const double h = std::round(std::sqrt(area * aspect)), w = std::round(std::sqrt(area / aspect));
    if (h < 1.0 || w < 1.0 || h >= image.height || w >= image.width) continue;
    const int height = static_cast<int>(h), width = static_cast<int>(w);
    const int top = static_cast<int>(random.below(static_cast<std::uint32_t>(image.height - height + 1)));
    const int left = static_cast<int>(random.below(static_cast<std::uint32_t>(image.width - width + 1)));
    apply_erase(image, top, left, height, width,
                [&] { return static_cast<float>(s.random ? random.uniform(0.0, 255.0) : s.value); });
    return;
  }
}

inline void Augment::check(const Augmentation& step) {
  const auto want = [](bool good, const char* sentence) {
    if (!good) fail("data::Augment: ", sentence);
  };
  const auto part = [](double p) { return p >= 0.0 && p <= 1.0; };
  if (const Affine* a = std::get_if<Affine>(&step)) {
    want(a->zoom_low > 0.0 && a->zoom_low <= a->zoom_high,
         "a zoom needs 0 < zoom_low <= zoom_high; zoom(part) a part below 1.");
    want(std::abs(a->shear) < 90.0 && std::isfinite(a->rotation), "a shear needs less than 90 degrees, a rotation a number.");
    want(std::isfinite(a->shift_x) && std::isfinite(a->shift_y), "a shift is a part of the height and of the width.");
  } else if (const Flip* f = std::get_if<Flip>(&step)) {
    want(part(f->probability), "a flip's probability is from 0 to 1.");
  } else if (const RandomCrop* c = std::get_if<RandomCrop>(&step)) {
    want(c->padding >= 0 && c->padding <= 4096, "random_crop takes a padding of 0 to 4096 pixels.");
  } else if (const ColourJitter* j = std::get_if<ColourJitter>(&step)) {
    want(j->brightness >= 0.0 && j->contrast >= 0.0 && j->saturation >= 0.0 && j->hue >= 0.0 && j->hue <= 0.5,
         "colour_jitter takes numbers from 0 up, a hue to 0.5.");
  } else if (const Invert* i = std::get_if<Invert>(&step)) {
    want(part(i->probability), "invert's probability is from 0 to 1.");
  } else if (const Noise* n = std::get_if<Noise>(&step)) {
    want(n->deviation >= 0.0 && std::isfinite(n->deviation), "noise takes a deviation from 0 up, 1 being the whole range.");
  } else if (const Cutout* o = std::get_if<Cutout>(&step)) {
    want(o->size >= 1 && o->size <= 20000, "cutout takes a size of at least 1 pixel.");
  } else if (const RandomErasing* e = std::get_if<RandomErasing>(&step)) {
    want(part(e->probability) && e->area_low > 0.0 && e->area_low <= e->area_high && e->area_high <= 1.0 && e->ratio > 0.0 &&
             e->ratio <= 1.0,
         "random_erasing takes a probability, 0 < area_low <= area_high <= 1 and a ratio in (0, 1].");
  } else if (const Mixup* m = std::get_if<Mixup>(&step)) {
    want(m->alpha > 0.0 && std::isfinite(m->alpha), "mixup takes an alpha above 0.");
  } else if (const Change* g = std::get_if<Change>(&step)) {
    want(static_cast<bool>(g->function), "change was given no function.");
  }
}

}  // namespace data
GRAFT_END

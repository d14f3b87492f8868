#pragma once
/// \file augment_steps.hpp  The changes that an Augment may make of, and the functions that name them.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/core/random.hpp"
#include "graft/data/augment_geometry.hpp"

#include <cmath>
#include <functional>
#include <utility>
#include <variant>

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
/// Throws Error for a number that cannot be meant.
inline void check(const Augmentation& step) {
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
}  // namespace detail

}  // namespace data
GRAFT_END

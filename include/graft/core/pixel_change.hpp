#pragma once
/// \file pixel_change.hpp  What augmentation does to the pixels of one image, as plain numbers: drawn by the host, done by it
/// or by a device.
#include "graft/config.hpp"
#include "graft/core/device.hpp"

#include <cstddef>
#include <cstdint>

/// Before a function that nvcc compiles for the GPU, too.
#if defined(__CUDACC__)
#define GRAFT_ANYWHERE __host__ __device__
#else
#define GRAFT_ANYWHERE
#endif

GRAFT_SHARED_BEGIN

/// One step of one image's augmentation after its draws. Numbers of pixels are from 0 to 255.
struct PixelChange {
  enum class Kind : int { none, affine, flip_horizontal, flip_vertical, crop, colours, invert, noise, cover };
  enum Colours : int { brightness = 1, contrast = 2, saturation = 4, hue = 8 };
  Kind kind = Kind::none;
  int fill = 0;                                  ///< affine: a data::Fill
  int colours = 0;                               ///< colours: which of them change, a sum of Colours
  int top = 0, left = 0, height = 0, width = 0;  ///< crop: the box that stays; cover: the box that is covered, in the image
  float value = 0.0f;                            ///< beyond the edges; in a covered box; noise: the deviation
  float factor[4] = {};                          ///< colours: by how much, in their order
  double map[2][3] = {};                         ///< affine: data::AffineMap
  bool random = false;                           ///< cover: by uniform numbers from 0 to 255
  std::uint64_t seed = 0, stream = 0;            ///< noise, cover: of Random
  std::uint64_t word = 0;                        ///< cover: the first of the stream's 32-bit words
};

/// Rows of numbers from images that change: `out` says what comes of them, `steps` changes come for each row.
struct ChangedRows {
  PixelRows out;
  int height = 0, width = 0;  ///< of the images before
  std::size_t canvas = 0;     ///< numbers of the largest version of an image
  int steps = 0;
  bool each_image = false;  ///< data::Normalize::of_each_image() in the place of out.scale and out.shift
};

GRAFT_END

#pragma once
/// \file shape.hpp  The shape of one sample. It is a structural value, so that it can be part of a net's type; the batch size
/// is an ordinary run-time number. Images are NHWC: height, width, channels, the channel fastest.
#include "graft/config.hpp"

#include <cstddef>

GRAFT_BEGIN

/// Shape of one sample: an image (rank 3) or a vector (rank 1, stored as 1 x 1 x n).
struct Shape {
  int rank = 1;
  int h = 1;
  int w = 1;
  int c = 1;
  /// Number of elements of one sample.
  [[nodiscard]] constexpr std::size_t size() const {
    return static_cast<std::size_t>(h) * static_cast<std::size_t>(w) * static_cast<std::size_t>(c);
  }
  [[nodiscard]] constexpr bool is_image() const { return rank == 3; }
  [[nodiscard]] constexpr bool is_vector() const { return rank == 1; }
  friend constexpr bool operator==(const Shape&, const Shape&) = default;
};

/// `Image<H, W, C>`: the shape of an H x W image with C channels.
template <int H, int W, int C>
inline constexpr Shape Image{3, H, W, C};

/// `Vector<N>`: the shape of a vector of N numbers.
template <int N>
inline constexpr Shape Vector{1, 1, 1, N};

constexpr Shape image_shape(int h, int w, int c) { return {3, h, w, c}; }
constexpr Shape vector_shape(int n) { return {1, 1, 1, n}; }

/// Height and width of a kernel, a stride or a dilation; `3` means 3 x 3.
struct Size {
  int h = 1;
  int w = 1;
  constexpr Size() = default;
  constexpr Size(int both) : h(both), w(both) {}
  constexpr Size(int height, int width) : h(height), w(width) {}
  friend constexpr bool operator==(const Size&, const Size&) = default;
};

/// A real number as a template argument: `LeakyReLU<0.3>`, `Dropout<0.5>`.
struct Number {
  double value = 0.0;
  constexpr Number(double v) : value(v) {}
  friend constexpr bool operator==(const Number&, const Number&) = default;
};

/// Padding of a convolution or pool: `valid` (none), `same` (as TensorFlow pads: output = ceil(input / stride), an odd
/// remainder goes to the bottom and right), explicit widths, or, for pools, `ceil_mode` (as PyTorch's: none, but the last
/// window may hang over the bottom and right edge).
struct Padding {
  enum Kind { is_valid, is_same, is_explicit, is_ceil };
  Kind kind = is_valid;
  int top = 0;
  int bottom = 0;
  int left = 0;
  int right = 0;
  constexpr Padding() = default;
  constexpr Padding(Kind k) : kind(k) {}
  constexpr Padding(int all) : kind(is_explicit), top(all), bottom(all), left(all), right(all) {}
  constexpr Padding(int t, int b, int l, int r) : kind(is_explicit), top(t), bottom(b), left(l), right(r) {}
  friend constexpr bool operator==(const Padding&, const Padding&) = default;
};
inline constexpr Padding valid{Padding::is_valid};
inline constexpr Padding same{Padding::is_same};
inline constexpr Padding ceil_mode{Padding::is_ceil};

/// Geometry of a sliding window over an image: output extents and the padding that leads to them.
struct Window {
  int oh = 0;
  int ow = 0;
  int top = 0;
  int left = 0;
};

/// Output extents of a window of `kernel` with `stride`, `padding`, `dilation` over an h x w image.
/// An output extent below 1 means that the kernel is larger than its (padded) input.
constexpr Window slide(int h, int w, Size kernel, Size stride, Padding padding, Size dilation = 1) {
  const int eh = (kernel.h - 1) * dilation.h + 1;
  const int ew = (kernel.w - 1) * dilation.w + 1;
  if (padding.kind == Padding::is_same) {
    const int oh = (h + stride.h - 1) / stride.h;
    const int ow = (w + stride.w - 1) / stride.w;
    const int ph = (oh - 1) * stride.h + eh - h;
    const int pw = (ow - 1) * stride.w + ew - w;
    return {oh, ow, ph > 0 ? ph / 2 : 0, pw > 0 ? pw / 2 : 0};
  }
  if (padding.kind == Padding::is_ceil) {  // no window begins outside: with a stride above the kernel's size it could
    const auto windows = [](int size, int extent, int step) {
      const int count = size < extent ? 0 : (size - extent + step - 1) / step + 1;
      return count > 0 && (count - 1) * step >= size ? count - 1 : count;
    };
    return {windows(h, eh, stride.h), windows(w, ew, stride.w), 0, 0};
  }
  const int room_h = h + padding.top + padding.bottom - eh;
  const int room_w = w + padding.left + padding.right - ew;
  return {room_h < 0 ? 0 : room_h / stride.h + 1, room_w < 0 ? 0 : room_w / stride.w + 1, padding.top, padding.left};
}

GRAFT_END

#pragma once
/// \file depthwise.hpp  Depthwise convolution on NHWC: one kernel for each channel, so the channels are the vectors.
#include "graft/config.hpp"
#include "graft/kernel/cpu/conv_parts.hpp"
#include "graft/kernel/cpu/pool.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <type_traits>

GRAFT_BEGIN
namespace kernel {

namespace detail {

/// One number with the face of Vec: the channels that do not fill a vector.
template <class T>
struct One {
  static constexpr int lanes = 1;
  T value{};
  static GRAFT_INLINE One load(const T* p) { return {*p}; }
  static GRAFT_INLINE One all(T x) { return {x}; }
  GRAFT_INLINE void store(T* p) const { *p = value; }
  friend GRAFT_INLINE One operator+(One a, One b) { return {a.value + b.value}; }
  friend GRAFT_INLINE One fused(One a, One b, One c) { return {a.value * b.value + c.value}; }
};

/// Calls f(first channel, a vector type) over c channels: whole vectors, then single ones.
template <class T, class F>
GRAFT_INLINE void for_channels(int c, F&& f) {
  int i = 0;
  for (; i + lanes<T> <= c; i += lanes<T>) f(i, Vec<T>{});
  for (; i < c; ++i) f(i, One<T>{});
}

/// The taps k of [0, kernel) with 0 <= start + k * dilation < size.
inline Span taps_inside(int start, int dilation, int kernel, int size) {
  const int begin = start >= 0 ? 0 : std::min(kernel, (-start + dilation - 1) / dilation);
  const int end = start >= size ? 0 : std::min(kernel, (size - 1 - start) / dilation + 1);
  return {begin, std::max(begin, end)};
}

/// `pixels` neighbouring outputs of one row; all see the same taps. x at the first pixel's tap (0, 0), which may lie outside.
template <int pixels, class T>
GRAFT_INLINE void depthwise_pixels(const ConvExtents& e, const T* x, const T* w, const T* b, Span ky, Span kx, T* y) {
  const std::ptrdiff_t c = e.c;
  for_channels<T>(e.c, [&](int i, auto vector) {
    using V = decltype(vector);
    V sum[pixels];
    const V first = b != nullptr ? V::load(b + i) : V::all(T{0});
    GRAFT_UNROLL
    for (int p = 0; p < pixels; ++p) sum[p] = first;
    for (int r = ky.begin; r < ky.end; ++r) {
      for (int s = kx.begin; s < kx.end; ++s) {
        const V tap = V::load(w + (r * e.kw + s) * c + i);
        const std::ptrdiff_t at = (static_cast<std::ptrdiff_t>(r) * e.dh * e.w + s * e.dw) * c + i;
        GRAFT_UNROLL
        for (int p = 0; p < pixels; ++p) sum[p] = fused(V::load(x + at + p * e.sw * c), tap, sum[p]);
      }
    }
    GRAFT_UNROLL
    for (int p = 0; p < pixels; ++p) sum[p].store(y + p * c + i);
  });
}

/// One row of outputs.
template <class T>
void depthwise_row(const ConvExtents& e, const T* image, const T* w, const T* b, int oy, T* y) {
  const std::ptrdiff_t c = e.c;
  const int top = oy * e.sh - e.top;
  const Span ky = taps_inside(top, e.dh, e.kh, e.h);
  constexpr int pixels = 4;
  for (int ox = 0; ox < e.ow;) {
    const int left = ox * e.sw - e.left;
    const std::ptrdiff_t at = (static_cast<std::ptrdiff_t>(top) * e.w + left) * c;
    const bool inner = ox + pixels <= e.ow && left >= 0 && left + (pixels - 1) * e.sw + (e.kw - 1) * e.dw < e.w;
    if (inner) {
      depthwise_pixels<pixels>(e, image + at, w, b, ky, {0, e.kw}, y + ox * c);
      ox += pixels;
    } else {
      depthwise_pixels<1>(e, image + at, w, b, ky, taps_inside(left, e.dw, e.kw, e.w), y + ox * c);
      ++ox;
    }
  }
}

/// Whether the gradient of the input is a depthwise convolution itself.
inline bool turns_kernel(const ConvExtents& e) { return e.sh == 1 && e.sw == 1; }

/// The gradient of one row of inputs where the stride is not 1: what each output's taps add to it.
template <class T>
void depthwise_data_row(const ConvExtents& e, const T* dy, const T* w, int iy, T* dx) {
  const std::ptrdiff_t c = e.c;
  std::memset(dx, 0, static_cast<std::size_t>(e.w * c) * sizeof(T));
  for (int r = 0; r < e.kh; ++r) {
    const int from = iy + e.top - r * e.dh;
    if (from < 0 || from % e.sh != 0 || from / e.sh >= e.oh) continue;
    const T* row = dy + static_cast<std::ptrdiff_t>(from / e.sh) * e.ow * c;
    for (int ox = 0; ox < e.ow; ++ox) {
      const int left = ox * e.sw - e.left;
      const Span kx = taps_inside(left, e.dw, e.kw, e.w);
      for (int s = kx.begin; s < kx.end; ++s) {
        T* to = dx + (left + s * e.dw) * c;
        const T* g = row + ox * c;
        const T* tap = w + (r * e.kw + s) * c;
        for (std::ptrdiff_t i = 0; i < c; ++i) to[i] += g[i] * tap[i];
      }
    }
  }
}

/// Adds one output row's part of the weights' gradient to dw, and of the bias' to db.
template <class T>
void depthwise_weight_row(const ConvExtents& e, const T* image, const T* dy, int oy, T* dw, T* db) {
  const std::ptrdiff_t c = e.c;
  const int top = oy * e.sh - e.top;
  const Span ky = taps_inside(top, e.dh, e.kh, e.h);
  for_channels<T>(e.c, [&](int i, auto vector) {
    using V = decltype(vector);
    V total = V::load(db + i);
    for (int ox = 0; ox < e.ow; ++ox) total = total + V::load(dy + ox * c + i);
    total.store(db + i);
    for (int r = ky.begin; r < ky.end; ++r) {
      const T* row = image + static_cast<std::ptrdiff_t>(top + r * e.dh) * e.w * c + i;
      for (int s = 0; s < e.kw; ++s) {
        const int shift = s * e.dw - e.left;
        const Span ox = taps_inside(shift, e.sw, e.ow, e.w);  // the outputs with 0 <= ox * sw + shift < w
        const std::ptrdiff_t step = e.sw * c;
        const T* x = row + (ox.begin * e.sw + shift) * c;
        const T* g = dy + ox.begin * c + i;
        V sum[4] = {V::load(dw + (r * e.kw + s) * c + i), V::all(T{0}), V::all(T{0}), V::all(T{0})};
        int left = ox.end - ox.begin;
        for (; left >= 4; left -= 4, x += 4 * step, g += 4 * c) {
          GRAFT_UNROLL
          for (int p = 0; p < 4; ++p) sum[p] = fused(V::load(x + p * step), V::load(g + p * c), sum[p]);
        }
        for (; left > 0; --left, x += step, g += c) sum[0] = fused(V::load(x), V::load(g), sum[0]);
        ((sum[0] + sum[1]) + (sum[2] + sum[3])).store(dw + (r * e.kw + s) * c + i);
      }
    }
  });
}

/// Calls f with a copy of the epilogue whose activation is a constant.
template <class F>
void with_act(const Epilogue& e, F&& f) {
  switch (e.act) {
    case Act::relu:
      return f(std::integral_constant<Act, Act::relu>{});
    case Act::relu6:
      return f(std::integral_constant<Act, Act::relu6>{});
    case Act::leaky_relu:
      return f(std::integral_constant<Act, Act::leaky_relu>{});
    case Act::none:
      return;
  }
}

/// Calls f(sample, row) for all rows of n samples, in fixed pieces.
template <class F>
void for_image_rows(int n, int rows, std::size_t numbers_each, F&& f) {
  const std::ptrdiff_t total = static_cast<std::ptrdiff_t>(n) * rows;
  const int pieces = static_cast<int>(std::min<std::ptrdiff_t>(total, 4 * fixed_chunks));
  parallel_for(
      pieces,
      [&](int index) {
        const Range range = chunk(total, pieces, index);
        for (std::ptrdiff_t i = range.begin; i < range.end; ++i) f(static_cast<int>(i / rows), static_cast<int>(i % rows));
      },
      static_cast<double>(total) * static_cast<double>(numbers_each) > 1e4);
}
}  // namespace detail

/// y = act(x * w + b), channel by channel. x: n x h x w x c; w: kh x kw x c; b: c or null; y: n x oh x ow x c.
template <class T>
void depthwise_forward(Cpu, const ConvExtents& e, const T* x, const T* w, const T* b, const Epilogue& epilogue, T* y) {
  const std::size_t line = detail::plane(1, e.ow, e.c);
  detail::for_image_rows(e.n, e.oh, line, [&](int sample, int oy) {
    T* to = y + (static_cast<std::size_t>(sample) * static_cast<std::size_t>(e.oh) + static_cast<std::size_t>(oy)) * line;
    detail::depthwise_row(e, x + static_cast<std::size_t>(sample) * detail::plane(e.h, e.w, e.c), w, b, oy, to);
    detail::with_act(epilogue, [&](auto act) {
      const Epilogue same{act.value, epilogue.alpha};
      for (std::size_t i = 0; i < line; ++i) to[i] = detail::activate(same, to[i]);
    });
  });
}

/// dx (null: not wanted) is overwritten, dw and db (null: not wanted) are added to; dy is multiplied by the activation's slope
/// in place.
template <class T>
void depthwise_backward(Cpu cpu, const ConvExtents& e, const T* x, const T* w, const T* y, T* dy, const Epilogue& epilogue,
                        T* dx, T* dw, T* db) {
  const std::size_t c = static_cast<std::size_t>(e.c);
  const std::size_t in = detail::plane(e.h, e.w, e.c);
  const std::size_t line = detail::plane(1, e.ow, e.c);
  const auto row_of = [&](int sample, int oy) {
    return (static_cast<std::size_t>(sample) * static_cast<std::size_t>(e.oh) + static_cast<std::size_t>(oy)) * line;
  };
  detail::with_act(epilogue, [&](auto act) {
    const Epilogue same{act.value, epilogue.alpha};
    detail::for_image_rows(e.n, e.oh, line, [&](int sample, int oy) {
      T* g = dy + row_of(sample, oy);
      const T* out = y + row_of(sample, oy);
      for (std::size_t i = 0; i < line; ++i) g[i] *= detail::slope(same, out[i]);
    });
  });

  const std::size_t taps = static_cast<std::size_t>(e.kh * e.kw) * c;
  if (dw != nullptr || db != nullptr) {
    const std::ptrdiff_t rows = static_cast<std::ptrdiff_t>(e.n) * e.oh;
    const int chunks = static_cast<int>(std::min<std::ptrdiff_t>(fixed_chunks, rows));
    T* partial = workspace<T>(Work::partial, (taps + c) * static_cast<std::size_t>(chunks));
    parallel_for(
        chunks,
        [&](int index) {
          T* own = partial + static_cast<std::size_t>(index) * (taps + c);
          std::memset(own, 0, (taps + c) * sizeof(T));
          const Range range = chunk(rows, chunks, index);
          for (std::ptrdiff_t i = range.begin; i < range.end; ++i) {
            const int sample = static_cast<int>(i / e.oh);
            const int oy = static_cast<int>(i % e.oh);
            detail::depthwise_weight_row(e, x + static_cast<std::size_t>(sample) * in, dy + row_of(sample, oy), oy, own,
                                         own + taps);
          }
        },
        static_cast<double>(rows) * static_cast<double>(line) > 1e4);
    for (int k = 0; k < chunks; ++k) {
      const T* own = partial + static_cast<std::size_t>(k) * (taps + c);
      for (std::size_t i = 0; dw != nullptr && i < taps; ++i) dw[i] += own[i];
      for (std::size_t i = 0; db != nullptr && i < c; ++i) db[i] += own[taps + i];
    }
  }
  if (dx == nullptr) return;
  if (detail::turns_kernel(e)) {  // a depthwise convolution of dy with the kernel turned round
    T* turned = workspace<T>(Work::pack_a, taps);
    for (std::size_t k = 0; k < taps; k += c) std::memcpy(turned + k, w + (taps - c - k), c * sizeof(T));
    ConvExtents back = e;
    back.h = e.oh;
    back.w = e.ow;
    back.oh = e.h;
    back.ow = e.w;
    back.top = (e.kh - 1) * e.dh - e.top;
    back.left = (e.kw - 1) * e.dw - e.left;
    depthwise_forward(cpu, back, dy, turned, static_cast<const T*>(nullptr), Epilogue{}, dx);
    return;
  }
  detail::for_image_rows(e.n, e.h, detail::plane(1, e.w, e.c), [&](int sample, int iy) {
    detail::depthwise_data_row(
        e, dy + row_of(sample, 0), w, iy,
        dx + static_cast<std::size_t>(sample) * in + static_cast<std::size_t>(iy) * detail::plane(1, e.w, e.c));
  });
}

}  // namespace kernel
GRAFT_END

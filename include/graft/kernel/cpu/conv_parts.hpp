#pragma once
/// \file conv_parts.hpp  What the three directions of a convolution share: padding a sample, the epilogue and its derivative, fused pooling.
#include "graft/config.hpp"
#include "graft/core/buffer.hpp"
#include "graft/core/device.hpp"
#include "graft/core/parallel.hpp"
#include "graft/kernel/cpu/tile.hpp"

#include <cstdint>
#include <cstring>

GRAFT_BEGIN
namespace kernel {
namespace detail {

template <class T>
GRAFT_INLINE T activate(const Epilogue& e, T x) {
  switch (e.act) {
    case Act::relu: return x > T{0} ? x : (x != x ? x : T{0});
    case Act::relu6: return x > T{0} ? (x < T{6} ? x : T{6}) : (x != x ? x : T{0});
    case Act::leaky_relu: return x > T{0} ? x : static_cast<T>(e.alpha) * x;
    case Act::none: break;
  }
  return x;
}

/// The derivative of the epilogue's activation, from its output.
template <class T>
GRAFT_INLINE T slope(const Epilogue& e, T y) {
  switch (e.act) {
    case Act::relu: return y > T{0} ? T{1} : T{0};
    case Act::relu6: return y > T{0} && y < T{6} ? T{1} : T{0};
    case Act::leaky_relu: return y > T{0} ? T{1} : static_cast<T>(e.alpha);
    case Act::none: break;
  }
  return T{1};
}

inline bool is_padded(const ConvExtents& e) {
  return e.top > 0 || e.left > 0 || (e.oh - 1) * e.sh + (e.kh - 1) * e.dh + 1 - e.top > e.h ||
         (e.ow - 1) * e.sw + (e.kw - 1) * e.dw + 1 - e.left > e.w;
}

/// The rows of one sample that output rows [first, end) see, with zeros around: (rows) x wide x c numbers.
template <class T>
const T* pad_rows(const ConvExtents& e, const T* x, int first, int end, int wide, T* out) {
  const int rows = (end - 1 - first) * e.sh + (e.kh - 1) * e.dh + 1;
  const std::size_t c = static_cast<std::size_t>(e.c);
  const std::size_t line = static_cast<std::size_t>(wide) * c;
  const int kept = std::min(e.w, wide - e.left);  // columns of the image that any window reaches
  for (int r = 0; r < rows; ++r) {
    T* to = out + static_cast<std::size_t>(r) * line;
    const int y = first * e.sh + r - e.top;
    if (y < 0 || y >= e.h) {
      std::memset(to, 0, line * sizeof(T));
      continue;
    }
    const std::size_t left = static_cast<std::size_t>(e.left) * c;
    const std::size_t middle = static_cast<std::size_t>(kept) * c;
    std::memset(to, 0, left * sizeof(T));
    std::memcpy(to + left, x + static_cast<std::size_t>(y) * static_cast<std::size_t>(e.w) * c, middle * sizeof(T));
    std::memset(to + left + middle, 0, (line - left - middle) * sizeof(T));
  }
  return out;
}

/// How a window's taps lie in memory: runs of `length` numbers that are contiguous, at `offset`.
struct Taps {
  int segments = 0;
  int length = 0;
  std::ptrdiff_t* offset = nullptr;
};
inline Taps taps_of(const ConvExtents& e, int wide) {
  const int group = e.c / e.groups;
  Taps taps;
  const bool rows = e.groups == 1 && (e.dw == 1 || e.kw == 1);
  taps.segments = rows ? e.kh : e.kh * e.kw;
  taps.length = rows ? e.kw * e.c : group;
  taps.offset = workspace<std::ptrdiff_t>(Work::reduce, static_cast<std::size_t>(taps.segments));
  for (int s = 0; s < taps.segments; ++s) {
    const int ky = rows ? s : s / e.kw;
    const int kx = rows ? 0 : s % e.kw;
    taps.offset[s] = (static_cast<std::ptrdiff_t>(ky) * e.dh * wide + static_cast<std::ptrdiff_t>(kx) * e.dw) * e.c;
  }
  return taps;
}

/// Writes `count` pixels from a row buffer (padded to `width` numbers a pixel) to y with bias and activation.
template <class T>
void finish_row(const T* row, int width, int count, int oc, const T* bias, const Epilogue& e, T* y) {
  for (int p = 0; p < count; ++p) {
    const T* from = row + static_cast<std::ptrdiff_t>(p) * width;
    T* to = y + static_cast<std::ptrdiff_t>(p) * oc;
    if (e.act == Act::relu && bias != nullptr) {
      for (int c = 0; c < oc; ++c) to[c] = activate(Epilogue{Act::relu}, from[c] + bias[c]);
    } else if (e.act == Act::none) {
      for (int c = 0; c < oc; ++c) to[c] = bias != nullptr ? from[c] + bias[c] : from[c];
    } else {
      for (int c = 0; c < oc; ++c) to[c] = activate(e, bias != nullptr ? from[c] + bias[c] : from[c]);
    }
  }
}

/// Two rows of the convolution -> one pooled row. The activation comes after the maximum: both grow together, so the winner is the same, except
/// that values below zero tie under ReLU, where no gradient passes anyway.
template <class T>
void finish_pooled(const T* upper, const T* lower, int width, int count, int oc, const T* bias, const Epilogue& e, T* y,
                   std::uint8_t* argmax) {
  const std::ptrdiff_t w = width;
  for (int p = 0; p < count; ++p) {
    const T* a = upper + 2 * p * w;
    const T* b = a + w;
    const T* c = lower + 2 * p * w;
    const T* d = c + w;
    T* to = y + static_cast<std::ptrdiff_t>(p) * oc;
    std::uint8_t* arg = argmax != nullptr ? argmax + static_cast<std::ptrdiff_t>(p) * oc : nullptr;
    const auto one = [&](int i, const Epilogue& epilogue) {
      T best = a[i];
      int which = 0;
      which = b[i] > best ? 1 : which;
      best = b[i] > best ? b[i] : best;
      which = c[i] > best ? 2 : which;
      best = c[i] > best ? c[i] : best;
      which = d[i] > best ? 3 : which;
      best = d[i] > best ? d[i] : best;
      if (arg != nullptr) arg[i] = static_cast<std::uint8_t>(which);
      to[i] = activate(epilogue, bias != nullptr ? best + bias[i] : best);
    };
    if (e.act == Act::relu) {
      for (int i = 0; i < oc; ++i) one(i, Epilogue{Act::relu});
    } else {
      for (int i = 0; i < oc; ++i) one(i, e);
    }
  }
}

/// The gradient of the convolution's own output for one sample, oh x ow x width (zero-padded channels): unpooled, through the activation.
template <class T>
void expand_gradient(const ConvExtents& e, const Epilogue& epilogue, const T* dy, const T* y, const std::uint8_t* argmax, int width, T* out) {
  const std::ptrdiff_t w = width;
  if (!epilogue.pool) {
    for (std::ptrdiff_t p = 0; p < static_cast<std::ptrdiff_t>(e.oh) * e.ow; ++p) {
      for (int c = 0; c < e.oc; ++c) out[p * w + c] = dy[p * e.oc + c] * (epilogue.act == Act::none ? T{1} : slope(epilogue, y[p * e.oc + c]));
      for (int c = e.oc; c < width; ++c) out[p * w + c] = T{0};
    }
    return;
  }
  const int ph = e.oh / 2;
  const int pw = e.ow / 2;
  if (e.oh % 2 != 0 || e.ow % 2 != 0) std::memset(out, 0, static_cast<std::size_t>(e.oh * e.ow * width) * sizeof(T));
  for (int r = 0; r < ph; ++r) {
    for (int q = 0; q < pw; ++q) {
      const std::ptrdiff_t from = (static_cast<std::ptrdiff_t>(r) * pw + q) * e.oc;
      T* a = out + (static_cast<std::ptrdiff_t>(2 * r) * e.ow + 2 * q) * w;
      T* b = a + w;
      T* c = a + e.ow * w;
      T* d = c + w;
      for (int i = 0; i < e.oc; ++i) {
        const T g = dy[from + i] * (epilogue.act == Act::none ? T{1} : slope(epilogue, y[from + i]));
        const int which = argmax[from + i];
        a[i] = which == 0 ? g : T{0};
        b[i] = which == 1 ? g : T{0};
        c[i] = which == 2 ? g : T{0};
        d[i] = which == 3 ? g : T{0};
      }
      for (int i = e.oc; i < width; ++i) a[i] = b[i] = c[i] = d[i] = T{0};
    }
  }
}

}  // namespace detail
}  // namespace kernel
GRAFT_END

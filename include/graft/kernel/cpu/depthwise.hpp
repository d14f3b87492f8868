#pragma once
/// \file depthwise.hpp  Depthwise convolution on NHWC: one kernel for each channel, so the channels are the vectors.
#include "graft/config.hpp"
#include "graft/kernel/cpu/conv_parts.hpp"
#include "graft/kernel/cpu/pool.hpp"

GRAFT_BEGIN
namespace kernel {

namespace detail {
/// Calls f(output offset, input offset, weight offset) for every (output pixel, tap) of one sample that lies inside the image.
template <class F>
void for_depthwise(const ConvExtents& e, F&& f) {
  const std::size_t c = static_cast<std::size_t>(e.c);
  for (int oy = 0; oy < e.oh; ++oy) {
    for (int ox = 0; ox < e.ow; ++ox) {
      for (int ky = 0; ky < e.kh; ++ky) {
        const int iy = oy * e.sh + ky * e.dh - e.top;
        if (iy < 0 || iy >= e.h) continue;
        for (int kx = 0; kx < e.kw; ++kx) {
          const int ix = ox * e.sw + kx * e.dw - e.left;
          if (ix < 0 || ix >= e.w) continue;
          f(static_cast<std::size_t>(oy * e.ow + ox) * c, static_cast<std::size_t>(iy * e.w + ix) * c, static_cast<std::size_t>(ky * e.kw + kx) * c);
        }
      }
    }
  }
}
}  // namespace detail

/// y = act(x * w + b), channel by channel. x: n x h x w x c; w: kh x kw x c; b: c or null; y: n x oh x ow x c.
template <class T>
void depthwise_forward(Cpu, const ConvExtents& e, const T* x, const T* w, const T* b, const Epilogue& epilogue, T* y) {
  const std::size_t c = static_cast<std::size_t>(e.c);
  const std::size_t out = detail::plane(e.oh, e.ow, e.c);
  detail::for_samples(e.n, out, [&](int sample) {
    const T* image = x + static_cast<std::size_t>(sample) * detail::plane(e.h, e.w, e.c);
    T* to = y + static_cast<std::size_t>(sample) * out;
    for (std::size_t i = 0; i < out; i += c) {
      if (b != nullptr) {
        std::memcpy(to + i, b, c * sizeof(T));
      } else {
        std::memset(to + i, 0, c * sizeof(T));
      }
    }
    detail::for_depthwise(e, [&](std::size_t o, std::size_t i, std::size_t k) {
      for (std::size_t j = 0; j < c; ++j) to[o + j] += image[i + j] * w[k + j];
    });
    if (epilogue.act != Act::none) {
      for (std::size_t i = 0; i < out; ++i) to[i] = detail::activate(epilogue, to[i]);
    }
  });
}

/// dx (null: not wanted) is overwritten, dw and db (null: not wanted) are added to; dy is multiplied by the activation's slope in place.
template <class T>
void depthwise_backward(Cpu, const ConvExtents& e, const T* x, const T* w, const T* y, T* dy, const Epilogue& epilogue, T* dx, T* dw, T* db) {
  const std::size_t c = static_cast<std::size_t>(e.c);
  const std::size_t in = detail::plane(e.h, e.w, e.c);
  const std::size_t out = detail::plane(e.oh, e.ow, e.c);
  const std::size_t taps = static_cast<std::size_t>(e.kh * e.kw) * c;
  const int chunks = std::min(fixed_chunks, e.n);
  T* partial = workspace<T>(Work::partial, (taps + c) * static_cast<std::size_t>(chunks));
  parallel_for(chunks, [&](int index) {
    const Range range = chunk(e.n, chunks, index);
    T* own_w = partial + static_cast<std::size_t>(index) * (taps + c);
    T* own_b = own_w + taps;
    std::memset(own_w, 0, (taps + c) * sizeof(T));
    for (std::ptrdiff_t sample = range.begin; sample < range.end; ++sample) {
      const std::size_t s = static_cast<std::size_t>(sample);
      const T* image = x + s * in;
      T* g = dy + s * out;
      if (epilogue.act != Act::none) {
        for (std::size_t i = 0; i < out; ++i) g[i] *= detail::slope(epilogue, y[s * out + i]);
      }
      for (std::size_t i = 0; i < out; i += c) {
        for (std::size_t j = 0; j < c; ++j) own_b[j] += g[i + j];
      }
      detail::for_depthwise(e, [&](std::size_t o, std::size_t i, std::size_t k) {
        for (std::size_t j = 0; j < c; ++j) own_w[k + j] += image[i + j] * g[o + j];
      });
      if (dx != nullptr) {
        T* to = dx + s * in;
        std::memset(to, 0, in * sizeof(T));
        detail::for_depthwise(e, [&](std::size_t o, std::size_t i, std::size_t k) {
          for (std::size_t j = 0; j < c; ++j) to[i + j] += w[k + j] * g[o + j];
        });
      }
    }
  }, static_cast<double>(e.n) * static_cast<double>(out) > 1e4);
  for (int k = 0; k < chunks; ++k) {
    const T* own = partial + static_cast<std::size_t>(k) * (taps + c);
    if (dw != nullptr) {
      for (std::size_t i = 0; i < taps; ++i) dw[i] += own[i];
    }
    if (db != nullptr) {
      for (std::size_t i = 0; i < c; ++i) db[i] += own[taps + i];
    }
  }
}

}  // namespace kernel
GRAFT_END

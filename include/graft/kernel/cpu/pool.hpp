#pragma once
/// \file pool.hpp  Max, average and global average pooling on NHWC.
#include "graft/config.hpp"
#include "graft/core/device.hpp"
#include "graft/core/parallel.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

GRAFT_BEGIN
namespace kernel {

namespace detail {
inline bool worth_sharing(double numbers) { return numbers > 3e4; }
/// Calls f(sample) in parallel.
template <class F>
void for_samples(int n, std::size_t numbers_each, F&& f) {
  parallel_for(n, f, worth_sharing(static_cast<double>(n) * static_cast<double>(numbers_each)));
}
inline std::size_t plane(int h, int w, int c) {
  return static_cast<std::size_t>(h) * static_cast<std::size_t>(w) * static_cast<std::size_t>(c);
}
/// The part of a window that lies inside the image, in rows or columns.
struct Span {
  int begin;
  int end;
};
inline Span inside(int out, int stride, int before, int kernel, int size) {
  const int start = out * stride - before;
  return {std::max(0, start), std::min(size, start + kernel)};
}
}  // namespace detail

/// x: n x h x w x c -> y: n x oh x ow x c; argmax (null in inference) holds the winner's pixel iy * w + ix. Ties: the first in
/// row-major order; a NaN wins; padding never does.
template <class T>
void max_pool_forward(Cpu, const PoolExtents& e, const T* x, T* y, std::int32_t* argmax) {
  const std::size_t c = static_cast<std::size_t>(e.c);
  detail::for_samples(e.n, detail::plane(e.h, e.w, e.c), [&](int sample) {
    const T* image = x + static_cast<std::size_t>(sample) * detail::plane(e.h, e.w, e.c);
    for (int oy = 0; oy < e.oh; ++oy) {
      const detail::Span ys = detail::inside(oy, e.sh, e.top, e.kh, e.h);
      for (int ox = 0; ox < e.ow; ++ox) {
        const detail::Span xs = detail::inside(ox, e.sw, e.left, e.kw, e.w);
        const std::size_t at =
            ((static_cast<std::size_t>(sample) * static_cast<std::size_t>(e.oh) + static_cast<std::size_t>(oy)) *
                 static_cast<std::size_t>(e.ow) +
             static_cast<std::size_t>(ox)) *
            c;
        bool first = true;
        for (int iy = ys.begin; iy < ys.end; ++iy) {
          for (int ix = xs.begin; ix < xs.end; ++ix) {
            const std::int32_t pixel = iy * e.w + ix;
            const T* from = image + static_cast<std::size_t>(pixel) * c;
            if (first) {
              std::memcpy(y + at, from, c * sizeof(T));
              if (argmax != nullptr) std::fill(argmax + at, argmax + at + c, pixel);
              first = false;
              continue;
            }
            for (std::size_t i = 0; i < c; ++i) {
              const bool wins = from[i] > y[at + i] || (from[i] != from[i] && y[at + i] == y[at + i]);
              if (argmax != nullptr) argmax[at + i] = wins ? pixel : argmax[at + i];
              y[at + i] = wins ? from[i] : y[at + i];
            }
          }
        }
      }
    }
  });
}

template <class T>
void max_pool_backward(Cpu, const PoolExtents& e, const std::int32_t* argmax, const T* dy, T* dx) {
  const std::size_t c = static_cast<std::size_t>(e.c);
  const std::size_t in = detail::plane(e.h, e.w, e.c);
  const std::size_t out = detail::plane(e.oh, e.ow, e.c);
  detail::for_samples(e.n, in, [&](int sample) {
    T* image = dx + static_cast<std::size_t>(sample) * in;
    std::memset(image, 0, in * sizeof(T));
    const std::size_t from = static_cast<std::size_t>(sample) * out;
    for (std::size_t i = 0; i < out; ++i) image[static_cast<std::size_t>(argmax[from + i]) * c + i % c] += dy[from + i];
  });
}

/// Mean over the part of each window that lies inside the image (padding is not counted, as in Keras).
template <class T>
void avg_pool_forward(Cpu, const PoolExtents& e, const T* x, T* y) {
  const std::size_t c = static_cast<std::size_t>(e.c);
  detail::for_samples(e.n, detail::plane(e.h, e.w, e.c), [&](int sample) {
    const T* image = x + static_cast<std::size_t>(sample) * detail::plane(e.h, e.w, e.c);
    T* to = y + static_cast<std::size_t>(sample) * detail::plane(e.oh, e.ow, e.c);
    for (int oy = 0; oy < e.oh; ++oy) {
      const detail::Span ys = detail::inside(oy, e.sh, e.top, e.kh, e.h);
      for (int ox = 0; ox < e.ow; ++ox, to += c) {
        const detail::Span xs = detail::inside(ox, e.sw, e.left, e.kw, e.w);
        std::fill(to, to + c, T{0});
        for (int iy = ys.begin; iy < ys.end; ++iy) {
          for (int ix = xs.begin; ix < xs.end; ++ix) {
            const T* from = image + static_cast<std::size_t>(iy * e.w + ix) * c;
            for (std::size_t i = 0; i < c; ++i) to[i] += from[i];
          }
        }
        const T part = T{1} / static_cast<T>((ys.end - ys.begin) * (xs.end - xs.begin));
        for (std::size_t i = 0; i < c; ++i) to[i] *= part;
      }
    }
  });
}

template <class T>
void avg_pool_backward(Cpu, const PoolExtents& e, const T* dy, T* dx) {
  const std::size_t c = static_cast<std::size_t>(e.c);
  const std::size_t in = detail::plane(e.h, e.w, e.c);
  detail::for_samples(e.n, in, [&](int sample) {
    T* image = dx + static_cast<std::size_t>(sample) * in;
    std::memset(image, 0, in * sizeof(T));
    const T* from = dy + static_cast<std::size_t>(sample) * detail::plane(e.oh, e.ow, e.c);
    for (int oy = 0; oy < e.oh; ++oy) {
      const detail::Span ys = detail::inside(oy, e.sh, e.top, e.kh, e.h);
      for (int ox = 0; ox < e.ow; ++ox, from += c) {
        const detail::Span xs = detail::inside(ox, e.sw, e.left, e.kw, e.w);
        const T part = T{1} / static_cast<T>((ys.end - ys.begin) * (xs.end - xs.begin));
        for (int iy = ys.begin; iy < ys.end; ++iy) {
          for (int ix = xs.begin; ix < xs.end; ++ix) {
            T* to = image + static_cast<std::size_t>(iy * e.w + ix) * c;
            for (std::size_t i = 0; i < c; ++i) to[i] += part * from[i];
          }
        }
      }
    }
  });
}

/// x: n x pixels x c -> y: n x c, the mean over the pixels.
template <class T>
void global_avg_pool_forward(Cpu, int n, int pixels, int c, const T* x, T* y) {
  const std::size_t channels = static_cast<std::size_t>(c);
  detail::for_samples(n, static_cast<std::size_t>(pixels) * channels, [&](int sample) {
    const T* from = x + static_cast<std::size_t>(sample) * static_cast<std::size_t>(pixels) * channels;
    T* to = y + static_cast<std::size_t>(sample) * channels;
    std::fill(to, to + channels, T{0});
    for (int p = 0; p < pixels; ++p, from += channels) {
      for (std::size_t i = 0; i < channels; ++i) to[i] += from[i];
    }
    const T part = T{1} / static_cast<T>(pixels);
    for (std::size_t i = 0; i < channels; ++i) to[i] *= part;
  });
}

template <class T>
void global_avg_pool_backward(Cpu, int n, int pixels, int c, const T* dy, T* dx) {
  const std::size_t channels = static_cast<std::size_t>(c);
  detail::for_samples(n, static_cast<std::size_t>(pixels) * channels, [&](int sample) {
    const T* from = dy + static_cast<std::size_t>(sample) * channels;
    T* to = dx + static_cast<std::size_t>(sample) * static_cast<std::size_t>(pixels) * channels;
    const T part = T{1} / static_cast<T>(pixels);
    for (int p = 0; p < pixels; ++p, to += channels) {
      for (std::size_t i = 0; i < channels; ++i) to[i] = part * from[i];
    }
  });
}

}  // namespace kernel
GRAFT_END

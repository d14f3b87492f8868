#pragma once
/// \file pool.cuh  Max, average and global average pooling on NHWC: kernel/cpu/pool.hpp on the GPU. Gradients are gathered by
/// the inputs, so that no two threads write the same number.
#include "graft/kernel/cuda/layers.hpp"
#include "graft/kernel/cuda/reduce.cuh"

GRAFT_CUDA_BEGIN
namespace detail {

/// The part of a window that lies inside the image, in rows or columns.
struct Part {
  int begin, end;
  __device__ Part(int out, int stride, int before, int kernel, int size) {
    const int start = out * stride - before, stop = start + kernel;
    begin = start > 0 ? start : 0;
    end = stop < size ? stop : size;
  }
};
/// The windows that see an input, in rows or columns.
struct Seers {
  int begin, end;
  __device__ Seers(int in, int stride, int before, int kernel, int outs) {
    const int last = (in + before) / stride, first = in + before - kernel + 1;
    begin = first > 0 ? (first + stride - 1) / stride : 0;
    end = last + 1 < outs ? last + 1 : outs;
  }
};
template <class T>
struct MaxForward {
  PoolExtents e;
  const T* x;
  T* y;
  std::int32_t* argmax;
  __device__ void operator()(std::ptrdiff_t i) const {
    const Place at(i, e.c, e.ow, e.oh);
    const Part ys(at.y, e.sh, e.top, e.kh, e.h), xs(at.x, e.sw, e.left, e.kw, e.w);
    const T* image = x + at.sample * e.h * e.w * e.c + at.c;
    T best{0};
    std::int32_t which = -1;
    for (int iy = ys.begin; iy < ys.end; ++iy) {
      for (int ix = xs.begin; ix < xs.end; ++ix) {
        const std::int32_t pixel = iy * e.w + ix;
        const T z = image[static_cast<std::ptrdiff_t>(pixel) * e.c];
        if (which >= 0 && !(z > best || (z != z && best == best))) continue;
        best = z;
        which = pixel;
      }
    }
    y[i] = best;
    if (argmax != nullptr) argmax[i] = which;
  }
};
template <class T>
struct MaxBackward {
  PoolExtents e;
  const std::int32_t* argmax;
  const T* dy;
  T* dx;
  __device__ void operator()(std::ptrdiff_t i) const {
    const Place at(i, e.c, e.w, e.h);
    const Seers ys(at.y, e.sh, e.top, e.kh, e.oh), xs(at.x, e.sw, e.left, e.kw, e.ow);
    const std::int32_t own = at.y * e.w + at.x;
    T sum{0};
    for (int oy = ys.begin; oy < ys.end; ++oy) {
      for (int ox = xs.begin; ox < xs.end; ++ox) {
        const std::ptrdiff_t out = ((at.sample * e.oh + oy) * e.ow + ox) * e.c + at.c;
        if (argmax[out] == own) sum += dy[out];
      }
    }
    dx[i] = sum;
  }
};

template <class T>
struct AvgForward {
  PoolExtents e;
  const T* x;
  T* y;
  __device__ void operator()(std::ptrdiff_t i) const {
    const Place at(i, e.c, e.ow, e.oh);
    const Part ys(at.y, e.sh, e.top, e.kh, e.h), xs(at.x, e.sw, e.left, e.kw, e.w);
    const T* image = x + at.sample * e.h * e.w * e.c + at.c;
    T sum{0};
    for (int iy = ys.begin; iy < ys.end; ++iy) {
      for (int ix = xs.begin; ix < xs.end; ++ix) sum += image[(static_cast<std::ptrdiff_t>(iy) * e.w + ix) * e.c];
    }
    y[i] = sum * (T{1} / static_cast<T>((ys.end - ys.begin) * (xs.end - xs.begin)));
  }
};
template <class T>
struct AvgBackward {
  PoolExtents e;
  const T* dy;
  T* dx;
  __device__ void operator()(std::ptrdiff_t i) const {
    const Place at(i, e.c, e.w, e.h);
    const Seers ys(at.y, e.sh, e.top, e.kh, e.oh), xs(at.x, e.sw, e.left, e.kw, e.ow);
    T sum{0};
    for (int oy = ys.begin; oy < ys.end; ++oy) {
      const Part rows(oy, e.sh, e.top, e.kh, e.h);
      for (int ox = xs.begin; ox < xs.end; ++ox) {
        const Part columns(ox, e.sw, e.left, e.kw, e.w);
        const T part = T{1} / static_cast<T>((rows.end - rows.begin) * (columns.end - columns.begin));
        sum += part * dy[((at.sample * e.oh + oy) * e.ow + ox) * e.c + at.c];
      }
    }
    dx[i] = sum;
  }
};

template <class T>
struct GlobalForward {
  int pixels, c;
  const T* x;
  T* y;
  __device__ void operator()(std::ptrdiff_t i) const {
    const Divided at(i, c);
    const T* from = x + at.whole * pixels * c + at.rest;
    T sum{0};
    for (int p = 0; p < pixels; ++p) sum += from[static_cast<std::ptrdiff_t>(p) * c];
    y[i] = sum * (T{1} / static_cast<T>(pixels));
  }
};
template <class T>
struct GlobalBackward {
  int pixels, c;
  const T* dy;
  T* dx;
  __device__ void operator()(std::ptrdiff_t i) const {
    const Divided at(i, c);
    dx[i] = (T{1} / static_cast<T>(pixels)) * dy[Divided(at.whole, pixels).whole * c + at.rest];
  }
};

inline std::ptrdiff_t inputs_of(const PoolExtents& e) { return static_cast<std::ptrdiff_t>(e.n) * e.h * e.w * e.c; }
inline std::ptrdiff_t outputs_of(const PoolExtents& e) { return static_cast<std::ptrdiff_t>(e.n) * e.oh * e.ow * e.c; }

}  // namespace detail

template <class T>
void max_pool_forward(Cuda, const PoolExtents& e, const T* x, T* y, std::int32_t* argmax) {
  detail::each("max_pool_forward", detail::outputs_of(e), detail::MaxForward<T>{e, x, y, argmax});
}
template <class T>
void max_pool_backward(Cuda, const PoolExtents& e, const std::int32_t* argmax, const T* dy, T* dx) {
  detail::each("max_pool_backward", detail::inputs_of(e), detail::MaxBackward<T>{e, argmax, dy, dx});
}
template <class T>
void avg_pool_forward(Cuda, const PoolExtents& e, const T* x, T* y) {
  detail::each("avg_pool_forward", detail::outputs_of(e), detail::AvgForward<T>{e, x, y});
}
template <class T>
void avg_pool_backward(Cuda, const PoolExtents& e, const T* dy, T* dx) {
  detail::each("avg_pool_backward", detail::inputs_of(e), detail::AvgBackward<T>{e, dy, dx});
}
template <class T>
void global_avg_pool_forward(Cuda, int n, int pixels, int c, const T* x, T* y) {
  detail::each("global_avg_pool_forward", static_cast<std::ptrdiff_t>(n) * c, detail::GlobalForward<T>{pixels, c, x, y});
}
template <class T>
void global_avg_pool_backward(Cuda, int n, int pixels, int c, const T* dy, T* dx) {
  detail::each("global_avg_pool_backward", static_cast<std::ptrdiff_t>(n) * pixels * c,
               detail::GlobalBackward<T>{pixels, c, dy, dx});
}

GRAFT_CUDA_END

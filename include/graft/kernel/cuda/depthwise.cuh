#pragma once
/// \file depthwise.cuh  Depthwise convolution on NHWC: kernel/cpu/depthwise.hpp on the GPU. A thread has one number;
/// neighbouring threads have neighbouring channels.
#include "graft/kernel/cuda/epilogue.cuh"
#include "graft/kernel/cuda/gemm.cuh"
#include "graft/kernel/cuda/layers.hpp"
#include "graft/kernel/cuda/reduce.cuh"

GRAFT_CUDA_BEGIN
namespace detail {

template <class T>
struct DepthwiseForward {
  ConvExtents e;
  const T* x;
  const T* w;
  const T* b;
  T* y;
  Bend<T> act;
  __device__ void operator()(std::ptrdiff_t i) const {
    const Place at(i, e.c, e.ow, e.oh);
    const int c = at.c, left = at.x * e.sw - e.left, top = at.y * e.sh - e.top;
    const T* image = x + at.sample * e.h * e.w * e.c + c;
    T sum = b != nullptr ? b[c] : T{0};
    for (int r = 0; r < e.kh; ++r) {
      const int iy = top + r * e.dh;
      if (iy < 0 || iy >= e.h) continue;
      for (int s = 0; s < e.kw; ++s) {
        const int ix = left + s * e.dw;
        if (ix < 0 || ix >= e.w) continue;
        sum += image[(static_cast<std::ptrdiff_t>(iy) * e.w + ix) * e.c] * w[(r * e.kw + s) * e.c + c];
      }
    }
    y[i] = act(sum);
  }
};

template <class T>
struct DepthwiseData {
  ConvExtents e;
  const T* w;
  const T* dy;
  T* dx;
  __device__ void operator()(std::ptrdiff_t i) const {
    const Place at(i, e.c, e.w, e.h);
    const int c = at.c, ix = at.x + e.left, iy = at.y + e.top;
    const T* image = dy + at.sample * e.oh * e.ow * e.c + c;
    T sum{0};
    for (int r = 0; r < e.kh; ++r) {
      const int y = iy - r * e.dh;
      if (y < 0 || y % e.sh != 0 || y / e.sh >= e.oh) continue;
      for (int s = 0; s < e.kw; ++s) {
        const int x = ix - s * e.dw;
        if (x < 0 || x % e.sw != 0 || x / e.sw >= e.ow) continue;
        sum += image[(static_cast<std::ptrdiff_t>(y / e.sh) * e.ow + x / e.sw) * e.c] * w[(r * e.kw + s) * e.c + c];
      }
    }
    dx[i] = sum;
  }
};

/// A piece of the outputs' pixels for one tap (in blockIdx.z) and 32 channels; eight pixels at a time.
template <class T>
__global__ void depthwise_weights_kernel(ConvExtents e, std::ptrdiff_t pixels, std::ptrdiff_t piece, const T* x, const T* dy,
                                         double* partial) {
  __shared__ double held[8][32];
  const int lane = static_cast<int>(threadIdx.x % 32), line = static_cast<int>(threadIdx.x / 32);
  const int c = static_cast<int>(blockIdx.x) * 32 + lane, tap = static_cast<int>(blockIdx.z);
  const int down = tap / e.kw * e.dh - e.top, right = tap % e.kw * e.dw - e.left;
  const std::ptrdiff_t begin = blockIdx.y * piece, end = begin + piece < pixels ? begin + piece : pixels;
  double sum = 0.0;
  if (c < e.c) {
    for (std::ptrdiff_t p = begin + line; p < end; p += 8) {
      const Place at(p, 1, e.ow, e.oh);
      const int ix = at.x * e.sw + right, iy = at.y * e.sh + down;
      if (ix < 0 || ix >= e.w || iy < 0 || iy >= e.h) continue;
      sum += static_cast<double>(x[((at.sample * e.h + iy) * e.w + ix) * e.c + c]) * static_cast<double>(dy[p * e.c + c]);
    }
  }
  held[line][lane] = sum;
  __syncthreads();
  if (line > 0 || c >= e.c) return;
  sum = 0.0;
  for (int l = 0; l < 8; ++l) sum += held[l][lane];
  partial[(static_cast<std::ptrdiff_t>(blockIdx.y) * e.kh * e.kw + tap) * e.c + c] = sum;
}
template <class T>
struct AddPieces {
  int pieces;
  std::ptrdiff_t stride;
  const double* partial;
  T* to;
  __device__ void operator()(std::ptrdiff_t i) const {
    double sum = 0.0;
    for (int p = 0; p < pieces; ++p) sum += partial[p * stride + i];
    to[i] += static_cast<T>(sum);
  }
};

}  // namespace detail

template <class T>
void depthwise_forward(Cuda, const ConvExtents& e, const T* x, const T* w, const T* b, const Epilogue& epilogue, T* y) {
  const std::ptrdiff_t outputs = static_cast<std::ptrdiff_t>(e.n) * e.oh * e.ow * e.c;
  detail::each("depthwise_forward", outputs, detail::DepthwiseForward<T>{e, x, w, b, y, detail::Bend<T>(epilogue)});
}

template <class T>
void depthwise_backward(Cuda, const ConvExtents& e, const T* x, const T* w, const T* y, T* dy, const Epilogue& epilogue, T* dx,
                        T* dw, T* db) {
  const std::ptrdiff_t pixels = static_cast<std::ptrdiff_t>(e.n) * e.oh * e.ow;
  detail::mask_gradient(epilogue, pixels * e.c, y, dy);
  if (db != nullptr) detail::add_bias_gradient(pixels, e.c, static_cast<const T*>(dy), db);
  if (dw != nullptr) {
    const std::ptrdiff_t least = 256, most = 64;
    const std::ptrdiff_t piece = (pixels + most - 1) / most > least ? (pixels + most - 1) / most : least;
    const unsigned pieces = detail::blocks_for(pixels, piece), taps = static_cast<unsigned>(e.kh * e.kw);
    const std::ptrdiff_t weights = static_cast<std::ptrdiff_t>(taps) * e.c;
    double* partial = detail::room<double>(detail::Room::sums, pieces * static_cast<std::size_t>(weights));
    detail::launch("depthwise_backward of the weights", detail::depthwise_weights_kernel<T>,
                   dim3(detail::blocks_for(e.c, 32), pieces, taps), 256, e, pixels, piece, x, static_cast<const T*>(dy),
                   partial);
    detail::each("depthwise_backward of the weights", weights,
                 detail::AddPieces<T>{static_cast<int>(pieces), weights, partial, dw});
  }
  if (dx != nullptr) {
    detail::each("depthwise_backward of the data", static_cast<std::ptrdiff_t>(e.n) * e.h * e.w * e.c,
                 detail::DepthwiseData<T>{e, w, dy, dx});
  }
}

GRAFT_CUDA_END

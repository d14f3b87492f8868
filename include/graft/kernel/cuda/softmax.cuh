#pragma once
/// \file softmax.cuh  Softmax over rows x classes, a warp for each row: kernel/cpu/softmax.hpp on the GPU.
#include "graft/kernel/cuda/layers.hpp"
#include "graft/kernel/cuda/reduce.cuh"

GRAFT_CUDA_BEGIN
namespace detail {

/// The largest logit of a row and log(sum exp(z - top)), in all lanes.
template <class V>
struct Normaliser {
  V top, shift, sum;
  template <class At>
  __device__ Normaliser(int classes, int lane, const At& z) {
    top = z(lane < classes ? lane : 0);
    for (int c = lane + 32; c < classes; c += 32) top = larger_or_nan(top, z(c));
    top = warp_max(top);
    sum = V{0};
    for (int c = lane; c < classes; c += 32) sum += std::exp(z(c) - top);
    sum = warp_sum(sum);
    shift = std::log(sum);
  }
};

template <class T>
struct SoftmaxForward {
  int classes;
  const T* x;
  T* y;
  __device__ void operator()(std::ptrdiff_t row, int lane) const {
    const T* z = x + row * classes;
    const Normaliser<T> of(classes, lane, [z](int c) { return z[c]; });
    const T part = T{1} / of.sum;
    for (int c = lane; c < classes; c += 32) y[row * classes + c] = std::exp(z[c] - of.top) * part;
  }
};
template <class T>
struct SoftmaxBackward {
  int classes;
  const T* y;
  const T* dy;
  T* dx;
  __device__ void operator()(std::ptrdiff_t row, int lane) const {
    T dot{0};
    for (int c = lane; c < classes; c += 32) dot += dy[row * classes + c] * y[row * classes + c];
    dot = warp_sum(dot);
    for (int c = lane; c < classes; c += 32) dx[row * classes + c] = y[row * classes + c] * (dy[row * classes + c] - dot);
  }
};
template <class T>
struct LogSoftmaxForward {
  int classes;
  const T* x;
  T* y;
  __device__ void operator()(std::ptrdiff_t row, int lane) const {
    const T* z = x + row * classes;
    const Normaliser<T> of(classes, lane, [z](int c) { return z[c]; });
    for (int c = lane; c < classes; c += 32) y[row * classes + c] = (z[c] - of.top) - of.shift;
  }
};
template <class T>
struct LogSoftmaxBackward {
  int classes;
  const T* y;
  const T* dy;
  T* dx;
  __device__ void operator()(std::ptrdiff_t row, int lane) const {
    T sum{0};
    for (int c = lane; c < classes; c += 32) sum += dy[row * classes + c];
    sum = warp_sum(sum);
    for (int c = lane; c < classes; c += 32)
      dx[row * classes + c] = dy[row * classes + c] - std::exp(y[row * classes + c]) * sum;
  }
};

}  // namespace detail

template <class T>
void softmax_forward(Cuda, int rows, int classes, const T* x, T* y) {
  detail::rows_by_warp("softmax_forward", rows, detail::SoftmaxForward<T>{classes, x, y});
}
template <class T>
void softmax_backward(Cuda, int rows, int classes, const T* y, const T* dy, T* dx) {
  detail::rows_by_warp("softmax_backward", rows, detail::SoftmaxBackward<T>{classes, y, dy, dx});
}
template <class T>
void log_softmax_forward(Cuda, int rows, int classes, const T* x, T* y) {
  detail::rows_by_warp("log_softmax_forward", rows, detail::LogSoftmaxForward<T>{classes, x, y});
}
template <class T>
void log_softmax_backward(Cuda, int rows, int classes, const T* y, const T* dy, T* dx) {
  detail::rows_by_warp("log_softmax_backward", rows, detail::LogSoftmaxBackward<T>{classes, y, dy, dx});
}

GRAFT_CUDA_END

#pragma once
/// \file conditional.cuh  Features together with what they are taken for: CDAN's multilinear map, its random projection,
/// entropy weights and domain loss, as loss/conditional.hpp has them.
#include "graft/kernel/cuda/gemm.cuh"
#include "graft/kernel/cuda/losses.hpp"

GRAFT_CUDA_BEGIN
namespace detail {

template <class T>
struct Outer {
  const T* g;
  const T* f;
  int classes, d;
  T* value;
  __device__ void operator()(std::ptrdiff_t i) const {
    const std::ptrdiff_t k = i % d, c = i / d % classes, row = i / d / classes;
    value[i] = g[row * classes + c] * f[row * d + k];
  }
};
template <class T>
struct OuterGradient {
  const T* g;
  const T* gradient;
  int classes, d;
  T* df;
  __device__ void operator()(std::ptrdiff_t i) const {
    const std::ptrdiff_t k = i % d, row = i / d;
    T sum{0};
    for (int c = 0; c < classes; ++c) sum += g[row * classes + c] * gradient[(row * classes + c) * d + k];
    df[i] = sum;
  }
};

template <class T>
struct EntropyWeight {
  const T* p;
  int classes;
  T* w;
  __device__ void operator()(std::ptrdiff_t row, int lane) const {
    double h = 0.0;
    for (int c = lane; c < classes; c += 32) {
      const double q = static_cast<double>(p[row * classes + c]);
      h -= q * std::log(q + 1e-5);
    }
    h = warp_sum(h);
    if (lane == 0) w[row] = static_cast<T>(1.0 + std::exp(-h));
  }
};
template <class T>
struct ToMeanOne {
  const double* sum;
  std::ptrdiff_t count;
  T* w;
  __device__ void operator()(std::ptrdiff_t i) const {
    w[i] = static_cast<T>(static_cast<double>(w[i]) * static_cast<double>(count) / *sum);
  }
};
template <class T>
void to_mean_one(std::ptrdiff_t count, T* w) {
  if (count == 0) return;
  double* all = room<double>(Room::rows, 1);
  sum("entropy_weights", count, Widened<T>{w}, Keep{all});
  each("entropy_weights", count, ToMeanOne<T>{all, count, w});
}

template <class T>
struct DomainTerm {
  const T* z;
  const T* weights;
  int n, split;
  T* dz;
  __device__ double operator()(std::ptrdiff_t i) const {
    const bool source = i < split;
    const double w = 0.5 / (source ? split : n - split) * (weights != nullptr ? static_cast<double>(weights[i]) : 1.0);
    const double x = static_cast<double>(z[i]), e = std::exp(-std::abs(x));
    const double sigmoid = x >= 0.0 ? 1.0 / (1.0 + e) : e / (1.0 + e);
    if (dz != nullptr) dz[i] = static_cast<T>(w * (sigmoid - (source ? 1.0 : 0.0)));
    return w * ((x > 0.0 ? x : 0.0) - (source ? x : 0.0) + std::log1p(e));
  }
};

/// other *= part; value *= other
template <class T>
struct Paired {
  T part;
  T* other;
  T* value;
  __device__ void operator()(std::ptrdiff_t i) const {
    const T g = other[i] * part;
    other[i] = g;
    value[i] *= g;
  }
};
template <class T>
struct Times {
  const T* a;
  const T* b;
  T* to;
  __device__ void operator()(std::ptrdiff_t i) const { to[i] = a[i] * b[i]; }
};

}  // namespace detail

template <class T>
void outer(Cuda, int n, int classes, int d, const T* g, const T* f, T* value) {
  detail::each("outer", static_cast<std::ptrdiff_t>(n) * classes * d, detail::Outer<T>{g, f, classes, d, value});
}
template <class T>
void outer_backward(Cuda, int n, int classes, int d, const T* g, const T* gradient, T* df) {
  detail::each("outer's gradient", static_cast<std::ptrdiff_t>(n) * d, detail::OuterGradient<T>{g, gradient, classes, d, df});
}

template <class T>
void entropy_weights(Cuda, int n, int split, int classes, const T* p, T* w) {
  detail::rows_by_warp("entropy_weights", n, detail::EntropyWeight<T>{p, classes, w});
  detail::to_mean_one(split, w);
  detail::to_mean_one(n - split, w + split);
}

template <class T>
void domain_cross_entropy(Cuda, int n, int split, const T* logits, const T* weights, T* dz, T* value) {
  detail::sum("domain_cross_entropy", n, detail::DomainTerm<T>{logits, weights, n, split, dz}, detail::Scaled<T>{1.0, value});
}

template <class T>
void random_map(Cuda cuda, int n, int d, int classes, int wide, const T* f, const T* g, const T* of_f, const T* of_g, T part,
                T* other, T* value) {
  gemm(cuda, false, false, n, wide, d, T{1}, f, d, of_f, wide, T{0}, value, wide);
  gemm(cuda, false, false, n, wide, classes, T{1}, g, classes, of_g, wide, T{0}, other, wide);
  detail::each("random_map", static_cast<std::ptrdiff_t>(n) * wide, detail::Paired<T>{part, other, value});
}
template <class T>
void random_map_backward(Cuda cuda, int n, int d, int wide, const T* other, const T* of_f, const T* gradient, T* df) {
  const std::ptrdiff_t size = static_cast<std::ptrdiff_t>(n) * wide;
  T* scaled = detail::room<T>(detail::Room::cloud, static_cast<std::size_t>(size));
  detail::each("random_map's gradient", size, detail::Times<T>{other, gradient, scaled});
  gemm(cuda, false, true, n, d, wide, T{1}, static_cast<const T*>(scaled), wide, of_f, wide, T{0}, df, d);
}

GRAFT_CUDA_END

#pragma once
/// \file activation.cuh  Elementwise activations and dropout: kernel/cpu/activation.hpp on the GPU. Each works in place.
#include "graft/kernel/cuda/layers.hpp"
#include "graft/kernel/cuda/reduce.cuh"
#include "graft/kernel/cuda/words.cuh"

#include <type_traits>

GRAFT_CUDA_BEGIN
namespace detail {

/// 1 / (1 + exp(-x)) without overflow.
template <class T>
__device__ T sigmoid(T x) {
  const T e = std::exp(x >= T{0} ? -x : x);
  return x >= T{0} ? T{1} / (T{1} + e) : e / (T{1} + e);
}

// Numbers as T(0), not T{0}, in these branches: nvcc 12.0 reads T{0} in one that is not taken as nothing, and stops.
template <Activation a, class T>
__device__ T activate(T alpha, T x) {
  constexpr T root2 = static_cast<T>(1.41421356237309504880);
  if constexpr (a == Activation::relu) return x > T(0) ? x : (x != x ? x : T(0));
  if constexpr (a == Activation::relu6) return x > T(0) ? (x < T(6) ? x : T(6)) : (x != x ? x : T(0));
  if constexpr (a == Activation::leaky_relu) return x > T(0) ? x : alpha * x;
  if constexpr (a == Activation::elu) return x > T(0) ? x : alpha * std::expm1(x);
  if constexpr (a == Activation::gelu) return x * T(0.5) * std::erfc(-x / root2);
  if constexpr (a == Activation::silu) return x * sigmoid(x);
  if constexpr (a == Activation::hard_swish) return x <= T(-3) ? T(0) : x >= T(3) ? x : x * (x + T(3)) / T(6);
  if constexpr (a == Activation::sigmoid) return sigmoid(x);
  if constexpr (a == Activation::tanh) return std::tanh(x);
  if constexpr (a == Activation::softplus) return (x > T(0) ? x : T(0)) + std::log1p(std::exp(-std::abs(x)));
}

/// From x where the CPU's needs_input(a), else from y.
template <Activation a, class T>
__device__ T derivative(T alpha, T at) {
  constexpr T root2 = static_cast<T>(1.41421356237309504880), inverse_root_pi = static_cast<T>(0.56418958354775628695);
  if constexpr (a == Activation::relu) return at > T(0) ? T(1) : T(0);
  if constexpr (a == Activation::relu6) return at > T(0) && at < T(6) ? T(1) : T(0);
  if constexpr (a == Activation::leaky_relu) return at > T(0) ? T(1) : alpha;
  if constexpr (a == Activation::elu) return at > T(0) ? T(1) : at + alpha;
  if constexpr (a == Activation::gelu)
    return T(0.5) * std::erfc(-at / root2) + at * (std::exp(-at * at / T(2)) * inverse_root_pi / root2);
  if constexpr (a == Activation::silu) {
    const T s = sigmoid(at);
    return s + at * s * (T(1) - s);
  }
  if constexpr (a == Activation::hard_swish) return at <= T(-3) ? T(0) : at >= T(3) ? T(1) : (T(2) * at + T(3)) / T(6);
  if constexpr (a == Activation::sigmoid) return at * (T(1) - at);
  if constexpr (a == Activation::tanh) return T(1) - at * at;
  if constexpr (a == Activation::softplus) return sigmoid(at);
}

template <Activation a, class T>
struct Activate {
  T alpha;
  const T* x;
  T* y;
  __device__ void operator()(std::ptrdiff_t i) const { y[i] = activate<a>(alpha, x[i]); }
};
template <Activation a, class T>
struct Derive {
  T alpha;
  const T* at;
  const T* dy;
  T* dx;
  __device__ void operator()(std::ptrdiff_t i) const { dx[i] = dy[i] * derivative<a>(alpha, at[i]); }
};

/// Whether derivatives are computed from the input; else from the output.
inline bool from_input(Activation a) {
  return a == Activation::gelu || a == Activation::silu || a == Activation::hard_swish || a == Activation::softplus;
}
/// Calls f with the activation as a constant.
template <class F>
void with_activation(Activation a, const F& f) {
#define GRAFT_CASE(name) \
  case Activation::name: \
    return f(std::integral_constant<Activation, Activation::name>{})
  switch (a) {
    GRAFT_CASE(relu);
    GRAFT_CASE(relu6);
    GRAFT_CASE(leaky_relu);
    GRAFT_CASE(elu);
    GRAFT_CASE(gelu);
    GRAFT_CASE(silu);
    GRAFT_CASE(hard_swish);
    GRAFT_CASE(sigmoid);
    GRAFT_CASE(tanh);
    GRAFT_CASE(softplus);
  }
#undef GRAFT_CASE
}

/// A thread has the four numbers of one block of random words.
template <class T>
struct Drop {
  std::ptrdiff_t count;
  std::uint64_t seed, stream;
  std::uint32_t least;
  T scale;
  const T* from;
  T* to;
  __device__ void operator()(std::ptrdiff_t four) const {
    const Words words(static_cast<std::uint64_t>(four), stream, seed);
    for (int j = 0; j < 4 && 4 * four + j < count; ++j)
      to[4 * four + j] = (words.word[j] >> 8) >= least ? from[4 * four + j] * scale : T{0};
  }
};

}  // namespace detail

template <class T>
void activation_forward(Cuda, Activation a, double alpha, std::ptrdiff_t count, const T* x, T* y) {
  detail::with_activation(a, [&](auto which) {
    detail::each("activation_forward", count, detail::Activate<which.value, T>{static_cast<T>(alpha), x, y});
  });
}

template <class T>
void activation_backward(Cuda, Activation a, double alpha, std::ptrdiff_t count, const T* x, const T* y, const T* dy, T* dx) {
  const T* at = detail::from_input(a) ? x : y;
  detail::with_activation(a, [&](auto which) {
    detail::each("activation_backward", count, detail::Derive<which.value, T>{static_cast<T>(alpha), at, dy, dx});
  });
}

template <class T>
void dropout_forward(Cuda, std::ptrdiff_t count, double rate, std::uint64_t seed, std::uint64_t stream, const T* x, T* y) {
  const double share = rate < 0.0 ? 0.0 : rate > 1.0 ? 1.0 : rate;
  const std::uint32_t least = static_cast<std::uint32_t>(std::ceil(share * 16777216.0));  // word / 256 >= rate 2^24, as the CPU
  detail::each("dropout", (count + 3) / 4,
               detail::Drop<T>{count, seed, stream, least, static_cast<T>(1.0 / (1.0 - rate)), x, y});
}
template <class T>
void dropout_backward(Cuda cuda, std::ptrdiff_t count, double rate, std::uint64_t seed, std::uint64_t stream, const T* dy,
                      T* dx) {
  dropout_forward(cuda, count, rate, seed, stream, dy, dx);
}

GRAFT_CUDA_END

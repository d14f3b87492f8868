#pragma once
/// \file activation.hpp  Elementwise activations and dropout. Each works in place.
#include "graft/config.hpp"
#include "graft/core/device.hpp"
#include "graft/core/random.hpp"
#include "graft/core/vector_math.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>

GRAFT_BEGIN
namespace kernel {

enum class Activation { relu, relu6, leaky_relu, elu, gelu, silu, hard_swish, sigmoid, tanh, softplus };

/// Whether the derivative is computed from the input; otherwise it is from the output.
constexpr bool needs_input(Activation a) {
  return a == Activation::gelu || a == Activation::silu || a == Activation::hard_swish || a == Activation::softplus;
}
constexpr bool needs_output(Activation a) { return !needs_input(a); }

namespace detail {
/// 1 / (1 + exp(-x)) without overflow.
template <class T>
T sigmoid(T x) {
  if (x >= T{0}) return T{1} / (T{1} + std::exp(-x));
  const T e = std::exp(x);
  return e / (T{1} + e);
}
template <class T>
T value(Activation a, T alpha, T x) {
  switch (a) {
    case Activation::relu: return x > T{0} ? x : (x != x ? x : T{0});
    case Activation::relu6: return x > T{0} ? (x < T{6} ? x : T{6}) : (x != x ? x : T{0});
    case Activation::leaky_relu: return x > T{0} ? x : alpha * x;
    case Activation::elu: return x > T{0} ? x : alpha * std::expm1(x);
    case Activation::gelu: return x * T{0.5} * std::erfc(-x / std::numbers::sqrt2_v<T>);
    case Activation::silu: return x * sigmoid(x);
    case Activation::hard_swish: return x <= T{-3} ? T{0} : x >= T{3} ? x : x * (x + T{3}) / T{6};
    case Activation::sigmoid: return sigmoid(x);
    case Activation::tanh: return std::tanh(x);
    case Activation::softplus: return (x > T{0} ? x : T{0}) + std::log1p(std::exp(-std::abs(x)));
  }
  return x;
}
/// The derivative, from x where needs_input(a), else from y.
template <class T>
T derivative(Activation a, T alpha, T at) {
  switch (a) {
    case Activation::relu: return at > T{0} ? T{1} : T{0};
    case Activation::relu6: return at > T{0} && at < T{6} ? T{1} : T{0};
    case Activation::leaky_relu: return at > T{0} ? T{1} : alpha;
    case Activation::elu: return at > T{0} ? T{1} : at + alpha;
    case Activation::gelu: {
      const T density = std::exp(-at * at / T{2}) * std::numbers::inv_sqrtpi_v<T> / std::numbers::sqrt2_v<T>;
      return T{0.5} * std::erfc(-at / std::numbers::sqrt2_v<T>) + at * density;
    }
    case Activation::silu: {
      const T s = sigmoid(at);
      return s + at * s * (T{1} - s);
    }
    case Activation::hard_swish: return at <= T{-3} ? T{0} : at >= T{3} ? T{1} : (T{2} * at + T{3}) / T{6};
    case Activation::sigmoid: return at * (T{1} - at);
    case Activation::tanh: return T{1} - at * at;
    case Activation::softplus: return sigmoid(at);
  }
  return T{1};
}
}  // namespace detail

/// y = a(x), `count` numbers.
template <class T>
void activation_forward(Cpu, Activation a, double alpha, std::ptrdiff_t count, const T* x, T* y) {
  const T slope = static_cast<T>(alpha);
  graft::detail::for_pieces(static_cast<std::size_t>(count), [=](std::ptrdiff_t begin, std::ptrdiff_t end) {
    if (a == Activation::relu) {
      for (std::ptrdiff_t i = begin; i < end; ++i) y[i] = detail::value(Activation::relu, slope, x[i]);
    } else {
      for (std::ptrdiff_t i = begin; i < end; ++i) y[i] = detail::value(a, slope, x[i]);
    }
  });
}

/// dx = a'(.) dy; x or y may be null where the derivative does not need it.
template <class T>
void activation_backward(Cpu, Activation a, double alpha, std::ptrdiff_t count, const T* x, const T* y, const T* dy, T* dx) {
  const T slope = static_cast<T>(alpha);
  const T* at = needs_input(a) ? x : y;
  graft::detail::for_pieces(static_cast<std::size_t>(count), [=](std::ptrdiff_t begin, std::ptrdiff_t end) {
    if (a == Activation::relu) {
      for (std::ptrdiff_t i = begin; i < end; ++i) dx[i] = dy[i] * detail::derivative(Activation::relu, slope, at[i]);
    } else {
      for (std::ptrdiff_t i = begin; i < end; ++i) dx[i] = dy[i] * detail::derivative(a, slope, at[i]);
    }
  });
}

namespace detail {
/// to[i] = from[i] times 0 or 1 / (1 - rate). Philox block i decides on elements 4 i to 4 i + 3.
template <class T>
void drop(std::ptrdiff_t count, double rate, std::uint64_t seed, std::uint64_t stream, const T* from, T* to) {
  const Random random(seed, stream);
  const T scale = static_cast<T>(1.0 / (1.0 - rate));
  graft::detail::for_pieces(static_cast<std::size_t>(count), [=](std::ptrdiff_t begin, std::ptrdiff_t end) {
    for (std::ptrdiff_t i = begin; i < end; i += 4) {  // pieces begin at multiples of 4
      const auto words = random.at(static_cast<std::uint64_t>(i / 4));
      for (std::ptrdiff_t j = i; j < std::min(end, i + 4); ++j) {
        to[j] = Random::to_unit(words[static_cast<std::size_t>(j - i)]) >= rate ? from[j] * scale : T{0};
      }
    }
  });
}
}  // namespace detail

/// Inverted dropout; the mask is a function of (seed, stream, element).
template <class T>
void dropout_forward(Cpu, std::ptrdiff_t count, double rate, std::uint64_t seed, std::uint64_t stream, const T* x, T* y) {
  detail::drop(count, rate, seed, stream, x, y);
}
template <class T>
void dropout_backward(Cpu, std::ptrdiff_t count, double rate, std::uint64_t seed, std::uint64_t stream, const T* dy, T* dx) {
  detail::drop(count, rate, seed, stream, dy, dx);
}

}  // namespace kernel
GRAFT_END

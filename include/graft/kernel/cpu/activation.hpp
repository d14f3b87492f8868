#pragma once
/// \file activation.hpp  Elementwise activations and dropout. Each works in place.
#include "graft/config.hpp"
#include "graft/core/device.hpp"
#include "graft/core/random.hpp"
#include "graft/core/vector_math.hpp"
#include "graft/kernel/cpu/simd.hpp"
#include "graft/kernel/options.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <type_traits>

GRAFT_BEGIN
namespace kernel {

/// Whether the derivative is computed from the input; otherwise it is from the output.
constexpr bool needs_input(Activation a) {
  return a == Activation::gelu || a == Activation::silu || a == Activation::hard_swish || a == Activation::softplus;
}
constexpr bool needs_output(Activation a) { return !needs_input(a); }
/// Whether the second derivative is 0 wherever there is one.
constexpr bool piecewise_linear(Activation a) {
  return a == Activation::relu || a == Activation::relu6 || a == Activation::leaky_relu;
}

namespace detail {
/// 1 / (1 + exp(-x)) without overflow.
template <class T>
T sigmoid(T x) {
  if (x >= T{0}) return T{1} / (T{1} + std::exp(-x));
  const T e = std::exp(x);
  return e / (T{1} + e);
}
template <class T>
GRAFT_INLINE T value(Activation a, T alpha, T x) {
  switch (a) {
    case Activation::relu:
      return x > T{0} ? x : (x != x ? x : T{0});
    case Activation::relu6:
      return x > T{0} ? (x < T{6} ? x : T{6}) : (x != x ? x : T{0});
    case Activation::leaky_relu:
      return x > T{0} ? x : alpha * x;
    case Activation::elu:
      return x > T{0} ? x : alpha * std::expm1(x);
    case Activation::gelu:
      return x * T{0.5} * std::erfc(-x / std::numbers::sqrt2_v<T>);
    case Activation::silu:
      return x * sigmoid(x);
    case Activation::hard_swish:
      return x <= T{-3} ? T{0} : x >= T{3} ? x : x * (x + T{3}) / T{6};
    case Activation::sigmoid:
      return sigmoid(x);
    case Activation::tanh:
      return std::tanh(x);
    case Activation::softplus:
      return (x > T{0} ? x : T{0}) + std::log1p(std::exp(-std::abs(x)));
  }
  return x;
}
/// The derivative, from x where needs_input(a), else from y.
template <class T>
GRAFT_INLINE T derivative(Activation a, T alpha, T at) {
  switch (a) {
    case Activation::relu:
      return at > T{0} ? T{1} : T{0};
    case Activation::relu6:
      return at > T{0} && at < T{6} ? T{1} : T{0};
    case Activation::leaky_relu:
      return at > T{0} ? T{1} : alpha;
    case Activation::elu:
      return at > T{0} ? T{1} : at + alpha;
    case Activation::gelu: {
      const T density = std::exp(-at * at / T{2}) * std::numbers::inv_sqrtpi_v<T> / std::numbers::sqrt2_v<T>;
      return T{0.5} * std::erfc(-at / std::numbers::sqrt2_v<T>) + at * density;
    }
    case Activation::silu: {
      const T s = sigmoid(at);
      return s + at * s * (T{1} - s);
    }
    case Activation::hard_swish:
      return at <= T{-3} ? T{0} : at >= T{3} ? T{1} : (T{2} * at + T{3}) / T{6};
    case Activation::sigmoid:
      return at * (T{1} - at);
    case Activation::tanh:
      return T{1} - at * at;
    case Activation::softplus:
      return sigmoid(at);
  }
  return T{1};
}
/// The second derivative, from the same number as the first.
template <class T>
GRAFT_INLINE T second_derivative(Activation a, T alpha, T at) {
  switch (a) {
    case Activation::elu:
      return at > T{0} ? T{0} : at + alpha;
    case Activation::gelu:
      return (T{2} - at * at) * std::exp(-at * at / T{2}) * std::numbers::inv_sqrtpi_v<T> / std::numbers::sqrt2_v<T>;
    case Activation::silu: {
      const T s = sigmoid(at);
      return s * (T{1} - s) * (T{2} + at * (T{1} - T{2} * s));
    }
    case Activation::hard_swish:
      return at > T{-3} && at < T{3} ? T{1} / T{3} : T{0};
    case Activation::sigmoid:
      return at * (T{1} - at) * (T{1} - T{2} * at);
    case Activation::tanh:
      return T{-2} * at * (T{1} - at * at);
    case Activation::softplus: {
      const T s = sigmoid(at);
      return s * (T{1} - s);
    }
    default:
      return T{0};
  }
}

/// Calls f with the activation as a constant, so that loops over numbers hold no branch on it.
template <class F>
void as_constant(Activation a, F&& f) {
  switch (a) {
    case Activation::relu:
      return f(std::integral_constant<Activation, Activation::relu>{});
    case Activation::relu6:
      return f(std::integral_constant<Activation, Activation::relu6>{});
    case Activation::leaky_relu:
      return f(std::integral_constant<Activation, Activation::leaky_relu>{});
    case Activation::elu:
      return f(std::integral_constant<Activation, Activation::elu>{});
    case Activation::gelu:
      return f(std::integral_constant<Activation, Activation::gelu>{});
    case Activation::silu:
      return f(std::integral_constant<Activation, Activation::silu>{});
    case Activation::hard_swish:
      return f(std::integral_constant<Activation, Activation::hard_swish>{});
    case Activation::sigmoid:
      return f(std::integral_constant<Activation, Activation::sigmoid>{});
    case Activation::tanh:
      return f(std::integral_constant<Activation, Activation::tanh>{});
    case Activation::softplus:
      return f(std::integral_constant<Activation, Activation::softplus>{});
  }
}
}  // namespace detail

/// y = a(x), `count` numbers.
template <class T>
void activation_forward(Cpu, Activation a, double alpha, std::ptrdiff_t count, const T* x, T* y) {
  const T slope = static_cast<T>(alpha);
  graft::detail::for_pieces(static_cast<std::size_t>(count), [=](std::ptrdiff_t begin, std::ptrdiff_t end) {
    detail::as_constant(a, [=](auto which) {
      for (std::ptrdiff_t i = begin; i < end; ++i) y[i] = detail::value(which.value, slope, x[i]);
    });
  });
}

/// dx = a'(.) dy; x or y may be null where the derivative does not need it.
template <class T>
void activation_backward(Cpu, Activation a, double alpha, std::ptrdiff_t count, const T* x, const T* y, const T* dy, T* dx) {
  const T slope = static_cast<T>(alpha);
  const T* at = needs_input(a) ? x : y;
  graft::detail::for_pieces(static_cast<std::size_t>(count), [=](std::ptrdiff_t begin, std::ptrdiff_t end) {
    detail::as_constant(a, [=](auto which) {
      for (std::ptrdiff_t i = begin; i < end; ++i) dx[i] = dy[i] * detail::derivative(which.value, slope, at[i]);
    });
  });
}

/// dx += a''(.) dy t: the rest of the derivative of a'(x) dy along a change t of x; x or y as for activation_backward.
template <class T>
void activation_curvature(Cpu, Activation a, double alpha, std::ptrdiff_t count, const T* x, const T* y, const T* dy,
                          const T* t, T* dx) {
  const T slope = static_cast<T>(alpha);
  const T* at = needs_input(a) ? x : y;
  graft::detail::for_pieces(static_cast<std::size_t>(count), [=](std::ptrdiff_t begin, std::ptrdiff_t end) {
    detail::as_constant(a, [=](auto which) {
      for (std::ptrdiff_t i = begin; i < end; ++i) dx[i] += detail::second_derivative(which.value, slope, at[i]) * dy[i] * t[i];
    });
  });
}

namespace detail {
/// The words of 16 neighbouring Philox blocks, in the order of Random: block b gives words[4 b] to words[4 b + 3]. The rounds
/// run side by side, so that the compiler makes vectors of them.
inline void philox_blocks(std::uint64_t seed, std::uint64_t stream, std::uint64_t position, std::uint32_t* words) {
  constexpr int blocks = 16;
  constexpr std::uint64_t low = 0xFFFFFFFFu;
  std::uint64_t c0[blocks], c1[blocks], c2[blocks], c3[blocks];  // 32-bit words, as wide as their products
  for (int b = 0; b < blocks; ++b) {
    const std::uint64_t at = position + static_cast<std::uint64_t>(b);
    c0[b] = at & low;
    c1[b] = at >> 32;
    c2[b] = stream & low;
    c3[b] = stream >> 32;
  }
  std::uint64_t key0 = seed & low;
  std::uint64_t key1 = seed >> 32;
  for (int round = 0; round < 10; ++round) {
    for (int b = 0; b < blocks; ++b) {
      const std::uint64_t p = std::uint64_t{0xD2511F53u} * c0[b];
      const std::uint64_t q = std::uint64_t{0xCD9E8D57u} * c2[b];
      c0[b] = (q >> 32) ^ c1[b] ^ key0;
      c1[b] = q & low;
      c2[b] = (p >> 32) ^ c3[b] ^ key1;
      c3[b] = p & low;
    }
    key0 = (key0 + 0x9E3779B9u) & low;
    key1 = (key1 + 0xBB67AE85u) & low;
  }
  for (int b = 0; b < blocks; ++b) {
    words[4 * b] = static_cast<std::uint32_t>(c0[b]);
    words[4 * b + 1] = static_cast<std::uint32_t>(c1[b]);
    words[4 * b + 2] = static_cast<std::uint32_t>(c2[b]);
    words[4 * b + 3] = static_cast<std::uint32_t>(c3[b]);
  }
}

/// to[i] = from[i] times 0 or 1 / (1 - rate). Philox block i decides on elements 4 i to 4 i + 3.
template <class T>
void drop(std::ptrdiff_t count, double rate, std::uint64_t seed, std::uint64_t stream, const T* from, T* to) {
  const T scale = static_cast<T>(1.0 / (1.0 - rate));
  // to_unit(word) >= rate, in whole numbers: word / 256 >= rate 2^24
  const std::uint32_t least = static_cast<std::uint32_t>(std::ceil(std::clamp(rate, 0.0, 1.0) * 0x1p24));
  graft::detail::for_pieces(static_cast<std::size_t>(count), [=](std::ptrdiff_t begin, std::ptrdiff_t end) {
    std::uint32_t words[64];
    for (std::ptrdiff_t i = begin; i < end; i += 64) {  // pieces begin at multiples of 64
      philox_blocks(seed, stream, static_cast<std::uint64_t>(i / 4), words);
      const std::ptrdiff_t here = std::min<std::ptrdiff_t>(64, end - i);
      for (std::ptrdiff_t j = 0; j < here; ++j) to[i + j] = (words[j] >> 8) >= least ? from[i + j] * scale : T{0};
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

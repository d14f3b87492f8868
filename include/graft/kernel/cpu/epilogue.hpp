#pragma once
/// \file epilogue.hpp  The activations that a product or convolution applies as it writes its output, and their derivatives
/// from the output.
#include "graft/config.hpp"
#include "graft/core/device.hpp"
#include "graft/kernel/cpu/simd.hpp"

#include <type_traits>

GRAFT_BEGIN
namespace kernel {
namespace detail {

template <class T>
GRAFT_INLINE T activate(const Epilogue& e, T x) {
  switch (e.act) {
    case Act::relu:
      return x > T{0} ? x : (x != x ? x : T{0});
    case Act::relu6:
      return x > T{0} ? (x < T{6} ? x : T{6}) : (x != x ? x : T{0});
    case Act::leaky_relu:
      return x > T{0} ? x : static_cast<T>(e.alpha) * x;
    case Act::none:
      break;
  }
  return x;
}

/// The derivative of the epilogue's activation, from its output.
template <class T>
GRAFT_INLINE T slope(const Epilogue& e, T y) {
  switch (e.act) {
    case Act::relu:
      return y > T{0} ? T{1} : T{0};
    case Act::relu6:
      return y > T{0} && y < T{6} ? T{1} : T{0};
    case Act::leaky_relu:
      return y > T{0} ? T{1} : static_cast<T>(e.alpha);
    case Act::none:
      break;
  }
  return T{1};
}

/// Calls f with the activation as a constant, so that loops over numbers hold no branch on it.
template <class F>
void with_act(Act act, F&& f) {
  switch (act) {
    case Act::none:
      return f(std::integral_constant<Act, Act::none>{});
    case Act::relu:
      return f(std::integral_constant<Act, Act::relu>{});
    case Act::relu6:
      return f(std::integral_constant<Act, Act::relu6>{});
    case Act::leaky_relu:
      return f(std::integral_constant<Act, Act::leaky_relu>{});
  }
}

/// The same on vectors.
template <Act act, class T>
GRAFT_INLINE Vec<T> activate(Vec<T> alpha, Vec<T> x) {
  using V = Vec<T>;
  if constexpr (act == Act::relu) return larger(V::all(T{0}), x);  // in this order a NaN stays one
  if constexpr (act == Act::relu6) return smaller(V::all(T{6}), larger(V::all(T{0}), x));
  if constexpr (act == Act::leaky_relu) return V::choose(above(x, V::all(T{0})), x, alpha * x);
  return x;
}
/// g times the activation's derivative at output y.
template <Act act, class T>
GRAFT_INLINE Vec<T> through(Vec<T> alpha, Vec<T> y, Vec<T> g) {
  using V = Vec<T>;
  const V zero = V::all(T{0});
  if constexpr (act == Act::relu) return V::choose(above(y, zero), g, zero);
  if constexpr (act == Act::relu6) return V::choose(above(y, zero), V::choose(above(V::all(T{6}), y), g, zero), zero);
  if constexpr (act == Act::leaky_relu) return V::choose(above(y, zero), g, alpha * g);
  return g;
}

}  // namespace detail
}  // namespace kernel
GRAFT_END

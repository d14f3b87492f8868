#pragma once
/// \file epilogue.cuh  The activations that a product or convolution applies as it writes, and their derivatives from the
/// output: kernel/cpu/epilogue.hpp on the GPU.
#include "graft/kernel/cuda/launch.cuh"

GRAFT_CUDA_BEGIN
namespace detail {

template <class T>
struct Bend {  ///< an activation
  Act act;
  T alpha;
  __host__ explicit Bend(const Epilogue& e) : act(e.act), alpha(static_cast<T>(e.alpha)) {}
  /// A NaN stays one.
  __device__ T operator()(T x) const {
    if (act == Act::relu) return x > T{0} ? x : (x != x ? x : T{0});
    if (act == Act::relu6) return x > T{0} ? (x < T{6} ? x : T{6}) : (x != x ? x : T{0});
    if (act == Act::leaky_relu) return x > T{0} ? x : alpha * x;
    return x;
  }
  /// g times the derivative at output y; where that is 0 the result is, whatever g.
  __device__ T through(T y, T g) const {
    if (act == Act::relu) return y > T{0} ? g : T{0};
    if (act == Act::relu6) return y > T{0} && y < T{6} ? g : T{0};
    if (act == Act::leaky_relu) return y > T{0} ? g : alpha * g;
    return g;
  }
  /// Falls somewhere, so that the largest output need not come from the largest input.
  __device__ bool falls() const { return act == Act::leaky_relu && alpha < T{0}; }
};

}  // namespace detail
GRAFT_CUDA_END

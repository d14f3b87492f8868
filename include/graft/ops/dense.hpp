#pragma once
/// \file dense.hpp  Fully connected layer.
#include "graft/config.hpp"
#include "graft/core/layer.hpp"
#include "graft/core/passes.hpp"
#include "graft/kernel/cpu/conv_bf16.hpp"
#include "graft/kernel/cpu/dense.hpp"
#include "graft/kernel/cpu/describe.hpp"
#include "graft/kernel/cuda/layers.hpp"

GRAFT_BEGIN

/// y = x w + b. An image is taken as the vector of its H * W * C numbers (Flatten is implied). -> Vector<Units>;
/// weights "w": inputs x Units, bias "b": Units (none when Bias is false). A net that ends here gives logits.
template <int Units, bool Bias = true>
struct Dense {
  static constexpr const char* name = "Dense";
  static constexpr Traits traits{.takes_activation = true, .needs_input = true, .kind = Kind::logits};

  static constexpr Fit fit(Shape) {
    if (Units < 1) return {Reason::bad_option};
    return {Reason::fits, vector_shape(Units)};
  }

  template <class V>
  static constexpr void visit(Shape in, V&& v) {
    v(Weight{"w", Role::kernel, {static_cast<int>(in.size()), Units, 1, 1}, 2, static_cast<double>(in.size()), Units});
    if (Bias) v(Weight{"b", Role::bias, {Units, 1, 1, 1}, 1, static_cast<double>(in.size())});
  }

  template <class T, class D = Cpu>
  static void* forward(Run<T>& run, const Place<T>& at, const Stored<T, D>* x, Stored<T, D>* y) {
    const T* b = Bias ? at.weights + at.in.size() * Units : nullptr;
    kernel::dense_forward(D{}, run.n, static_cast<int>(at.in.size()), Units, x, at.weights, b, at.epilogue, y);
    return nullptr;
  }

  template <class T, class D = Cpu>
  static void backward(Run<T>& run, const Place<T>& at, const Stored<T, D>* x, const Stored<T, D>* y, void*, Stored<T, D>* dy,
                       Stored<T, D>* dx) {
    T* db = Bias && at.gradients != nullptr ? at.gradients + at.in.size() * Units : nullptr;
    kernel::dense_backward(D{}, run.n, static_cast<int>(at.in.size()), Units, x, at.weights, y, dy, at.epilogue, dx,
                           at.gradients, db);
  }

  template <class T>
  static std::string describe(Shape in, int n, const Epilogue&, const Passes& passes) {
    const int inputs = static_cast<int>(in.size());
    return detail::said(passes, kernel::describe_product<T>(false, false, n, Units, inputs, inputs),
                        kernel::describe_product<T>(true, false, inputs, Units, n, inputs),
                        kernel::describe_product<T>(false, true, n, inputs, Units, Units));
  }
  static std::string describe_bf16(Shape in, int n, const Epilogue&, const Passes& passes) {
    return kernel::describe_conv2d_bf16(kernel::detail::dense_extents(n, static_cast<int>(in.size()), Units), passes);
  }
};

GRAFT_END

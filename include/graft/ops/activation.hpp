#pragma once
/// \file activation.hpp  Elementwise activations, and softmax. Each keeps the shape.
#include "graft/config.hpp"
#include "graft/core/layer.hpp"
#include "graft/kernel/cpu/activation.hpp"
#include "graft/kernel/cpu/softmax.hpp"
#include "graft/kernel/cuda/layers.hpp"

GRAFT_BEGIN

namespace detail {
/// What a convolution or dense kernel can apply itself.
constexpr Act fused(kernel::Activation a) {
  switch (a) {
    case kernel::Activation::relu:
      return Act::relu;
    case kernel::Activation::relu6:
      return Act::relu6;
    case kernel::Activation::leaky_relu:
      return Act::leaky_relu;
    default:
      return Act::none;
  }
}

template <kernel::Activation A, Number Alpha = 0.0>
struct Elementwise {
  static constexpr double alpha = Alpha.value;
  static constexpr bool probability = A == kernel::Activation::sigmoid;
  static constexpr Traits traits{.act = fused(A),
                                 .alpha = alpha,
                                 .in_place = true,
                                 .needs_input = kernel::needs_input(A),
                                 .needs_output = kernel::needs_output(A),
                                 .kind = probability ? Kind::probabilities : Kind::features};
  static constexpr Fit fit(Shape in) { return {Reason::fits, in}; }
  template <class V>
  static constexpr void visit(Shape, V&&) {}

  template <class T, class D = Cpu>
  static void* forward(Run<T>& run, const Place<T>& at, const T* x, T* y) {
    kernel::activation_forward(D{}, A, alpha, static_cast<std::ptrdiff_t>(run.n) * static_cast<std::ptrdiff_t>(at.in.size()), x,
                               y);
    return nullptr;
  }
  template <class T, class D = Cpu>
  static void backward(Run<T>& run, const Place<T>& at, const T* x, const T* y, void*, T* dy, T* dx) {
    if (dx == nullptr) return;
    kernel::activation_backward(D{}, A, alpha, static_cast<std::ptrdiff_t>(run.n) * static_cast<std::ptrdiff_t>(at.in.size()),
                                x, y, dy, dx);
  }
};
}  // namespace detail

/// max(0, x)
struct ReLU : detail::Elementwise<kernel::Activation::relu> {
  static constexpr const char* name = "ReLU";
};
/// min(max(0, x), 6)
struct ReLU6 : detail::Elementwise<kernel::Activation::relu6> {
  static constexpr const char* name = "ReLU6";
};
/// x > 0 ? x : alpha x; the default is Keras' 0.3 (PyTorch's is 0.01).
template <Number Alpha = 0.3>
struct LeakyReLU : detail::Elementwise<kernel::Activation::leaky_relu, Alpha> {
  static constexpr const char* name = "LeakyReLU";
};
/// x > 0 ? x : exp(x) - 1
struct ELU : detail::Elementwise<kernel::Activation::elu, 1.0> {
  static constexpr const char* name = "ELU";
};
/// x Phi(x), with the exact normal distribution function (Hendrycks & Gimpel 2016)
struct GELU : detail::Elementwise<kernel::Activation::gelu> {
  static constexpr const char* name = "GELU";
};
/// x sigmoid(x)
struct SiLU : detail::Elementwise<kernel::Activation::silu> {
  static constexpr const char* name = "SiLU";
};
/// x ReLU6(x + 3) / 6 (Howard et al. 2019)
struct HardSwish : detail::Elementwise<kernel::Activation::hard_swish> {
  static constexpr const char* name = "HardSwish";
};
/// 1 / (1 + exp(-x)); a net that ends here gives probabilities
struct Sigmoid : detail::Elementwise<kernel::Activation::sigmoid> {
  static constexpr const char* name = "Sigmoid";
};
struct Tanh : detail::Elementwise<kernel::Activation::tanh> {
  static constexpr const char* name = "Tanh";
};
/// log(1 + exp(x))
struct Softplus : detail::Elementwise<kernel::Activation::softplus> {
  static constexpr const char* name = "Softplus";
};

/// exp(x_c) / sum over channels; a net that ends here gives probabilities. To train, give a loss the logits before it.
struct Softmax {
  static constexpr const char* name = "Softmax";
  static constexpr Traits traits{.in_place = true, .needs_output = true, .kind = Kind::probabilities};
  static constexpr Fit fit(Shape in) { return {Reason::fits, in}; }
  template <class V>
  static constexpr void visit(Shape, V&&) {}

  template <class T, class D = Cpu>
  static void* forward(Run<T>& run, const Place<T>& at, const T* x, T* y) {
    kernel::softmax_forward(D{}, run.n * at.in.h * at.in.w, at.in.c, x, y);
    return nullptr;
  }
  template <class T, class D = Cpu>
  static void backward(Run<T>& run, const Place<T>& at, const T*, const T* y, void*, T* dy, T* dx) {
    if (dx != nullptr) kernel::softmax_backward(D{}, run.n * at.in.h * at.in.w, at.in.c, y, dy, dx);
  }
};

GRAFT_END

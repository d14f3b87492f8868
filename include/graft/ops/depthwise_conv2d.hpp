#pragma once
/// \file depthwise_conv2d.hpp  Depthwise convolution: one kernel for each channel.
#include "graft/config.hpp"
#include "graft/core/layer.hpp"
#include "graft/core/passes.hpp"
#include "graft/kernel/cpu/depthwise.hpp"
#include "graft/kernel/cpu/describe.hpp"
#include "graft/kernel/cuda/layers.hpp"
#include "graft/ops/conv2d.hpp"

GRAFT_BEGIN

/// Each channel is convolved with a kernel of its own, plus a bias. Image<H, W, C> -> Image<H', W', C>; weights "w": kh x kw x
/// C, bias "b": C. `O.groups` is not used.
template <Size Kernel, Conv O = Conv{}>
struct DepthwiseConv2D {
  static constexpr const char* name = "DepthwiseConv2D";
  static constexpr Traits traits{.takes_activation = true, .needs_input = true};

  static constexpr Fit fit(Shape in) {
    if (!in.is_image()) return {Reason::needs_image};
    if (!detail::sensible(Kernel, O)) return {Reason::bad_option};
    const Window window = slide(in.h, in.w, Kernel, O.stride, O.padding, O.dilation);
    if (window.oh < 1 || window.ow < 1) return {Reason::kernel_larger_than_input};
    return {Reason::fits, image_shape(window.oh, window.ow, in.c)};
  }

  template <class V>
  static constexpr void visit(Shape in, V&& v) {
    const double taps = static_cast<double>(Kernel.h) * Kernel.w;
    v(Weight{"w", Role::kernel, {Kernel.h, Kernel.w, in.c, 1}, 3, taps, taps});
    if (O.bias) v(Weight{"b", Role::bias, {in.c, 1, 1, 1}, 1, taps});
  }

  template <class T, class D = Cpu>
  static void* forward(Run<T>& run, const Place<T>& at, const T* x, T* y) {
    kernel::depthwise_forward(D{}, extents(at.in, run.n), x, at.weights, bias(at.weights, at.in), at.epilogue, y);
    return nullptr;
  }

  template <class T, class D = Cpu>
  static void backward(Run<T>& run, const Place<T>& at, const T* x, const T* y, void*, T* dy, T* dx) {
    T* db = at.gradients != nullptr ? const_cast<T*>(bias(at.gradients, at.in)) : nullptr;
    kernel::depthwise_backward(D{}, extents(at.in, run.n), x, at.weights, y, dy, at.epilogue, dx, at.gradients, db);
  }

  template <class T>
  static std::string describe(Shape in, int n, const Epilogue&, const Passes& passes) {
    const ConvExtents e = extents(in, n);
    return detail::said(passes, kernel::describe_depthwise_forward<T>(e), "the channels in vectors, 4 sums over a row's pixels",
                        kernel::describe_depthwise_data<T>(e));
  }

 private:
  static constexpr ConvExtents extents(Shape in, int n) {
    const Window window = slide(in.h, in.w, Kernel, O.stride, O.padding, O.dilation);
    return {n,        in.h,       in.w,       in.c,         window.oh,    window.ow,  in.c,        Kernel.h,
            Kernel.w, O.stride.h, O.stride.w, O.dilation.h, O.dilation.w, window.top, window.left, in.c};
  }
  template <class T>
  static const T* bias(const T* weights, Shape in) {
    if (!O.bias) return nullptr;
    return weights + static_cast<std::size_t>(Kernel.h) * static_cast<std::size_t>(Kernel.w) * static_cast<std::size_t>(in.c);
  }
};

GRAFT_END

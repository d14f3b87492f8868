#pragma once
/// \file conv2d.hpp  2-D convolution.
#include "graft/config.hpp"
#include "graft/core/layer.hpp"
#include "graft/core/passes.hpp"
#include "graft/kernel/cpu/conv2d.hpp"
#include "graft/kernel/cpu/conv_bf16.hpp"
#include "graft/kernel/cpu/describe.hpp"
#include "graft/kernel/cpu/winograd.hpp"
#include "graft/kernel/cuda/layers.hpp"

GRAFT_BEGIN

/// Options of Conv2D and DepthwiseConv2D: `Conv2D<64, 3, Conv{.stride = 2, .padding = same, .bias = false}>`.
struct Conv {
  Size stride{1};
  Padding padding{};
  Size dilation{1};
  int groups = 1;
  bool bias = true;
};

namespace detail {
constexpr bool sensible(Size kernel, const Conv& o) {
  const bool sizes =
      kernel.h >= 1 && kernel.w >= 1 && o.stride.h >= 1 && o.stride.w >= 1 && o.dilation.h >= 1 && o.dilation.w >= 1;
  const Padding& p = o.padding;
  if (p.kind == Padding::is_ceil) return false;
  return sizes && o.groups >= 1 && p.top >= 0 && p.bottom >= 0 && p.left >= 0 && p.right >= 0;
}
}  // namespace detail

/// Convolution of an image with `Filters` kernels (cross-correlation, as everywhere in the field), plus a bias.
/// Image<H, W, C> -> Image<H', W', Filters>; weights "w": kh x kw x C/groups x Filters (HWIO), bias "b": Filters.
template <int Filters, Size Kernel, Conv O = Conv{}>
struct Conv2D {
  static constexpr const char* name = "Conv2D";
  static constexpr Traits traits{.takes_activation = true, .takes_pool = true, .needs_input = true};

  static constexpr Fit fit(Shape in) {
    if (!in.is_image()) return {Reason::needs_image};
    if (Filters < 1 || !detail::sensible(Kernel, O)) return {Reason::bad_option};
    if (in.c % O.groups != 0) return {Reason::groups_do_not_divide_input};
    if (Filters % O.groups != 0) return {Reason::groups_do_not_divide_filters};
    const Window window = slide(in.h, in.w, Kernel, O.stride, O.padding, O.dilation);
    if (window.oh < 1 || window.ow < 1) return {Reason::kernel_larger_than_input};
    return {Reason::fits, image_shape(window.oh, window.ow, Filters)};
  }

  template <class V>
  static constexpr void visit(Shape in, V&& v) {
    const double taps = static_cast<double>(Kernel.h) * Kernel.w;
    v(Weight{"w",
             Role::kernel,
             {Kernel.h, Kernel.w, in.c / O.groups, Filters},
             4,
             taps * (in.c / O.groups),
             taps * (Filters / O.groups)});
    if (O.bias) v(Weight{"b", Role::bias, {Filters, 1, 1, 1}, 1, taps * (in.c / O.groups)});
  }

  template <class T, class D = Cpu>
  static void* forward(Run<T>& run, const Place<T>& at, const Stored<T, D>* x, Stored<T, D>* y) {
    std::uint8_t* argmax = nullptr;
    if (at.epilogue.pool && run.keep)
      argmax = run.arena->template take<std::uint8_t>(static_cast<std::size_t>(run.n) * at.out.size());
    const ConvExtents e = extents(at.in, run.n);
    if constexpr (std::is_base_of_v<Cpu, D>) {
      T* const packed = at.packed != nullptr && kernel::conv2d_packs<T>(e) ? at.packed : nullptr;
      if (run.pack && packed != nullptr) kernel::conv2d_pack(Cpu{}, e, at.weights, packed);
      kernel::conv2d_forward(D{}, e, x, at.weights, bias(at.weights, at.in), at.epilogue, y, argmax, packed);
    } else {
      kernel::conv2d_forward(D{}, e, x, at.weights, bias(at.weights, at.in), at.epilogue, y, argmax);
    }
    return argmax;
  }

  template <class T, class D = Cpu>
  static void backward(Run<T>& run, const Place<T>& at, const Stored<T, D>* x, const Stored<T, D>* y, void* kept,
                       Stored<T, D>* dy, Stored<T, D>* dx) {
    T* db = at.gradients != nullptr ? const_cast<T*>(bias(at.gradients, at.in)) : nullptr;
    kernel::conv2d_backward(D{}, extents(at.in, run.n), x, at.weights, y, static_cast<const std::uint8_t*>(kept), dy,
                            at.epilogue, dx, at.gradients, db);
  }

  template <class T, class D = Cpu>
  static std::string describe(Shape in, int n, const Epilogue& epilogue, const Passes& passes) {
    const ConvExtents e = extents(in, n);
    std::string why;
    if constexpr (std::is_same_v<D, Winograd<Cpu>>) {
      const char* const reason = kernel::winograd_declines<T>(e);
      if (reason == nullptr) return kernel::describe_winograd<T>(e);
      why = std::string("no Winograd tiles (") + reason + "); ";
    }
    return why + detail::said(passes, kernel::describe_conv2d_forward<T>(e, epilogue), kernel::describe_conv2d_weights<T>(e),
                              kernel::describe_conv2d_data<T>(e, epilogue));
  }

  static std::string describe_bf16(Shape in, int n, const Epilogue&, const Passes& passes) {
    return kernel::describe_conv2d_bf16(extents(in, n), passes);
  }

  static constexpr ConvExtents extents(Shape in, int n) {
    const Window window = slide(in.h, in.w, Kernel, O.stride, O.padding, O.dilation);
    return {n,        in.h,       in.w,       in.c,         window.oh,    window.ow,  Filters,     Kernel.h,
            Kernel.w, O.stride.h, O.stride.w, O.dilation.h, O.dilation.w, window.top, window.left, O.groups};
  }

 private:
  template <class T>
  static const T* bias(const T* weights, Shape in) {
    if (!O.bias) return nullptr;
    return weights + static_cast<std::size_t>(Kernel.h) * static_cast<std::size_t>(Kernel.w) *
                         static_cast<std::size_t>(in.c / O.groups) * static_cast<std::size_t>(Filters);
  }
};

GRAFT_END

#pragma once
/// \file pool.hpp  Max, average and global average pooling.
#include "graft/config.hpp"
#include "graft/core/layer.hpp"
#include "graft/core/passes.hpp"
#include "graft/kernel/cpu/describe.hpp"
#include "graft/kernel/cpu/pool.hpp"
#include "graft/kernel/cuda/layers.hpp"

GRAFT_BEGIN

namespace detail {
/// A stride of 0 means the window's own size.
constexpr Size pool_stride(Size window, Size stride) { return stride.h == 0 ? window : stride; }

constexpr Fit fit_pool(Shape in, Size window, Size stride, Padding p) {
  if (!in.is_image()) return {Reason::needs_image};
  const Size step = pool_stride(window, stride);
  if (window.h < 1 || window.w < 1 || step.h < 1 || step.w < 1) return {Reason::bad_option};
  if (p.top < 0 || p.bottom < 0 || p.left < 0 || p.right < 0) return {Reason::bad_option};
  if (p.top >= window.h || p.bottom >= window.h || p.left >= window.w || p.right >= window.w)
    return {Reason::pool_is_all_padding};
  const Window out = slide(in.h, in.w, window, step, p);
  if (out.oh < 1 || out.ow < 1) return {Reason::kernel_larger_than_input};
  return {Reason::fits, image_shape(out.oh, out.ow, in.c)};
}

constexpr PoolExtents pool_extents(Shape in, int n, Size window, Size stride, Padding p) {
  const Size step = pool_stride(window, stride);
  const Window out = slide(in.h, in.w, window, step, p);
  return {n, in.h, in.w, in.c, out.oh, out.ow, window.h, window.w, step.h, step.w, out.top, out.left};
}
}  // namespace detail

/// Largest value of each window; ties: the first in row-major order gets the gradient; padding never wins. Stride: the window's
/// size unless given. Image<H, W, C> -> Image<H', W', C>.
template <Size Window, Size Stride = Size{0}, Padding P = valid>
struct MaxPool2D {
  static constexpr const char* name = "MaxPool2D";
  static constexpr Traits traits{.is_pool2 = Window == Size{2} && (Stride == Size{0} || Stride == Size{2}) && P == valid,
                                 .keeps_kind = true};
  static constexpr Fit fit(Shape in) { return detail::fit_pool(in, Window, Stride, P); }
  template <class V>
  static constexpr void visit(Shape, V&&) {}

  template <class T, class D = Cpu>
  static void* forward(Run<T>& run, const Place<T>& at, const T* x, T* y) {
    std::int32_t* argmax = nullptr;
    if (run.keep) argmax = run.arena->template take<std::int32_t>(static_cast<std::size_t>(run.n) * at.out.size());
    kernel::max_pool_forward(D{}, detail::pool_extents(at.in, run.n, Window, Stride, P), x, y, argmax);
    return argmax;
  }
  template <class T, class D = Cpu>
  static void backward(Run<T>& run, const Place<T>& at, const T*, const T*, void* kept, T* dy, T* dx) {
    if (dx == nullptr) return;
    kernel::max_pool_backward(D{}, detail::pool_extents(at.in, run.n, Window, Stride, P),
                              static_cast<const std::int32_t*>(kept), dy, dx);
  }
  template <class T>
  static std::string describe(Shape in, int n, const Epilogue&, const Passes& passes) {
    const std::string forward = kernel::describe_pool(detail::pool_extents(in, n, Window, Stride, P), true, traits.is_pool2);
    return detail::said(passes, forward, "", "to each window's largest");
  }
};

/// Mean of each window; padding is not counted, as in Keras. Image<H, W, C> -> Image<H', W', C>.
template <Size Window, Size Stride = Size{0}, Padding P = valid>
struct AvgPool2D {
  static constexpr const char* name = "AvgPool2D";
  static constexpr Traits traits{.keeps_kind = true};
  static constexpr Fit fit(Shape in) { return detail::fit_pool(in, Window, Stride, P); }
  template <class V>
  static constexpr void visit(Shape, V&&) {}

  template <class T, class D = Cpu>
  static void* forward(Run<T>& run, const Place<T>& at, const T* x, T* y) {
    kernel::avg_pool_forward(D{}, detail::pool_extents(at.in, run.n, Window, Stride, P), x, y);
    return nullptr;
  }
  template <class T, class D = Cpu>
  static void backward(Run<T>& run, const Place<T>& at, const T*, const T*, void*, T* dy, T* dx) {
    if (dx != nullptr) kernel::avg_pool_backward(D{}, detail::pool_extents(at.in, run.n, Window, Stride, P), dy, dx);
  }
  template <class T>
  static std::string describe(Shape in, int n, const Epilogue&, const Passes& passes) {
    const std::string both = kernel::describe_pool(detail::pool_extents(in, n, Window, Stride, P), false, false);
    return detail::said(passes, both, "", both);
  }
};

/// Mean over height and width. Image<H, W, C> -> Vector<C>.
struct GlobalAveragePool {
  static constexpr const char* name = "GlobalAveragePool";
  static constexpr Traits traits{.keeps_kind = true};
  static constexpr Fit fit(Shape in) {
    if (!in.is_image()) return {Reason::needs_image};
    return {Reason::fits, vector_shape(in.c)};
  }
  template <class V>
  static constexpr void visit(Shape, V&&) {}

  template <class T, class D = Cpu>
  static void* forward(Run<T>& run, const Place<T>& at, const T* x, T* y) {
    kernel::global_avg_pool_forward(D{}, run.n, at.in.h * at.in.w, at.in.c, x, y);
    return nullptr;
  }
  template <class T, class D = Cpu>
  static void backward(Run<T>& run, const Place<T>& at, const T*, const T*, void*, T* dy, T* dx) {
    if (dx != nullptr) kernel::global_avg_pool_backward(D{}, run.n, at.in.h * at.in.w, at.in.c, dy, dx);
  }
};

GRAFT_END

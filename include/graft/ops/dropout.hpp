#pragma once
/// \file dropout.hpp  Dropout (Srivastava et al. 2014), inverted: the survivors are scaled by 1 / (1 - rate).
#include "graft/config.hpp"
#include "graft/core/layer.hpp"
#include "graft/core/random.hpp"
#include "graft/kernel/cpu/activation.hpp"
#include "graft/kernel/cuda/layers.hpp"

#include <cstddef>
#include <cstdint>

GRAFT_BEGIN

/// Sets each number to zero with probability Rate in training and does nothing in inference. The mask is a function of (model's
/// seed, step, layer, element): backward draws it again instead of keeping it.
template <Number Rate = 0.5>
struct Dropout {
  static constexpr const char* name = "Dropout";
  static constexpr Traits traits{.in_place = true, .keeps_kind = true};

  static constexpr Fit fit(Shape in) {
    if (Rate.value < 0.0 || Rate.value >= 1.0) return {Reason::bad_option};
    return {Reason::fits, in};
  }
  template <class V>
  static constexpr void visit(Shape, V&&) {}

  /// Returns the stream drawn from, or null when nothing was dropped.
  template <class T, class D = Cpu>
  static void* forward(Run<T>& run, const Place<T>& at, const T* x, T* y) {
    const std::ptrdiff_t count = static_cast<std::ptrdiff_t>(run.n) * static_cast<std::ptrdiff_t>(at.in.size());
    if (!run.training) {
      if (x != y) detail::copy(run.device, static_cast<std::size_t>(count), x, y);
      return nullptr;
    }
    std::uint64_t* stream = run.arena->template take_host<std::uint64_t>(1);
    *stream = mix(run.step, run.place);
    kernel::dropout_forward(D{}, count, Rate.value, run.seed, *stream, x, y);
    return stream;
  }
  template <class T, class D = Cpu>
  static void backward(Run<T>& run, const Place<T>& at, const T*, const T*, void* kept, T* dy, T* dx) {
    if (dx == nullptr) return;
    const std::ptrdiff_t count = static_cast<std::ptrdiff_t>(run.n) * static_cast<std::ptrdiff_t>(at.in.size());
    if (kept == nullptr) {
      if (dx != dy) detail::copy(run.device, static_cast<std::size_t>(count), static_cast<const T*>(dy), dx);
      return;
    }
    kernel::dropout_backward(D{}, count, Rate.value, run.seed, *static_cast<const std::uint64_t*>(kept), dy, dx);
  }
};

GRAFT_END

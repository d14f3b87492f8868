#pragma once
/// \file widened.hpp  Layers without kernels for what activations are stored in.
#include "graft/config.hpp"
#include "graft/core/bf16.hpp"
#include "graft/core/buffer.hpp"
#include "graft/core/layer.hpp"
#include "graft/core/passes.hpp"

#include <cstddef>
#include <string>

GRAFT_BEGIN
namespace detail {

/// A layer that computes in T, on activations that are stored in S.
template <class L, class T, class S>
struct Widened {
  static std::size_t size(const Run<T>& run, Shape shape) { return static_cast<std::size_t>(run.n) * shape.size(); }
  static void* forward(Run<T>& run, const Place<T>& at, const S* x, S* y) {
    const std::size_t in = size(run, at.in), out = size(run, at.out);
    T* const wide_x = workspace<T>(Work::widen, in + out);
    T* const wide_y = wide_x + in;
    widen(in, x, wide_x);
    void* const kept = L::template forward<T>(run, at, wide_x, wide_y);
    narrow(out, wide_y, y);
    return kept;
  }
  static void backward(Run<T>& run, const Place<T>& at, const S* x, const S* y, void* kept, S* dy, S* dx) {
    const std::size_t in = size(run, at.in), out = size(run, at.out);
    T* const wide_x = workspace<T>(Work::widen, 2 * (in + out));
    T* const wide_y = wide_x + in;
    T* const wide_dy = wide_y + out;
    T* const wide_dx = wide_dy + out;
    widen(in, x, wide_x);
    widen(out, y, wide_y);
    widen(out, dy, wide_dy);
    L::template backward<T>(run, at, wide_x, wide_y, kept, wide_dy, dx != nullptr ? wide_dx : nullptr);
    if (dx != nullptr) narrow(in, wide_dx, dx);
  }
  static std::string describe(Shape, int, const Epilogue&, const Passes&) { return "in float (no kernel in bf16)"; }
};

}  // namespace detail
GRAFT_END

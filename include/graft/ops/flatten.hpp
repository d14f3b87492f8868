#pragma once
/// \file flatten.hpp  Flatten and ZeroPad.
#include "graft/config.hpp"
#include "graft/core/layer.hpp"

#include <cstddef>
#include <cstring>
#include <utility>

GRAFT_BEGIN

/// Image<H, W, C> -> Vector<H * W * C>, in that order; it moves nothing.
struct Flatten {
  static constexpr const char* name = "Flatten";
  static constexpr Traits traits{.is_free = true, .keeps_kind = true};
  static constexpr Fit fit(Shape in) { return {Reason::fits, vector_shape(static_cast<int>(in.size()))}; }
  template <class V>
  static constexpr void visit(Shape, V&&) {}
  template <class T, class D = Cpu>
  static void* forward(Run<T>&, const Place<T>&, const T*, T*) {
    return nullptr;
  }
  template <class T, class D = Cpu>
  static void backward(Run<T>&, const Place<T>&, const T*, const T*, void*, T*, T*) {}
};

/// A border of zeros: `ZeroPad<1>` on all sides, `ZeroPad<Padding{top, bottom, left, right}>`. Image<H, W, C> -> Image<H', W',
/// C>.
template <Padding P>
struct ZeroPad {
  static constexpr const char* name = "ZeroPad";
  static constexpr Traits traits{.keeps_kind = true};
  static constexpr Fit fit(Shape in) {
    if (!in.is_image()) return {Reason::needs_image};
    if (P.kind == Padding::is_same || P.top < 0 || P.bottom < 0 || P.left < 0 || P.right < 0) return {Reason::bad_option};
    return {Reason::fits, image_shape(in.h + P.top + P.bottom, in.w + P.left + P.right, in.c)};
  }
  template <class V>
  static constexpr void visit(Shape, V&&) {}

  template <class T, class D = Cpu>
  static void* forward(Run<T>& run, const Place<T>& at, const T* x, T* y) {
    if (run.device != nullptr) {
      run.device->fill(static_cast<std::size_t>(run.n) * at.out.size(), T{0}, y);
      run.device->copy_rows(rows(run.n, at, true), x, y + inner(at));
      return nullptr;
    }
    std::memset(y, 0, static_cast<std::size_t>(run.n) * at.out.size() * sizeof(T));
    each_row(run.n, at, [&](std::size_t inner, std::size_t outer, std::size_t numbers) {
      std::memcpy(y + outer, x + inner, numbers * sizeof(T));
    });
    return nullptr;
  }
  template <class T, class D = Cpu>
  static void backward(Run<T>& run, const Place<T>& at, const T*, const T*, void*, T* dy, T* dx) {
    if (dx == nullptr) return;
    if (run.device != nullptr) return run.device->copy_rows(rows(run.n, at, false), dy + inner(at), dx);
    each_row(run.n, at, [&](std::size_t inner, std::size_t outer, std::size_t numbers) {
      std::memcpy(dx + inner, dy + outer, numbers * sizeof(T));
    });
  }

 private:
  /// Where the image begins in its frame.
  template <class T>
  static std::size_t inner(const Place<T>& at) {
    return (static_cast<std::size_t>(P.top) * static_cast<std::size_t>(at.out.w) + static_cast<std::size_t>(P.left)) *
           static_cast<std::size_t>(at.in.c);
  }
  template <class T>
  static RowCopy rows(int n, const Place<T>& at, bool into_frame) {
    const std::size_t c = static_cast<std::size_t>(at.in.c), own = static_cast<std::size_t>(at.in.w) * c,
                      wide = static_cast<std::size_t>(at.out.w) * c;
    RowCopy copy{static_cast<std::size_t>(n), static_cast<std::size_t>(at.in.h), own, own, at.in.size(), wide, at.out.size()};
    if (!into_frame) std::swap(copy.from_row, copy.to_row), std::swap(copy.from_block, copy.to_block);
    return copy;
  }
  template <class T, class F>
  static void each_row(int n, const Place<T>& at, F&& f) {
    const std::size_t numbers = static_cast<std::size_t>(at.in.w) * static_cast<std::size_t>(at.in.c);
    const std::size_t wide = static_cast<std::size_t>(at.out.w) * static_cast<std::size_t>(at.out.c);
    const std::size_t left = static_cast<std::size_t>(P.left) * static_cast<std::size_t>(at.in.c);
    for (int i = 0; i < n; ++i) {
      for (int row = 0; row < at.in.h; ++row) {
        f(static_cast<std::size_t>(i) * at.in.size() + static_cast<std::size_t>(row) * numbers,
          static_cast<std::size_t>(i) * at.out.size() + static_cast<std::size_t>(row + P.top) * wide + left, numbers);
      }
    }
  }
};

GRAFT_END

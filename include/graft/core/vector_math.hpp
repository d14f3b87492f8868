#pragma once
/// \file vector_math.hpp  Elementwise sums over long arrays, for the tape.
#include "graft/config.hpp"
#include "graft/core/accelerator.hpp"
#include "graft/core/parallel.hpp"

#include <cstddef>

GRAFT_BEGIN
namespace detail {

inline constexpr std::ptrdiff_t vector_piece = 1 << 15;

/// Calls body(begin, end) over [0, count) in fixed pieces, in parallel when there are several.
template <class Body>
void for_pieces(std::size_t count, Body&& body) {
  const std::ptrdiff_t total = static_cast<std::ptrdiff_t>(count);
  const int pieces = static_cast<int>((total + vector_piece - 1) / vector_piece);
  parallel_for(
      pieces,
      [&](int piece) {
        const std::ptrdiff_t begin = piece * vector_piece;
        body(begin, std::min(total, begin + vector_piece));
      },
      pieces > 2);
}

/// y += scale * x
template <class T>
void add_scaled(const Accelerator<T>* device, std::size_t count, T scale, const T* x, T* y) {
  if (device != nullptr) return device->add_scaled(count, scale, x, y);
  for_pieces(count, [=](std::ptrdiff_t begin, std::ptrdiff_t end) {
    for (std::ptrdiff_t i = begin; i < end; ++i) y[i] += scale * x[i];
  });
}

/// y *= scale
template <class T>
void scale_by(const Accelerator<T>* device, std::size_t count, T scale, T* y) {
  if (device != nullptr) return device->scale_by(count, scale, y);
  for_pieces(count, [=](std::ptrdiff_t begin, std::ptrdiff_t end) {
    for (std::ptrdiff_t i = begin; i < end; ++i) y[i] *= scale;
  });
}

}  // namespace detail
GRAFT_END

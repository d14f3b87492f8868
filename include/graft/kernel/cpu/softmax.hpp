#pragma once
/// \file softmax.hpp  Softmax over rows x classes, shifted by the largest logit so that huge logits stay finite.
#include "graft/config.hpp"
#include "graft/core/device.hpp"
#include "graft/kernel/cpu/batch_norm.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

GRAFT_BEGIN
namespace kernel {

namespace detail {
/// p = softmax(z) over `count` numbers (p may be z); returns log(sum exp(z)).
template <class T>
T softmax_row(int count, const T* z, T* p) {
  const T top = *std::max_element(z, z + count);
  T sum{0};
  for (int i = 0; i < count; ++i) {
    p[i] = std::exp(z[i] - top);
    sum += p[i];
  }
  const T part = T{1} / sum;
  for (int i = 0; i < count; ++i) p[i] *= part;
  return top + std::log(sum);
}
}  // namespace detail

template <class T>
void softmax_forward(Cpu, int rows, int classes, const T* x, T* y) {
  detail::for_rows(rows, classes, [&](Range range) {
    for (std::ptrdiff_t r = range.begin; r < range.end; ++r) detail::softmax_row(classes, x + r * classes, y + r * classes);
  });
}

/// dx = y (dy - sum(dy y)); works in place.
template <class T>
void softmax_backward(Cpu, int rows, int classes, const T* y, const T* dy, T* dx) {
  detail::for_rows(rows, classes, [&](Range range) {
    for (std::ptrdiff_t r = range.begin; r < range.end; ++r) {
      T dot{0};
      for (int i = 0; i < classes; ++i) dot += dy[r * classes + i] * y[r * classes + i];
      for (int i = 0; i < classes; ++i) dx[r * classes + i] = y[r * classes + i] * (dy[r * classes + i] - dot);
    }
  });
}

/// y = x - log(sum exp(x))
template <class T>
void log_softmax_forward(Cpu, int rows, int classes, const T* x, T* y) {
  detail::for_rows(rows, classes, [&](Range range) {
    for (std::ptrdiff_t r = range.begin; r < range.end; ++r) {
      const T* z = x + r * classes;
      const T top = *std::max_element(z, z + classes);
      T sum{0};
      for (int i = 0; i < classes; ++i) sum += std::exp(z[i] - top);
      const T shift = std::log(sum);
      for (int i = 0; i < classes; ++i) y[r * classes + i] = (z[i] - top) - shift;
    }
  });
}

/// dx = dy - exp(y) sum(dy)
template <class T>
void log_softmax_backward(Cpu, int rows, int classes, const T* y, const T* dy, T* dx) {
  detail::for_rows(rows, classes, [&](Range range) {
    for (std::ptrdiff_t r = range.begin; r < range.end; ++r) {
      T sum{0};
      for (int i = 0; i < classes; ++i) sum += dy[r * classes + i];
      for (int i = 0; i < classes; ++i) dx[r * classes + i] = dy[r * classes + i] - std::exp(y[r * classes + i]) * sum;
    }
  });
}

}  // namespace kernel
GRAFT_END

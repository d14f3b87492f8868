#pragma once
/// \file soft_cross_entropy.hpp  Cross-entropy against a distribution for each row.
#include "graft/config.hpp"
#include "graft/core/buffer.hpp"
#include "graft/core/device.hpp"
#include "graft/kernel/cpu/softmax.hpp"

#include <algorithm>
#include <cstddef>

GRAFT_BEGIN
namespace kernel {

/// logits, targets: n x classes. Returns -1/n sum_i sum_c t_ic log softmax(z_i)_c (as PyTorch with class probabilities), summed
/// in double in row order, and writes (softmax(z_i)_c sum_k t_ik - t_ic) / n unless `gradient` is null.
template <class T>
T soft_cross_entropy(Cpu, int n, int classes, const T* logits, const T* targets, T* gradient) {
  double loss = 0.0;
  T* p = workspace<T>(Work::tile, static_cast<std::size_t>(classes));
  for (int i = 0; i < n; ++i) {
    const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(i) * classes;
    const T* z = logits + row;
    const T* t = targets + row;
    const T top = *std::max_element(z, z + classes);
    const T normaliser = detail::softmax_row(classes, z, p) - top;
    double mass = 0.0;
    for (int c = 0; c < classes; ++c) {
      loss += static_cast<double>(t[c]) * (static_cast<double>(top - z[c]) + static_cast<double>(normaliser));
      mass += static_cast<double>(t[c]);
    }
    for (int c = 0; gradient != nullptr && c < classes; ++c)
      gradient[row + c] = static_cast<T>((static_cast<double>(p[c]) * mass - static_cast<double>(t[c])) / n);
  }
  return static_cast<T>(loss / n);
}

}  // namespace kernel
GRAFT_END

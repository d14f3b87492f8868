#pragma once
/// \file distances.hpp  Distances between all pairs of a small batch, by plain loops in double: medians for bandwidths, and a
/// kernel of the distance itself, as some libraries have it. Not for large batches.
#include "graft/config.hpp"
#include "graft/core/device.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

GRAFT_BEGIN
namespace kernel {

/// The lower median of |x_i - x_j|^2 over all i, j, zeros of the diagonal included (PyTorch's median).
template <class T>
double median_square(Cpu, int n, int d, const T* x) {
  std::vector<double> squares;
  squares.reserve(static_cast<std::size_t>(n) * static_cast<std::size_t>(n));
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    for (std::ptrdiff_t j = 0; j < n; ++j) {
      double sum = 0.0;
      for (std::ptrdiff_t k = 0; k < d; ++k) {
        const double gap = static_cast<double>(x[i * d + k]) - static_cast<double>(x[j * d + k]);
        sum += gap * gap;
      }
      squares.push_back(sum);
    }
  }
  const auto middle = squares.begin() + static_cast<std::ptrdiff_t>((squares.size() - 1) / 2);
  std::nth_element(squares.begin(), middle, squares.end());
  return *middle;
}

/// The biased MMD^2 with the kernel sum over s in `scales` of exp(-|a - b| / s): Laplacian, not Gaussian. Points that coincide
/// pull at each other with no force.
template <class T>
T mmd_of_distances(Cpu, int nx, int ny, int d, const T* x, const T* y, const std::vector<double>& scales, T* dx, T* dy) {
  const std::ptrdiff_t width = d, n = nx + ny;
  std::vector<double> gradient(static_cast<std::size_t>(n * width), 0.0);
  const auto row = [&](std::ptrdiff_t i) { return i < nx ? x + i * width : y + (i - nx) * width; };
  double loss = 0.0;
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    for (std::ptrdiff_t j = 0; j < n; ++j) {
      const double share = (i < nx) != (j < nx) ? -1.0 / (static_cast<double>(nx) * ny)
                           : i < nx             ? 1.0 / (static_cast<double>(nx) * nx)
                                                : 1.0 / (static_cast<double>(ny) * ny);
      double square = 0.0;
      for (std::ptrdiff_t k = 0; k < width; ++k) {
        const double gap = static_cast<double>(row(i)[k]) - static_cast<double>(row(j)[k]);
        square += gap * gap;
      }
      const double distance = std::sqrt(square);
      double value = 0.0, slope = 0.0;
      for (const double s : scales) {
        const double e = std::exp(-distance / s);
        value += e;
        slope -= e / s;
      }
      loss += share * value;
      if (distance <= 0.0) continue;
      for (std::ptrdiff_t k = 0; k < width; ++k) {  // the pair (j, i) gives the same again
        const double gap = static_cast<double>(row(i)[k]) - static_cast<double>(row(j)[k]);
        gradient[static_cast<std::size_t>(i * width + k)] += 2.0 * share * slope * gap / distance;
      }
    }
  }
  for (std::ptrdiff_t i = 0; i < n * width; ++i) {
    T* to = i < nx * width ? dx : dy;
    if (to != nullptr) to[i < nx * width ? i : i - nx * width] = static_cast<T>(gradient[static_cast<std::size_t>(i)]);
  }
  return static_cast<T>(loss);
}

}  // namespace kernel
GRAFT_END

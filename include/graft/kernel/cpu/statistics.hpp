#pragma once
/// \file statistics.hpp  Distances of second-order statistics.
#include "graft/config.hpp"
#include "graft/core/buffer.hpp"
#include "graft/kernel/cpu/dense.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>

GRAFT_BEGIN
namespace kernel {

namespace detail {
/// rows minus their mean into `centred` (n x d); covariance (d x d), divided by n - 1.
template <class T>
void covariance(int n, int d, const T* x, T* centred, T* result) {
  const std::ptrdiff_t width = d;
  for (int k = 0; k < d; ++k) {
    double mean = 0.0;
    for (std::ptrdiff_t i = 0; i < n; ++i) mean += static_cast<double>(x[i * width + k]);
    mean /= n;
    for (std::ptrdiff_t i = 0; i < n; ++i)
      centred[i * width + k] = static_cast<T>(static_cast<double>(x[i * width + k]) - mean);
  }
  std::memset(result, 0, static_cast<std::size_t>(width * width) * sizeof(T));
  dense_backward(Cpu{}, n, d, d, centred, static_cast<const T*>(nullptr), static_cast<const T*>(nullptr), centred, Epilogue{},
                 static_cast<T*>(nullptr), result, static_cast<T*>(nullptr));
  const T part = T{1} / static_cast<T>(n - 1);
  for (std::ptrdiff_t i = 0; i < width * width; ++i) result[i] *= part;
}
}  // namespace detail

/// |mean x - mean y|^2; the gradient of each row of x is 2 (mean x - mean y) / nx, and with the other sign for y.
template <class T>
T mean_difference(Cpu, int nx, int ny, int d, const T* x, const T* y, T* dx, T* dy) {
  const auto mean = [d](int n, const T* from, std::ptrdiff_t k) {
    double sum = 0.0;
    for (std::ptrdiff_t i = 0; i < n; ++i) sum += static_cast<double>(from[i * d + k]);
    return sum / n;
  };
  double loss = 0.0;
  for (std::ptrdiff_t k = 0; k < d; ++k) {
    const double gap = mean(nx, x, k) - mean(ny, y, k);
    loss += gap * gap;
    for (std::ptrdiff_t i = 0; dx != nullptr && i < nx; ++i) dx[i * d + k] = static_cast<T>(2.0 * gap / nx);
    for (std::ptrdiff_t i = 0; dy != nullptr && i < ny; ++i) dy[i * d + k] = static_cast<T>(-2.0 * gap / ny);
  }
  return static_cast<T>(loss);
}

/// CORAL (Sun & Saenko 2016, eq. 1-3): |C_x - C_y|_F^2 / (4 d^2); the gradient is (x - mean)(C_x - C_y) / (d^2 (nx - 1)), and
/// with the other sign for y.
template <class T>
T coral(Cpu cpu, int nx, int ny, int d, const T* x, const T* y, T* dx, T* dy) {
  const std::size_t square = static_cast<std::size_t>(d) * static_cast<std::size_t>(d);
  const std::size_t rows_x = static_cast<std::size_t>(nx) * static_cast<std::size_t>(d);
  const std::size_t rows_y = static_cast<std::size_t>(ny) * static_cast<std::size_t>(d);
  T* cx = workspace<T>(Work::pairwise, 2 * square + rows_x + rows_y);
  T* cy = cx + square;
  T* centred_x = cy + square;
  T* centred_y = centred_x + rows_x;
  detail::covariance(nx, d, x, centred_x, cx);
  detail::covariance(ny, d, y, centred_y, cy);
  double loss = 0.0;
  for (std::size_t i = 0; i < square; ++i) {
    cx[i] -= cy[i];
    loss += static_cast<double>(cx[i]) * static_cast<double>(cx[i]);
  }
  const double area = static_cast<double>(d) * d;
  const auto gradient = [&](int n, const T* centred, double sign, T* out) {
    if (out == nullptr) return;
    dense_forward(cpu, n, d, d, centred, cx, static_cast<const T*>(nullptr), Epilogue{}, out);
    const T scale = static_cast<T>(sign / (area * (n - 1)));
    for (std::size_t i = 0; i < static_cast<std::size_t>(n) * static_cast<std::size_t>(d); ++i) out[i] *= scale;
  };
  gradient(nx, centred_x, 1.0, dx);
  gradient(ny, centred_y, -1.0, dy);
  return static_cast<T>(loss / (4.0 * area));
}

/// Takes from the gradient (dx, dy) of a number that does not change when all points are scaled alike what would only scale
/// them about their mean: g - <g, z> / <z, z> z, z the points less their mean. By Euler's theorem that is what a bandwidth
/// proportional to <z, z> gives when it is not held constant.
template <class T>
void without_scaling(Cpu, int nx, int ny, int d, const T* x, const T* y, T* dx, T* dy) {
  const std::size_t width = static_cast<std::size_t>(d);
  double* mean = workspace<double>(Work::reduce, width);
  std::fill_n(mean, width, 0.0);
  const auto rows = [&](auto&& f) {
    for (int i = 0; i < nx; ++i) f(x + static_cast<std::ptrdiff_t>(i) * d, dx + static_cast<std::ptrdiff_t>(i) * d);
    for (int i = 0; i < ny; ++i) f(y + static_cast<std::ptrdiff_t>(i) * d, dy + static_cast<std::ptrdiff_t>(i) * d);
  };
  rows([&](const T* point, T*) {
    for (std::size_t k = 0; k < width; ++k) mean[k] += static_cast<double>(point[k]) / (static_cast<double>(nx) + ny);
  });
  double along = 0.0, square = 0.0;
  rows([&](const T* point, const T* gradient) {
    for (std::size_t k = 0; k < width; ++k) {
      const double z = static_cast<double>(point[k]) - mean[k];
      along += z * static_cast<double>(gradient[k]);
      square += z * z;
    }
  });
  if (!(square > 0.0)) return;
  rows([&](const T* point, T* gradient) {
    for (std::size_t k = 0; k < width; ++k)
      gradient[k] -= static_cast<T>(along / square * (static_cast<double>(point[k]) - mean[k]));
  });
}

}  // namespace kernel
GRAFT_END

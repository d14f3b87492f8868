#pragma once
/// \file moments.hpp  Central moments of two clouds, coordinate by coordinate.
#include "graft/config.hpp"
#include "graft/core/device.hpp"

#include <cmath>
#include <cstddef>
#include <vector>

GRAFT_BEGIN
namespace kernel {

/// Central moment discrepancy (Zellinger et al. 2017, definition 2): |E x - E y|_2 / range + sum over k = 2 ... `moments` of
/// |c_k(x) - c_k(y)|_2 / range^k, c_k the k-th central moment of each coordinate. Where a moment agrees its term pulls with no
/// force.
template <class T>
T central_moments(Cpu, int nx, int ny, int d, const T* x, const T* y, int moments, double range, T* dx, T* dy) {
  const std::size_t width = static_cast<std::size_t>(d), orders = static_cast<std::size_t>(moments);
  struct Side {
    std::vector<double> mean, moment;  // d; (orders + 1) x d, moment k at row k
  };
  const auto measure = [&](int n, const T* from) {
    Side side{std::vector<double>(width, 0.0), std::vector<double>((orders + 1) * width, 0.0)};
    for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
      for (std::size_t c = 0; c < width; ++c) side.mean[c] += static_cast<double>(from[i * width + c]) / n;
    }
    for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
      for (std::size_t c = 0; c < width; ++c) {
        const double off = static_cast<double>(from[i * width + c]) - side.mean[c];
        double power = off;
        for (std::size_t k = 2; k <= orders; ++k) side.moment[k * width + c] += (power *= off) / n;
      }
    }
    return side;
  };
  const Side of_x = measure(nx, x), of_y = measure(ny, y);
  double loss = 0.0;
  std::vector<double> pull((orders + 1) * width, 0.0);  // d loss / d moment of x
  for (std::size_t k = 1; k <= orders; ++k) {
    const auto gap = [&](std::size_t c) {
      return k == 1 ? of_x.mean[c] - of_y.mean[c] : of_x.moment[k * width + c] - of_y.moment[k * width + c];
    };
    double square = 0.0;
    for (std::size_t c = 0; c < width; ++c) square += gap(c) * gap(c);
    const double norm = std::sqrt(square), scale = std::pow(range, -static_cast<double>(k));
    loss += norm * scale;
    for (std::size_t c = 0; norm > 0.0 && c < width; ++c) pull[k * width + c] = scale * gap(c) / norm;
  }
  // d c_k / d x_i = k ((x_i - mean)^(k-1) - c_(k-1)) / n
  const auto give = [&](int n, const T* from, const Side& side, double sign, T* to) {
    if (to == nullptr) return;
    for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
      for (std::size_t c = 0; c < width; ++c) {
        const double off = static_cast<double>(from[i * width + c]) - side.mean[c];
        double sum = pull[width + c], power = 1.0;
        for (std::size_t k = 2; k <= orders; ++k) {
          power *= off;
          sum += pull[k * width + c] * static_cast<double>(k) * (power - side.moment[(k - 1) * width + c]);
        }
        to[i * width + c] = static_cast<T>(sign * sum / n);
      }
    }
  };
  give(nx, x, of_x, 1.0, dx);
  give(ny, y, of_y, -1.0, dy);
  return static_cast<T>(loss);
}

}  // namespace kernel
GRAFT_END

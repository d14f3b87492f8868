#pragma once
/// \file moments.cuh  Central moment discrepancy: kernel/cpu/moments.hpp on the GPU.
#include "graft/kernel/cuda/losses.hpp"
#include "graft/kernel/cuda/statistics.cuh"

GRAFT_CUDA_BEGIN
namespace detail {

/// Two clouds' moments, order k at row k - 1: the means, then the central moments.
struct Moments {
  const double* x;
  const double* y;
  int d;
  __device__ double gap(int order, int c) const {
    const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(order - 1) * d + c;
    return x[at] - y[at];
  }
};
/// A central moment of a column; the means are there.
template <class T>
struct ColumnMoment {
  int n, d;
  const T* from;
  double* moments;
  __device__ void operator()(std::ptrdiff_t i) const {
    const Divided at(i, d);
    const int order = static_cast<int>(at.whole) + 2;
    const double mean = moments[at.rest];
    double sum = 0.0;
    for (int row = 0; row < n; ++row) {
      const double off = static_cast<double>(from[static_cast<std::ptrdiff_t>(row) * d + at.rest]) - mean;
      double power = off;
      for (int k = 2; k <= order; ++k) power *= off;
      sum += power / n;
    }
    moments[i + d] = sum;
  }
};
/// The distance of two clouds' moments of one order, which a warp has.
struct OrderNorm {
  Moments moments;
  double* norms;
  __device__ void operator()(std::ptrdiff_t order, int lane) const {
    double square = 0.0;
    for (int c = lane; c < moments.d; c += 32) {
      const double gap = moments.gap(static_cast<int>(order) + 1, c);
      square += gap * gap;
    }
    square = warp_sum(square);
    if (lane == 0) norms[order] = std::sqrt(square);
  }
};
/// range^-order
inline __device__ double shrunk(double range, int order) {
  double scale = 1.0;
  for (int k = 0; k < order; ++k) scale /= range;
  return scale;
}
struct OrderTerm {
  const double* norms;
  double range;
  __device__ double operator()(std::ptrdiff_t order) const { return norms[order] * shrunk(range, static_cast<int>(order) + 1); }
};
/// d c_k / d x_i = k ((x_i - mean)^(k-1) - c_(k-1)) / n
template <class T>
struct MomentPull {
  Moments moments;
  const double* own;  ///< the cloud's moments
  const double* norms;
  int orders;
  double range, scale;  ///< +-1 / rows
  const T* from;
  T* to;
  __device__ void operator()(std::ptrdiff_t i) const {
    const int c = Divided(i, moments.d).rest;
    const double off = static_cast<double>(from[i]) - own[c];
    double sum = norms[0] > 0.0 ? moments.gap(1, c) / norms[0] / range : 0.0, power = 1.0;
    for (int k = 2; k <= orders; ++k) {
      power *= off;
      if (!(norms[k - 1] > 0.0)) continue;
      const double below = k == 2 ? 0.0 : own[static_cast<std::ptrdiff_t>(k - 2) * moments.d + c];
      sum += shrunk(range, k) * moments.gap(k, c) / norms[k - 1] * k * (power - below);
    }
    to[i] = static_cast<T>(scale * sum);
  }
};

}  // namespace detail

template <class T>
void central_moments(Cuda, int nx, int ny, int d, const T* x, const T* y, int orders, double range, T* dx, T* dy, T* value) {
  const std::size_t size = static_cast<std::size_t>(orders) * static_cast<std::size_t>(d);
  double* of_x = detail::room<double>(detail::Room::rows, 2 * size + static_cast<std::size_t>(orders));
  double* of_y = of_x + size;
  double* norms = of_y + size;
  const auto measure = [&](int n, const T* from, double* moments) {
    detail::mean_of(n, d, from, moments);
    detail::each("central_moments", static_cast<std::ptrdiff_t>(orders - 1) * d, detail::ColumnMoment<T>{n, d, from, moments});
  };
  measure(nx, x, of_x);
  measure(ny, y, of_y);
  const detail::Moments both{of_x, of_y, d};
  detail::rows_by_warp("central_moments' distances", orders, detail::OrderNorm{both, norms});
  detail::sum("central_moments", orders, detail::OrderTerm{norms, range}, detail::Scaled<T>{1.0, value});
  const auto pull = [&](int n, double sign, const double* own, const T* from, T* to) {
    if (to == nullptr) return;
    detail::each("central_moments' gradient", static_cast<std::ptrdiff_t>(n) * d,
                 detail::MomentPull<T>{both, own, norms, orders, range, sign / n, from, to});
  };
  pull(nx, 1.0, of_x, x, dx);
  pull(ny, -1.0, of_y, y, dy);
}

GRAFT_CUDA_END

#pragma once
/// \file weighted_kernels.hpp  Weighted sums of products of Gaussian kernels over all pairs of rows: what joint and class-wise
/// MMD are made of. For the plain MMD kernel/cpu/pairwise.hpp is several times faster.
#include "graft/config.hpp"
#include "graft/core/buffer.hpp"
#include "graft/core/device.hpp"
#include "graft/core/parallel.hpp"
#include "graft/kernel/cpu/pairwise.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

GRAFT_BEGIN
namespace kernel {

/// One factor of the product: n x d rows, and the kernels summed on them, as MmdOptions has them.
template <class T>
struct KernelFactor {
  int d = 0;
  const T* z = nullptr;
  T* dz = nullptr;  ///< null: not wanted
  std::array<double, 8> gamma{};
  std::array<double, 8> multiplier{0.25, 0.5, 1.0, 2.0, 4.0};
};

/// L = sum_ij w_ij prod_l k_l(|z_i^l - z_j^l|^2), w symmetric (n x n), and its gradients
///   dL/dz_i^l = 4 sum_j w_ij prod_{m != l} k_m k_l'(.) (z_i^l - z_j^l).
/// Bandwidths from the data are constants in the gradient. Holds n^2 (2 factors + 1) numbers.
template <class T, std::size_t Factors>
T weighted_kernels(Cpu, int n, const T* w, const std::array<KernelFactor<T>, Factors>& factors) {
  const std::size_t pairs = static_cast<std::size_t>(n) * static_cast<std::size_t>(n);
  T* room = workspace<T>(Work::pairwise, pairs * (2 * Factors + 1));
  T* product = room + 2 * Factors * pairs;
  std::fill_n(product, pairs, T{1});
  for (std::size_t l = 0; l < Factors; ++l) {
    const KernelFactor<T>& f = factors[l];
    T* value = room + 2 * l * pairs;
    T* slope = value + pairs;
    const std::ptrdiff_t d = f.d;
    const auto at = [n](std::ptrdiff_t i, std::ptrdiff_t j) { return static_cast<std::size_t>(i * n + j); };
    parallel_for(
        n,
        [&](int i) {
          for (int j = 0; j <= i; ++j) value[at(i, j)] = detail::squared_distance(f.d, f.z + i * d, f.z + j * d);
        },
        static_cast<double>(n) * n * f.d > 1e5);
    double total = 0.0;
    for (int i = 0; i < n; ++i) {
      for (int j = 0; j < i; ++j) total += 2.0 * static_cast<double>(value[at(i, j)]);
    }
    const bool fixed = std::any_of(f.gamma.begin(), f.gamma.end(), [](double g) { return g > 0.0; });
    const double bandwidth = total > 0.0 ? total / (static_cast<double>(n) * (n - 1.0)) : 1.0;
    const detail::KernelSum<T> kernel(fixed ? f.gamma : f.multiplier, fixed ? 0.0 : bandwidth);
    for (int i = 0; i < n; ++i) {
      for (int j = 0; j <= i; ++j) {
        T k, s;
        kernel(value[at(i, j)], k, s);
        value[at(i, j)] = value[at(j, i)] = k;
        slope[at(i, j)] = slope[at(j, i)] = s;
        product[at(i, j)] *= k;
        if (i != j) product[at(j, i)] = product[at(i, j)];
      }
    }
  }
  double loss = 0.0;
  for (std::size_t p = 0; p < pairs; ++p) loss += static_cast<double>(w[p]) * static_cast<double>(product[p]);
  for (std::size_t l = 0; l < Factors; ++l) {
    const KernelFactor<T>& f = factors[l];
    if (f.dz == nullptr) continue;
    const T* slope = room + (2 * l + 1) * pairs;
    const std::ptrdiff_t d = f.d;
    parallel_for(
        n,
        [&](int i) {
          T* to = f.dz + i * d;
          const T* own = f.z + i * d;
          std::fill_n(to, f.d, T{0});
          for (int j = 0; j < n; ++j) {
            const std::size_t p = static_cast<std::size_t>(i) * static_cast<std::size_t>(n) + static_cast<std::size_t>(j);
            T factor = T{4} * w[p] * slope[p];
            for (std::size_t m = 0; m < Factors; ++m) {
              if (m != l) factor *= room[2 * m * pairs + p];
            }
            if (factor == T{0}) continue;
            const T* other = f.z + j * d;
            for (std::ptrdiff_t k = 0; k < d; ++k) to[k] += factor * (own[k] - other[k]);
          }
        },
        static_cast<double>(n) * n * f.d > 1e5);
  }
  return static_cast<T>(loss);
}

/// The weights of MMD's estimate for weighted_kernels: the first nx rows against the other ny.
template <class T>
void mmd_weights(int nx, int ny, bool unbiased, T* w) {
  const int n = nx + ny;
  const double x = 1.0 / (static_cast<double>(nx) * (unbiased ? nx - 1 : nx));
  const double y = 1.0 / (static_cast<double>(ny) * (unbiased ? ny - 1 : ny));
  const double between = -1.0 / (static_cast<double>(nx) * ny);
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < n; ++j) {
      const double c = unbiased && i == j ? 0.0 : (i < nx) != (j < nx) ? between : i < nx ? x : y;
      w[static_cast<std::size_t>(i) * static_cast<std::size_t>(n) + static_cast<std::size_t>(j)] = static_cast<T>(c);
    }
  }
}

}  // namespace kernel
GRAFT_END

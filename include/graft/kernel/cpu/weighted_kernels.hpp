#pragma once
/// \file weighted_kernels.hpp  Weighted sums of products of Gaussian kernels over all pairs of rows: what joint and class-wise
/// MMD are made of. For the plain MMD kernel/cpu/pairwise.hpp is several times faster.
#include "graft/config.hpp"
#include "graft/core/buffer.hpp"
#include "graft/core/device.hpp"
#include "graft/core/error.hpp"
#include "graft/core/parallel.hpp"
#include "graft/kernel/cpu/pairwise.hpp"
#include "graft/kernel/options.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

GRAFT_BEGIN
namespace kernel {

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
void mmd_weights(Cpu, int nx, int ny, bool unbiased, T* w) {
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

/// The weights of the mean, over classes, of MMD's estimates: a row of the first ns counts in its label's class, another in
/// each by its probability p. Classes are those that a label names and that some other row is taken for; all 0 when there is
/// none.
template <class T>
void class_weights(Cpu, int ns, int n, int classes, const int* labels, const T* p, T* w) {
  const std::size_t width = static_cast<std::size_t>(classes);
  T* share = workspace<T>(Work::tile, (static_cast<std::size_t>(n) + 4) * width);  // of a row in its domain's part of a class
  T* sums[2] = {share + static_cast<std::size_t>(n) * width, share + (static_cast<std::size_t>(n) + 1) * width};
  T* there[2] = {sums[1] + width, sums[1] + 2 * width};
  std::fill_n(sums[0], 4 * width, T{0});
  for (int i = 0; i < n; ++i) {
    const bool labelled = i < ns;
    if (labelled && (labels[i] < 0 || labels[i] >= classes))
      fail("local_mmd: row ", i, " has the label ", labels[i], ", but there are ", classes, " classes, counted from 0.");
    const T* row = p + static_cast<std::size_t>(i) * width;
    const int best = labelled ? labels[i] : static_cast<int>(std::max_element(row, row + width) - row);
    there[labelled ? 0 : 1][best] = T{1};
    for (std::size_t c = 0; c < width; ++c) {
      const T s = labelled ? (best == static_cast<int>(c) ? T{1} : T{0}) : row[c];
      share[static_cast<std::size_t>(i) * width + c] = s;
      sums[labelled ? 0 : 1][c] += s;
    }
  }
  int common = 0;
  for (std::size_t c = 0; c < width; ++c) common += there[0][c] * there[1][c] > T{0} ? 1 : 0;
  for (int i = 0; i < n; ++i) {
    for (std::size_t c = 0; c < width; ++c) {
      T& s = share[static_cast<std::size_t>(i) * width + c];
      s = there[0][c] * there[1][c] > T{0} ? s / sums[i < ns ? 0 : 1][c] : T{0};
    }
  }
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < n; ++j) {
      T sum{0};
      for (std::size_t c = 0; c < width; ++c)
        sum += share[static_cast<std::size_t>(i) * width + c] * share[static_cast<std::size_t>(j) * width + c];
      const T sign = (i < ns) == (j < ns) ? T{1} : T{-1};
      w[static_cast<std::size_t>(i) * static_cast<std::size_t>(n) + static_cast<std::size_t>(j)] =
          common > 0 ? sign * sum / static_cast<T>(common) : T{0};
    }
  }
}

}  // namespace kernel
GRAFT_END

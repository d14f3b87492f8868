#pragma once
/// \file pairwise.hpp  Maximum mean discrepancy from the matrix of squared distances; n x m x d numbers are never held.
///
/// With Z = [x; y] the estimate is sum_ij c_ij k(|z_i - z_j|^2), c symmetric, and its gradient is dZ = 4 (diag(W 1) - W) Z with
/// W_ij = c_ij k'(|z_i - z_j|^2): a Gram matrix gives the distances, one pass turns them into the loss and into W, one product
/// gives the gradient. Only blocks on and below the diagonal are computed and held, (nx + ny)^2 / 2 numbers. Each cloud is
/// taken around its own mean, so that neither the place of the clouds nor their distance costs digits within them.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/core/device.hpp"
#include "graft/core/trace.hpp"
#include "graft/kernel/cpu/conv_gather.hpp"
#include "graft/kernel/cpu/kernel_matrix.hpp"
#include "graft/kernel/options.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

GRAFT_BEGIN
namespace kernel {

namespace detail {

/// |a - b|^2 over d numbers, summed in lanes; the difference is taken first, so that clouds far from the origin lose nothing.
template <class T>
GRAFT_INLINE T squared_distance(int d, const T* a, const T* b) {
  using V = Vec<T>;
  V sum0 = V::all(T{0});
  V sum1 = V::all(T{0});
  const V minus = V::all(T{-1});
  int i = 0;
  for (; i + 2 * lanes<T> <= d; i += 2 * lanes<T>) {
    const V e = fused(V::load(b + i), minus, V::load(a + i));
    const V f = fused(V::load(b + i + lanes<T>), minus, V::load(a + i + lanes<T>));
    sum0 = fused(e, e, sum0);
    sum1 = fused(f, f, sum1);
  }
  T parts[lanes<T>];
  (sum0 + sum1).store(parts);
  T total{0};
  for (int l = 0; l < lanes<T>; ++l) total += parts[l];
  for (; i < d; ++i) total += (a[i] - b[i]) * (a[i] - b[i]);
  return total;
}

/// The linear-time estimates: only n/2 pairs, or n in a ring, are looked at, except for a bandwidth from the data.
template <class T>
T mmd_linear(int n, int d, bool ring, const T* x, const T* y, const KernelSum<T>& kernel, T* dx, T* dy) {
  const std::ptrdiff_t width = d;
  if (dx != nullptr) std::memset(dx, 0, static_cast<std::size_t>(n * width) * sizeof(T));
  if (dy != nullptr) std::memset(dy, 0, static_cast<std::size_t>(n * width) * sizeof(T));
  const int pairs = ring ? n : n / 2;
  double loss = 0.0;
  const auto term = [&](const T* a, const T* b, T* da, T* db, double sign) {
    T value, slope;
    kernel(squared_distance(d, a, b), value, slope);
    loss += sign * static_cast<double>(value);
    const T factor = static_cast<T>(2.0 * sign / pairs) * slope;
    for (int k = 0; k < d; ++k) {
      const T g = factor * (a[k] - b[k]);
      if (da != nullptr) da[k] += g;
      if (db != nullptr) db[k] -= g;
    }
  };
  const auto at = [&](T* base, std::ptrdiff_t row) { return base != nullptr ? base + row * width : nullptr; };
  for (int i = 0; i < pairs; ++i) {
    const std::ptrdiff_t a = ring ? i : 2 * i;
    const std::ptrdiff_t b = ring && i + 1 == n ? 0 : a + 1;
    term(x + a * width, x + b * width, at(dx, a), at(dx, b), 1.0);
    term(y + a * width, y + b * width, at(dy, a), at(dy, b), 1.0);
    term(x + a * width, y + b * width, at(dx, a), at(dy, b), -1.0);
    term(x + b * width, y + a * width, at(dx, b), at(dy, a), -1.0);
  }
  return static_cast<T>(loss / pairs);
}

/// Whether a task weighs all panels of columns: all use a block of W before it leaves the cache.
constexpr bool panels_together(int n) { return n > 1024; }

/// What mmd returns for numbers of a size whose squares leave the range of T: the same problem in other units.
template <class T>
T mmd_in_other_units(int nx, int ny, int d, const T* x, const T* y, const MmdOptions& options, double largest, T* dx, T* dy);

}  // namespace detail

/// The squared MMD of x (nx x d) and y (ny x d). dx, dy (null: not wanted) get its gradient. Throws Error for fewer rows than
/// the estimator needs. A NaN or an infinity in x or y makes the loss and the gradient NaN.
template <class T>
T mmd(Cpu, int nx, int ny, int d, const T* x, const T* y, const MmdOptions& options, T* dx, T* dy) {
  const bool ring = options.estimator == Estimator::linear_cyclic;
  const bool linear = ring || options.estimator == Estimator::linear_time;
  const bool unbiased = options.estimator == Estimator::unbiased;
  if (nx < 1 || ny < 1 || (unbiased && (nx < 2 || ny < 2))) {
    fail("mmd: batches of ", nx, " and ", ny, " rows; it needs at least ", unbiased ? 2 : 1, " of each.");
  }
  if (linear && (nx != ny || (!ring && nx % 2 != 0) || nx < 2)) {
    fail("mmd: the linear-time estimator pairs rows and needs two equal batches", ring ? "" : " of an even size", ", but got ",
         nx, " and ", ny, " rows.");
  }
  bool fixed = false;
  for (double g : options.gamma) fixed = fixed || g > 0.0;
  const std::size_t width = static_cast<std::size_t>(d);
  const auto fill = [&](T value) {
    if (dx != nullptr) std::fill_n(dx, static_cast<std::size_t>(nx) * width, value);
    if (dy != nullptr) std::fill_n(dy, static_cast<std::size_t>(ny) * width, value);
  };

  const detail::CloudsOfThreads<T> points(nx, ny, d, x, y, !linear);
  const detail::Clouds<T>& clouds = points.here();
  const int n = nx + ny;
  const double mean_square = clouds.total / n / n;
  constexpr double least = sizeof(T) == 4 ? 1e-25 : 1e-250;
  if (!(mean_square < 1.0 / least) || (!fixed && mean_square < least)) {
    double largest = 0.0;
    for (const auto& [from, rows] : {std::pair{x, nx}, std::pair{y, ny}}) {
      for (std::size_t i = 0; i < static_cast<std::size_t>(rows) * width; ++i) {
        const double size = std::abs(static_cast<double>(from[i]));
        largest = size <= largest ? largest : size;  // a NaN stays
        if (size != size) break;
      }
      if (largest != largest) break;
    }
    if (!(largest <= static_cast<double>(std::numeric_limits<T>::max()))) {
      fill(std::numeric_limits<T>::quiet_NaN());
      return std::numeric_limits<T>::quiet_NaN();
    }
    if (largest > 0.0 && (largest < 0.5 || largest > 2.0))
      return detail::mmd_in_other_units(nx, ny, d, x, y, options, largest, dx, dy);
  }
  if (!fixed && !(clouds.total > 0.0)) {  // all points in one place: every kernel is 1 and nothing pulls
    fill(T{0});
    return T{0};
  }
  const double bandwidth = clouds.total / (static_cast<double>(n) * static_cast<double>(n - 1));
  const detail::KernelSum<T> kernel(fixed ? options.gamma : options.multiplier, fixed ? 0.0 : bandwidth);
  if (linear) return detail::mmd_linear(nx, d, ring, x, y, kernel, dx, dy);

  const double within_x = 1.0 / (static_cast<double>(nx) * (unbiased ? nx - 1 : nx));
  const double within_y = 1.0 / (static_cast<double>(ny) * (unbiased ? ny - 1 : ny));
  const double between = -1.0 / (static_cast<double>(nx) * ny);
  const int blocks = clouds.blocks();
  const int pairs = blocks * (blocks + 1) / 2;
  const std::size_t held = static_cast<std::size_t>(pairs) * static_cast<std::size_t>(clouds.most * clouds.most);
  T* weights = workspace<T>(Work::pairwise, held + static_cast<std::size_t>(blocks) * static_cast<std::size_t>(n));
  T* pulls = weights + held;
  double* sums = workspace<double>(Work::unpool, static_cast<std::size_t>(pairs));
  const bool worth = detail::worth_a_team_of_pairs(n, d);
  parallel_for(
      pairs,
      [&](int p) {
        int i = 0;
        while ((i + 1) * (i + 2) / 2 <= p) ++i;
        const int j = p - i * (i + 1) / 2;
        const double c = i < clouds.blocks_x ? within_x : j < clouds.blocks_x ? between : within_y;
        sums[p] = (i == j ? c : 2.0 * c) *
                  detail::kernel_block(points.here(), kernel, i, j, 4.0 * c, weights + clouds.slot(i, j), pulls);
      },
      worth);
  double loss = unbiased ? 0.0 : kernel.count * (nx * within_x + ny * within_y);
  for (int p = 0; p < pairs; ++p) loss += sums[p];
  if (dx == nullptr && dy == nullptr) return static_cast<T>(loss);

  const int parts = detail::panel_count<T>(d, max_gathered);
  const int groups = detail::panels_together(n) ? 1 : parts;
  parallel_for(
      blocks * groups,
      [&](int task) {
        const int i = task % blocks;  // neighbours share no weights
        const Range rows = clouds.block(i);
        T* to = i < clouds.blocks_x ? dx : dy;
        if (to == nullptr) return;
        const Range wanted = chunk(parts, groups, task / blocks);
        T* weighed =
            workspace<T>(Work::partial, static_cast<std::size_t>(rows.size()) * static_cast<std::size_t>(padded<T>(d)));
        detail::weigh_rows(points.here(), i, weights, wanted, weighed);
        detail::give_rows(points.here(), i, wanted, pulls, weighed, to + (rows.begin - (i < clouds.blocks_x ? 0 : nx)) * d);
      },
      worth);
  return static_cast<T>(loss);
}

/// In words, for GRAFT_TRACE: which way mmd takes and why not the others; where numbers leave the range it says so itself.
template <class T>
GRAFT_COLD std::string describe_mmd(int nx, int ny, int d, const MmdOptions& options) {
  const bool linear = options.estimator == Estimator::linear_time || options.estimator == Estimator::linear_cyclic;
  bool fixed = false;
  for (double g : options.gamma) fixed = fixed || g > 0.0;
  const detail::KernelSum<T> kernel(fixed ? options.gamma : options.multiplier, fixed ? 0.0 : 1.0);
  const int n = nx + ny;
  std::string text = linear ? "pairs of rows (no matrix: the linear-time estimator)"
                            : "blocks of a Gram matrix (not pairs of rows: the estimator takes all)";
  text += "; " + std::to_string(kernel.count) + (kernel.count == 1 ? " kernel" : " kernels");
  if (!linear && kernel.count > 1) {
    text += kernel.doubling ? " from one exp and squarings (each bandwidth is half the next)"
                            : " with an exp each (the bandwidths do not double)";
  }
  text += fixed ? ", bandwidths given" : ", bandwidths from the data";
  if (!linear) {
    text += detail::panels_together(n) ? "; gradient by blocks of rows (over 1024 rows)"
                                       : "; gradient by blocks of rows and panels (1024 rows or fewer)";
  }
  if (linear || !detail::worth_a_team_of_pairs(n, d)) text += "; one thread";
  return text;
}

namespace detail {
template <class T>
T mmd_in_other_units(int nx, int ny, int d, const T* x, const T* y, const MmdOptions& options, double largest, T* dx, T* dy) {
  if (graft::detail::traced()) std::fprintf(stderr, "graft: mmd in other units (squares of its numbers leave the range)\n");
  const double unit = std::ldexp(1.0, std::ilogb(largest));
  const std::size_t size_x = static_cast<std::size_t>(nx) * static_cast<std::size_t>(d);
  const std::size_t size_y = static_cast<std::size_t>(ny) * static_cast<std::size_t>(d);
  T* own_x = workspace<T>(Work::image, size_x + size_y);
  T* own_y = own_x + size_x;
  for (std::size_t i = 0; i < size_x; ++i) own_x[i] = static_cast<T>(static_cast<double>(x[i]) / unit);
  for (std::size_t i = 0; i < size_y; ++i) own_y[i] = static_cast<T>(static_cast<double>(y[i]) / unit);
  MmdOptions own = options;
  for (double& g : own.gamma) g = std::min(g * unit * unit, 1e30);
  const T loss = mmd(Cpu{}, nx, ny, d, own_x, own_y, own, dx, dy);
  for (std::size_t i = 0; dx != nullptr && i < size_x; ++i) dx[i] = static_cast<T>(static_cast<double>(dx[i]) / unit);
  for (std::size_t i = 0; dy != nullptr && i < size_y; ++i) dy[i] = static_cast<T>(static_cast<double>(dy[i]) / unit);
  return loss;
}
}  // namespace detail

}  // namespace kernel
GRAFT_END

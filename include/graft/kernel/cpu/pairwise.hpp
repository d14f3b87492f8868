#pragma once
/// \file pairwise.hpp  Maximum mean discrepancy from the matrix of squared distances; n x m x d numbers are never held.
///
/// With Z = [x; y] the estimate is sum_ij c_ij k(|z_i - z_j|^2), c symmetric, and its gradient is dZ = 4 (diag(W 1) - W) Z with
/// W_ij = c_ij k'(|z_i - z_j|^2): one pass turns the distances into the loss and into W, one product gives the gradient.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/kernel/cpu/dense.hpp"

#include <array>
#include <cmath>
#include <cstddef>

GRAFT_BEGIN
namespace kernel {

/// biased: means over all pairs, the diagonal included (V-statistic). unbiased: within a cloud i != j (Gretton et al. 2012, eq. 3; may be
/// negative). linear_time: disjoint pairs (2i, 2i+1) (their section 6; equal, even batches).
enum class Estimator { biased, unbiased, linear_time };

/// k(d2) = sum of exp(-gamma d2). Without any gamma above 0: several kernels with bandwidths taken from the data, k(d2) = sum of
/// exp(-d2 / (m b)), b = sum of all squared distances of [x; y] / (n^2 - n), held constant in the gradient (Long et al. 2015 as implemented
/// by its authors).
struct MmdOptions {
  Estimator estimator = Estimator::biased;
  std::array<double, 8> gamma{};
  std::array<double, 8> multiplier{0.25, 0.5, 1.0, 2.0, 4.0};
};

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

/// The kernel's sum and its derivative at d2.
struct KernelSum {
  std::array<double, 8> gamma{};
  int count = 0;
  bool doubling = false;  ///< each gamma is twice the one before: one exp and squarings serve all

  void set(const std::array<double, 8>& values, double scale_inverse, bool inverse) {
    for (double v : values) {
      if (v > 0.0) gamma[static_cast<std::size_t>(count++)] = inverse ? 1.0 / (v * scale_inverse) : v;
    }
    std::sort(gamma.begin(), gamma.begin() + count);
    doubling = count > 1;
    for (int i = 1; i < count; ++i) doubling = doubling && gamma[static_cast<std::size_t>(i)] == 2.0 * gamma[static_cast<std::size_t>(i - 1)];
  }
  template <class T>
  GRAFT_INLINE void operator()(T d2, T& value, T& slope) const {
    value = T{0};
    slope = T{0};
    T e{0};
    for (int i = 0; i < count; ++i) {
      const T g = static_cast<T>(gamma[static_cast<std::size_t>(i)]);
      e = i > 0 && doubling ? e * e : std::exp(-g * d2);
      value += e;
      slope -= g * e;
    }
  }
};

/// The linear-time estimate: only n/2 pairs are looked at, except for a bandwidth from the data.
template <class T>
T mmd_linear(int n, int d, const T* x, const T* y, const KernelSum& kernel, T* dx, T* dy) {
  const std::ptrdiff_t width = d;
  if (dx != nullptr) std::memset(dx, 0, static_cast<std::size_t>(n * width) * sizeof(T));
  if (dy != nullptr) std::memset(dy, 0, static_cast<std::size_t>(n * width) * sizeof(T));
  const int pairs = n / 2;
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
    const std::ptrdiff_t a = 2 * i;
    const std::ptrdiff_t b = a + 1;
    term(x + a * width, x + b * width, at(dx, a), at(dx, b), 1.0);
    term(y + a * width, y + b * width, at(dy, a), at(dy, b), 1.0);
    term(x + a * width, y + b * width, at(dx, a), at(dy, b), -1.0);
    term(x + b * width, y + a * width, at(dx, b), at(dy, a), -1.0);
  }
  return static_cast<T>(loss / pairs);
}

}  // namespace detail

/// The squared MMD of x (nx x d) and y (ny x d). dx, dy (null: not wanted) get its gradient.
template <class T>
T mmd(Cpu, int nx, int ny, int d, const T* x, const T* y, const MmdOptions& options, T* dx, T* dy) {
  const bool linear = options.estimator == Estimator::linear_time;
  const bool unbiased = options.estimator == Estimator::unbiased;
  if (nx < 1 || ny < 1 || (unbiased && (nx < 2 || ny < 2))) {
    fail("mmd: batches of ", nx, " and ", ny, " rows; it needs at least ", unbiased ? 2 : 1, " of each.");
  }
  if (linear && (nx != ny || nx % 2 != 0)) {
    fail("mmd: the linear-time estimator pairs rows and needs two equal batches of an even size, but got ", nx, " and ", ny, " rows.");
  }
  detail::KernelSum kernel;
  bool fixed = false;
  for (double g : options.gamma) fixed = fixed || g > 0.0;
  if (fixed) kernel.set(options.gamma, 1.0, false);
  if (linear && fixed) return detail::mmd_linear(nx, d, x, y, kernel, dx, dy);

  const int n = nx + ny;
  const std::ptrdiff_t size = n;
  const auto row = [&](std::ptrdiff_t i) { return i < nx ? x + i * d : y + (i - nx) * d; };
  T* distance = workspace<T>(Work::pairwise, static_cast<std::size_t>(size * size) + 2 * static_cast<std::size_t>(n));
  double* sums = workspace<double>(Work::reduce, static_cast<std::size_t>(n));
  const double work = static_cast<double>(size) * static_cast<double>(size) * d;
  const int blocks = std::min(n, 4 * fixed_chunks);
  parallel_for(blocks, [&](int block) {
    for (std::ptrdiff_t i = block; i < size; i += blocks) {  // long and short rows of the triangle spread over the blocks
      double sum = 0.0;
      distance[i * size + i] = T{0};
      for (std::ptrdiff_t j = 0; j < i; ++j) {
        const T d2 = detail::squared_distance(d, row(i), row(j));
        distance[i * size + j] = d2;
        sum += static_cast<double>(d2);
      }
      sums[i] = sum;
    }
  }, work > 1e5);
  if (!fixed) {
    double total = 0.0;
    for (int i = 0; i < n; ++i) total += 2.0 * sums[i];
    const double bandwidth = total / (static_cast<double>(size) * static_cast<double>(size) - static_cast<double>(size));
    if (!(bandwidth > 0.0)) {  // all points in one place: every kernel is 1 and nothing pulls
      if (dx != nullptr) std::memset(dx, 0, static_cast<std::size_t>(nx) * static_cast<std::size_t>(d) * sizeof(T));
      if (dy != nullptr) std::memset(dy, 0, static_cast<std::size_t>(ny) * static_cast<std::size_t>(d) * sizeof(T));
      return T{0};
    }
    kernel.set(options.multiplier, bandwidth, true);
    if (linear) return detail::mmd_linear(nx, d, x, y, kernel, dx, dy);
  }

  const double within_x = unbiased ? 1.0 / (static_cast<double>(nx) * (nx - 1)) : 1.0 / (static_cast<double>(nx) * nx);
  const double within_y = unbiased ? 1.0 / (static_cast<double>(ny) * (ny - 1)) : 1.0 / (static_cast<double>(ny) * ny);
  const double between = -1.0 / (static_cast<double>(nx) * ny);
  const bool gradient = dx != nullptr || dy != nullptr;
  parallel_for(blocks, [&](int block) {
    for (std::ptrdiff_t i = block; i < size; i += blocks) {
      double loss = 0.0;
      for (std::ptrdiff_t j = 0; j < i; ++j) {
        const double c = (i < nx) == (j < nx) ? (i < nx ? within_x : within_y) : between;
        T value, slope;
        kernel(distance[i * size + j], value, slope);
        loss += 2.0 * c * static_cast<double>(value);
        distance[i * size + j] = static_cast<T>(4.0 * c) * slope;
      }
      if (!unbiased) loss += (i < nx ? within_x : within_y) * kernel.count;
      distance[i * size + i] = T{0};
      sums[i] = loss;
    }
  }, work > 1e5);
  double loss = 0.0;
  for (int i = 0; i < n; ++i) loss += sums[i];
  if (!gradient) return static_cast<T>(loss);

  // dZ = (diag(W 1) - W) Z: the diagonal takes minus the row's sum, then one product.
  parallel_for(blocks, [&](int block) {
    for (std::ptrdiff_t i = block; i < size; i += blocks) {
      double sum = 0.0;
      for (std::ptrdiff_t j = 0; j < i; ++j) sum += static_cast<double>(distance[i * size + j]);
      for (std::ptrdiff_t j = i + 1; j < size; ++j) {
        distance[i * size + j] = distance[j * size + i];
        sum += static_cast<double>(distance[i * size + j]);
      }
      sums[i] = sum;
    }
  }, work > 1e5);
  for (std::ptrdiff_t i = 0; i < size; ++i) distance[i * size + i] = static_cast<T>(-sums[i]);
  T* panels = workspace<T>(Work::pack_b, static_cast<std::size_t>(n) * static_cast<std::size_t>(padded<T>(d)));
  T* rows = workspace<T>(Work::partial, static_cast<std::size_t>(n) * static_cast<std::size_t>(d));
  T* result = workspace<T>(Work::pack_a, static_cast<std::size_t>(n) * static_cast<std::size_t>(d));
  std::memcpy(rows, x, static_cast<std::size_t>(nx) * static_cast<std::size_t>(d) * sizeof(T));
  std::memcpy(rows + static_cast<std::ptrdiff_t>(nx) * d, y, static_cast<std::size_t>(ny) * static_cast<std::size_t>(d) * sizeof(T));
  // The rows of (diag(W 1) - W) sum to zero, so a common shift of Z changes nothing: centred, products of nearly equal numbers stay small.
  for (int k = 0; k < d; ++k) {
    double mean = 0.0;
    for (std::ptrdiff_t i = 0; i < size; ++i) mean += static_cast<double>(rows[i * d + k]);
    mean /= n;
    for (std::ptrdiff_t i = 0; i < size; ++i) rows[i * d + k] -= static_cast<T>(mean);
  }
  pack_panels(n, d, rows, d, panels);
  TileArgs<T> t;
  t.a = distance;
  t.pixel_stride = n;
  t.step = 1;
  const int pieces = (n + 15) / 16;
  parallel_for(pieces, [&](int i) { detail::product_rows(t, chunk(n, pieces, i), d, n, panels, true, result, d, false); }, work > 1e5);
  const auto give = [&](T* to, std::ptrdiff_t first, std::ptrdiff_t count) {
    if (to == nullptr) return;
    for (std::ptrdiff_t i = 0; i < count * d; ++i) to[i] = -result[first * d + i];
  };
  give(dx, 0, nx);
  give(dy, nx, ny);
  return static_cast<T>(loss);
}

}  // namespace kernel
GRAFT_END

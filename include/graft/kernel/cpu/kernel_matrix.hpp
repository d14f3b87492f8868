#pragma once
/// \file kernel_matrix.hpp  Sums of Gaussian kernels over all pairs of two clouds of points, in blocks: distances from a Gram
/// matrix, then kernel values and weights in one pass, then weighted sums of the points. Of the symmetric matrix only the
/// blocks on and below the diagonal exist.
#include "graft/config.hpp"
#include "graft/core/buffer.hpp"
#include "graft/core/parallel.hpp"
#include "graft/kernel/cpu/tile.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

// GCC 12 takes the undefined operand of AVX-512 intrinsics for a variable that is used uninitialised.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

GRAFT_BEGIN
namespace kernel {
namespace detail {

/// exp of every lane.
template <class T>
GRAFT_INLINE Vec<T> exponential(Vec<T> x) {
  if constexpr (requires { typename Vec<T>::Batch; }) {
    return {xsimd::exp(x.value)};
  } else {
    return {std::exp(x.value)};
  }
}

/// The kernel's sum and its derivative at d2.
template <class T>
struct KernelSum {
  std::array<T, 8> gamma{};
  int count = 0;
  bool doubling = false;  ///< each gamma is twice the one before: one exp and squarings serve all

  KernelSum(const std::array<double, 8>& values, double bandwidth) {
    for (double v : values) {
      if (v > 0.0)
        gamma[static_cast<std::size_t>(count++)] = static_cast<T>(std::min(bandwidth > 0.0 ? 1.0 / (v * bandwidth) : v, 1e30));
    }
    std::sort(gamma.begin(), gamma.begin() + count);
    doubling = count > 1;
    for (int i = 1; i < count; ++i)
      doubling = doubling && gamma[static_cast<std::size_t>(i)] == T{2} * gamma[static_cast<std::size_t>(i - 1)];
  }
  /// minus_slope is -k'(d2)
  GRAFT_INLINE void operator()(Vec<T> d2, Vec<T>& value, Vec<T>& minus_slope) const {
    Vec<T> e = exponential(d2 * Vec<T>::all(-gamma[0]));
    value = e;
    minus_slope = e * Vec<T>::all(gamma[0]);
    for (int i = 1; i < count; ++i) {
      const T g = gamma[static_cast<std::size_t>(i)];
      e = doubling ? e * e : exponential(d2 * Vec<T>::all(-g));
      value = value + e;
      minus_slope = fused(e, Vec<T>::all(g), minus_slope);
    }
  }
  void operator()(T d2, T& value, T& slope) const {
    value = T{0};
    slope = T{0};
    for (int i = 0; i < count; ++i) {
      const T g = gamma[static_cast<std::size_t>(i)];
      const T e = std::exp(-g * d2);
      value += e;
      slope -= g * e;
    }
  }
};

/// Two clouds around their own means, cut into blocks of rows that do not straddle them. Columns of a block are padded to whole
/// vectors.
template <class T>
struct Clouds {
  int nx = 0, ny = 0, d = 0;
  int blocks_x = 0, blocks_y = 0;
  int most = 0;                            ///< rows of the longest block, padded
  T* z = nullptr;                          ///< (nx + ny) x d: rows minus the mean of their cloud
  double* mean_x = nullptr;                ///< d
  double* mean_y = nullptr;                ///< d
  T *within = nullptr, *across = nullptr;  ///< (nx + ny): |z|^2, and the row's share of a distance to the other cloud
  double total = 0.0;                      ///< sum over all i, j of |z_i - z_j|^2
  [[nodiscard]] int blocks() const { return blocks_x + blocks_y; }
  [[nodiscard]] Range block(int i) const {
    if (i < blocks_x) return chunk(nx, blocks_x, i);
    const Range r = chunk(ny, blocks_y, i - blocks_x);
    return {r.begin + nx, r.end + nx};
  }
  [[nodiscard]] std::ptrdiff_t slot(int i, int j) const {  ///< where the block (i, j), j <= i, is held
    return (static_cast<std::ptrdiff_t>(i) * (i + 1) / 2 + j) * most * most;
  }

  Clouds(int rows_x, int rows_y, int width, const T* x, const T* y) : nx(rows_x), ny(rows_y), d(width) {
    const int n = nx + ny;
    const int size = n > 1024 ? 192 : 64;
    blocks_x = (nx + size - 1) / size;
    blocks_y = (ny + size - 1) / size;
    most = padded<T>(std::max((nx + blocks_x - 1) / blocks_x, (ny + blocks_y - 1) / blocks_y));
    z = workspace<T>(Work::pack_a, static_cast<std::size_t>(n) * static_cast<std::size_t>(d));
    within = workspace<T>(Work::tile, 2 * static_cast<std::size_t>(n));
    across = within + n;
    mean_x = workspace<double>(Work::reduce,
                               2 * static_cast<std::size_t>(d) + static_cast<std::size_t>(blocks() * (blocks() + 1) / 2));
    mean_y = mean_x + d;
    centre(nx, x, mean_x, z);
    centre(ny, y, mean_y, z + static_cast<std::ptrdiff_t>(nx) * d);
    double gap = 0.0;  // |mean_y - mean_x|^2
    for (int k = 0; k < d; ++k) gap += (mean_y[k] - mean_x[k]) * (mean_y[k] - mean_x[k]);
    double squares = 0.0;
    for (int i = 0; i < n; ++i) {
      const T* row = z + static_cast<std::ptrdiff_t>(i) * d;
      double q = 0.0;
      double along = 0.0;
      for (int k = 0; k < d; ++k) {
        q += static_cast<double>(row[k]) * static_cast<double>(row[k]);
        along += static_cast<double>(row[k]) * (mean_y[k] - mean_x[k]);
      }
      squares += q;
      within[i] = static_cast<T>(q);
      across[i] = static_cast<T>(i < nx ? q - 2.0 * along : q + 2.0 * along + gap);
    }
    total = 2.0 * n * squares + 2.0 * static_cast<double>(nx) * static_cast<double>(ny) * gap;
  }

 private:
  void centre(int rows, const T* from, double* mean, T* to) const {
    std::fill(mean, mean + d, 0.0);
    for (std::ptrdiff_t i = 0; i < rows; ++i) {
      for (int k = 0; k < d; ++k) mean[k] += static_cast<double>(from[i * d + k]);
    }
    for (int k = 0; k < d; ++k) mean[k] /= rows;
    for (std::ptrdiff_t i = 0; i < rows; ++i) {
      for (int k = 0; k < d; ++k) to[i * d + k] = static_cast<T>(static_cast<double>(from[i * d + k]) - mean[k]);
    }
  }
};

/// Distances of block (i, j) from the Gram matrix, at once turned into the sum of the kernel (returned) and, in `block` (rows x
/// padded columns, row stride `most`), the weights scale * -k'. The distance of a point to itself is left out.
template <class T>
double kernel_block(const Clouds<T>& clouds, const KernelSum<T>& kernel, int i, int j, const T* panels, double scale,
                    T* block) {
  using V = Vec<T>;
  const Range rows = clouds.block(i);
  const Range columns = clouds.block(j);
  const int width = padded<T>(static_cast<int>(columns.size()));
  const std::ptrdiff_t start = 0;
  constexpr int depth = 256;  // steps of a panel that stay in the first cache
  for_panels<T>(width, [&](int column, int vectors) {
    for (int first = 0; first < clouds.d; first += depth) {
      TileArgs<T> t;
      t.a = clouds.z + rows.begin * clouds.d + first;
      t.pixel_stride = clouds.d;
      t.step = 1;
      t.offset = &start;
      t.length = std::min(depth, clouds.d - first);
      t.b_stride = vectors * lanes<T>;
      t.b = panels + static_cast<std::ptrdiff_t>(column) * clouds.d + first * t.b_stride;
      t.out = block + column;
      t.out_stride = clouds.most;
      t.add = first > 0;
      run_tiles(t, static_cast<int>(rows.size()), vectors);
    }
  });
  const bool same_cloud = (i < clouds.blocks_x) == (j < clouds.blocks_x);
  const T* share = same_cloud ? clouds.within : clouds.across;
  const T far = std::numeric_limits<T>::max() / T{8};  // where nothing is to count: exp(-far) is 0
  T ends[lanes<T>];
  const int whole = static_cast<int>(columns.size()) / lanes<T> * lanes<T>;
  for (int l = 0; l < lanes<T>; ++l) ends[l] = whole + l < columns.size() ? share[columns.begin + whole + l] : far;
  double sum = 0.0;
  for (std::ptrdiff_t r = 0; r < rows.size(); ++r) {
    T* row = block + r * clouds.most;
    if (i == j) row[r] = -far;
    const V own = V::all(share[rows.begin + r]);
    V sums = V::all(T{0});
    for (int c = 0; c < width; c += lanes<T>) {
      const V other = V::load(c < whole ? share + columns.begin + c : ends);
      const V d2 = larger(fused(V::load(row + c), V::all(T{-2}), own + other), V::all(T{0}));
      V value, minus_slope;
      kernel(d2, value, minus_slope);
      sums = sums + value;
      (minus_slope * V::all(static_cast<T>(scale))).store(row + c);
    }
    T parts[lanes<T>];
    sums.store(parts);
    for (int l = 0; l < lanes<T>; ++l) sum += static_cast<double>(parts[l]);
  }
  return sum;
}

/// sum over j of W_ij [z_j, 1 if j is of x, 1 if j is of y] for block i, columns [column, column + vectors * lanes): the blocks
/// left of the diagonal as they are, those below it transposed.
template <class T>
void weigh_rows(const Clouds<T>& clouds, int i, const T* weights, const T* panels, int column, int vectors, T* out,
                int out_stride) {
  const std::ptrdiff_t n = clouds.nx + clouds.ny;
  const Range rows = clouds.block(i);
  const std::ptrdiff_t start = 0;
  for (int j = 0; j < clouds.blocks(); ++j) {
    const Range other = clouds.block(j);
    TileArgs<T> t;
    t.a = weights + (j <= i ? clouds.slot(i, j) : clouds.slot(j, i));
    t.pixel_stride = j <= i ? clouds.most : 1;
    t.step = j <= i ? 1 : clouds.most;
    t.offset = &start;
    t.length = static_cast<int>(other.size());
    t.b_stride = vectors * lanes<T>;
    t.b = panels + static_cast<std::ptrdiff_t>(column) * n + other.begin * t.b_stride;
    t.out = out + rows.begin * out_stride + column;
    t.out_stride = out_stride;
    t.add = j > 0;
    run_tiles(t, static_cast<int>(rows.size()), vectors);
  }
}

}  // namespace detail
}  // namespace kernel
GRAFT_END

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

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
#include <utility>

// GCC 12 takes the undefined operand of AVX-512 intrinsics for a variable that is used uninitialised.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

GRAFT_BEGIN
namespace kernel {
namespace detail {

/// exp of every lane. Below -1000 it is 0 in any case, and xsimd would turn numbers into integers that hold no such; a lane
/// that is not a number stays one.
template <class T>
GRAFT_INLINE Vec<T> exponential(Vec<T> x) {
  if constexpr (requires { typename Vec<T>::Batch; }) {
    return {xsimd::exp(xsimd::max(typename Vec<T>::Batch(T{-1000}), x.value))};
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
    for (double v : values) {  // in order; std::sort on so few makes GCC 12 warn of bounds
      if (!(v > 0.0)) continue;
      const T own = static_cast<T>(std::min(bandwidth > 0.0 ? 1.0 / (v * bandwidth) : v, 1e30));
      std::size_t at = static_cast<std::size_t>(count++);
      for (; at > 0 && gamma[at - 1] > own; --at) gamma[at] = gamma[at - 1];
      gamma[at] = own;
    }
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
  double* shift = nullptr;                 ///< d: mean_y - mean_x
  double* sums = nullptr;                  ///< a room for one number of each block on and below the diagonal, and each piece
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
    const int size = n > 1024 ? 176 : 64;  // rows of an odd number of lines spread over the first cache
    blocks_x = (nx + size - 1) / size;
    blocks_y = (ny + size - 1) / size;
    most = padded<T>(std::max((nx + blocks_x - 1) / blocks_x, (ny + blocks_y - 1) / blocks_y));
    z = workspace<T>(Work::pack_a, static_cast<std::size_t>(n) * static_cast<std::size_t>(d));
    within = workspace<T>(Work::tile, 2 * static_cast<std::size_t>(n));
    across = within + n;
    const int pieces = (n + piece_rows - 1) / piece_rows;
    mean_x = workspace<double>(Work::reduce, 3 * static_cast<std::size_t>(d) + static_cast<std::size_t>(pieces) +
                                                 static_cast<std::size_t>(blocks() * (blocks() + 1) / 2));
    mean_y = mean_x + d;
    shift = mean_y + d;
    sums = shift + d;
    const bool worth = static_cast<double>(n) * d > 2e4;
    means(nx, x, mean_x, worth);
    means(ny, y, mean_y, worth);
    double gap = 0.0;
    for (int k = 0; k < d; ++k) {
      shift[k] = mean_y[k] - mean_x[k];
      gap += shift[k] * shift[k];
    }
    parallel_for(
        pieces,
        [&](int piece) {
          const Range rows = chunk(n, pieces, piece);
          double squares = 0.0;
          for (std::ptrdiff_t i = rows.begin; i < rows.end; ++i) {
            const bool of_x = i < nx;
            T* row = z + i * d;
            const auto [q, along] = centre(of_x ? x + i * d : y + (i - nx) * d, of_x ? mean_x : mean_y, row);
            squares += q;
            within[i] = static_cast<T>(q);
            across[i] = static_cast<T>(of_x ? q - 2.0 * along : q + 2.0 * along + gap);
          }
          sums[piece] = squares;
        },
        worth);
    double squares = 0.0;
    for (int piece = 0; piece < pieces; ++piece) squares += sums[piece];
    total = 2.0 * n * squares + 2.0 * static_cast<double>(nx) * static_cast<double>(ny) * gap;
  }

 private:
  static constexpr int piece_rows = 64;

  /// Column means; a task has some of the columns and all rows.
  void means(int rows, const T* from, double* mean, bool worth) const {
    const int slices = (d + 63) / 64;
    parallel_for(
        slices,
        [&](int slice) {
          const Range columns = chunk(d, slices, slice);
          std::fill(mean + columns.begin, mean + columns.end, 0.0);
          for (std::ptrdiff_t i = 0; i < rows; ++i) {
            for (std::ptrdiff_t k = columns.begin; k < columns.end; ++k) mean[k] += static_cast<double>(from[i * d + k]);
          }
          for (std::ptrdiff_t k = columns.begin; k < columns.end; ++k) mean[k] /= rows;
        },
        worth);
  }
  /// A row minus its cloud's mean, its square and its product with shift; in fixed lanes, which a compiler may keep in vectors.
  std::pair<double, double> centre(const T* from, const double* mean, T* to) const {
    constexpr int lines = 16;
    double q[lines] = {}, along[lines] = {};
    const auto one = [&](int k, int l) {
      to[k] = static_cast<T>(static_cast<double>(from[k]) - mean[k]);
      q[l] += static_cast<double>(to[k]) * static_cast<double>(to[k]);
      along[l] += static_cast<double>(to[k]) * shift[k];
    };
    int k = 0;
    for (; k + lines <= d; k += lines) {
      for (int l = 0; l < lines; ++l) one(k + l, l);
    }
    for (; k < d; ++k) one(k, 0);
    for (int l = 1; l < lines; ++l) {
      q[0] += q[l];
      along[0] += along[l];
    }
    return {q[0], along[0]};
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

/// sum over j of W_ij [z_j, 1 if j is of x, 1 if j is of y] for block i, panels [from, until) of the columns: the blocks left
/// of the diagonal as they are, those below it transposed. All panels use a block of W while the second cache holds it.
template <class T>
void weigh_rows(const Clouds<T>& clouds, int i, const T* weights, const T* panels, Range wanted, T* out, int out_stride) {
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
    t.out_stride = out_stride;
    t.add = j > 0;
    int which = 0;
    for_panels<T>(out_stride, [&](int column, int vectors) {
      const int index = which++;
      if (index < wanted.begin || index >= wanted.end) return;
      t.b_stride = vectors * lanes<T>;
      t.b = panels + static_cast<std::ptrdiff_t>(column) * n + other.begin * t.b_stride;
      t.out = out + rows.begin * out_stride + column;
      run_tiles(t, static_cast<int>(rows.size()), vectors);
    });
  }
}

}  // namespace detail
}  // namespace kernel
GRAFT_END

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

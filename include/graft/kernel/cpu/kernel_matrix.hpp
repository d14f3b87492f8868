#pragma once
/// \file kernel_matrix.hpp  Sums of Gaussian kernels over all pairs of two clouds of points, in blocks: distances from a Gram
/// matrix, then kernel values and weights in one pass, then weighted sums of the points. Of the symmetric matrix only the
/// blocks on and below the diagonal exist.
#include "graft/config.hpp"
#include "graft/core/buffer.hpp"
#include "graft/core/parallel.hpp"
#include "graft/kernel/cpu/clouds.hpp"
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

/// Distances of block (i, j) from the Gram matrix, at once turned into the sum of the kernel (returned) and, in `block` (rows x
/// padded columns, row stride `most`), the weights scale * -k'. The distance of a point to itself is left out. Sums of the
/// weights go to `pulls`, nx + ny for each block: those of rows to j's, those of columns, where the block also stands for (j,
/// i), to i's.
template <class T>
double kernel_block(const Clouds<T>& clouds, const KernelSum<T>& kernel, int i, int j, double scale, T* block, T* pulls) {
  using V = Vec<T>;
  const Range rows = clouds.block(i);
  const Range columns = clouds.block(j);
  const int width = padded<T>(static_cast<int>(columns.size()));
  const std::ptrdiff_t start = 0;
  constexpr int depth = 256;  // steps of a panel that stay in the caches
  for_panels<T>(
      width,
      [&](int column, int vectors) {
        for (int first = 0; first < clouds.d; first += depth) {
          TileArgs<T> t;
          t.a = clouds.z + rows.begin * clouds.d + first;
          t.pixel_stride = clouds.d;
          t.step = 1;
          t.offset = &start;
          t.length = std::min(depth, clouds.d - first);
          t.b_stride = vectors * lanes<T>;
          t.b = clouds.turned_block(j) + static_cast<std::ptrdiff_t>(column) * clouds.d + first * t.b_stride;
          t.out = block + column;
          t.out_stride = clouds.most;
          t.add = first > 0;
          run_tiles(t, static_cast<int>(rows.size()), vectors);
        }
      },
      max_gathered);
  const bool same_cloud = (i < clouds.blocks_x) == (j < clouds.blocks_x);
  const T* share = same_cloud ? clouds.within : clouds.across;
  const T far = std::numeric_limits<T>::max() / T{8};  // where nothing is to count: exp(-far) is 0
  T ends[lanes<T>];
  const int whole = static_cast<int>(columns.size()) / lanes<T> * lanes<T>;
  for (int l = 0; l < lanes<T>; ++l) ends[l] = whole + l < columns.size() ? share[columns.begin + whole + l] : far;
  T* down = workspace<T>(Work::partial, static_cast<std::size_t>(width));
  std::fill_n(down, width, T{0});
  double sum = 0.0;
  for (std::ptrdiff_t r = 0; r < rows.size(); ++r) {
    T* row = block + r * clouds.most;
    if (i == j) row[r] = -far;
    const V own = V::all(share[rows.begin + r]);
    V sums = V::all(T{0});
    V pull = V::all(T{0});
    for (int c = 0; c < width; c += lanes<T>) {
      const V other = V::load(c < whole ? share + columns.begin + c : ends);
      const V d2 = larger(fused(V::load(row + c), V::all(T{-2}), own + other), V::all(T{0}));
      V value, minus_slope;
      kernel(d2, value, minus_slope);
      sums = sums + value;
      minus_slope = minus_slope * V::all(static_cast<T>(scale));
      minus_slope.store(row + c);
      pull = pull + minus_slope;
      (V::load(down + c) + minus_slope).store(down + c);
    }
    T parts[lanes<T>], shares[lanes<T>];
    sums.store(parts);
    pull.store(shares);
    for (int l = 0; l < lanes<T>; ++l) sum += static_cast<double>(parts[l]);
    for (int l = 1; l < lanes<T>; ++l) shares[0] += shares[l];
    pulls[static_cast<std::ptrdiff_t>(j) * clouds.rows() + rows.begin + r] = shares[0];
  }
  if (i != j) std::copy_n(down, columns.size(), pulls + static_cast<std::ptrdiff_t>(i) * clouds.rows() + columns.begin);
  return sum;
}

/// Calls f(first column, vectors) for the panels of d columns whose numbers are `wanted`.
template <class T, class F>
void for_wanted(int d, Range wanted, const F& f) {
  int which = 0;
  for_panels<T>(
      padded<T>(d),
      [&](int column, int vectors) {
        const int index = which++;
        if (index >= wanted.begin && index < wanted.end) f(column, vectors);
      },
      max_gathered);
}

/// sum over j of W_ij z_j for block i, panels `wanted` of the columns, at out + column * rows of the block, rows as wide
/// as the panel: the blocks left of the diagonal as they are, those below it transposed. All panels use a block of W while the
/// second cache holds it.
template <class T>
void weigh_rows(const Clouds<T>& clouds, int i, const T* weights, Range wanted, T* out) {
  const std::ptrdiff_t start = 0;
  const int count = static_cast<int>(clouds.block(i).size());
  for (int j = 0; j < clouds.blocks(); ++j) {
    const Range other = clouds.block(j);
    TileArgs<T> t;
    t.a = weights + (j <= i ? clouds.slot(i, j) : clouds.slot(j, i));
    t.pixel_stride = j <= i ? clouds.most : 1;
    t.step = j <= i ? 1 : clouds.most;
    t.offset = &start;
    t.length = static_cast<int>(other.size());
    t.add = j > 0;
    for_wanted<T>(clouds.d, wanted, [&](int column, int vectors) {
      t.b = clouds.z + other.begin * clouds.d + column;
      t.b_stride = clouds.d;
      t.out_stride = vectors * lanes<T>;
      t.out = out + static_cast<std::ptrdiff_t>(column) * count;
      run_tiles(t, count, vectors);
    });
  }
}

/// The gradient of block i's points, panels `wanted` of the columns, from weigh_rows()' sums: sum_j W_ij (z_j - z_i), the other
/// cloud's z shifted by the distance of the means. `to` has block i's rows, d apart.
template <class T>
void give_rows(const Clouds<T>& clouds, int i, Range wanted, const T* pulls, const T* sums, T* to) {
  const Range rows = clouds.block(i);
  const std::ptrdiff_t count = rows.size();
  T* own =
      workspace<T>(Work::pad, 2 * static_cast<std::size_t>(count));  // sums of a row's weights: all, and to the other cloud
  T* cross = own + count;
  for (std::ptrdiff_t r = 0; r < count; ++r) {
    T pull[2] = {T{0}, T{0}};  // of the points of x, of y
    for (int j = 0; j < clouds.blocks(); ++j)
      pull[j < clouds.blocks_x ? 0 : 1] += pulls[static_cast<std::ptrdiff_t>(j) * clouds.rows() + rows.begin + r];
    own[r] = pull[0] + pull[1];
    cross[r] = i < clouds.blocks_x ? pull[1] : -pull[0];
  }
  for_wanted<T>(clouds.d, wanted, [&](int column, int vectors) {
    const int width = std::min(vectors * lanes<T>, clouds.d - column);
    for (std::ptrdiff_t r = 0; r < count; ++r) {
      const T* from = sums + column * count + r * vectors * lanes<T>;
      const T* z = clouds.z + (rows.begin + r) * clouds.d + column;
      T* out = to + r * clouds.d + column;
      for (int k = 0; k < width; ++k) out[k] = (from[k] - own[r] * z[k]) + cross[r] * static_cast<T>(clouds.shift[column + k]);
    }
  });
}

}  // namespace detail
}  // namespace kernel
GRAFT_END

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

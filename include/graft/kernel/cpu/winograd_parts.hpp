#pragma once
/// \file winograd_parts.hpp  The transforms of winograd.hpp, each with its transpose, on vectors of channels.
///
/// A polynomial of the outputs' degree is fixed by its values at as many points as a tile has inputs (Toom & Cook): A and G
/// give the values of the outputs' and the kernel's polynomial there, and B^T turns inputs into the transpose of the way back.
#include "graft/config.hpp"
#include "graft/core/parallel.hpp"
#include "graft/kernel/cpu/conv_gather.hpp"
#include "graft/kernel/cpu/tile.hpp"

#include <array>
#include <cstddef>
#include <type_traits>
#include <utility>

GRAFT_BEGIN
namespace kernel {
namespace detail {

/// Outputs of a tile along a side, for kernels of 3 and of 5.
inline constexpr int tile_outputs = 4;
constexpr int tile_side(int taps) { return tile_outputs + taps - 1; }              ///< its inputs
constexpr int tile_points(int taps) { return tile_side(taps) * tile_side(taps); }  ///< its products

/// The points of a side of `n`: 0, 1, -1, 2, -2 and, of 8, also 1/2, -1/2; the last is infinity.
constexpr double winograd_point(int i) {
  constexpr double point[] = {0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5};
  return point[i];
}
template <int rows, int columns>
using Factors = std::array<std::array<double, static_cast<std::size_t>(columns)>, static_cast<std::size_t>(rows)>;

/// A of `n` points and `columns` powers: row i holds the powers of point i. With `scaled` G: over the product of the point's
/// distances from the others.
template <int n, int columns>
constexpr Factors<n, columns> powers(bool scaled) {
  Factors<n, columns> a{};
  for (std::size_t i = 0; i + 1 < a.size(); ++i) {
    double value = 1.0;
    for (int k = 0; scaled && k + 1 < n; ++k) {
      const double distance = winograd_point(static_cast<int>(i)) - winograd_point(k);
      value /= distance == 0.0 ? 1.0 : distance;
    }
    for (double& to : a[i]) {
      to = value;
      value *= winograd_point(static_cast<int>(i));
    }
  }
  a.back().back() = 1.0;
  return a;
}
/// B^T of `n` points: row i holds the coefficients of prod (x - p) over the other points, the last row over all.
template <int n>
constexpr Factors<n, n> products() {
  Factors<n, n> b{};
  for (std::size_t i = 0; i < b.size(); ++i) {
    b[i][0] = 1.0;
    for (std::size_t k = 0; k + 1 < b.size(); ++k) {
      if (k == i) continue;
      for (std::size_t j = b.size() - 1; j > 0; --j) b[i][j] = b[i][j - 1] - winograd_point(static_cast<int>(k)) * b[i][j];
      b[i][0] *= -winograd_point(static_cast<int>(k));
    }
  }
  return b;
}

/// Calls f(0), f(1), ..., f(count - 1) with constants.
template <std::size_t count, class F>
GRAFT_INLINE void unrolled(const F& f) {
  [&]<std::size_t... Is>(std::index_sequence<Is...>) { (f(std::integral_constant<std::size_t, Is>{}), ...); }
  (std::make_index_sequence<count>{});
}

/// sum += factor x, where an empty sum is 0.
template <class T>
struct Terms {
  Vec<T> sum = Vec<T>::all(T{0});
  bool empty = true;  // known while compiling, once all is unrolled
  GRAFT_INLINE void add(double factor, Vec<T> x) {
    if (factor == 0.0) return;
    const Vec<T> f = Vec<T>::all(static_cast<T>(factor));
    sum = empty ? (factor == 1.0 ? x : f * x) : fused(f, x, sum);
    empty = false;
  }
};

/// to = F from, where F has a row for each point: what -p gives is what p gives but for the sign of the odd columns.
template <auto F>
struct ToPoints {
  static constexpr int from = static_cast<int>(F[0].size()), to = static_cast<int>(F.size());
  template <class T>
  static GRAFT_INLINE void apply(const Vec<T>* in, Vec<T>* out) {
    constexpr std::size_t last = F.size() - 1;
    Terms<T> zero, infinity;
    unrolled<F[0].size()>([&](auto j) {
      zero.add(F[0][j], in[j]);
      infinity.add(F[last][j], in[j]);
    });
    out[0] = zero.sum;
    out[last] = infinity.sum;
    unrolled<last / 2>([&](auto pair) {
      constexpr std::size_t i = 2 * pair + 1;
      Terms<T> even, odd;
      unrolled<F[0].size()>([&](auto j) { (j % 2 == 0 ? even : odd).add(F[i][j], in[j]); });
      out[i] = even.sum + odd.sum;
      out[i + 1] = fused(Vec<T>::all(T{-1}), odd.sum, even.sum);
    });
  }
};
/// Its transpose: to = F^T from.
template <auto F>
struct FromPoints {
  static constexpr int from = static_cast<int>(F.size()), to = static_cast<int>(F[0].size());
  template <class T>
  static GRAFT_INLINE void apply(const Vec<T>* in, Vec<T>* out) {
    constexpr std::size_t last = F.size() - 1;
    Vec<T> even[last / 2], odd[last / 2];
    unrolled<last / 2>([&](auto pair) {
      even[pair] = in[2 * pair + 1] + in[2 * pair + 2];
      odd[pair] = fused(Vec<T>::all(T{-1}), in[2 * pair + 2], in[2 * pair + 1]);
    });
    unrolled<F[0].size()>([&](auto j) {
      Terms<T> all;
      all.add(F[0][j], in[0]);
      unrolled<last / 2>([&](auto pair) { all.add(F[2 * pair + 1][j], j % 2 == 0 ? even[pair] : odd[pair]); });
      all.add(F[last][j], in[last]);
      out[j] = all.sum;
    });
  }
};

template <int taps>
using OfImage = ToPoints<products<tile_side(taps)>()>;  ///< B^T
template <int taps>
using ToImage = FromPoints<products<tile_side(taps)>()>;  ///< B
template <int taps>
using OfOutput = ToPoints<powers<tile_side(taps), tile_outputs>(false)>;  ///< A
template <int taps>
using ToOutput = FromPoints<powers<tile_side(taps), tile_outputs>(false)>;  ///< A^T
template <int taps>
using OfKernel = ToPoints<powers<tile_side(taps), taps>(true)>;  ///< G
template <int taps>
using ToKernel = FromPoints<powers<tile_side(taps), taps>(true)>;  ///< G^T

/// Transforms a square along both sides: load(row, column) gives its numbers, store(row, column, x) takes the result's.
template <class Side, class T, class Load, class Store>
GRAFT_INLINE void transform(const Load& load, const Store& store) {
  using V = Vec<T>;
  V half[static_cast<std::size_t>(Side::from)][static_cast<std::size_t>(Side::to)];
  GRAFT_UNROLL
  for (int j = 0; j < Side::from; ++j) {
    V column[static_cast<std::size_t>(Side::from)];
    GRAFT_UNROLL
    for (int i = 0; i < Side::from; ++i) column[i] = load(i, j);
    Side::apply(column, half[j]);
  }
  GRAFT_UNROLL
  for (int i = 0; i < Side::to; ++i) {
    V row[static_cast<std::size_t>(Side::from)], out[static_cast<std::size_t>(Side::to)];
    GRAFT_UNROLL
    for (int j = 0; j < Side::from; ++j) row[j] = half[j][i];
    Side::apply(row, out);
    GRAFT_UNROLL
    for (int j = 0; j < Side::to; ++j) store(i, j, out[j]);
  }
}

/// G w G^T of all kernels (taps x taps x c x oc), as multiply_point() reads them: panels of oc, in each all points x c, or with
/// `transposed` panels of c, in each all points x oc. Into the calling thread's Work::pack_b.
template <int taps, class T>
const T* transform_kernels(int c, int oc, bool transposed, const T* w, bool worth) {
  const int depth = transposed ? oc : c, columns = transposed ? c : oc;
  constexpr int most = 64;  // rows of a task
  const int cuts = (depth + most - 1) / most;
  T* out = workspace<T>(
      Work::pack_b, static_cast<std::size_t>(tile_points(taps)) * static_cast<std::size_t>(c) * static_cast<std::size_t>(oc));
  const Gather shape{.out_c = columns, .widest = max_gathered};
  parallel_for(
      panel_count<T>(columns, shape.widest) * cuts,
      [&](int task) {
        const Panel panel = panel_at<T>(shape, task / cuts);
        const Range rows = chunk(depth, cuts, task % cuts);
        const int count = static_cast<int>(rows.size()), width = panel.vectors * lanes<T>;
        const std::ptrdiff_t tap_size = static_cast<std::ptrdiff_t>(count) * width;
        T* kept = workspace<T>(Work::pack_a, static_cast<std::size_t>(taps * taps * tap_size));
        for (int tap = 0; tap < taps * taps; ++tap) {
          const T* from = w + static_cast<std::ptrdiff_t>(tap) * c * oc;
          if (transposed) {
            pack_panel_transposed(count, width, panel.vectors,
                                  from + static_cast<std::ptrdiff_t>(panel.column) * oc + rows.begin, oc,
                                  kept + tap * tap_size);
          } else {
            pack_panel(count, width, panel.vectors, from + rows.begin * oc + panel.column, oc, kept + tap * tap_size);
          }
        }
        T* to = out + static_cast<std::ptrdiff_t>(tile_points(taps)) * panel.column * depth + rows.begin * width;
        const std::ptrdiff_t point = static_cast<std::ptrdiff_t>(depth) * width;
        for (std::ptrdiff_t i = 0; i < tap_size; i += lanes<T>) {
          transform<OfKernel<taps>, T>([&](int y, int x) { return Vec<T>::load(kept + (y * taps + x) * tap_size + i); },
                                       [&](int y, int x, Vec<T> v) { v.store(to + (y * tile_side(taps) + x) * point + i); });
        }
      },
      worth);
  return out;
}

/// dw += G^T du G; du as transform_kernels() lays kernels out (panels of oc).
template <int taps, class T>
void transform_kernel_gradients(int c, int oc, const T* du, bool worth, T* dw) {
  const Gather shape{.out_c = oc};
  parallel_for(
      panel_count<T>(oc) * c,
      [&](int task) {
        const Panel panel = panel_at<T>(shape, task / c);
        const int row = task % c, width = panel.vectors * lanes<T>;
        const T* from = du + (static_cast<std::ptrdiff_t>(tile_points(taps)) * panel.column) * c + row * width;
        const std::ptrdiff_t point = static_cast<std::ptrdiff_t>(c) * width, tap = static_cast<std::ptrdiff_t>(c) * oc;
        T* to = dw + static_cast<std::ptrdiff_t>(row) * oc + panel.column;
        for (int i = 0; i < width; i += lanes<T>) {
          transform<ToKernel<taps>, T>([&](int y, int x) { return Vec<T>::load(from + (y * tile_side(taps) + x) * point + i); },
                                       [&](int y, int x, Vec<T> v) {
                                         T* at = to + (y * taps + x) * tap + i;
                                         (Vec<T>::load(at) + v).store(at);
                                       });
        }
      },
      worth);
}

}  // namespace detail
}  // namespace kernel
GRAFT_END

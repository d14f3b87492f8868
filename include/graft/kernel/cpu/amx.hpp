#pragma once
/// \file amx.hpp  Products of bf16 on Intel's matrix tiles (AMX), where a program is compiled for them and the system lets it
/// use them: what run_tiles() of tile.hpp does then.
///
///     sum[row][column] += over steps k:  left[row][k] * right[k][column]     (k: pairs of bf16)
///
/// Up to 16 rows, 16 columns and 16 steps are one instruction, and four tiles of sums are held at once. Forward, the data
/// gradient and dense layers have both factors as it wants them: pixels are rows, a panel's channels columns. The weight
/// gradient's image has its taps side by side, so that they are the columns, and turn() makes the gradient of the output the
/// left factor. Tiles have one size each (a new configuration clears them): rows and columns that fill none overlap with the
/// tile before, and a last chunk of fewer steps is copied among zeros.
#include "graft/config.hpp"
#include "graft/core/bf16.hpp"
#include "graft/kernel/cpu/amx_parts.hpp"
#include "graft/kernel/cpu/simd.hpp"
#include "graft/kernel/cpu/tile_args.hpp"

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <utility>

GRAFT_BEGIN
namespace kernel {

#ifdef GRAFT_AMX
namespace amx {

using Args = TileArgs<float, bf16>;
/// Where a factor's tiles lie. Distances count bf16.
struct Factor {
  const bf16* from = nullptr;
  const std::ptrdiff_t* offset = nullptr;  ///< of each segment; null: they are `apart`
  std::ptrdiff_t apart = 0;
  std::ptrdiff_t chunk = 0;   ///< from one chunk to the next
  std::ptrdiff_t stride = 0;  ///< from a tile's row to the next
  std::ptrdiff_t each = 0;    ///< from one row (or column) to the next; turned: from a tile
  bool turned = false;        ///< by turn(), which filled last chunks with zeros
  [[nodiscard]] const bf16* segment(int s, const Cut& cut, int tile) const {
    return from + (offset != nullptr ? offset[s] : s * apart) + (turned ? tile : cut.first(tile)) * each;
  }
};

struct Product {
  Factor left, right;
  Cut rows, columns;
  Steps steps;
  int segments = 0;
};

template <class F, int... I>
GRAFT_INLINE void each_of(const F& f, std::integer_sequence<int, I...>) {
  (f(std::integral_constant<int, I>{}), ...);
}
/// f(0), ..., f(count - 1), as constants.
template <int count, class F>
GRAFT_INLINE void each(const F& f) {
  each_of(f, std::make_integer_sequence<int, count>{});
}

/// Products of one chunk: R tiles from `left` on, C from `right` on.
template <int R, int C>
GRAFT_INLINE void multiply_chunk(const bf16* const* left, std::ptrdiff_t left_bytes, const bf16* const* right,
                                 std::ptrdiff_t right_bytes) {
  static_assert(R * C <= 4 && (R == 1 || C <= 2));
  if constexpr (C <= 2) {
    each<C>([&](auto c) { load<6 + c>(right[c], right_bytes); });
    each<R>([&](auto r) {
      load<4 + r % 2>(left[r], left_bytes);
      each<C>([&](auto c) { multiply<r * C + c, 4 + r % 2, 6 + c>(); });
    });
  } else {
    load<4>(left[0], left_bytes);
    each<C>([&](auto c) {
      load<6 + c % 2>(right[c], right_bytes);
      multiply<c, 4, 6 + c % 2>();
    });
  }
}

/// Sums of R x C tiles from row tile `r0` and column tile `c0` on: tile (r, c) at sums + (r C + c) * 256, rows of 16.
template <int R, int C>
void sum_tiles(const Product& p, int r0, int c0, float* sums) {
  const std::ptrdiff_t left_bytes = p.left.stride * 2, right_bytes = p.right.stride * 2;
  const bool ragged = p.steps.last < p.steps.pairs;
  const int whole = p.steps.chunks - (ragged ? 1 : 0);
  alignas(64) bf16 room[static_cast<std::size_t>((R + C) * 2 * pairs_in_tile)];
  each<R * C>([](auto tile) { zero<tile>(); });
  for (int s = 0; s < p.segments; ++s) {
    const bf16 *left[static_cast<std::size_t>(R)], *right[static_cast<std::size_t>(C)];
    for (int r = 0; r < R; ++r) left[r] = p.left.segment(s, p.rows, r0 + r);
    for (int c = 0; c < C; ++c) right[c] = p.right.segment(s, p.columns, c0 + c);
    for (int k = 0; k < whole; ++k) {
      multiply_chunk<R, C>(left, left_bytes, right, right_bytes);
      for (int r = 0; r < R; ++r) left[r] += p.left.chunk;
      for (int c = 0; c < C; ++c) right[c] += p.right.chunk;
    }
    if (!ragged) continue;
    for (int r = 0; r < R && !p.left.turned; ++r) {
      bf16* const to = room + r * 2 * pairs_in_tile;
      copy_among_zeros(left[r], p.left.stride, p.rows.size, 2 * p.steps.last, to);
      left[r] = to;
    }
    for (int c = 0; c < C; ++c) {
      bf16* const to = room + (R + c) * 2 * pairs_in_tile;
      copy_among_zeros(right[c], p.right.stride, p.steps.last, 2 * p.columns.size, to);
      right[c] = to;
    }
    multiply_chunk<R, C>(left, line, right, line);
  }
  each<R * C>([&](auto tile) { store<tile>(sums + tile * pairs_in_tile, line); });
}

/// Rows and columns of a tile of sums that lie from (first_row, first_column) on, without those that were `seen`.
struct Place {
  int first_row = 0, rows = 0, rows_seen = 0;
  int first_column = 0, columns = 0, columns_seen = 0;
};
/// Ends a tile as run_tile() does.
inline void finish(const Args& t, const Place& at, const float* sums) {
  using V = Vec<float>;
  const float* const from = t.from != nullptr ? t.from : t.out;
  const std::ptrdiff_t apart = t.from != nullptr ? t.from_stride : t.out_stride;
  for (int r = at.rows_seen; r < at.rows; ++r) {
    for (int c = at.columns_seen; c < at.columns; c += lanes<float>) {
      const std::ptrdiff_t row = at.first_row + r, column = at.first_column + c;
      V sum = V::load(sums + r * side + c);
      if (t.add) sum = V::load(from + row * apart + column) + sum;
      if (t.bias != nullptr) sum = sum + V::load(t.bias + column);
      if (t.relu) sum = larger(V::all(0.0f), sum);
      float* const to = t.out + row * t.out_stride + column;
      if (t.past) {
        store_past(sum, to);
      } else {
        sum.store(to);
      }
    }
  }
}

/// R x C tiles of a product from (r0, c0) on, to where they belong.
template <int R, int C>
void run_block(const Args& t, const Product& p, int r0, int c0) {
  alignas(64) float sums[static_cast<std::size_t>(R * C * pairs_in_tile)];
  sum_tiles<R, C>(p, r0, c0, sums);
  for (int r = r0; r < r0 + R; ++r) {
    for (int c = c0; c < c0 + C; ++c) {
      const float* const tile = sums + ((r - r0) * C + c - c0) * pairs_in_tile;
      Place at{p.rows.first(r), p.rows.size, p.rows.seen(r), p.columns.first(c), p.columns.size, p.columns.seen(c)};
      if (!p.left.turned) {
        finish(t, at, tile);
        continue;
      }
      std::swap(at.first_row, at.first_column);
      std::swap(at.rows, at.columns);
      std::swap(at.rows_seen, at.columns_seen);
      alignas(64) float upright[static_cast<std::size_t>(pairs_in_tile)];
      transpose(tile, line, at.columns, at.rows, upright);
      finish(t, at, upright);
    }
  }
}

inline void run_block(const Args& t, const Product& p, int r0, int c0, int tall, int wide) {
  if (wide == 1) {
    if (tall == 1) return run_block<1, 1>(t, p, r0, c0);
    if (tall == 2) return run_block<2, 1>(t, p, r0, c0);
    if (tall == 3) return run_block<3, 1>(t, p, r0, c0);
    return run_block<4, 1>(t, p, r0, c0);
  }
  if (wide == 2) return tall == 1 ? run_block<1, 2>(t, p, r0, c0) : run_block<2, 2>(t, p, r0, c0);
  return wide == 3 ? run_block<1, 3>(t, p, r0, c0) : run_block<1, 4>(t, p, r0, c0);
}

/// run_tiles() of tile.hpp on tiles. False: nothing was done, and registers shall do it.
inline bool run(const Args& t, int count, int vectors) {
  const bool turned = t.turned != nullptr && t.pixel_stride == 2;
  if (!turned && (t.step != 2 || !pays(count, t.length) || !permitted())) return false;
  const int width = vectors * lanes<float>;
  Product p;
  p.segments = t.segments;
  p.steps = cut_steps(t.length);
  const int pairs = p.steps.pairs;
  if (turned) {
    p.rows = cut_full(width);
    p.columns = cut_full(count);
    const std::ptrdiff_t chunk = p.rows.tiles * 2 * pairs_in_tile;
    p.left = {t.turned, nullptr, p.steps.chunks * chunk, chunk, 2 * side, 2 * pairs_in_tile, true};
    p.right = {t.a, t.offset, 0, pairs * t.step, t.step, 2, false};
  } else {
    p.rows = cut_evenly(count);
    p.columns = cut_full(width);
    p.left = {t.a, t.offset, 0, 2 * std::ptrdiff_t{pairs}, t.pixel_stride, t.pixel_stride, false};
    p.right = {t.b, t.b_offset, t.length * t.b_stride, pairs * t.b_stride, t.b_stride, 2, false};
  }
  configure_for({p.rows.size, pairs, p.columns.size});
  for (int c = 0, wide = 0; c < p.columns.tiles; c += wide) {
    wide = std::min(p.rows.tiles == 1 ? 4 : 2, p.columns.tiles - c);
    const int most = wide == 1 ? 4 : wide == 2 ? 2 : 1;
    for (int r = 0; r < p.rows.tiles; r += most) run_block(t, p, r, c, std::min(most, p.rows.tiles - r), wide);
  }
  return true;
}

}  // namespace amx
#endif

/// Whether this process multiplies bf16 on AMX.
inline bool has_amx() {
#ifdef GRAFT_AMX
  return amx::permitted();
#else
  return false;
#endif
}

/// Lives in a task that calls run_tiles(): at its end the thread's tiles are given back, for a thread that holds some is saved
/// and woken more slowly, and others may configure them.
template <class E>
struct TilesInUse {};
#ifdef GRAFT_AMX
template <>
struct TilesInUse<bf16> {
  TilesInUse() = default;
  TilesInUse(const TilesInUse&) = delete;
  TilesInUse& operator=(const TilesInUse&) = delete;
  ~TilesInUse() {
    if (amx::current() == amx::Shape{}) return;
    amx::release();
    amx::current() = {};
  }
};
#endif

}  // namespace kernel
GRAFT_END

#pragma once
/// \file tile.hpp  The one inner loop of all products and convolutions: a register tile of `pixels` x `vectors` sums
///
///     sum[p][v] = over segments s and steps k:  a[offset[s] + p * pixel_stride + k * step] * b[(s, k), v]
///
/// A number of `a` is broadcast, a row of `b` is `vectors` whole vectors; b runs on over all (s, k). In an NHWC image the taps (kx, c) of one
/// kernel row lie side by side, so a forward convolution is `step` 1 and one segment a kernel row; the weight gradient exchanges the roles of
/// taps and pixels (pixel_stride 1, step = the pixels' stride); the data gradient and dense layers are one segment.
#include "graft/config.hpp"
#include "graft/kernel/cpu/simd.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

GRAFT_BEGIN
namespace kernel {

/// What a tile reads and writes; see the file's head.
template <class T>
struct TileArgs {
  const T* a = nullptr;
  std::ptrdiff_t pixel_stride = 0;
  std::ptrdiff_t step = 0;
  const std::ptrdiff_t* offset = nullptr;
  int segments = 1;
  int length = 0;  ///< steps of a segment
  const T* b = nullptr;
  std::ptrdiff_t b_stride = 0;
  T* out = nullptr;  ///< row p at out + p * out_stride
  std::ptrdiff_t out_stride = 0;
  bool add = false;  ///< add to what is there
};

template <class T, int pixels, int vectors>
void run_tile(const TileArgs<T>& t) {
  using V = Vec<T>;
  V sum[pixels][vectors];
  GRAFT_UNROLL
  for (int p = 0; p < pixels; ++p) {
    GRAFT_UNROLL
    for (int v = 0; v < vectors; ++v) sum[p][v] = V::all(T{0});
  }
  const T* b = t.b;
  const std::ptrdiff_t b_stride = t.b_stride;
  const std::ptrdiff_t stride = t.pixel_stride;
  const std::ptrdiff_t step = t.step;
  for (int s = 0; s < t.segments; ++s) {
    const T* a = t.a + t.offset[s];
    for (int k = 0; k < t.length; ++k) {
      V row[vectors];
      GRAFT_UNROLL
      for (int v = 0; v < vectors; ++v) row[v] = V::load(b + v * lanes<T>);
      GRAFT_UNROLL
      for (int p = 0; p < pixels; ++p) {
        const V x = V::all(a[p * stride]);
        GRAFT_UNROLL
        for (int v = 0; v < vectors; ++v) sum[p][v] = fused(x, row[v], sum[p][v]);
      }
      a += step;
      b += b_stride;
    }
  }
  GRAFT_UNROLL
  for (int p = 0; p < pixels; ++p) {
    T* out = t.out + p * t.out_stride;
    GRAFT_UNROLL
    for (int v = 0; v < vectors; ++v) {
      (t.add ? V::load(out + v * lanes<T>) + sum[p][v] : sum[p][v]).store(out + v * lanes<T>);
    }
  }
}

/// Widest tile in vectors, and how many pixels fit the registers beside them.
inline constexpr int max_vectors = 3;
constexpr int max_pixels(int vectors) {
  if (vector_registers >= 32) return vectors == 3 ? 8 : vectors == 2 ? 12 : 8;
  return vectors == 3 ? 4 : vectors == 2 ? 6 : 8;
}

namespace detail {
template <class T>
using Tile = void (*)(const TileArgs<T>&);

template <class T, int vectors, std::size_t... Ps>
constexpr std::array<Tile<T>, sizeof...(Ps)> tile_row(std::index_sequence<Ps...>) {
  return {&run_tile<T, static_cast<int>(Ps) + 1, vectors>...};
}
template <class T, int vectors>
inline constexpr auto tiles = tile_row<T, vectors>(std::make_index_sequence<static_cast<std::size_t>(max_pixels(vectors))>{});
}  // namespace detail

/// Runs `count` rows (pixels) through tiles of `vectors` (1 to 3) vectors, cut as evenly as the registers allow.
template <class T>
void run_tiles(TileArgs<T> t, int count, int vectors) {
  const int most = max_pixels(vectors);
  int cuts = (count + most - 1) / most;
  while (count > 0) {
    const int pixels = (count + cuts - 1) / cuts;
    const std::size_t which = static_cast<std::size_t>(pixels - 1);
    (vectors == 3 ? detail::tiles<T, 3>[which] : vectors == 2 ? detail::tiles<T, 2>[which] : detail::tiles<T, 1>[which])(t);
    t.a += pixels * t.pixel_stride;
    t.out += pixels * t.out_stride;
    count -= pixels;
    --cuts;
  }
}

/// Cuts `columns` (a multiple of the lanes) into panels of 1 to 3 vectors, as evenly as possible; calls f(first column, vectors).
template <class T, class F>
void for_panels(int columns, F&& f) {
  int left = columns / lanes<T>;
  int cuts = (left + max_vectors - 1) / max_vectors;
  int column = 0;
  while (left > 0) {
    const int vectors = (left + cuts - 1) / cuts;
    f(column, vectors);
    column += vectors * lanes<T>;
    left -= vectors;
    --cuts;
  }
}

/// Copies a rows x columns matrix (row stride `stride`) into panels, each rows x (vectors * lanes), the last zero-padded. Panel at column
/// c starts at out + c * rows.
template <class T>
void pack_panels(int rows, int columns, const T* in, std::ptrdiff_t stride, T* out) {
  for_panels<T>(padded<T>(columns), [&](int column, int vectors) {
    T* panel = out + static_cast<std::ptrdiff_t>(column) * rows;
    const int width = vectors * lanes<T>;
    const int real = std::min(width, columns - column);
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < real; ++c) panel[r * width + c] = in[r * stride + column + c];
      for (int c = real; c < width; ++c) panel[r * width + c] = T{0};
    }
  });
}

/// The same from the transposed matrix: element (r, c) is in[c * stride + r].
template <class T>
void pack_panels_transposed(int rows, int columns, const T* in, std::ptrdiff_t stride, T* out) {
  for_panels<T>(padded<T>(columns), [&](int column, int vectors) {
    T* panel = out + static_cast<std::ptrdiff_t>(column) * rows;
    const int width = vectors * lanes<T>;
    const int real = std::min(width, columns - column);
    for (int c = 0; c < real; ++c) {
      const T* from = in + (column + c) * stride;
      for (int r = 0; r < rows; ++r) panel[r * width + c] = from[r];
    }
    for (int c = real; c < width; ++c) {
      for (int r = 0; r < rows; ++r) panel[r * width + c] = T{0};
    }
  });
}

}  // namespace kernel
GRAFT_END

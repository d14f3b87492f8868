#pragma once
/// \file tile.hpp  The one inner loop of all products and convolutions: a register tile of `pixels` x `vectors` sums
///
///     sum[p][v] = over segments s and steps k:  a[offset[s] + p * pixel_stride + k * step] * b[(s, k), v]
///
/// A number of `a` is broadcast, a row of `b` is `vectors` whole vectors; b runs on over all (s, k). In an NHWC image the taps
/// (kx, c) of one kernel row lie side by side, so a forward convolution is `step` 1 and one segment a kernel row; the weight
/// gradient exchanges the roles of taps and pixels (pixel_stride 1, step = the pixels' stride); the data gradient and dense
/// layers are one segment.
#include "graft/config.hpp"
#include "graft/kernel/cpu/amx.hpp"
#include "graft/kernel/cpu/operand.hpp"
#include "graft/kernel/cpu/simd.hpp"
#include "graft/kernel/cpu/tile_args.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <type_traits>
#include <utility>

GRAFT_BEGIN
namespace kernel {

/// One tile. Pixels in groups, whose distances within are the same, steps whose factors the compiler does not see, and
/// arguments read anew for each segment: all that GCC's loops need is then in general registers (parks_in_vectors; a tile of 75
/// steps lost an eighth).
template <class T, class E, int pixels, int vectors>
void run_tile(const TileArgs<T, E>& t) {
  using V = Vec<T>;
  using Factor = Operand<T, E>;
  constexpr int each = !parks_in_vectors || pixels <= 3 ? pixels : pixels <= 8 ? (pixels + 1) / 2 : (pixels + 2) / 3;
  constexpr int groups = (pixels + each - 1) / each;
  constexpr std::ptrdiff_t size = sizeof(E);
  V sum[static_cast<std::size_t>(pixels)][static_cast<std::size_t>(vectors)];
  GRAFT_UNROLL
  for (int p = 0; p < pixels; ++p) {
    GRAFT_UNROLL
    for (int v = 0; v < vectors; ++v) sum[p][v] = V::all(T{0});
  }
  const std::ptrdiff_t stride = t.pixel_stride;
  const char* b = reinterpret_cast<const char*>(t.b);
  for (int s = 0; s < t.segments; ++s) {
    forget_memory();
    const std::ptrdiff_t step = hidden(t.step * size);
    const std::ptrdiff_t b_step = hidden(t.b_stride * size);
    const char* a[static_cast<std::size_t>(groups)];
    a[0] = reinterpret_cast<const char*>(t.a + t.offset[s]);
    GRAFT_UNROLL
    for (int g = 1; g < groups; ++g) a[g] = hidden(a[g - 1] + each * stride * size);
    if (t.b_offset != nullptr) b = reinterpret_cast<const char*>(t.b + t.b_offset[s]);
    for (int k = t.length; k > 0; --k) {
      typename Factor::Row row[static_cast<std::size_t>(vectors)];
      GRAFT_UNROLL
      for (int v = 0; v < vectors; ++v) row[v] = Factor::row(reinterpret_cast<const E*>(b) + v * (lanes<T> * Factor::unit));
      GRAFT_UNROLL
      for (int p = 0; p < pixels; ++p) {
        const auto x = Factor::all(reinterpret_cast<const E*>(a[p / each]) + p % each * stride);
        GRAFT_UNROLL
        for (int v = 0; v < vectors; ++v) sum[p][v] = Factor::fused_with(x, row[v], sum[p][v]);
      }
      GRAFT_UNROLL
      for (int g = 0; g < groups; ++g) a[g] += step;
      b += b_step;
    }
  }
  T* out = t.out;
  if (t.add) {
    const T* from = t.from != nullptr ? t.from : out;
    const std::ptrdiff_t apart = t.from != nullptr ? t.from_stride : t.out_stride;
    GRAFT_UNROLL
    for (int p = 0; p < pixels; ++p) {
      GRAFT_UNROLL
      for (int v = 0; v < vectors; ++v) sum[p][v] = V::load(from + p * apart + v * lanes<T>) + sum[p][v];
    }
  }
  if (t.bias != nullptr) {
    GRAFT_UNROLL
    for (int p = 0; p < pixels; ++p) {
      GRAFT_UNROLL
      for (int v = 0; v < vectors; ++v) sum[p][v] = sum[p][v] + V::load(t.bias + v * lanes<T>);
    }
  }
  if (t.relu) {
    GRAFT_UNROLL
    for (int p = 0; p < pixels; ++p) {
      GRAFT_UNROLL
      for (int v = 0; v < vectors; ++v) sum[p][v] = larger(V::all(T{0}), sum[p][v]);
    }
  }
  if (t.past) {
    GRAFT_UNROLL
    for (int p = 0; p < pixels; ++p) {
      GRAFT_UNROLL
      for (int v = 0; v < vectors; ++v) store_past(sum[p][v], out + p * t.out_stride + v * lanes<T>);
    }
    return;
  }
  GRAFT_UNROLL
  for (int p = 0; p < pixels; ++p) {
    GRAFT_UNROLL
    for (int v = 0; v < vectors; ++v) sum[p][v].store(out + p * t.out_stride + v * lanes<T>);
  }
}

/// Widest tile in vectors, and how many pixels fit the registers beside them.
inline constexpr int max_vectors = 3;
/// The same where weights are packed for many rows.
inline constexpr int max_gathered = vector_registers >= 32 ? 4 : max_vectors;
constexpr int max_pixels(int vectors) {
  if (vector_registers >= 32) return vectors == 4 ? 6 : vectors == 2 ? 12 : 8;
  return vectors == 3 ? 4 : vectors == 2 ? 6 : 8;
}

namespace detail {
template <class T, class E>
using Tile = void (*)(const TileArgs<T, E>&);

template <class T, class E, int vectors, std::size_t... Ps>
constexpr std::array<Tile<T, E>, sizeof...(Ps)> tile_row(std::index_sequence<Ps...>) {
  return {&run_tile<T, E, static_cast<int>(Ps) + 1, vectors>...};
}
template <class T, class E, int vectors>
inline constexpr auto tiles =
    tile_row<T, E, vectors>(std::make_index_sequence<static_cast<std::size_t>(max_pixels(vectors))>{});
template <class T, class E, std::size_t... Vs>
constexpr std::array<const Tile<T, E>*, sizeof...(Vs)> tile_table(std::index_sequence<Vs...>) {
  return {tiles<T, E, static_cast<int>(Vs) + 1>.data()...};
}
}  // namespace detail

/// Runs `count` rows (pixels) through tiles of `vectors` (1 to max_gathered) vectors, cut as evenly as the registers allow.
template <class T, class E>
void run_tiles(TileArgs<T, E> t, int count, int vectors) {
#ifdef GRAFT_AMX
  if constexpr (std::is_same_v<E, bf16>) {
    if (amx::run(t, count, vectors)) return;
  }
#endif
  static constexpr auto table = detail::tile_table<T, E>(std::make_index_sequence<static_cast<std::size_t>(max_gathered)>{});
  const detail::Tile<T, E>* tiles = table[static_cast<std::size_t>(vectors - 1)];
  const int most = max_pixels(vectors);
  int cuts = (count + most - 1) / most;
  while (count > 0) {
    const int pixels = (count + cuts - 1) / cuts;
    tiles[pixels - 1](t);
    t.a += pixels * t.pixel_stride;
    t.out += pixels * t.out_stride;
    if (t.from != nullptr) t.from += pixels * t.from_stride;
    count -= pixels;
    --cuts;
  }
}

/// Cuts `columns` (a multiple of the lanes) into panels of 1 to `widest` vectors, as evenly as possible; calls f(first column,
/// vectors).
template <class T, class F>
void for_panels(int columns, F&& f, int widest = max_vectors) {
  int left = columns / lanes<T>;
  int cuts = (left + widest - 1) / widest;
  int column = 0;
  while (left > 0) {
    const int vectors = (left + cuts - 1) / cuts;
    f(column, vectors);
    column += vectors * lanes<T>;
    left -= vectors;
    --cuts;
  }
}

/// Copies `real` columns of a matrix (row stride `stride`) into a panel of rows x (vectors * lanes), zeros beyond.
template <class T>
void pack_panel(int rows, int real, int vectors, const T* in, std::ptrdiff_t stride, T* panel) {
  const int width = vectors * lanes<T>;
  for (int r = 0; r < rows; ++r) {
    T* to = panel + static_cast<std::ptrdiff_t>(r) * width;
    const T* from = in + r * stride;
    int c = 0;
    for (; c + lanes<T> <= real; c += lanes<T>) Vec<T>::load(from + c).store(to + c);
    for (; c < real; ++c) to[c] = from[c];
    for (; c < width; ++c) to[c] = T{0};
  }
}

/// The same from the transposed matrix: element (r, c) is in[c * stride + r]. In squares, so that both sides stay in the first
/// cache.
template <class T>
void pack_panel_transposed(int rows, int real, int vectors, const T* in, std::ptrdiff_t stride, T* panel) {
  const int width = vectors * lanes<T>;
  constexpr int square = 16;
  for (int first = 0; first < rows; first += square) {
    const int count = std::min(square, rows - first);
    T* to = panel + static_cast<std::ptrdiff_t>(first) * width;
    for (int c = 0; c < real; ++c) {
      const T* from = in + c * stride + first;
      for (int r = 0; r < count; ++r) to[r * width + c] = from[r];
    }
    for (int r = 0; r < count; ++r) {
      for (int c = real; c < width; ++c) to[r * width + c] = T{0};
    }
  }
}

/// pack_panel() of `rows` steps for factors stored as E: two rows of floats are a row of pairs, the last of an odd number with
/// zeros.
template <class T, class E>
void pack_steps(int rows, int real, int vectors, const T* in, std::ptrdiff_t stride, E* panel) {
  if constexpr (std::is_same_v<T, E>) {
    pack_panel(rows, real, vectors, in, stride, panel);
  } else {
    const std::ptrdiff_t width = 2 * vectors * lanes<T>;
    for (int r = 0; r < rows; r += 2, panel += width) {
      const T* from = in + r * stride;
      interleave(from, r + 1 < rows ? from + stride : nullptr, real, panel);
      std::fill(panel + 2 * real, panel + width, bf16{});
    }
  }
}
/// pack_panel_transposed() likewise; for pairs `rows` is even.
template <class T, class E>
void pack_steps_transposed(int rows, int real, int vectors, const T* in, std::ptrdiff_t stride, E* panel) {
  if constexpr (std::is_same_v<T, E>) {
    pack_panel_transposed(rows, real, vectors, in, stride, panel);
  } else {
    const std::ptrdiff_t width = 2 * vectors * lanes<T>;
    for (int r = 0; r < rows; r += 2, panel += width) {
      for (int c = 0; c < real; ++c) {
        panel[2 * c] = bf16(in[c * stride + r]);
        panel[2 * c + 1] = bf16(in[c * stride + r + 1]);
      }
      std::fill(panel + 2 * real, panel + width, bf16{});
    }
  }
}

}  // namespace kernel
GRAFT_END

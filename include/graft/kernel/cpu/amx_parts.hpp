#pragma once
/// \file amx_parts.hpp  What amx.hpp is made of: how tiles are configured and extents cut, and tiles that are copied.
#include "graft/config.hpp"
#include "graft/core/bf16.hpp"
#include "graft/core/buffer.hpp"
#include "graft/kernel/cpu/amx_tiles.hpp"
#include "graft/kernel/cpu/simd.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#ifdef GRAFT_AMX
GRAFT_BEGIN
namespace kernel::amx {

inline constexpr int side = 16;  ///< rows of a tile, and numbers of four bytes in a row
inline constexpr std::ptrdiff_t pairs_in_tile = side * side;
inline constexpr std::ptrdiff_t line = 4 * side;  ///< bytes of a whole row

/// What the thread's tiles are configured for; rows 0: for nothing.
struct Shape {
  int rows = 0, pairs = 0, columns = 0;
  bool operator==(const Shape&) const = default;
};
inline Shape& current() {
  thread_local Shape shape;
  return shape;
}
/// Tiles 0 to 3 are sums, 4 and 5 of the left factor, 6 and 7 of the right one.
inline void configure_for(const Shape& shape) {
  if (current() == shape) return;
  Configuration c;
  for (int tile = 0; tile < 8; ++tile) {
    const bool left = tile == 4 || tile == 5;
    c.rows[tile] = static_cast<std::uint8_t>(tile < 6 ? shape.rows : shape.pairs);
    c.row_bytes[tile] = static_cast<std::uint16_t>(4 * (left ? shape.pairs : shape.columns));
  }
  configure(c);
  current() = shape;
}

/// Rows or columns as tiles of one size.
struct Cut {
  int count = 0, tiles = 0, size = 0;
  [[nodiscard]] int first(int tile) const { return std::min(tile * size, count - size); }
  /// How many of a tile's first are the one's before it.
  [[nodiscard]] int seen(int tile) const { return tile * size - first(tile); }
};
constexpr Cut cut_evenly(int count) {
  const int tiles = (count + side - 1) / side;
  return {count, tiles, (count + tiles - 1) / tiles};
}
/// Of whole vectors as long as `count` is.
constexpr Cut cut_full(int count) { return {count, (count + side - 1) / side, std::min(count, side)}; }

/// A segment's steps as chunks, one tile's each; the last may be shorter.
struct Steps {
  int chunks = 0, pairs = 0, last = 0;
};
constexpr Steps cut_steps(int length) {
  const Cut cut = cut_evenly(length);
  return {cut.tiles, cut.size, length - (cut.tiles - 1) * cut.size};
}

/// `rows` rows of `numbers` bf16 in a tile of zeros.
inline void copy_among_zeros(const bf16* from, std::ptrdiff_t stride, int rows, int numbers, bf16* to) {
  std::fill_n(to, 2 * pairs_in_tile, bf16{});
  for (int r = 0; r < rows; ++r) std::copy_n(from + r * stride, numbers, to + r * 2 * side);
}

/// Numbers of four bytes, `rows` x `columns` of them with rows `stride` bytes apart, as columns of 16 x 16, zeros beyond.
inline void transpose(const void* from, std::ptrdiff_t stride, int rows, int columns, void* to) {
  const char* const in = static_cast<const char*>(from);
  char* const out = static_cast<char*>(to);
#if defined(__AVX512F__) && !defined(GRAFT_NO_SIMD)
  const auto real = static_cast<__mmask16>((1u << columns) - 1);
  const __m512i places = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  __m512i x[static_cast<std::size_t>(side)];
  GRAFT_UNROLL
  for (int r = 0; r < side; ++r) {
    x[r] = _mm512_maskz_loadu_epi32(r < rows ? real : __mmask16{0}, in + (r < rows ? r : 0) * stride);
  }
  const auto swap = [&](auto squares) {  // of s x s numbers across the diagonal of those of 2 s x 2 s
    constexpr int s = decltype(squares)::value;
    const __mmask16 second = _mm512_test_epi32_mask(places, _mm512_set1_epi32(s));
    const __m512i low = _mm512_mask_add_epi32(places, second, places, _mm512_set1_epi32(16 - s));
    const __m512i high = _mm512_add_epi32(low, _mm512_set1_epi32(s));
    GRAFT_UNROLL
    for (int r = 0; r < side; ++r) {
      if ((r & s) != 0) continue;
      const __m512i a = x[r], b = x[r + s];
      x[r] = _mm512_permutex2var_epi32(a, low, b);
      x[r + s] = _mm512_permutex2var_epi32(a, high, b);
    }
  };
  swap(std::integral_constant<int, 8>{});
  swap(std::integral_constant<int, 4>{});
  swap(std::integral_constant<int, 2>{});
  swap(std::integral_constant<int, 1>{});
  GRAFT_UNROLL
  for (int r = 0; r < side; ++r) _mm512_storeu_si512(out + r * line, x[r]);
#else
  std::memset(out, 0, static_cast<std::size_t>(side * line));
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < columns; ++c) std::memcpy(out + c * line + 4 * r, in + r * stride + 4 * c, 4);
  }
#endif
}

/// The weight gradient's b (t.length rows a segment, one after another, of `width` columns) as left factors, one tile for each
/// (segment, chunk, 16 columns); in the calling thread's Work::turned. Null: run() would not use it for `count` rows.
inline const bf16* turn(const bf16* b, std::ptrdiff_t stride, int segments, int length, int width, int count) {
  if (!pays(count, length) || !permitted()) return nullptr;
  const Cut columns = cut_full(width);
  const Steps steps = cut_steps(length);
  const std::size_t tiles = static_cast<std::size_t>(segments) * static_cast<std::size_t>(steps.chunks * columns.tiles);
  bf16* const turned = workspace<bf16>(Work::turned, tiles * static_cast<std::size_t>(2 * pairs_in_tile));
  bf16* to = turned;
  for (int s = 0; s < segments; ++s) {
    for (int k = 0; k < steps.chunks; ++k) {
      const int rows = k + 1 < steps.chunks ? steps.pairs : steps.last;
      for (int tile = 0; tile < columns.tiles; ++tile, to += 2 * pairs_in_tile) {
        transpose(b + 2 * columns.first(tile), stride * 2, rows, columns.size, to);
      }
      b += rows * stride;
    }
  }
  return turned;
}

}  // namespace kernel::amx
GRAFT_END
#endif

#pragma once
/// \file emulated.hpp  Intel's matrix tiles as plain functions, for tests on any machine: kernel/cpu/amx_tiles.hpp includes
/// this in place of the instructions. The order of additions is the manual's (tdpbf16ps: the first and the second of all pairs
/// apart, by fused multiply-adds), but numbers below the normal range are kept.
///
/// What the processor would answer with a fault (no configuration, extents that do not fit each other) throws.
#include "graft/core/bf16.hpp"

#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>

GRAFT_BEGIN
namespace kernel::amx {

/// A misuse that a processor would stop at.
struct Misuse : std::logic_error {
  using std::logic_error::logic_error;
};

/// What tests see and set.
inline bool emulated_permission = true;
inline std::atomic<long> products = 0;

struct EmulatedTile {
  int rows = 0, row_bytes = 0;
  std::array<std::array<unsigned char, 64>, 16> data{};
};
struct Emulated {
  bool configured = false;
  std::array<EmulatedTile, 8> tiles;
};
inline Emulated& emulated() {
  thread_local Emulated state;
  return state;
}
inline EmulatedTile& tile_of(int index) {
  if (!emulated().configured) throw Misuse("a tile is used that nobody configured");
  return emulated().tiles.at(static_cast<std::size_t>(index));
}

inline bool permitted() { return emulated_permission; }
/// Whatever there is, so that every case of the tests runs on tiles.
constexpr bool pays(int rows, int length) { return rows > 0 && length > 0; }

inline void configure(const Configuration& c) {
  if (!emulated_permission) throw Misuse("tiles are configured without the system's permission");
  if (c.palette != 1 || c.start_row != 0) throw Misuse("the palette is not 1, or the first row not 0");
  for (std::size_t i = 0; i < 16; ++i) {
    const bool there = i < 8;
    if (c.rows[i] > (there ? 16 : 0) || c.row_bytes[i] > (there ? 64 : 0)) throw Misuse("a tile is larger than tiles are");
    if ((c.rows[i] == 0) != (c.row_bytes[i] == 0)) throw Misuse("a tile has rows but no columns, or columns but no rows");
    if (there) emulated().tiles[i] = {c.rows[i], c.row_bytes[i], {}};
  }
  emulated().configured = true;
}
inline void release() { emulated() = {}; }

template <int tile>
void zero() {
  tile_of(tile).data = {};
}
template <int tile>
void load(const void* from, std::ptrdiff_t stride) {
  EmulatedTile& to = tile_of(tile);
  to.data = {};
  for (int r = 0; r < to.rows; ++r) {
    std::memcpy(to.data[static_cast<std::size_t>(r)].data(), static_cast<const char*>(from) + r * stride,
                static_cast<std::size_t>(to.row_bytes));
  }
}
template <int tile>
void store(void* to, std::ptrdiff_t stride) {
  const EmulatedTile& from = tile_of(tile);
  for (int r = 0; r < from.rows; ++r) {
    std::memcpy(static_cast<char*>(to) + r * stride, from.data[static_cast<std::size_t>(r)].data(),
                static_cast<std::size_t>(from.row_bytes));
  }
}
template <int sum, int left, int right>
void multiply() {
  EmulatedTile& c = tile_of(sum);
  const EmulatedTile &a = tile_of(left), &b = tile_of(right);
  if (a.rows != c.rows || b.row_bytes != c.row_bytes || a.row_bytes != 4 * b.rows || c.row_bytes % 4 != 0) {
    throw Misuse("the tiles of a product do not fit each other");
  }
  const auto half = [](const EmulatedTile& t, int row, int index) {
    bf16 x;
    std::memcpy(&x, t.data[static_cast<std::size_t>(row)].data() + 2 * index, sizeof(x));
    return static_cast<float>(x);
  };
  for (int m = 0; m < c.rows; ++m) {
    for (int n = 0; n < c.row_bytes / 4; ++n) {
      float first = 0.0f, second = 0.0f, whole;
      for (int k = 0; k < b.rows; ++k) {
        first = std::fma(half(a, m, 2 * k), half(b, k, 2 * n), first);
        second = std::fma(half(a, m, 2 * k + 1), half(b, k, 2 * n + 1), second);
      }
      unsigned char* const at = c.data[static_cast<std::size_t>(m)].data() + 4 * n;
      std::memcpy(&whole, at, sizeof(whole));
      whole += first + second;
      std::memcpy(at, &whole, sizeof(whole));
    }
  }
  ++products;
}

}  // namespace kernel::amx
GRAFT_END

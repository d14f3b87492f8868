#pragma once
/// \file winograd_tiles.hpp  The tiles of winograd.hpp: how images and outputs are cut into them, and their ways to and from
/// the matrices that are multiplied point by point.
#include "graft/config.hpp"
#include "graft/core/buffer.hpp"
#include "graft/core/device.hpp"
#include "graft/kernel/cpu/conv_parts.hpp"
#include "graft/kernel/cpu/winograd_parts.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

GRAFT_BEGIN
namespace kernel {
namespace detail {

/// How a convolution is cut into tiles, and the tiles into blocks.
template <class T>
struct TileGrid {
  int side;    ///< of a tile's inputs
  int th, tw;  ///< tiles of a sample
  bool apart;  ///< a block's steps are shared out one after the other, because its products are large; else a block is a task
  int block;   ///< tiles that are transformed, multiplied and transformed back together
  explicit TileGrid(const ConvExtents& e)
      : side(tile_side(e.kh)), th((e.oh + tile_outputs - 1) / tile_outputs), tw((e.ow + tile_outputs - 1) / tile_outputs) {
    const int bytes = points() * (e.c + e.oc) * static_cast<int>(sizeof(T));  // of one tile
    apart = bytes * 16 > (1 << 20);
    block = apart ? std::max(64, (32 << 20) / bytes) : std::clamp((3 << 18) / bytes, 16, 64);
  }
  [[nodiscard]] int tiles() const { return th * tw; }
  [[nodiscard]] int points() const { return side * side; }
};

/// Where the tiles' numbers lie, by point, at distances that keep the points' streams on different sets of the cache.
template <class T>
struct TileMatrix {
  std::ptrdiff_t row;    ///< from tile to tile
  std::ptrdiff_t point;  ///< from point to point
  T* data;
  TileMatrix(Work use, int points, std::ptrdiff_t tiles, int channels)
      : row(channels + (channels * static_cast<int>(sizeof(T)) % 512 == 0 ? lanes<T> : 0)),
        point(tiles * row + lanes<T>),
        data(workspace<T>(use, static_cast<std::size_t>(points * point))) {}
  [[nodiscard]] T* at(std::ptrdiff_t tile, int p = 0) const { return data + tile * row + p * point; }
};

/// Where a tile's inputs lie in an image whose pixels have c channels, zeros around included.
struct TileInput {
  int top, left;          ///< of the tile, from the image's corner
  std::ptrdiff_t corner;  ///< its first number, from the first image's on, if it lay inside
  std::ptrdiff_t line;    ///< numbers of an image's row
  bool inside;
  template <class T>
  TileInput(const ConvExtents& e, const TileGrid<T>& grid, std::ptrdiff_t tile) {
    const int place = static_cast<int>(tile % grid.tiles());
    top = place / grid.tw * tile_outputs - e.top;
    left = place % grid.tw * tile_outputs - e.left;
    line = static_cast<std::ptrdiff_t>(e.w) * e.c;
    corner = tile / grid.tiles() * e.h * line + top * line + static_cast<std::ptrdiff_t>(left) * e.c;
    inside = top >= 0 && left >= 0 && top + grid.side <= e.h && left + grid.side <= e.w;
  }
  /// Calls f(row of the tile, first column, number of columns) for what lies inside.
  template <class F>
  void for_rows(const ConvExtents& e, int side, F&& f) const {
    const int begin = std::max(0, -left), end = std::min(side, e.w - left);
    for (int i = std::max(0, -top); i < std::min(side, e.h - top); ++i) f(i, begin, end - begin);
  }
};

/// B^T x B of tile `tile` of all samples' tiles, to row `index` of v.
template <int taps, class T>
void enter_image(const ConvExtents& e, const TileGrid<T>& grid, const T* x, std::ptrdiff_t tile, const TileMatrix<T>& v,
                 std::ptrdiff_t index) {
  constexpr int side = tile_side(taps);
  const TileInput at(e, grid, tile);
  const T* from = x + at.corner;
  std::ptrdiff_t line = at.line;
  if (!at.inside) {
    line = static_cast<std::ptrdiff_t>(side) * e.c;
    T* copy = workspace<T>(Work::pad, static_cast<std::size_t>(side * line));
    std::fill_n(copy, side * line, T{0});
    at.for_rows(e, side, [&](int i, int begin, int count) {
      std::copy_n(from + i * at.line + begin * e.c, count * e.c, copy + i * line + begin * e.c);
    });
    from = copy;
  }
  for (int c = 0; c < e.c; c += lanes<T>) {
    transform<OfImage<taps>, T>([&](int i, int j) { return Vec<T>::load(from + i * line + j * e.c + c); },
                                [&](int i, int j, Vec<T> value) { value.store(v.at(index, i * side + j) + c); });
  }
}

/// dx += B d B^T of tile `tile`, from row `index` of d.
template <int taps, class T>
void leave_image(const ConvExtents& e, const TileGrid<T>& grid, const TileMatrix<T>& d, std::ptrdiff_t index,
                 std::ptrdiff_t tile, T* dx) {
  constexpr int side = tile_side(taps);
  const TileInput at(e, grid, tile);
  T* to = dx + at.corner;
  std::ptrdiff_t line = at.line;
  if (!at.inside) {
    line = static_cast<std::ptrdiff_t>(side) * e.c;
    to = workspace<T>(Work::pad, static_cast<std::size_t>(side * line));
    std::fill_n(to, side * line, T{0});
  }
  for (int c = 0; c < e.c; c += lanes<T>) {
    transform<ToImage<taps>, T>([&](int i, int j) { return Vec<T>::load(d.at(index, i * side + j) + c); },
                                [&](int i, int j, Vec<T> value) {
                                  T* sum = to + i * line + j * e.c + c;
                                  (Vec<T>::load(sum) + value).store(sum);
                                });
  }
  if (at.inside) return;
  at.for_rows(e, side, [&](int i, int begin, int count) {
    T* sums = dx + at.corner + i * at.line + begin * e.c;
    for (int k = 0; k < count * e.c; ++k) sums[k] += to[i * line + begin * e.c + k];
  });
}

/// Where a tile's outputs lie, pooled or not.
struct TileOutput {
  int rows, columns;  ///< of the tile that there are
  std::ptrdiff_t corner, line;
  template <class T>
  TileOutput(const ConvExtents& e, const TileGrid<T>& grid, std::ptrdiff_t tile, bool pool) {
    const int each = pool ? tile_outputs / 2 : tile_outputs, h = pool ? e.oh / 2 : e.oh, w = pool ? e.ow / 2 : e.ow;
    const int place = static_cast<int>(tile % grid.tiles());
    const int top = place / grid.tw * each, left = place % grid.tw * each;
    rows = std::min(each, h - top);
    columns = std::min(each, w - left);
    line = static_cast<std::ptrdiff_t>(w) * e.oc;
    corner = tile / grid.tiles() * h * line + top * line + static_cast<std::ptrdiff_t>(left) * e.oc;
  }
};

/// A convolution's output and its gradient.
template <class T>
struct OutputSide {
  const T* y = nullptr;
  const std::uint8_t* argmax = nullptr;
  const T* dy = nullptr;  ///< without a pool gone through the activation already
  Epilogue epilogue{};
};

/// A dy A^T of tile `tile`, to row `index` of z.
template <int taps, class T>
void enter_gradient(const ConvExtents& e, const TileGrid<T>& grid, const OutputSide<T>& out, std::ptrdiff_t tile,
                    const TileMatrix<T>& z, std::ptrdiff_t index) {
  using V = Vec<T>;
  constexpr int side = tile_side(taps), m = tile_outputs;
  const bool pool = out.epilogue.pool;
  const TileOutput at(e, grid, tile, pool);
  const V zero = V::all(T{0}), alpha = V::all(static_cast<T>(out.epilogue.alpha));
  const int shrink = pool ? 2 : 1;
  for (int c = 0; c < e.oc; c += lanes<T>) {
    V dy[m][m];
    for (int i = 0; i < m; i += shrink) {
      for (int j = 0; j < m; j += shrink) {
        const bool there = i / shrink < at.rows && j / shrink < at.columns;
        const std::ptrdiff_t from = at.corner + i / shrink * at.line + j / shrink * e.oc + c;
        const V g = there ? V::load(out.dy + from) : zero;
        if (!pool || !there) {
          for (int k = 0; k < shrink * shrink; ++k) dy[i + k / 2][j + k % 2] = g;
          continue;
        }
        V through_act = g;
        with_act(out.epilogue.act, [&](auto act) { through_act = through<act.value>(alpha, V::load(out.y + from), g); });
        const V which = load_bytes<T>(out.argmax + from);
        for (int k = 0; k < 4; ++k) {
          dy[i + k / 2][j + k % 2] = V::choose(equal(which, V::all(static_cast<T>(k))), through_act, zero);
        }
      }
    }
    transform<OfOutput<taps>, T>([&](int i, int j) { return dy[i][j]; },
                                 [&](int i, int j, V value) { value.store(z.at(index, i * side + j) + c); });
  }
}

/// y, pooled if so, = the activation of A^T s A + bias (or null) of tile `tile`, from row `index` of s.
template <int taps, class T>
void leave_outputs(const ConvExtents& e, const TileGrid<T>& grid, const TileMatrix<T>& s, std::ptrdiff_t index,
                   std::ptrdiff_t tile, const T* bias, const Epilogue& epilogue, T* y, std::uint8_t* argmax) {
  using V = Vec<T>;
  constexpr int side = tile_side(taps), m = tile_outputs;
  const TileOutput at(e, grid, tile, epilogue.pool);
  const V alpha = V::all(static_cast<T>(epilogue.alpha));
  const int shrink = epilogue.pool ? 2 : 1;
  for (int c = 0; c < e.oc; c += lanes<T>) {
    const V shift = bias != nullptr ? V::load(bias + c) : V::all(T{0});
    V out[m][m];
    transform<ToOutput<taps>, T>([&](int i, int j) { return V::load(s.at(index, i * side + j) + c); },
                                 [&](int i, int j, V value) { out[i][j] = value + shift; });
    with_act(epilogue.act, [&](auto act) {
      for (int i = 0; i < at.rows; ++i) {
        for (int j = 0; j < at.columns; ++j) {
          const std::ptrdiff_t to = at.corner + i * at.line + j * e.oc + c;
          V best = activate<act.value>(alpha, out[i * shrink][j * shrink]);
          if (epilogue.pool) {
            V which = V::all(T{0});
            for (int k = 1; k < 4; ++k) {  // the first of equal numbers wins, and a NaN over all
              const V other = activate<act.value>(alpha, out[2 * i + k / 2][2 * j + k % 2]);
              const auto better = above_or_nan(other, best);
              best = V::choose(better, other, best);
              which = V::choose(better, V::all(static_cast<T>(k)), which);
            }
            if (argmax != nullptr) store_bytes(which, argmax + to);
          }
          best.store(y + to);
        }
      }
    });
  }
}

}  // namespace detail
}  // namespace kernel
GRAFT_END

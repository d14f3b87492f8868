#pragma once
/// \file winograd.hpp  3x3 and 5x5 convolutions by Winograd's minimal filtering (Lavin & Gray 2016, section 4): 4 x 4
/// outputs at a time from tiles of 6 x 6 or 8 x 8 inputs, by 36 products of channels in place of 144, or 64 in place of 400.
///
/// Forward a tile is y = A^T [(G w G^T) . (B^T x B)] A, with . element by element; summed over channels, that is as many
/// matrix products as a tile has inputs. Both gradients are the exact transpose: dx = B [(G w G^T) . (A dy A^T)] B^T, added up
/// where tiles overlap, and dw = G^T [(B^T x B) . (A dy A^T)] G. The numbers are those of the plain sum but for rounding, which
/// is some ten times as large; a number that is not finite reaches its whole tile.
#include "graft/config.hpp"
#include "graft/core/buffer.hpp"
#include "graft/core/device.hpp"
#include "graft/core/parallel.hpp"
#include "graft/core/precision.hpp"
#include "graft/kernel/cpu/conv2d.hpp"
#include "graft/kernel/cpu/winograd_parts.hpp"
#include "graft/kernel/cpu/winograd_tiles.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

GRAFT_BEGIN
namespace kernel {
namespace detail {

/// out[tile, column] = sum over c of in[tile, c] * kernels[c, column] for rows [begin, end) of point p.
template <class T>
void multiply_point(const TileGrid<T>& grid, const TileMatrix<T>& in, const T* kernels, const TileMatrix<T>& out, int p,
                    Range rows, int depth, int columns) {
  const std::ptrdiff_t start = 0;
  const auto panel = [&](int column, int vectors) {
    const int width = vectors * lanes<T>;
    const int cuts = (depth + panel_depth<T>(vectors) - 1) / panel_depth<T>(vectors);
    for (int cut = 0; cut < cuts; ++cut) {
      const Range steps = chunk(depth, cuts, cut);
      TileArgs<T> t;
      t.a = in.at(rows.begin, p) + steps.begin;
      t.pixel_stride = in.row;
      t.step = 1;
      t.offset = &start;
      t.length = static_cast<int>(steps.size());
      t.b = kernels + (static_cast<std::ptrdiff_t>(grid.points()) * column + static_cast<std::ptrdiff_t>(p) * width) * depth +
            steps.begin * width;
      t.b_stride = width;
      t.out = out.at(rows.begin, p) + column;
      t.out_stride = out.row;
      t.add = cut > 0;
      run_tiles(t, static_cast<int>(rows.size()), vectors);
    }
  };
  for_panels<T>(columns, panel, max_gathered);
}

/// `units` tiles, or samples of `each` tiles, in blocks: enter(tile, in, row) for every tile, the products with `kernels`, and
/// leave(tile, out, row) for every tile. Two units may leave at the same time, not two tiles of one.
template <class T, class Enter, class Leave>
void through_points(const TileGrid<T>& grid, std::ptrdiff_t units, int each, int depth, int columns, const T* kernels,
                    const Enter& enter, const Leave& leave) {
  const std::ptrdiff_t of_block = std::max(1, grid.block / each);
  const int blocks = static_cast<int>((units + of_block - 1) / of_block);
  if (!grid.apart) {
    return parallel_for(blocks, [&](int block) {
      const Range task = chunk(units, blocks, block);
      const int rounds = static_cast<int>((task.size() * each + grid.block - 1) / grid.block);
      const std::ptrdiff_t most = (task.size() * each + rounds - 1) / rounds;
      const TileMatrix<T> in(Work::tile, grid.points(), most, depth), out(Work::partial, grid.points(), most, columns);
      for (int round = 0; round < rounds; ++round) {
        const Range part = chunk(task.size() * each, rounds, round);
        const std::ptrdiff_t first = task.begin * each + part.begin;
        for (std::ptrdiff_t i = 0; i < part.size(); ++i) enter(first + i, in, i);
        for (int p = 0; p < grid.points(); ++p)
          multiply_point(grid, in, kernels, out, p, Range{0, part.size()}, depth, columns);
        for (std::ptrdiff_t i = 0; i < part.size(); ++i) leave(first + i, out, i);
      }
    });
  }
  for (int block = 0; block < blocks; ++block) {
    const Range range = chunk(units, blocks, block);
    const std::ptrdiff_t tiles = range.size() * each, first = range.begin * each;
    const TileMatrix<T> in(Work::tile, grid.points(), tiles, depth), out(Work::partial, grid.points(), tiles, columns);
    const auto shared_out = [&](std::ptrdiff_t count, int at_least, const auto& body) {
      const int pieces = static_cast<int>((count + at_least - 1) / at_least);
      parallel_for(pieces, [&](int piece) {
        const Range part = chunk(count, pieces, piece);
        for (std::ptrdiff_t i = part.begin; i < part.end; ++i) body(i);
      });
    };
    shared_out(tiles, 4, [&](std::ptrdiff_t i) { enter(first + i, in, i); });
    shared_out(grid.points(), 1, [&](std::ptrdiff_t p) {
      multiply_point(grid, in, kernels, out, static_cast<int>(p), Range{0, tiles}, depth, columns);
    });
    shared_out(range.size(), each == 1 ? 4 : 1, [&](std::ptrdiff_t unit) {
      for (std::ptrdiff_t i = unit * each; i < (unit + 1) * each; ++i) leave(first + i, out, i);
    });
  }
}

/// dw += G^T [(B^T x B) . (A dy A^T)] G.
template <int taps, class T>
void winograd_weights(const ConvExtents& e, const T* x, const OutputSide<T>& side, T* dw) {
  const TileGrid<T> grid(e);
  const int each = grid.tiles();
  const int tile_bytes = grid.points() * (e.c + e.oc) * static_cast<int>(sizeof(T));
  const int together = std::max(1, (8 << 20) / (tile_bytes * each));  // samples
  const int blocks = (e.n + together - 1) / together, panels = panel_count<T>(e.oc);
  const Gather shape{.out_c = e.oc};
  const std::ptrdiff_t start = 0;
  T* du = workspace<T>(
      Work::pack_b, static_cast<std::size_t>(grid.points()) * static_cast<std::size_t>(e.c) * static_cast<std::size_t>(e.oc));
  for (int block = 0; block < blocks; ++block) {
    const Range samples = chunk(e.n, blocks, block);
    const std::ptrdiff_t tiles = samples.size() * each, first = samples.begin * each;
    const TileMatrix<T> v(Work::tile, grid.points(), tiles, e.c), z(Work::partial, grid.points(), tiles, e.oc);
    const int pieces = static_cast<int>((tiles + 15) / 16);
    parallel_for(pieces, [&](int piece) {
      const Range part = chunk(tiles, pieces, piece);
      for (std::ptrdiff_t i = part.begin; i < part.end; ++i) {
        enter_image<taps>(e, grid, x, first + i, v, i);
        enter_gradient<taps>(e, grid, side, first + i, z, i);
      }
    });
    parallel_for(grid.points() * panels, [&](int task) {
      const int p = task / panels;
      const Panel panel = panel_at<T>(shape, task % panels);
      const int width = panel.vectors * lanes<T>;
      const int cuts = static_cast<int>((tiles + panel_depth<T>(panel.vectors) - 1) / panel_depth<T>(panel.vectors));
      for (int cut = 0; cut < cuts; ++cut) {
        const Range steps = chunk(tiles, cuts, cut);
        TileArgs<T> t;
        t.a = v.at(steps.begin, p);
        t.pixel_stride = 1;
        t.step = v.row;
        t.offset = &start;
        t.length = static_cast<int>(steps.size());
        t.b = z.at(steps.begin, p) + panel.column;
        t.b_stride = z.row;
        t.out = du + (static_cast<std::ptrdiff_t>(grid.points()) * panel.column + static_cast<std::ptrdiff_t>(p) * width) * e.c;
        t.out_stride = width;
        t.add = block > 0 || cut > 0;
        run_tiles(t, e.c, panel.vectors);
      }
    });
  }
  transform_kernel_gradients<taps>(e.c, e.oc, du, true, dw);
}

}  // namespace detail

/// Why the convolutions of Winograd<Cpu> run this one as Cpu's do, or null where they run it by tiles.
template <class T>
const char* winograd_declines(const ConvExtents& e) {
  if (e.kh != e.kw || (e.kh != 3 && e.kh != 5)) return "the kernel is neither 3x3 nor 5x5";
  if (e.sh != 1 || e.sw != 1 || e.dh != 1 || e.dw != 1 || e.groups != 1) return "strides, dilation or groups";
  if (e.c < 16 || e.oc < 16) return "fewer than 16 channels";
  if (e.c % lanes<T> != 0 || e.oc % lanes<T> != 0) return "the channels do not fill a vector";
  const double tiles = static_cast<double>(e.n) * detail::TileGrid<T>(e).tiles();
  // The kernels' transform, in tiles: bound by memory, and dearer where its result leaves the caches.
  const double transform = static_cast<double>(sizeof(T)) * detail::tile_points(e.kh) * e.c * e.oc < (4 << 20) ? 16.0 : 60.0;
  const bool saves =
      detail::tile_points(e.kh) * (tiles + transform) < 0.75 * static_cast<double>(e.n) * e.oh * e.ow * e.kh * e.kw;
  return saves ? nullptr : "too few pixels";
}

/// See conv2d_forward() of Cpu.
template <class T>
void conv2d_forward(Winograd<Cpu>, const ConvExtents& e, const T* x, const T* w, const T* b, const Epilogue& epilogue, T* y,
                    std::uint8_t* argmax, const T* packed = nullptr) {
  if (winograd_declines<T>(e) != nullptr) return conv2d_forward(Cpu{}, e, x, w, b, epilogue, y, argmax, packed);
  const detail::TileGrid<T> grid(e);
  const auto run = [&](auto taps) {
    const T* kernels = detail::transform_kernels<taps.value>(e.c, e.oc, false, w, true);
    detail::through_points(
        grid, static_cast<std::ptrdiff_t>(e.n) * grid.tiles(), 1, e.c, e.oc, kernels,
        [&](std::ptrdiff_t tile, const detail::TileMatrix<T>& in, std::ptrdiff_t row) {
          detail::enter_image<taps.value>(e, grid, x, tile, in, row);
        },
        [&](std::ptrdiff_t tile, const detail::TileMatrix<T>& out, std::ptrdiff_t row) {
          detail::leave_outputs<taps.value>(e, grid, out, row, tile, b, epilogue, y, argmax);
        });
  };
  if (e.kh == 3) return run(std::integral_constant<int, 3>{});
  run(std::integral_constant<int, 5>{});
}

/// See conv2d_backward() of Cpu.
template <class T>
void conv2d_backward(Winograd<Cpu>, const ConvExtents& e, const T* x, const T* w, const T* y, const std::uint8_t* argmax, T* dy,
                     const Epilogue& epilogue, T* dx, T* dw, T* db) {
  if (winograd_declines<T>(e) != nullptr) return conv2d_backward(Cpu{}, e, x, w, y, argmax, dy, epilogue, dx, dw, db);
  const detail::TileGrid<T> grid(e);
  if (!epilogue.pool) detail::mask_gradient(epilogue, static_cast<std::ptrdiff_t>(e.n) * e.oh * e.ow * e.oc, y, dy, true);
  if (db != nullptr) detail::conv2d_weights(e, x, y, argmax, dy, epilogue, static_cast<T*>(nullptr), db);
  const detail::OutputSide<T> side{y, argmax, dy, epilogue};
  const auto run = [&](auto taps) {
    if (dw != nullptr) detail::winograd_weights<taps.value>(e, x, side, dw);
    if (dx == nullptr) return;
    const T* kernels = detail::transform_kernels<taps.value>(e.c, e.oc, true, w, true);
    const std::ptrdiff_t size = static_cast<std::ptrdiff_t>(e.h) * e.w * e.c;
    detail::through_points(
        grid, e.n, grid.tiles(), e.oc, e.c, kernels,
        [&](std::ptrdiff_t tile, const detail::TileMatrix<T>& in, std::ptrdiff_t row) {
          detail::enter_gradient<taps.value>(e, grid, side, tile, in, row);
        },
        [&](std::ptrdiff_t tile, const detail::TileMatrix<T>& out, std::ptrdiff_t row) {
          if (tile % grid.tiles() == 0) std::fill_n(dx + tile / grid.tiles() * size, size, T{0});
          detail::leave_image<taps.value>(e, grid, out, row, tile, dx);
        });
  };
  if (e.kh == 3) return run(std::integral_constant<int, 3>{});
  run(std::integral_constant<int, 5>{});
}

/// What they do, for GRAFT_TRACE.
template <class T>
GRAFT_COLD std::string describe_winograd(const ConvExtents& e) {
  const detail::TileGrid<T> grid(e);
  const std::string side = std::to_string(grid.side);
  return "Winograd: " + std::to_string(grid.tiles()) + " tiles of " + side + "x" + side + " a sample, " +
         std::to_string(grid.points()) + " products of channels each in place of " +
         std::to_string(detail::tile_outputs * detail::tile_outputs * e.kh * e.kw) + "; " +
         (grid.apart ? "transforms and products in turn (a task's would leave the second cache)" : "a block of tiles a task");
}

}  // namespace kernel
GRAFT_END

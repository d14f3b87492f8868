#pragma once
/// \file gemm.hpp  The general matrix product on the register tile of tile.hpp. A task is (a block of rows, a few panels of
/// columns); it brings one block of steps of a panel after the other into its first cache and runs all its rows over it, so
/// that nothing is packed beforehand. How a product is cut depends on the extents only.
#include "graft/config.hpp"
#include "graft/core/buffer.hpp"
#include "graft/core/device.hpp"
#include "graft/core/parallel.hpp"
#include "graft/kernel/cpu/conv_gather.hpp"
#include "graft/kernel/cpu/tile.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>

GRAFT_BEGIN
namespace kernel {
namespace detail {

/// A task's rows and panels: tasks enough to share out, but as many rows as stay in the second cache, because each task packs
/// its panels anew (a transposed panel costs more), and as many panels, because each task reads its rows anew.
struct ProductCut {
  int blocks = 1;  ///< of rows
  int groups = 1;  ///< of panels
};
constexpr ProductCut cut_product(int m, int panels, bool transposed) {
  ProductCut cut;
  cut.blocks = (m + 191) / 192;
  const int least = transposed ? 128 : 64;
  while (cut.blocks * panels < fixed_chunks && m / (cut.blocks + 1) >= least) ++cut.blocks;
  const int most = std::max(1, std::min(8, panels * cut.blocks / fixed_chunks));
  cut.groups = (panels + most - 1) / most;
  return cut;
}

/// Whether few enough rows use a panel of B that it stays where it stands.
template <class T>
constexpr bool unpacked(bool transposed, int rows, int vectors, int real) {
  return !transposed && real == vectors * lanes<T> && rows <= 2 * max_pixels(vectors);
}

/// A row distance at which the rows of a tile fall on few sets of the first cache.
template <class T>
constexpr bool clashes(std::ptrdiff_t stride) {
  return stride * static_cast<std::ptrdiff_t>(sizeof(T)) % 4096 == 0;
}
template <class T>
constexpr bool copies_rows(int m, std::ptrdiff_t lda) {
  return m > 8 && clashes<T>(lda);
}
constexpr bool worth_a_team(int m, int n, int k) { return static_cast<double>(m) * n * k > 1e6; }

/// Calls finish(row, rows, column, count, sums, stride) with sums[i * stride + j] = (op(A) op(B))[row + i, column + j] for i <
/// rows and j < count; there are whole vectors of sums.
template <class T, class Finish>
void product(bool ta, bool tb, int m, int n, int k, const T* a, std::ptrdiff_t lda, const T* b, std::ptrdiff_t ldb,
             const Finish& finish) {
  if (m <= 0 || n <= 0) return;
  const bool worth = worth_a_team(m, n, k);
  const int width = padded<T>(n);
  const int panels = panel_count<T>(n, max_gathered);
  const ProductCut cut = cut_product(m, panels, tb);
  const bool copy_a = copies_rows<T>(m, lda);
  parallel_for(
      cut.blocks * cut.groups,
      [&](int task) {
        const Range rows = chunk(m, cut.blocks, task % cut.blocks);
        const Range group = chunk(panels, cut.groups, task / cut.blocks);
        const int count = static_cast<int>(rows.size());
        const int depth = panel_depth<T>(panels > 1 ? max_gathered : width / lanes<T>);
        const int cuts = std::max(1, (k + depth - 1) / depth);
        constexpr int widest = max_gathered * lanes<T>;
        const std::ptrdiff_t panel_lines = static_cast<std::ptrdiff_t>(count) * widest;
        T* lines = workspace<T>(Work::tile, static_cast<std::size_t>(panel_lines * group.size()));
        T* packed = workspace<T>(Work::pack_b, static_cast<std::size_t>(depth) * static_cast<std::size_t>(widest));
        const std::ptrdiff_t room_stride = padded<T>(ta ? count : depth) + lanes<T>;
        T* room = copy_a ? workspace<T>(Work::pack_a,
                                        static_cast<std::size_t>(ta ? depth : count) * static_cast<std::size_t>(room_stride))
                         : nullptr;
        const std::ptrdiff_t start = 0;
        for (int part = 0; part < cuts; ++part) {
          const Range steps = chunk(k, cuts, part);
          const int length = static_cast<int>(steps.size());
          TileArgs<T> t;
          t.offset = &start;
          t.a = ta ? a + steps.begin * lda + rows.begin : a + rows.begin * lda + steps.begin;
          std::ptrdiff_t stride = lda;
          if (room != nullptr) {
            for (int i = 0; i < (ta ? length : count); ++i) {
              std::memcpy(room + i * room_stride, t.a + i * lda, static_cast<std::size_t>(ta ? count : length) * sizeof(T));
            }
            t.a = room;
            stride = room_stride;
          }
          t.pixel_stride = ta ? 1 : stride;
          t.step = ta ? stride : 1;
          t.length = length;
          t.add = part > 0;
          int which = 0;
          for_panels<T>(
              width,
              [&](int column, int vectors) {
                const int index = which++;
                if (index < group.begin || index >= group.end) return;
                const int real = std::min(vectors * lanes<T>, n - column);
                t.out = lines + (index - group.begin) * panel_lines;
                t.out_stride = vectors * lanes<T>;
                t.b_stride = t.out_stride;
                if (unpacked<T>(tb, count, vectors, real)) {
                  t.b = b + steps.begin * ldb + column;
                  t.b_stride = ldb;
                } else {
                  if (tb) {
                    pack_panel_transposed(length, real, vectors, b + column * ldb + steps.begin, ldb, packed);
                  } else {
                    pack_panel(length, real, vectors, b + steps.begin * ldb + column, ldb, packed);
                  }
                  t.b = packed;
                }
                run_tiles(t, count, vectors);
              },
              max_gathered);
        }
        int which = 0;
        for_panels<T>(
            width,
            [&](int column, int vectors) {
              const int index = which++;
              if (index < group.begin || index >= group.end) return;
              finish(static_cast<int>(rows.begin), count, column, std::min(vectors * lanes<T>, n - column),
                     lines + (index - group.begin) * panel_lines, vectors * lanes<T>);
            },
            max_gathered);
      },
      worth);
}

}  // namespace detail

/// C = alpha op(A) op(B) + beta C, row-major. op(A) is m x k (A is k x m when `ta`), op(B) is k x n (B is n x k when `tb`);
/// lda, ldb, ldc are the distances of stored rows. With beta 0, C is not read; with alpha 0 or k 0, A and B are not.
template <class T>
void gemm(Cpu, bool ta, bool tb, int m, int n, int k, T alpha, const T* a, std::ptrdiff_t lda, const T* b, std::ptrdiff_t ldb,
          T beta, T* c, std::ptrdiff_t ldc) {
  if (alpha == T{0} || k <= 0) {  // A and B may be null
    for (int i = 0; i < m; ++i) {
      for (int j = 0; j < n; ++j) c[i * ldc + j] = beta == T{0} ? T{0} : beta * c[i * ldc + j];
    }
    return;
  }
  const auto finish = [=](int row, int rows, int column, int count, const T* sums, int stride) {
    for (int i = 0; i < rows; ++i) {
      T* to = c + (row + i) * ldc + column;
      const T* from = sums + static_cast<std::ptrdiff_t>(i) * stride;
      if (beta == T{0}) {
        for (int j = 0; j < count; ++j) to[j] = alpha * from[j];
      } else {
        for (int j = 0; j < count; ++j) to[j] = beta * to[j] + alpha * from[j];
      }
    }
  };
  detail::product(ta, tb, m, n, k, a, lda, b, ldb, finish);
}

}  // namespace kernel
GRAFT_END

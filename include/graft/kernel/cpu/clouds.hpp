#pragma once
/// \file clouds.hpp  Two clouds of points around their own means, in the layouts from which kernel_matrix.hpp makes the matrix
/// of their distances and weighted sums of them.
#include "graft/config.hpp"
#include "graft/core/buffer.hpp"
#include "graft/core/parallel.hpp"
#include "graft/kernel/cpu/tile.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

GRAFT_BEGIN
namespace kernel {
namespace detail {

constexpr bool worth_a_team_of_pairs(int n, int d) { return static_cast<double>(n) * n * d > 1e5; }

/// Two clouds around their own means, cut into blocks of rows that do not straddle them. Columns of a block are padded to whole
/// vectors. With `packed` the blocks also stand transposed, as the Gram matrix reads its second factor; the second product
/// takes rows as they are, since what one core packs another has to fetch.
template <class T>
struct Clouds {
  int nx = 0, ny = 0, d = 0;
  int blocks_x = 0, blocks_y = 0;
  int most = 0;                            ///< rows of the longest block, padded
  T* z = nullptr;                          ///< (nx + ny) x d: rows minus the mean of their cloud; a panel may read past it
  T* turned = nullptr;                     ///< each block transposed, most x d numbers apart, in panels
  double* shift = nullptr;                 ///< d: the mean of y minus that of x
  T *within = nullptr, *across = nullptr;  ///< (nx + ny): |z|^2, and the row's share of a distance to the other cloud
  double total = 0.0;                      ///< sum over all i, j of |z_i - z_j|^2
  [[nodiscard]] int rows() const { return nx + ny; }
  [[nodiscard]] int blocks() const { return blocks_x + blocks_y; }
  [[nodiscard]] Range block(int i) const {
    if (i < blocks_x) return chunk(nx, blocks_x, i);
    const Range r = chunk(ny, blocks_y, i - blocks_x);
    return {r.begin + nx, r.end + nx};
  }
  [[nodiscard]] std::ptrdiff_t slot(int i, int j) const {  ///< where the block (i, j), j <= i, is held
    return (static_cast<std::ptrdiff_t>(i) * (i + 1) / 2 + j) * most * most;
  }
  [[nodiscard]] const T* turned_block(int i) const { return turned + static_cast<std::ptrdiff_t>(i) * most * d; }

  Clouds() = default;
  Clouds(int rows_x, int rows_y, int width, const T* x, const T* y, bool packed) : nx(rows_x), ny(rows_y), d(width) {
    const std::size_t n = static_cast<std::size_t>(rows());
    const std::size_t columns = static_cast<std::size_t>(d);
    const int size = n > 1024 ? 176 : 64;  // rows of an odd number of lines spread over the first cache
    blocks_x = (nx + size - 1) / size;
    blocks_y = (ny + size - 1) / size;
    most = padded<T>(std::max((nx + blocks_x - 1) / blocks_x, (ny + blocks_y - 1) / blocks_y));
    const std::size_t pieces = static_cast<std::size_t>(blocks());
    const std::size_t each = static_cast<std::size_t>(most);
    z = workspace<T>(Work::pack_a, n * columns + lanes<T>);
    std::fill_n(z + n * columns, lanes<T>, T{0});
    if (packed) turned = workspace<T>(Work::pack_b, pieces * each * columns);
    within = workspace<T>(Work::tile, 2 * n);
    across = within + n;
    double* mean = workspace<double>(Work::reduce, 3 * columns + pieces);
    shift = mean + 2 * columns;
    double* sums = shift + columns;
    const bool worth = static_cast<double>(n) * d > 2e4;
    means(x, y, mean, worth);
    double gap = 0.0;
    for (int k = 0; k < d; ++k) {
      shift[k] = mean[d + k] - mean[k];
      gap += shift[k] * shift[k];
    }
    parallel_for(
        blocks(),
        [&](int piece) {
          double squares = 0.0;
          for (std::ptrdiff_t i = block(piece).begin; i < block(piece).end; ++i) {
            const bool of_x = i < nx;
            const auto [q, along] = centre(of_x ? x + i * d : y + (i - nx) * d, of_x ? mean : mean + d, z + i * d);
            squares += q;
            within[i] = static_cast<T>(q);
            across[i] = static_cast<T>(of_x ? q - 2.0 * along : q + 2.0 * along + gap);
          }
          sums[piece] = squares;
          if (packed) pack(block(piece), turned + static_cast<std::ptrdiff_t>(piece) * most * d);
        },
        worth);
    double squares = 0.0;
    for (int piece = 0; piece < blocks(); ++piece) squares += sums[piece];
    total = 2.0 * rows() * squares + 2.0 * static_cast<double>(nx) * static_cast<double>(ny) * gap;
  }

 private:
  /// Column means of both clouds, one after the other; a task has some of the columns and all rows.
  void means(const T* x, const T* y, double* mean, bool worth) const {
    const int slices = (d + 63) / 64;
    parallel_for(
        2 * slices,
        [&](int task) {
          const bool of_x = task < slices;
          const T* from = of_x ? x : y;
          const int count = of_x ? nx : ny;
          double* to = of_x ? mean : mean + d;
          const Range columns = chunk(d, slices, task % slices);
          std::fill(to + columns.begin, to + columns.end, 0.0);
          for (std::ptrdiff_t i = 0; i < count; ++i) {
            for (std::ptrdiff_t k = columns.begin; k < columns.end; ++k) to[k] += static_cast<double>(from[i * d + k]);
          }
          for (std::ptrdiff_t k = columns.begin; k < columns.end; ++k) to[k] /= count;
        },
        worth);
  }
  /// A row minus its cloud's mean, its square and its product with shift; in fixed lanes, which a compiler may keep in vectors.
  std::pair<double, double> centre(const T* from, const double* mean, T* to) const {
    constexpr int lines = 16;
    double q[lines] = {}, along[lines] = {};
    const auto one = [&](int k, int l) {
      to[k] = static_cast<T>(static_cast<double>(from[k]) - mean[k]);
      q[l] += static_cast<double>(to[k]) * static_cast<double>(to[k]);
      along[l] += static_cast<double>(to[k]) * shift[k];
    };
    int k = 0;
    for (; k + lines <= d; k += lines) {
      for (int l = 0; l < lines; ++l) one(k + l, l);
    }
    for (; k < d; ++k) one(k, 0);
    for (int l = 1; l < lines; ++l) {
      q[0] += q[l];
      along[0] += along[l];
    }
    return {q[0], along[0]};
  }
  void pack(Range taken, T* to) const {
    const int count = static_cast<int>(taken.size());
    const T* from = z + taken.begin * d;
    for_panels<T>(
        padded<T>(count),
        [&](int column, int vectors) {
          pack_panel_transposed(d, std::min(vectors * lanes<T>, count - column), vectors,
                                from + static_cast<std::ptrdiff_t>(column) * d, d,
                                to + static_cast<std::ptrdiff_t>(column) * d);
        },
        max_gathered);
  }
};

/// The clouds as the tasks of loops see them. Each thread has its own where that is little to do twice: a line that one core
/// writes and another reads is paid for by both, in every step.
template <class T>
class CloudsOfThreads {
 public:
  CloudsOfThreads(int nx, int ny, int d, const T* x, const T* y, bool packed)
      : nx_(nx), ny_(ny), d_(d), x_(x), y_(y), packed_(packed), apart_((static_cast<double>(nx) + ny) * d <= 1e5) {
    static std::atomic<std::uint64_t> calls{0};
    call_ = ++calls;
    if (apart_) {
      parallel_for(
          threads(), [&](int) { (void)here(); }, worth_a_team_of_pairs(nx + ny, d));
    } else {
      all_ = Clouds<T>(nx, ny, d, x, y, packed);
    }
  }
  /// Those of the calling thread, good until this thread makes others.
  [[nodiscard]] const Clouds<T>& here() const {
    if (!apart_) return all_;
    thread_local Clouds<T> own;
    thread_local std::uint64_t call = 0;
    if (call != call_) own = Clouds<T>(nx_, ny_, d_, x_, y_, packed_);
    call = call_;
    return own;
  }

 private:
  int nx_, ny_, d_;
  const T *x_, *y_;
  bool packed_, apart_;
  std::uint64_t call_ = 0;
  Clouds<T> all_;
};

}  // namespace detail
}  // namespace kernel
GRAFT_END

#pragma once
/// \file conv_tasks.hpp  The tasks that threads take of a convolution's output.
#include "graft/config.hpp"
#include "graft/core/parallel.hpp"
#include "graft/kernel/cpu/conv_gather.hpp"

#include <algorithm>
#include <cstddef>

GRAFT_BEGIN
namespace kernel {
namespace detail {

/// Samples of a task whose tiles go across them.
template <class T>
int samples_across(const Gather& g) {
  return max_pixels(panel_at<T>(g, 0).vectors);
}
/// Whether tiles across samples are worth it, where most outputs see padding: there are tasks for all threads, and what a task
/// reads stays in the second cache.
template <class T>
bool worth_across(const Gather& g) {
  const int samples = samples_across<T>(g);
  return g.n / samples * panel_count<T>(g.group_out(), g.widest) >= fixed_chunks &&
         samples * g.in_size() * static_cast<std::ptrdiff_t>(sizeof(T)) <= 200000;
}

/// How the output is cut into tasks: whole samples together when they are small, blocks of rows of one sample when they are
/// large, blocks of pixels when the output is one long row (a product). `unit` rows stay together (2 under a pool). Sums that
/// wait for further steps (not `at_once`) are to stay in the first cache.
struct Cut {
  bool one_row = false;
  int samples = 1;          ///< a task's samples
  int blocks = 1;           ///< tasks a sample (or, of a product, in all)
  int units = 0, unit = 1;  ///< of a sample's rows
  int panels = 1;           ///< tasks are also apart by panel
  int total = 0;
  [[nodiscard]] int places() const { return total / panels; }
};
template <class T>
Cut cut_tasks(const Gather& g, int unit, int panels, std::size_t weight_bytes, bool alone, bool at_once) {
  Cut cut;
  cut.unit = unit;
  cut.units = g.out_h / unit;
  const bool big = weight_bytes > (std::size_t{1} << 20);
  const int most = big ? 256 : at_once ? 448 : 128;  // pixels
  cut.panels = big ? panels : 1;
  cut.one_row = g.out_h == 1 && g.n == 1 && !g.spread();  // else a tap's outputs are spread over the row
  if (cut.one_row) {
    cut.blocks = std::max(1, std::min((g.out_w + 7) / 8, std::max((g.out_w + most - 1) / most, fixed_chunks / cut.panels)));
    cut.total = cut.blocks * cut.panels;
    return cut;
  }
  if (g.across) {
    cut.panels = panels;
    cut.samples = samples_across<T>(g);
    cut.total = (g.n + cut.samples - 1) / cut.samples * cut.panels;
    return cut;
  }
  const int row_pixels = unit * g.out_w;
  const int rows = std::max(1, most / std::max(1, row_pixels));
  if (rows >= cut.units && !alone) {
    const int room = std::max(1, most / std::max(1, cut.units * row_pixels));
    cut.samples = std::max(1, std::min(room, g.n / fixed_chunks));
  }
  cut.blocks = std::max(1, (cut.units + rows - 1) / rows);
  if (cut.samples == 1) cut.blocks = std::max(cut.blocks, std::min(cut.units, fixed_chunks / (g.n * cut.panels)));
  cut.blocks = std::max(cut.blocks, 1);
  cut.total = (cut.samples > 1 ? (g.n + cut.samples - 1) / cut.samples : g.n * cut.blocks) * cut.panels;
  return cut;
}

/// Runs body(strips, count, pixels, first panel, end panel) for every task of a cut.
template <class T, class Body>
void for_tasks(const Gather& g, const Cut& cut, int panels, bool worth, const Body& body) {
  parallel_for(
      cut.total,
      [&](int task) {
        const int place = task % cut.places();
        const int which = task / cut.places();
        const int from = cut.panels > 1 ? which : 0;
        const int until = cut.panels > 1 ? which + 1 : panels;
        if (cut.one_row) {
          const Range range = chunk(g.out_w, cut.blocks, place);
          if (range.size() == 0) return;
          const Strip strip{0, 0, static_cast<int>(range.begin), static_cast<int>(range.end)};
          body([&](int) { return strip; }, 1, strip.end - strip.begin, from, until);
        } else if (cut.samples > 1) {
          const int rows = cut.units * cut.unit;
          const int first = place * cut.samples;
          const int count = std::min(cut.samples, g.n - first) * rows;
          body([&](int i) { return Strip{first + i / rows, i % rows, 0, g.out_w}; }, count, g.out_w, from, until);
        } else {
          const int sample = place / cut.blocks;
          const Range range = chunk(cut.units, cut.blocks, place % cut.blocks);
          const int first = static_cast<int>(range.begin) * cut.unit;
          const int count = static_cast<int>(range.size()) * cut.unit;
          if (count == 0) return;
          body([&](int i) { return Strip{sample, first + i, 0, g.out_w}; }, count, g.out_w, from, until);
        }
      },
      worth);
}

}  // namespace detail
}  // namespace kernel
GRAFT_END

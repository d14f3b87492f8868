#pragma once
/// \file conv_gather.hpp  The loop nest that the forward pass and the data gradient of a convolution share: every output row
/// gathers from the input rows under its taps.
///
/// Taps that fall outside the image are left out, not multiplied by zero. Where the taps (kx, c) of a kernel row are contiguous
/// and all inside, they are one run of kw * c steps (`merged`); otherwise every kx is a pass over the output columns that it
/// reaches. The steps are cut into blocks that fit the first cache as a block of a panel of weights, and every block is used
/// for all rows of a task.
#include "graft/config.hpp"
#include "graft/core/buffer.hpp"
#include "graft/core/device.hpp"
#include "graft/core/parallel.hpp"
#include "graft/kernel/cpu/tile.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>

GRAFT_BEGIN
namespace kernel {
namespace detail {

/// Steps of a panel of `vectors` vectors that the first cache holds beside what else passes through it. Four vectors come from
/// the second fast enough: a row of them serves 24 products.
template <class T>
constexpr int panel_depth(int vectors) {
  const int bytes = vectors > 3 ? 200000 : vector_registers >= 32 ? 33000 : 18000;
  return std::max(32, bytes / (vectors * lanes<T> * static_cast<int>(sizeof(T))) / 8 * 8);
}

/// One pass: out[r, q] = sum over (ky, kx, c) of in[row(r, ky), column(q, kx), c] * weights[...].
struct Gather {
  bool transposed = false;  ///< data gradient: out is the image, in the gradient of the convolution's output
  bool merged = false;
  int n = 0;
  int out_h = 0, out_w = 0, out_c = 0;  ///< out_c: channels of all groups
  int in_h = 0, in_w = 0, in_c = 0;
  int groups = 1;
  int kh = 1, kw = 1, sh = 1, sw = 1, dh = 1, dw = 1, top = 0, left = 0;
  int unit = 1;              ///< numbers of a step: 2 where pairs are multiplied
  int widest = max_vectors;  ///< of a panel

  [[nodiscard]] int group_in() const { return in_c / groups; }
  [[nodiscard]] int group_out() const { return out_c / groups; }
  [[nodiscard]] int passes() const { return merged ? 1 : kw; }
  [[nodiscard]] int numbers() const { return merged ? kw * in_c : group_in(); }  ///< of one (pass, ky)
  [[nodiscard]] int run() const { return (numbers() + unit - 1) / unit; }        ///< its steps
  [[nodiscard]] int depth() const { return kh * passes() * run() * unit; }       ///< all numbers of an output
  [[nodiscard]] std::ptrdiff_t in_size() const { return static_cast<std::ptrdiff_t>(in_h) * in_w * in_c; }

  /// The input row that output row r sees through ky, or -1.
  [[nodiscard]] int row(int r, int ky) const {
    if (!transposed) {
      const int y = r * sh + ky * dh - top;
      return y < in_h ? std::max(y, -1) : -1;
    }
    const int y = r + top - ky * dh;
    return y >= 0 && y % sh == 0 && y / sh < in_h ? y / sh : -1;
  }
  struct Span {
    int out = 0, in = 0, count = 0;
  };
  /// The output columns of [begin, end) that see the image through kx (their distance is out_step), and the first's input
  /// column.
  [[nodiscard]] Span span(int kx, int begin, int end) const {
    if (merged) return {begin, begin * sw, end - begin};
    const int shift = kx * dw - left;  // image column = output column * sw + shift
    const int width = transposed ? in_w : end;
    const int image = transposed ? out_w : in_w;
    const int first = std::max(transposed ? 0 : begin, shift >= 0 ? 0 : (-shift + sw - 1) / sw);
    const int last = std::min(width, image - shift <= 0 ? 0 : (image - shift + sw - 1) / sw);
    if (last <= first) return {};
    return transposed ? Span{first * sw + shift, first, last - first} : Span{first, first * sw + shift, last - first};
  }
  [[nodiscard]] int out_step() const { return transposed ? sw : 1; }
  [[nodiscard]] int in_step() const { return transposed ? 1 : sw; }
  /// Whether every tap of every output lies inside the input.
  [[nodiscard]] bool reads_no_padding() const { return merged && !transposed && top == 0 && row(out_h - 1, kh - 1) >= 0; }
  /// Whether every output is reached by the first block of steps, so that nothing needs to be set to zero before.
  [[nodiscard]] bool covered() const {
    if (!merged) return false;
    return row(0, 0) >= 0 && row(out_h - 1, 0) >= 0 && (!transposed || sh == 1);
  }
};

/// A strip of output channels: `vectors` vectors from channel `column` of group `group`.
struct Panel {
  int group = 0, column = 0, vectors = 0, real = 0;
  std::ptrdiff_t packed = 0;  ///< where its weights begin
};
template <class T>
int panel_count(int channels, int widest = max_vectors) {
  return (padded<T>(channels) / lanes<T> + widest - 1) / widest;
}
template <class T>
Panel panel_at(const Gather& g, int index) {
  const int left = padded<T>(g.group_out()) / lanes<T>;
  const int each = panel_count<T>(g.group_out(), g.widest);
  const int small = left / each, large = left % each;  // as for_panels cuts them: the first `large` have one vector more
  const int at = index % each;
  Panel panel;
  panel.group = index / each;
  panel.vectors = at < large ? small + 1 : small;
  panel.column = (at * small + std::min(at, large)) * lanes<T>;
  panel.real = std::min(panel.vectors * lanes<T>, g.group_out() - panel.column);
  panel.packed = static_cast<std::ptrdiff_t>(g.depth()) *
                 (static_cast<std::ptrdiff_t>(panel.group) * padded<T>(g.group_out()) + panel.column);
  return panel;
}

/// Weights (HWIO) into panels, in the order in which the passes use them; to `packed`, or into the calling thread's
/// Work::pack_b.
template <class E, class T>
const E* pack_weights(const Gather& g, const T* w, bool worth, E* packed = nullptr) {
  const int panels = g.groups * panel_count<T>(g.group_out(), g.widest);
  const int cg = g.transposed ? g.group_out() : g.group_in();
  const int oc = g.transposed ? g.in_c : g.out_c;
  const int og = oc / g.groups;
  const int slots = g.passes() * g.kh;  // a slot: the steps of one (pass, ky)
  if (packed == nullptr) {
    packed =
        workspace<E>(Work::pack_b, static_cast<std::size_t>(g.depth()) * static_cast<std::size_t>(padded<T>(g.group_out())) *
                                       static_cast<std::size_t>(g.groups));
  }
  parallel_for(
      panels * slots,
      [&](int task) {
        const Panel panel = panel_at<T>(g, task / slots);
        const int slot = task % slots, pass = slot / g.kh, ky = slot % g.kh;
        const T* from = w + (static_cast<std::ptrdiff_t>(ky) * g.kw + pass) * cg * oc + panel.group * og;
        E* to = packed + panel.packed + static_cast<std::ptrdiff_t>(slot) * g.run() * g.unit * panel.vectors * lanes<T>;
        if (g.transposed) {
          pack_steps_transposed(og, panel.real, panel.vectors, from + static_cast<std::ptrdiff_t>(panel.column) * oc, oc, to);
        } else {
          pack_steps(g.numbers(), panel.real, panel.vectors, from + panel.column, oc, to);
        }
      },
      worth && g.depth() * g.group_out() > 16384);
  return packed;
}

/// Output pixels [begin, end) of row `row` of sample `sample`.
struct Strip {
  int sample = 0, row = 0, begin = 0, end = 0;
};

/// Reads `count` numbers line after line, so that they come from memory as one stream: the panels that use them take a few
/// lines of every pixel at a time, which no prefetcher follows. (Prefetch instructions were dropped: decisions/0014.)
template <class T>
void bring([[maybe_unused]] const T* from, [[maybe_unused]] std::ptrdiff_t count) {
#if defined(__GNUC__) && defined(__x86_64__)
  constexpr std::ptrdiff_t line = 64 / static_cast<std::ptrdiff_t>(sizeof(T));
  using Sum = std::conditional_t<std::is_same_v<T, bf16>, std::uint32_t, T>;
  Sum sum{0};
  for (std::ptrdiff_t i = 0; i < count; i += line) {
    if constexpr (std::is_same_v<T, bf16>) {
      sum += from[i].bits;
    } else {
      sum += from[i];
    }
  }
  asm volatile("" ::"rx"(sum));  // the loop must not vanish
#endif
}

/// bring() for what the strips from `a` to `z` see of `in`, where a pixel is long: a tile begins with a part of each of its few
/// pixels' numbers.
template <class T>
void bring_rows(const Gather& g, const Strip& a, const Strip& z, const T* in) {
  if (g.in_c * static_cast<int>(sizeof(T)) < 1024) return;
  if (g.n == 1 && g.out_h == 1 && g.in_h == 1 && g.kw == 1) {  // one long row
    bring(in + static_cast<std::ptrdiff_t>(a.begin) * g.in_c, static_cast<std::ptrdiff_t>(z.end - a.begin) * g.in_c);
    return;
  }
  const int reach = (g.kh - 1) * g.dh;
  const int first = g.transposed ? (a.row + g.top - reach) / g.sh : a.row * g.sh - g.top;
  const int last = g.transposed ? (z.row + g.top) / g.sh : z.row * g.sh - g.top + reach;
  const std::ptrdiff_t line = static_cast<std::ptrdiff_t>(g.in_w) * g.in_c;
  const std::ptrdiff_t begin = a.sample * g.in_size() + std::clamp(first, 0, g.in_h) * line;
  const std::ptrdiff_t end = z.sample * g.in_size() + std::clamp(last + 1, 0, g.in_h) * line;
  if (begin < end) bring(in + begin, end - begin);
}

/// Where the last block of steps may write its outputs itself, so that no second pass over them is needed.
template <class T>
struct Direct {
  T* y = nullptr;  ///< first number of this panel's channels; null: sums stay in `lines`
  const T* bias = nullptr;
  bool relu = false;
  bool past = false;
};

/// Sums of one panel over `count` strips, to `lines`: strip i's pixels at lines + i * pixels * width. in(sample) gives a
/// sample's input; its row 0 is row `first` of the whole.
template <class T, class E, class Strips, class In>
void gather_panel(const Gather& g, const Panel& panel, const E* packed, int count, int pixels, const Strips& strip,
                  const In& in, int first, T* lines, const Direct<T>& direct = {}) {
  constexpr int unit = Operand<T, E>::unit;
  const int width = panel.vectors * lanes<T>;
  const bool covered = g.covered();
  if (!covered) {
    std::memset(
        lines, 0,
        static_cast<std::size_t>(count) * static_cast<std::size_t>(pixels) * static_cast<std::size_t>(width) * sizeof(T));
  }
  const int most = panel_depth<T>(panel.vectors);
  const int run = g.run();
  const int pieces = (run + most - 1) / most;                                 // a long run is cut ...
  const int rows = pieces > 1 ? 1 : std::max(1, std::min(g.kh, most / run));  // ... short ones of several ky are taken together
  std::ptrdiff_t* offset = workspace<std::ptrdiff_t>(Work::reduce, 2 * static_cast<std::size_t>(rows));
  std::ptrdiff_t* b_offset = offset + rows;
  bool add = !covered;
  for (int pass = 0; pass < g.passes(); ++pass) {
    for (int ky = 0; ky < g.kh; ky += rows) {
      for (int piece = 0; piece < pieces; ++piece) {
        const Range steps = chunk(run, pieces, piece);
        TileArgs<T, E> t;
        t.pixel_stride = static_cast<std::ptrdiff_t>(g.in_step()) * g.in_c;
        t.step = unit;
        t.offset = offset;
        t.b_offset = b_offset;
        t.length = static_cast<int>(steps.size());
        t.b = packed + panel.packed + ((static_cast<std::ptrdiff_t>(pass) * g.kh + ky) * run + steps.begin) * width * unit;
        t.b_stride = width * unit;
        t.out_stride = static_cast<std::ptrdiff_t>(g.out_step()) * width;
        t.add = add;
        const bool last = direct.y != nullptr && ky + rows >= g.kh && piece + 1 == pieces;
        if (last) {
          t.bias = direct.bias;
          t.relu = direct.relu;
          t.past = direct.past;
        }
        const Strip front = strip(0);  // all strips of a task have the same columns
        const Gather::Span span = g.span(pass, front.begin, front.end);
        if (span.count <= 0) {
          add = true;
          continue;
        }
        for (int i = 0; i < count; ++i) {
          const Strip s = strip(i);
          t.segments = 0;
          for (int k = 0; k < std::min(rows, g.kh - ky); ++k) {
            const int y = g.row(s.row, ky + k);
            if (y < 0) continue;
            offset[t.segments] = static_cast<std::ptrdiff_t>(y - first) * g.in_w * g.in_c;
            b_offset[t.segments++] = static_cast<std::ptrdiff_t>(k) * run * width * unit;
          }
          if (t.segments == 0) continue;
          t.a = in(s.sample) + static_cast<std::ptrdiff_t>(span.in) * g.in_c + panel.group * g.group_in() + steps.begin * unit;
          t.out = lines + (static_cast<std::ptrdiff_t>(i) * pixels + span.out - s.begin) * width;
          if (last) {
            t.from = t.out;
            t.from_stride = width;
            t.out = direct.y + ((static_cast<std::ptrdiff_t>(s.sample) * g.out_h + s.row) * g.out_w + s.begin) * g.out_c;
            t.out_stride = g.out_c;
          }
          run_tiles(t, span.count, panel.vectors);
        }
        add = true;
      }
    }
  }
}

/// How the output is cut into tasks: whole samples together when they are small, blocks of rows of one sample when they are
/// large, blocks of pixels when the output is one long row (a product). `unit` rows stay together (2 under a pool).
struct Cut {
  bool one_row = false;
  int samples = 1;          ///< a task's samples
  int blocks = 1;           ///< tasks a sample (or, of a product, in all)
  int units = 0, unit = 1;  ///< of a sample's rows
  int panels = 1;           ///< tasks are also apart by panel
  int total = 0;
  [[nodiscard]] int places() const { return total / panels; }
};
inline Cut cut_tasks(const Gather& g, int unit, int panels, std::size_t weight_bytes, bool alone) {
  Cut cut;
  cut.unit = unit;
  cut.units = g.out_h / unit;
  const bool big = weight_bytes > (std::size_t{1} << 20);
  const int most = big ? 256 : 128;  // pixels
  cut.panels = big ? panels : 1;
  cut.one_row = g.out_h == 1 && g.n == 1 && (g.merged || !g.transposed);  // else a tap's outputs are spread over the row
  if (cut.one_row) {
    cut.blocks = std::max(1, std::min((g.out_w + 7) / 8, std::max((g.out_w + most - 1) / most, fixed_chunks / cut.panels)));
    cut.total = cut.blocks * cut.panels;
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

}  // namespace detail
}  // namespace kernel
GRAFT_END

#pragma once
/// \file conv_gather.hpp  The loop nest that the forward pass and the data gradient of a convolution share: every output row
/// gathers from the input rows under its taps.
///
/// Taps that fall outside the image are left out, not multiplied by zero. Where the taps (kx, c) of a kernel row are
/// contiguous, they are one run of kw * c steps (`merged`), a part of it for columns at the image's edges; otherwise every kx
/// is a pass over the output columns that it reaches. The steps are cut into blocks of a panel of weights that the caches keep,
/// and every block is used for all rows of a task.
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

/// Steps of a panel of `vectors` vectors that are taken in one go. Rows of three and four vectors come from the second cache
/// fast enough, as each serves 24 products; all others are to stay in the first, beside what else passes through it.
template <class T>
constexpr int panel_depth(int vectors) {
  const int bytes = vector_registers < 32 ? 18000 : vectors > 2 ? 300000 : 33000;
  return std::max(32, bytes / (vectors * lanes<T> * static_cast<int>(sizeof(T))) / 8 * 8);
}

/// out[r, q] = sum over (ky, kx, c) of in[row(r, ky), column(q, kx), c] * weights[...].
struct Gather {
  bool transposed = false;  ///< data gradient: out is the image, in the gradient of the convolution's output. Merged it is a
                            ///< forward pass with the kernel turned round, whose padding is what top and left then say
  bool merged = false;
  bool across = false;  ///< merged, and a tile's pixels are the same one of several samples: every pixel has its own taps
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

  /// Whether the taps of an output are spread over the input as the outputs of a forward pass are.
  [[nodiscard]] bool spread() const { return transposed && !merged; }
  /// The input row that output row r sees through ky, or -1.
  [[nodiscard]] int row(int r, int ky) const {
    if (!spread()) {
      const int y = r * sh + ky * dh - top;
      return y < in_h ? std::max(y, -1) : -1;
    }
    const int y = r + top - ky * dh;
    if (sh == 1) return y < in_h ? std::max(y, -1) : -1;  // no divisions: 1 % of a small image's time
    return y >= 0 && y % sh == 0 && y / sh < in_h ? y / sh : -1;
  }
  struct Span {
    int out = 0, in = 0, count = 0;
  };
  /// The output columns of [begin, end) that see the image through kx (their distance is out_step), and the first's input
  /// column.
  [[nodiscard]] Span span(int kx, int begin, int end) const {
    const int shift = kx * dw - left;  // image column = output column * sw + shift
    const int width = transposed ? in_w : end;
    const int image = transposed ? out_w : in_w;
    const int first = std::max(transposed ? 0 : begin, shift >= 0 ? 0 : (-shift + sw - 1) / sw);
    const int last = std::min(width, image - shift <= 0 ? 0 : (image - shift + sw - 1) / sw);
    if (last <= first) return {};
    return transposed ? Span{first * sw + shift, first, last - first} : Span{first, first * sw + shift, last - first};
  }
  [[nodiscard]] int out_step() const { return spread() ? sw : 1; }
  [[nodiscard]] int in_step() const { return spread() ? 1 : sw; }

  /// Of a merged pass: the output columns of [begin, end) whose taps are all inside the input.
  [[nodiscard]] Range inside(int begin, int end) const {
    const int room = in_w - 1 - (kw - 1) * dw + left;
    const int first = std::clamp(left > 0 ? (left + sw - 1) / sw : 0, begin, end);
    return {first, std::clamp(room >= 0 ? room / sw + 1 : 0, first, end)};
  }
  /// The kernel columns through which a merged pass's output column q sees the input.
  [[nodiscard]] Range kernel_columns(int q) const {
    const int column = q * sw - left;
    const int first = std::clamp(-column, 0, kw);
    return {first, std::clamp(in_w - column, first, kw)};
  }
  /// The kernel rows of [begin, end) through which a merged pass's output row r sees the input.
  [[nodiscard]] Range kernel_rows(int r, int begin, int end) const {
    while (begin < end && row(r, begin) < 0) ++begin;
    while (begin < end && row(r, end - 1) < 0) --end;
    return {begin, end};
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
        const int slot = task % slots, pass = slot / g.kh;
        const bool turned = g.transposed && g.merged;
        const int ky = turned ? g.kh - 1 - slot % g.kh : slot % g.kh;
        const T* from = w + (static_cast<std::ptrdiff_t>(ky) * g.kw + pass) * cg * oc + panel.group * og;
        E* to = packed + panel.packed + static_cast<std::ptrdiff_t>(slot) * g.run() * g.unit * panel.vectors * lanes<T>;
        if (g.transposed) {
          for (int kx = turned ? g.kw - 1 : 0; kx >= 0; --kx, to += og * panel.vectors * lanes<T>) {
            const std::ptrdiff_t at = (static_cast<std::ptrdiff_t>(kx) * cg + panel.column) * oc;
            pack_steps_transposed(og, panel.real, panel.vectors, from + at, oc, to);
          }
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
/// pixels' numbers. Of a product only where there are few registers (decisions/0028).
template <class T>
void bring_rows(const Gather& g, const Strip& a, const Strip& z, const T* in) {
  if (g.in_c * static_cast<int>(sizeof(T)) < 1024) return;
  if (g.n == 1 && g.out_h == 1 && g.in_h == 1 && g.kw == 1) {  // one long row
    if (vector_registers >= 32) return;
    bring(in + static_cast<std::ptrdiff_t>(a.begin) * g.in_c, static_cast<std::ptrdiff_t>(z.end - a.begin) * g.in_c);
    return;
  }
  const int reach = (g.kh - 1) * g.dh;
  const int first = g.spread() ? (a.row + g.top - reach) / g.sh : a.row * g.sh - g.top;
  const int last = g.spread() ? (z.row + g.top) / g.sh : z.row * g.sh - g.top + reach;
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

/// Where the input rows lie that output row r sees through `count` kernel rows from ky on, and their weights, of which a kernel
/// row has `step`: a tile's segments. How many they are. Not inlined: GCC lacked registers for it where it is called (2 % of a
/// small image's time).
[[gnu::noinline]] inline int segments_of(const Gather& g, int r, int ky, int count, int first, int step, std::ptrdiff_t* offset,
                                         std::ptrdiff_t* b_offset) {
  const std::ptrdiff_t line = static_cast<std::ptrdiff_t>(g.in_w) * g.in_c;
  int segments = 0;
  for (int k = 0; k < count; ++k) {
    const int y = g.row(r, ky + k);
    if (y < 0) continue;
    offset[segments] = (y - first) * line;
    b_offset[segments++] = static_cast<std::ptrdiff_t>(k) * step;
  }
  return segments;
}

/// Sums of one panel over `count` strips, to `lines`: strip i's pixels at lines + i * pixels * width. in(sample) gives a
/// sample's input; its row 0 is row `first` of the whole.
template <class T, class E, class Strips, class In>
void gather_panel(const Gather& g, const Panel& panel, const E* packed, int count, int pixels, const Strips& strip,
                  const In& in, int first, T* lines, const Direct<T>& direct = {}) {
  constexpr int unit = Operand<T, E>::unit;
  const int width = panel.vectors * lanes<T>;
  if (!g.merged) {  // else the first block of steps reaches all outputs
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
  const std::ptrdiff_t in_line = static_cast<std::ptrdiff_t>(g.in_w) * g.in_c;
  const Strip front = strip(0);  // all strips of a task have the same columns
  const Range inside = g.merged ? g.inside(front.begin, front.end) : Range{0, 0};
  const int samples = g.across ? strip(count - 1).sample - front.sample + 1 : 1;
  struct Apart {
    std::ptrdiff_t in, lines, out;  ///< in numbers of the input, pixels of a line and pixels of the output
  };
  const Apart beside{static_cast<std::ptrdiff_t>(g.in_step()) * g.in_c, g.out_step(), 1};
  const Apart below{g.sh * in_line, pixels, g.out_w};
  const Apart across{g.in_size(), static_cast<std::ptrdiff_t>(count / samples) * pixels,
                     static_cast<std::ptrdiff_t>(g.out_h) * g.out_w};
  TileArgs<T, E> t;
  t.step = unit;
  t.offset = offset;
  t.b_offset = b_offset;
  t.b_stride = width * unit;
  t.add = !g.merged;
  for (int pass = 0; pass < g.passes(); ++pass) {
    for (int ky = 0; ky < g.kh; ky += rows) {
      for (int piece = 0; piece < pieces; ++piece) {
        const Range steps = chunk(run, pieces, piece);
        const bool last = direct.y != nullptr && ky + rows >= g.kh && piece + 1 == pieces;
        if (last) {
          t.bias = direct.bias;
          t.relu = direct.relu;
          t.past = direct.past;
        }
        const auto find_segments = [&](int r) {
          t.segments = segments_of(g, r, ky, std::min(rows, g.kh - ky), first, run * width * unit, offset, b_offset);
        };
        // `number` pixels from strip i's output column `to` on, with steps [begin, end) of the runs from input column `from`
        // on.
        const auto run_pixels = [&](int i, int number, const Apart& apart, int to, int from, std::ptrdiff_t begin,
                                    std::ptrdiff_t end) {
          const Strip s = strip(i);
          if (end <= begin) t.segments = 0;
          if (t.segments == 0 && t.add && !last) return;  // else what has no taps is to be written as well
          t.length = static_cast<int>(std::max(std::ptrdiff_t{0}, end - begin));
          t.a = in(s.sample) + (static_cast<std::ptrdiff_t>(from) * g.in_c + panel.group * g.group_in() + begin * unit);
          t.pixel_stride = apart.in;
          t.b = packed + panel.packed + ((static_cast<std::ptrdiff_t>(pass) * g.kh + ky) * run + begin) * width * unit;
          t.out = lines + (static_cast<std::ptrdiff_t>(i) * pixels + to - s.begin) * width;
          t.out_stride = apart.lines * width;
          if (last) {
            t.from = t.out;
            t.from_stride = t.out_stride;
            t.out = direct.y + ((static_cast<std::ptrdiff_t>(s.sample) * g.out_h + s.row) * g.out_w + to) * g.out_c;
            t.out_stride = apart.out * g.out_c;
          }
          run_tiles(t, number, panel.vectors);
        };
        if (!g.merged) {
          const Gather::Span span = g.span(pass, front.begin, front.end);
          for (int i = 0; i < count && span.count > 0; ++i) {
            find_segments(strip(i).row);
            run_pixels(i, span.count, beside, span.out, span.in, steps.begin, steps.end);
          }
          continue;
        }
        // Column q of `number` strips of which all see what strip i sees.
        const auto run_column = [&](int i, int number, const Apart& apart, int q) {
          const Range taps = g.kernel_columns(q);
          find_segments(strip(i).row);
          run_pixels(i, number, apart, q, q * g.sw - g.left, std::max(steps.begin, taps.begin * g.in_c / unit),
                     std::min(steps.end, taps.end * g.in_c / unit));
        };
        if (g.across) {
          for (int r = 0; r < count / samples; ++r) {
            for (int q = front.begin; q < front.end; ++q) run_column(r, samples, across, q);
          }
          t.add = true;
          continue;
        }
        const int columns = static_cast<int>(inside.size()), middle = static_cast<int>(inside.begin);
        for (int i = 0; i < count && columns > 0; ++i) {
          find_segments(strip(i).row);
          run_pixels(i, columns, beside, middle, middle * g.sw - g.left, steps.begin, steps.end);
        }
        // Column q, at an edge, of all rows that see the input through the same kernel rows.
        const auto run_edge = [&](int q) {
          for (int i = 0, next = 0; i < count; i = next) {
            const Strip s = strip(i);
            const auto seen = [&](int k) { return g.kernel_rows(strip(k).row, ky, std::min(ky + rows, g.kh)); };
            const Range of_first = seen(i);
            for (next = i + 1; next < count && strip(next).sample == s.sample; ++next) {
              const Range of_next = seen(next);
              if (of_next.begin != of_first.begin || of_next.end != of_first.end) break;
            }
            run_column(i, next - i, below, q);
          }
        };
        for (int q = front.begin; q < middle; ++q) run_edge(q);
        for (int q = middle + columns; q < front.end; ++q) run_edge(q);
        t.add = true;
      }
    }
  }
}

}  // namespace detail
}  // namespace kernel
GRAFT_END

#pragma once
/// \file conv_weights.hpp  The weight gradient of a convolution: the register tile with taps as its rows and output pixels as
/// its steps.
///
/// A task is (a fixed part of the samples, a panel of output channels, a kernel row), or all panels and rows where their sums
/// are few, so that x and dy come from memory once. It brings blocks of dy of one panel, as large as the first cache allows,
/// through pooling and activation into a buffer, runs all its taps over them, and keeps its own sums; the sums of the parts of
/// the batch are added up in order at the end.
#include "graft/config.hpp"
#include "graft/kernel/cpu/conv_gather.hpp"
#include "graft/kernel/cpu/conv_parts.hpp"

GRAFT_BEGIN
namespace kernel {
namespace detail {

/// Output rows [begin, end) of samples [sample, sample + samples); more than one sample only with all of its rows.
struct Block {
  int sample = 0, samples = 1, begin = 0, end = 0;
};

/// How the weight gradient runs.
struct WeightsWay {
  bool merged = false;    ///< a kernel row's taps are one run
  bool copy = false;      ///< rows are copied between zeros first
  bool together = false;  ///< a task has all panels and kernel rows: their sums stay in the second cache
  int panels = 1;
  int parts = 1;   ///< tasks that share out the kernel rows, whose sums would not stay in the first cache
  int shares = 1;  ///< tasks that share out the panels
  int chunks = 1;  ///< parts of the batch
  bool worth = false;
};
template <class T>
WeightsWay weights_way(const ConvExtents& e) {
  WeightsWay way;
  const int og = e.oc / e.groups;
  const int depth = e.kh * e.kw * (e.c / e.groups);
  const bool wide = is_padded(e);
  const bool apart = e.groups > 1 || (e.dw > 1 && e.kw > 1);
  way.copy = wide && !apart && e.c < 16;
  way.merged = !apart && (way.copy || !wide);
  way.panels = e.groups * panel_count<T>(og);
  constexpr std::ptrdiff_t bytes_of_one = static_cast<std::ptrdiff_t>(sizeof(T));
  way.together = e.n >= fixed_chunks && static_cast<std::ptrdiff_t>(depth) * padded<T>(og) * e.groups * bytes_of_one <= 786432;
  way.parts = !way.together && depth * max_vectors * lanes<T> * bytes_of_one > 65536 ? e.kh : 1;
  way.shares = way.together ? 1 : way.panels;
  const int each = way.shares * way.parts;
  // At least four parts: what threads read at the same time, each for all its panels, then stays in the third cache.
  way.chunks = std::max(1, std::min({e.n, fixed_chunks, std::max(4, (2 * fixed_chunks + each - 1) / each)}));
  way.worth = static_cast<double>(e.n) * e.oh * e.ow * e.oc * depth > 5e5;
  return way;
}

/// How the sums of one part of the batch lie: those of all panels, then the bias's.
template <class T>
struct PartSize {
  std::ptrdiff_t weights, all;
  explicit PartSize(const Gather& g)
      : weights(static_cast<std::ptrdiff_t>(g.depth()) * padded<T>(g.group_out()) * g.groups),
        all(weights + static_cast<std::ptrdiff_t>(padded<T>(g.group_out())) * g.groups) {}
};

/// dw and db (null: not wanted) += the sums of the parts of the batch, in their order.
template <class T>
void add_parts(const Gather& g, int parts, const T* partial, bool worth, T* dw, T* db) {
  const PartSize<T> size(g);
  const int og = g.group_out(), depth = g.depth();
  if (dw != nullptr) {
    const int blocks = std::min(depth, fixed_chunks);
    parallel_for(
        g.groups * panel_count<T>(og) * blocks,
        [&](int task) {
          const Panel panel = panel_at<T>(g, task / blocks);
          const Range rows = chunk(depth, blocks, task % blocks);
          const int width = panel.vectors * lanes<T>;
          for (int k = 0; k < parts; ++k) {
            for (std::ptrdiff_t row = rows.begin; row < rows.end; ++row) {
              const T* from = partial + k * size.all + panel.packed + row * width;
              T* to = dw + row * g.out_c + panel.group * og + panel.column;
              for_panel_channels<T>(panel.real, [&](int c) { to[c] += from[c]; });
            }
          }
        },
        worth && size.all * parts > 65536);
  }
  for (int k = 0; k < parts && db != nullptr; ++k) {
    const T* from = partial + k * size.all + size.weights;
    for (int c = 0; c < g.out_c; ++c) db[c] += from[c / og * padded<T>(og) + c % og];
  }
}

/// dw += x (correlated with) g, db += sum of g, where g is the gradient of the convolution's own output, as expand_gradient
/// makes it.
template <class T>
void conv2d_weights(const ConvExtents& e, const T* x, const T* y, const std::uint8_t* argmax, const T* dy,
                    const Epilogue& epilogue, T* dw, T* db) {
  const WeightsWay way = weights_way<T>(e);
  const bool copy = way.copy, merged = way.merged, together = way.together, worth = way.worth;
  const int panels = way.panels, shares = way.shares, parts = way.parts, chunks = way.chunks;
  const int cg = e.c / e.groups;
  const int og = e.oc / e.groups;
  const int in_w = copy ? (e.ow - 1) * e.sw + (e.kw - 1) * e.dw + 1 : e.w;
  const std::ptrdiff_t in_size = static_cast<std::ptrdiff_t>(e.h) * e.w * e.c;
  const std::ptrdiff_t out_size = epilogue.pool ? static_cast<std::ptrdiff_t>(e.oh / 2) * (e.ow / 2) * e.oc
                                                : static_cast<std::ptrdiff_t>(e.oh) * e.ow * e.oc;
  const Gather shape{.n = e.n,
                     .out_h = e.oh,
                     .out_w = e.ow,
                     .out_c = e.oc,
                     .in_h = e.h,
                     .in_w = e.w,
                     .in_c = e.c,
                     .groups = e.groups,
                     .kh = e.kh,
                     .kw = e.kw};
  const std::ptrdiff_t weight_part = PartSize<T>(shape).weights, part_size = PartSize<T>(shape).all;
  T* partial = workspace<T>(Work::partial, static_cast<std::size_t>(part_size * chunks));
  const int wanted = dw != nullptr ? parts : 1;

  // Blocks of pixels: rows of one sample, or several whole samples.
  const int unit = epilogue.pool ? 2 : 1;
  // They are to stay in the first cache beside x, or, where x is short or each of its pixels serves many taps, in the second.
  const bool serves_many = e.c < 16 || e.kh * e.kw >= 4 * e.sh * e.sw;
  const int bytes = vector_registers < 32 ? 16384 : serves_many ? 100000 : 28672;
  constexpr int bytes_of_one = sizeof(T);
  parallel_for(
      chunks * shares * wanted,
      [&](int task) {
        const int part = task % wanted;
        const int first_panel = task / wanted % shares;
        const int end_panel = together ? panels : first_panel + 1;
        const int index = task / wanted / shares;
        const Range range = chunk(e.n, chunks, index);
        const int widest = panel_at<T>(shape, first_panel).vectors * lanes<T>;
        const int ky_begin = dw == nullptr ? 0 : static_cast<int>(chunk(e.kh, parts, part).begin);
        const int ky_end = dw == nullptr ? 0 : static_cast<int>(chunk(e.kh, parts, part).end);
        for (int which = first_panel; which < end_panel; ++which) {
          const Panel panel = panel_at<T>(shape, which);
          const std::ptrdiff_t row_size = static_cast<std::ptrdiff_t>(e.kw) * cg * panel.vectors * lanes<T>;
          std::memset(partial + index * part_size + panel.packed + ky_begin * row_size, 0,
                      static_cast<std::size_t>((ky_end - ky_begin) * row_size) * sizeof(T));
          if (part == 0) {
            std::memset(partial + index * part_size + weight_part + panel.group * padded<T>(og) + panel.column, 0,
                        static_cast<std::size_t>(panel.vectors * lanes<T>) * sizeof(T));
          }
        }

        const int pixels = std::max(unit * e.ow, bytes / (widest * static_cast<int>(sizeof(T))));
        const int fit = std::max(1, pixels / (unit * e.ow)) * unit;  // rows
        const int rows = std::min(fit, (e.oh + unit - 1) / unit * unit);
        const int blocks = (e.oh + rows - 1) / rows;
        const int samples = blocks == 1 && !copy ? std::max(1, pixels / (e.oh * e.ow)) : 1;
        const int level =
            blocks > 1 ? ((e.oh + blocks - 1) / blocks + unit - 1) / unit * unit : e.oh;  // rows of a block, evenly
        T* gradient =
            workspace<T>(Work::unpool, static_cast<std::size_t>(samples) * static_cast<std::size_t>(std::max(level, rows)) *
                                           static_cast<std::size_t>(e.ow) * static_cast<std::size_t>(widest));
        std::ptrdiff_t* offset =
            workspace<std::ptrdiff_t>(Work::reduce, 2 * static_cast<std::size_t>(samples) * static_cast<std::size_t>(e.oh));
        std::ptrdiff_t* b_offset = offset + static_cast<std::ptrdiff_t>(samples) * e.oh;

        const auto block_of = [&](const Block& block, const Panel& panel) {
          const int width = panel.vectors * lanes<T>;
          T* own = partial + index * part_size + panel.packed;
          T* bias_sums = partial + index * part_size + weight_part + panel.group * padded<T>(og) + panel.column;
          const int height = block.end - block.begin;
          const std::ptrdiff_t filled = static_cast<std::ptrdiff_t>(height) * e.ow * width;
          if (part == 0 && db != nullptr) {
            const int shrink = epilogue.pool ? 2 : 1;
            const int count = (block.end / shrink - block.begin / shrink) * (e.ow / shrink);
            for (int s = 0; s < block.samples; ++s) {
              const std::ptrdiff_t at = (block.sample + s) * out_size + panel.group * og + panel.column +
                                        static_cast<std::ptrdiff_t>(block.begin / shrink) * (e.ow / shrink) * e.oc;
              sum_gradient(epilogue, count, panel.real, e.oc, dy + at, y != nullptr ? y + at : nullptr, bias_sums);
            }
          }
          if (dw == nullptr) return;
          const bool in_place = !epilogue.pool && panel.real == width && e.oc * bytes_of_one <= 256;
          for (int s = 0; s < block.samples && !in_place; ++s) {
            const std::ptrdiff_t at = (block.sample + s) * out_size + panel.group * og + panel.column;
            expand_gradient(e, epilogue, dy + at, y != nullptr ? y + at : nullptr, argmax != nullptr ? argmax + at : nullptr,
                            block.begin, block.end, panel.real, width, gradient + s * filled);
          }
          const T* image = x + block.sample * in_size;
          if (copy) {
            const std::size_t reach = static_cast<std::size_t>((height - 1) * e.sh + (e.kh - 1) * e.dh + 1);
            T* room = workspace<T>(Work::pad, reach * static_cast<std::size_t>(in_w) * static_cast<std::size_t>(e.c));
            image = pad_rows(e, image, block.begin, block.end, in_w, room);
          }
          TileArgs<T> t;
          t.pixel_stride = 1;
          t.step = static_cast<std::ptrdiff_t>(e.sw) * e.c;
          t.offset = offset;
          t.b_offset = b_offset;
          t.b = gradient;
          t.b_stride = width;
          std::ptrdiff_t sample_size = filled;
          if (in_place) {
            t.b = dy + block.sample * out_size + static_cast<std::ptrdiff_t>(block.begin) * e.ow * e.oc + panel.group * og +
                  panel.column;
            t.b_stride = e.oc;
            sample_size = out_size;
          }
          t.out_stride = width;
          t.add = true;
          const int top = copy ? 0 : e.top;
          const int left = copy ? 0 : e.left;
          const int in_h = copy ? (e.oh - 1) * e.sh + (e.kh - 1) * e.dh + 1 : e.h;
          const int shown = copy ? block.begin * e.sh : 0;  // image's first row
          for (int ky = ky_begin; ky < ky_end; ++ky) {
            for (int kx = 0; kx < (merged ? 1 : e.kw); ++kx) {
              const int shift = kx * e.dw - left;
              const int from = merged || shift >= 0 ? 0 : (-shift + e.sw - 1) / e.sw;
              const int until = merged ? e.ow : std::min(e.ow, e.w - shift <= 0 ? 0 : (e.w - shift + e.sw - 1) / e.sw);
              if (until <= from) continue;
              t.segments = 0;
              for (int s = 0; s < block.samples; ++s) {
                for (int r = block.begin; r < block.end; ++r) {
                  const int iy = r * e.sh + ky * e.dh - top;
                  if (iy < 0 || iy >= in_h) continue;
                  offset[t.segments] = s * in_size + static_cast<std::ptrdiff_t>(iy - shown) * in_w * e.c;
                  b_offset[t.segments++] =
                      s * sample_size + (static_cast<std::ptrdiff_t>(r - block.begin) * e.ow + from) * t.b_stride;
                }
              }
              if (t.segments == 0) continue;
              t.length = until - from;
              if (is_product(e)) {  // the rows follow one another
                t.length *= t.segments;
                t.segments = 1;
              }
              t.a = image + (static_cast<std::ptrdiff_t>(from) * e.sw + (merged ? 0 : shift)) * e.c + panel.group * cg;
              t.out = own + (static_cast<std::ptrdiff_t>(ky) * e.kw + kx) * cg * width;
              run_tiles(t, merged ? e.kw * cg : cg, panel.vectors);
            }
          }
        };
        for (int sample = static_cast<int>(range.begin); sample < range.end; sample += samples) {
          const int taken = std::min(samples, static_cast<int>(range.end) - sample);
          for (int row = 0; row < e.oh; row += level) {
            if (together && !epilogue.pool) {
              const std::ptrdiff_t line = static_cast<std::ptrdiff_t>(e.ow) * e.oc;
              bring(dy + sample * out_size + row * line,
                    taken > 1 ? taken * out_size : (std::min(e.oh, row + level) - row) * line);
            }
            for (int which = first_panel; which < end_panel; ++which) {
              block_of({sample, taken, row, std::min(e.oh, row + level)}, panel_at<T>(shape, which));
            }
          }
        }
      },
      worth);

  add_parts(shape, chunks, partial, worth, dw, db);
}

}  // namespace detail
}  // namespace kernel
GRAFT_END

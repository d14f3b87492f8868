#pragma once
/// \file conv2d.hpp  2-D convolution on NHWC, forward and backward, on the register tile of tile.hpp. No im2col buffer; weights are packed
/// once a call; whatever a sample needs besides lies in the worker's workspace.
#include "graft/config.hpp"
#include "graft/kernel/cpu/conv_parts.hpp"

GRAFT_BEGIN
namespace kernel {

/// y = pool(act(conv(x, w) + b)). x: n x h x w x c; w: kh x kw x c/groups x oc; b: oc or null; y: n x oh x ow x oc, or with e.pool
/// n x oh/2 x ow/2 x oc and argmax (0..3 in row-major order of the window, null in inference) of the same extents.
template <class T>
void conv2d_forward(Cpu, const ConvExtents& extents, const T* x, const T* w, const T* b, const Epilogue& epilogue, T* y,
                    std::uint8_t* argmax) {
  ConvExtents e = extents;
  const bool padding = detail::is_padded(e);
  if (e.kh == 1 && e.kw == 1 && e.sh == 1 && e.sw == 1 && !padding && !epilogue.pool) {  // a product: all pixels are rows of one matrix
    e.ow = e.w = e.n * e.h * e.w;
    e.oh = e.h = e.n = 1;
  }
  const int wide = padding ? (e.ow - 1) * e.sw + (e.kw - 1) * e.dw + 1 : e.w;
  const detail::Taps taps = detail::taps_of(e, wide);
  const int cg = e.c / e.groups;
  const int og = e.oc / e.groups;
  const int width = padded<T>(og);
  const int depth = e.kh * e.kw * cg;
  const std::ptrdiff_t pack = static_cast<std::ptrdiff_t>(depth) * width;
  T* packed = workspace<T>(Work::pack_b, static_cast<std::size_t>(pack * e.groups));
  for (int g = 0; g < e.groups; ++g) pack_panels(depth, og, w + g * og, e.oc, packed + g * pack);

  // A task is a block of output rows of one sample, or for a single wide row (a product) a block of its pixels.
  const int unit = epilogue.pool ? 2 : 1;
  const int rows = epilogue.pool ? e.oh / 2 * 2 : e.oh;
  const bool one_row = e.oh == 1 && e.n == 1;
  const int want = one_row ? std::max(1, (e.ow + 47) / 48) : std::max(1, 16 / e.n);
  const int blocks = one_row ? want : std::min(want, std::max(1, rows / unit));
  const double work = 2.0 * e.n * e.oh * e.ow * static_cast<double>(e.oc) * depth;
  parallel_for(e.n * blocks, [&](int task) {
    const int sample = task / blocks;
    Range block = chunk(one_row ? e.ow : rows / unit, blocks, task % blocks);
    const int first = one_row ? 0 : static_cast<int>(block.begin) * unit;
    const int end = one_row ? 1 : static_cast<int>(block.end) * unit;
    const int x0 = one_row ? static_cast<int>(block.begin) : 0;
    const int pixels = one_row ? static_cast<int>(block.size()) : e.ow;
    if (end <= first || pixels <= 0) return;
    const T* image = x + static_cast<std::ptrdiff_t>(sample) * e.h * e.w * e.c;
    int top_row = 0;  // output row that the image pointer's first row belongs to
    if (padding) {
      const int reach = (end - 1 - first) * e.sh + (e.kh - 1) * e.dh + 1;
      T* room = workspace<T>(Work::pad, static_cast<std::size_t>(reach) * static_cast<std::size_t>(wide) * static_cast<std::size_t>(e.c));
      image = detail::pad_rows(e, image, first, end, wide, room);
      top_row = first;
    }
    T* line = workspace<T>(Work::tile, static_cast<std::size_t>(unit) * static_cast<std::size_t>(pixels) * static_cast<std::size_t>(width));
    for (int row = first; row < end; row += unit) {
      for (int g = 0; g < e.groups; ++g) {
        for (int half = 0; half < unit; ++half) {
          for_panels<T>(width, [&](int column, int vectors) {
            TileArgs<T> t;
            t.a = image + (static_cast<std::ptrdiff_t>(row + half - top_row) * e.sh * wide + static_cast<std::ptrdiff_t>(x0) * e.sw) * e.c + g * cg;
            t.pixel_stride = static_cast<std::ptrdiff_t>(e.sw) * e.c;
            t.step = 1;
            t.offset = taps.offset;
            t.segments = taps.segments;
            t.length = taps.length;
            t.b = packed + g * pack + static_cast<std::ptrdiff_t>(column) * depth;
            t.b_stride = vectors * lanes<T>;
            t.out = line + static_cast<std::ptrdiff_t>(half) * pixels * width + column;
            t.out_stride = width;
            run_tiles(t, pixels, vectors);
          });
        }
        const T* bias = b != nullptr ? b + g * og : nullptr;
        if (epilogue.pool) {
          const std::ptrdiff_t at = ((static_cast<std::ptrdiff_t>(sample) * (e.oh / 2) + row / 2) * (e.ow / 2)) * e.oc + g * og;
          if (e.groups == 1) {
            detail::finish_pooled(line, line + static_cast<std::ptrdiff_t>(pixels) * width, width, e.ow / 2, og, bias, epilogue, y + at,
                                  argmax != nullptr ? argmax + at : nullptr);
          } else {
            for (int p = 0; p < e.ow / 2; ++p) {
              const std::ptrdiff_t to = at + static_cast<std::ptrdiff_t>(p) * e.oc;
              detail::finish_pooled(line + 2 * static_cast<std::ptrdiff_t>(p) * width, line + static_cast<std::ptrdiff_t>(pixels + 2 * p) * width,
                                    width, 1, og, bias, epilogue, y + to, argmax != nullptr ? argmax + to : nullptr);
            }
          }
        } else {
          const std::ptrdiff_t at = ((static_cast<std::ptrdiff_t>(sample) * e.oh + row) * e.ow + x0) * e.oc + g * og;
          if (e.groups == 1) {
            detail::finish_row(line, width, pixels, og, bias, epilogue, y + at);
          } else {
            for (int p = 0; p < pixels; ++p) {
              detail::finish_row(line + static_cast<std::ptrdiff_t>(p) * width, width, 1, og, bias, epilogue,
                                 y + at + static_cast<std::ptrdiff_t>(p) * e.oc);
            }
          }
        }
      }
    }
  }, work > 1e5);
}

/// The gradients of conv2d_forward: dx (null: not wanted) is overwritten, dw and db (null: not wanted) are added to. y and argmax are
/// what forward gave; dy has y's extents.
template <class T>
void conv2d_backward(Cpu, const ConvExtents& e, const T* x, const T* w, const T* y, const std::uint8_t* argmax, T* dy,
                     const Epilogue& epilogue, T* dx, T* dw, T* db) {
  const bool padding = detail::is_padded(e);
  const int wide = padding ? (e.ow - 1) * e.sw + (e.kw - 1) * e.dw + 1 : e.w;
  const detail::Taps taps = detail::taps_of(e, wide);
  const int cg = e.c / e.groups;
  const int og = e.oc / e.groups;
  const int width = padded<T>(og);    // channels of a group's output gradient, in whole vectors
  const int wide_c = padded<T>(cg);   // channels of a group's input gradient
  const int depth = e.kh * e.kw * cg;
  const int tap_count = e.kh * e.kw;
  const int pixels = e.oh * e.ow;
  const std::ptrdiff_t in_size = static_cast<std::ptrdiff_t>(e.h) * e.w * e.c;
  const std::ptrdiff_t out_size = epilogue.pool ? static_cast<std::ptrdiff_t>(e.oh / 2) * (e.ow / 2) * e.oc : static_cast<std::ptrdiff_t>(pixels) * e.oc;

  // dx = dy w^T, tap by tap: each tap's weights as an og x cg matrix.
  const std::ptrdiff_t pack = static_cast<std::ptrdiff_t>(og) * wide_c;
  T* packed = nullptr;
  if (dx != nullptr) {
    packed = workspace<T>(Work::pack_b, static_cast<std::size_t>(pack * tap_count * e.groups));
    for (int g = 0; g < e.groups; ++g) {
      for (int tap = 0; tap < tap_count; ++tap) {
        pack_panels_transposed(og, cg, w + static_cast<std::ptrdiff_t>(tap) * cg * e.oc + g * og, e.oc, packed + (g * tap_count + tap) * pack);
      }
    }
  }

  // Every chunk of samples sums its own weight gradient; the chunks are added up in order afterwards.
  const int chunks = std::min(fixed_chunks, e.n);
  const std::ptrdiff_t weight_part = dw != nullptr ? static_cast<std::ptrdiff_t>(depth) * width * e.groups : 0;
  const std::ptrdiff_t part = weight_part + (db != nullptr ? e.oc : 0);
  T* partial = workspace<T>(Work::partial, static_cast<std::size_t>(part * chunks));
  const double work = 2.0 * e.n * pixels * static_cast<double>(e.oc) * depth;
  parallel_for(chunks, [&](int index) {
    const Range range = chunk(e.n, chunks, index);
    T* own = partial + index * part;
    std::memset(own, 0, static_cast<std::size_t>(part) * sizeof(T));
    const std::size_t expanded = static_cast<std::size_t>(pixels) * static_cast<std::size_t>(width);
    T* gradient = workspace<T>(Work::unpool, expanded * static_cast<std::size_t>(e.groups));
    T* room = padding && dw != nullptr
                  ? workspace<T>(Work::pad, static_cast<std::size_t>((e.oh - 1) * e.sh + (e.kh - 1) * e.dh + 1) *
                                                static_cast<std::size_t>(wide) * static_cast<std::size_t>(e.c))
                  : nullptr;
    std::ptrdiff_t* lines = workspace<std::ptrdiff_t>(Work::pack_a, static_cast<std::size_t>(e.oh));
    for (int r = 0; r < e.oh; ++r) lines[r] = static_cast<std::ptrdiff_t>(r) * e.sh * wide * e.c;
    const bool local = dx != nullptr && (wide_c != cg || e.groups > 1);  // whole vectors would write over a neighbour's channels
    T* image_gradient = local ? workspace<T>(Work::image, static_cast<std::size_t>(e.h) * static_cast<std::size_t>(e.w) * static_cast<std::size_t>(wide_c)) : nullptr;

    for (std::ptrdiff_t sample = range.begin; sample < range.end; ++sample) {
      T* dy_sample = dy + sample * out_size;
      const T* y_sample = y != nullptr ? y + sample * out_size : nullptr;
      const std::uint8_t* arg = argmax != nullptr ? argmax + sample * out_size : nullptr;
      const T* g_all = gradient;
      if (e.groups == 1) {
        if (epilogue.act == Act::none && !epilogue.pool && width == e.oc) {
          g_all = dy_sample;
        } else {
          detail::expand_gradient(e, epilogue, dy_sample, y_sample, arg, width, gradient);
        }
      } else {  // each group's channels beside each other
        T* flat = workspace<T>(Work::pairwise, static_cast<std::size_t>(pixels) * static_cast<std::size_t>(e.oc));
        detail::expand_gradient(e, epilogue, dy_sample, y_sample, arg, e.oc, flat);
        for (int g = 0; g < e.groups; ++g) {
          T* to = gradient + static_cast<std::ptrdiff_t>(g) * pixels * width;
          for (int p = 0; p < pixels; ++p) {
            for (int c = 0; c < og; ++c) to[static_cast<std::ptrdiff_t>(p) * width + c] = flat[static_cast<std::ptrdiff_t>(p) * e.oc + g * og + c];
            for (int c = og; c < width; ++c) to[static_cast<std::ptrdiff_t>(p) * width + c] = T{0};
          }
        }
      }
      const T* image = x + sample * in_size;
      if (room != nullptr) image = detail::pad_rows(e, image, 0, e.oh, wide, room);
      for (int g = 0; g < e.groups; ++g) {
        const T* grad = g_all + static_cast<std::ptrdiff_t>(g) * pixels * width;
        if (db != nullptr) {
          T* sums = own + weight_part + g * og;
          for (int p = 0; p < pixels; ++p) {
            const T* from = grad + static_cast<std::ptrdiff_t>(p) * width;
            for (int c = 0; c < og; ++c) sums[c] += from[c];
          }
        }
        if (dw != nullptr) {
          for_panels<T>(width, [&](int column, int vectors) {
            for (int s = 0; s < taps.segments; ++s) {
              TileArgs<T> t;
              t.a = image + taps.offset[s] + g * cg;
              t.pixel_stride = 1;
              t.step = static_cast<std::ptrdiff_t>(e.sw) * e.c;
              t.offset = lines;
              t.segments = e.oh;
              t.length = e.ow;
              t.b = grad + column;
              t.b_stride = width;
              t.out = own + (static_cast<std::ptrdiff_t>(g) * depth + static_cast<std::ptrdiff_t>(s) * taps.length) * width + column;
              t.out_stride = width;
              t.add = true;
              run_tiles(t, taps.length, vectors);
            }
          });
        }
        if (dx != nullptr) {
          T* to = local ? image_gradient : dx + sample * in_size;
          const int channels = local ? wide_c : e.c;
          std::memset(to, 0, static_cast<std::size_t>(e.h) * static_cast<std::size_t>(e.w) * static_cast<std::size_t>(channels) * sizeof(T));
          const std::ptrdiff_t start = 0;
          for (int tap = 0; tap < tap_count; ++tap) {
            const int ky = tap / e.kw * e.dh - e.top;
            const int kx = tap % e.kw * e.dw - e.left;
            // output columns whose window has this tap inside the image
            const int from = kx >= 0 ? 0 : (-kx + e.sw - 1) / e.sw;
            const int until = std::min(e.ow, e.w - 1 - kx < 0 ? 0 : (e.w - 1 - kx) / e.sw + 1);
            if (until <= from) continue;
            for_panels<T>(wide_c, [&](int column, int vectors) {
              for (int row = 0; row < e.oh; ++row) {
                const int iy = row * e.sh + ky;
                if (iy < 0 || iy >= e.h) continue;
                TileArgs<T> t;
                t.a = grad + (static_cast<std::ptrdiff_t>(row) * e.ow + from) * width;
                t.pixel_stride = width;
                t.step = 1;
                t.offset = &start;
                t.segments = 1;
                t.length = og;
                t.b = packed + (g * tap_count + tap) * pack + static_cast<std::ptrdiff_t>(column) * og;
                t.b_stride = vectors * lanes<T>;
                t.out = to + (static_cast<std::ptrdiff_t>(iy) * e.w + from * e.sw + kx) * channels + column;
                t.out_stride = static_cast<std::ptrdiff_t>(e.sw) * channels;
                t.add = true;
                run_tiles(t, until - from, vectors);
              }
            });
          }
          if (local) {
            T* final_to = dx + sample * in_size + g * cg;
            for (int p = 0; p < e.h * e.w; ++p) {
              std::memcpy(final_to + static_cast<std::ptrdiff_t>(p) * e.c, to + static_cast<std::ptrdiff_t>(p) * wide_c, static_cast<std::size_t>(cg) * sizeof(T));
            }
          }
        }
      }
    }
  }, work > 1e5);

  if (dw != nullptr) {
    const int rows = depth * e.groups;
    parallel_for(std::min(fixed_chunks, rows), [&](int index) {
      const Range range = chunk(rows, std::min(fixed_chunks, rows), index);
      for (std::ptrdiff_t row = range.begin; row < range.end; ++row) {
        const std::ptrdiff_t g = row / depth;
        T* to = dw + (row % depth) * e.oc + g * og;
        for (int k = 0; k < chunks; ++k) {
          const T* from = partial + k * part + row * width;
          for (int c = 0; c < og; ++c) to[c] += from[c];
        }
      }
    }, work > 1e6);
  }
  if (db != nullptr) {
    for (int k = 0; k < chunks; ++k) {
      for (int c = 0; c < e.oc; ++c) db[c] += partial[k * part + weight_part + c];
    }
  }
}

}  // namespace kernel
GRAFT_END

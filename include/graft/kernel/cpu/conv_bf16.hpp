#pragma once
/// \file conv_bf16.hpp  Convolutions and fully connected layers on bf16, with float weights, sums and gradients of weights.
///
/// Forward and the data gradient are the loop nest of conv_gather.hpp on pairs of channels. The weight gradient has pixels as
/// its steps, so its pairs are pixels that stand beside each other: a block of the image is copied, between zeros, as pairs
/// (x[i], x[i + stride]), and a block of the output's gradient as pairs of its pixels. A direction whose pairs do not fit (odd
/// channels, groups, dilation) runs in float on widened copies.
#include "graft/config.hpp"
#include "graft/core/bf16.hpp"
#include "graft/kernel/cpu/conv2d.hpp"
#include "graft/kernel/cpu/conv_pairs.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

GRAFT_BEGIN
namespace kernel {
namespace detail {

/// Whether the directions of a convolution run on pairs.
inline bool pairs_fit_forward(const ConvExtents& e) {
  return e.groups == 1 && (e.dw == 1 || e.kw == 1) && !(is_product(e) && e.c % 2 != 0);
}
inline bool pairs_fit_data(const ConvExtents& e) { return e.groups == 1 && e.oc % 2 == 0; }
inline bool pairs_fit_weights(const ConvExtents& e) { return e.groups == 1; }

/// dw += x (correlated with) the gradient of the convolution's own output; db += its sum. See conv2d_weights.
inline void conv2d_weights_pairs(const ConvExtents& e, const bf16* x, const bf16* y, const std::uint8_t* argmax, const bf16* dy,
                                 const Epilogue& epilogue, float* dw, float* db) {
  using T = float;
  const bool merged = e.dw == 1 || e.kw == 1;
  const int run = merged ? e.kw * e.c : e.c;
  const int depth = e.kh * e.kw * e.c, panels = panel_count<T>(e.oc);
  const Gather shape{.n = e.n, .out_c = e.oc, .in_c = e.c, .kh = e.kh, .kw = e.kw};
  const std::ptrdiff_t weight_part = PartSize<T>(shape).weights, part_size = PartSize<T>(shape).all;
  const bool together = panels == 1 || (e.n >= fixed_chunks && weight_part * 4 <= 786432);
  const int shares = together ? 1 : panels;
  const int parts = !together && depth * max_vectors * lanes<T> * 4 > 65536 ? e.kh : 1;
  const int each = shares * parts;
  const int chunks = std::max(1, std::min({e.n, fixed_chunks, (2 * fixed_chunks + each - 1) / each}));
  const bool worth = worth_a_team(e);
  const std::ptrdiff_t in_size = static_cast<std::ptrdiff_t>(e.h) * e.w * e.c;
  const int shrink = epilogue.pool ? 2 : 1;
  const std::ptrdiff_t out_size = static_cast<std::ptrdiff_t>(e.oh / shrink) * (e.ow / shrink) * e.oc;
  const int widest = panel_at<T>(shape, 0).vectors * lanes<T>;
  const PairBlocks b = pair_blocks(e, shrink, widest);
  const int across = (e.ow + 1) / 2;  // pairs of a row of the output
  T* partial = workspace<T>(Work::partial, static_cast<std::size_t>(part_size * chunks));
  const int wanted = dw != nullptr ? parts : 1;

  parallel_for(
      chunks * shares * wanted,
      [&](int task) {
        [[maybe_unused]] const TilesInUse<bf16> tiles;
        const int part = task % wanted, first_panel = task / wanted % shares, index = task / wanted / shares;
        const int end_panel = together ? panels : first_panel + 1;
        const Range samples = chunk(e.n, chunks, index);
        const Range kernel_rows = dw == nullptr ? Range{0, 0} : chunk(e.kh, parts, part);
        T* const own = partial + index * part_size;
        for (int which = first_panel; which < end_panel; ++which) {
          const Panel panel = panel_at<T>(shape, which);
          const std::ptrdiff_t row_size = static_cast<std::ptrdiff_t>(e.kw) * e.c * panel.vectors * lanes<T>;
          std::fill_n(own + panel.packed + kernel_rows.begin * row_size, kernel_rows.size() * row_size, T{0});
          if (part == 0) std::fill_n(own + weight_part + panel.column, panel.vectors * lanes<T>, T{0});
        }
        const std::ptrdiff_t image = 2 * static_cast<std::ptrdiff_t>(b.reach) * b.wide * e.c;  // of one sample, in numbers
        bf16* const pairs = dw != nullptr ? workspace<bf16>(Work::pad, static_cast<std::size_t>(b.samples * image)) : nullptr;
        bf16* const gradient =
            workspace<bf16>(Work::pack_a, static_cast<std::size_t>(b.samples) * static_cast<std::size_t>(b.rows) *
                                              static_cast<std::size_t>(across) * 2 * static_cast<std::size_t>(widest));
        std::ptrdiff_t* offset =
            workspace<std::ptrdiff_t>(Work::reduce, 2 * static_cast<std::size_t>(b.samples) * static_cast<std::size_t>(b.rows));
        std::ptrdiff_t* b_offset = offset + static_cast<std::ptrdiff_t>(b.samples) * b.rows;

        for (int sample = static_cast<int>(samples.begin); sample < samples.end; sample += b.samples) {
          const int taken = std::min(b.samples, static_cast<int>(samples.end) - sample);
          for (int begin = 0; begin < e.oh; begin += b.rows) {
            const int end = std::min(e.oh, begin + b.rows);
            for (int s = 0; s < taken && dw != nullptr; ++s) {
              copy_pairs(e, b, x + (sample + s) * in_size, begin * e.sh, pairs + s * image);
            }
            for (int which = first_panel; which < end_panel; ++which) {
              const Panel panel = panel_at<T>(shape, which);
              const int width = panel.vectors * lanes<T>;
              for (int s = 0; s < taken; ++s) {
                const std::ptrdiff_t at = (sample + s) * out_size + panel.column;
                const bf16* const of = y != nullptr ? y + at : nullptr;
                if (part == 0 && db != nullptr) {
                  const std::ptrdiff_t from = static_cast<std::ptrdiff_t>(begin / shrink) * (e.ow / shrink) * e.oc;
                  sum_gradient(epilogue, (end / shrink - begin / shrink) * (e.ow / shrink), panel.real, e.oc, dy + at + from,
                               of != nullptr ? of + from : nullptr, own + weight_part + panel.column);
                }
                if (dw == nullptr) continue;
                expand_pairs(e, epilogue, dy + at, of, argmax != nullptr ? argmax + at : nullptr, begin, end, panel.real, width,
                             gradient + static_cast<std::ptrdiff_t>(s) * (end - begin) * across * 2 * width);
              }
              TileArgs<T, bf16> t;
              t.pixel_stride = 2;
              t.step = 4 * static_cast<std::ptrdiff_t>(e.sw) * e.c;
              t.offset = offset;
              t.b_offset = b_offset;
              t.b = gradient;
              t.b_stride = 2 * width;
              t.out_stride = width;
              t.add = true;
              t.length = across;
#ifdef GRAFT_AMX
              if (dw != nullptr) t.turned = amx::turn(gradient, t.b_stride, taken * (end - begin), across, width, run);
#endif
              for (int ky = static_cast<int>(kernel_rows.begin); ky < kernel_rows.end; ++ky) {
                t.segments = 0;
                for (int s = 0; s < taken; ++s) {
                  for (int r = 0; r < end - begin; ++r) {
                    const std::ptrdiff_t iy = static_cast<std::ptrdiff_t>(r) * e.sh + static_cast<std::ptrdiff_t>(ky) * e.dh;
                    offset[t.segments] = s * image + 2 * iy * b.wide * e.c;
                    b_offset[t.segments++] = (static_cast<std::ptrdiff_t>(s) * (end - begin) + r) * across * 2 * width;
                  }
                }
                for (int kx = 0; kx < (merged ? 1 : e.kw); ++kx) {
                  t.a = pairs + 2 * static_cast<std::ptrdiff_t>(kx) * e.dw * e.c;
                  t.out = own + panel.packed + (static_cast<std::ptrdiff_t>(ky) * e.kw + kx) * e.c * width;
                  run_tiles(t, run, panel.vectors);
                }
              }
            }
          }
        }
      },
      worth);

  add_parts(shape, chunks, partial, worth, dw, db);
}

/// The same of a product: its pixels, which follow one another whatever their sample, as rows of 64.
inline void product_weights_pairs(ConvExtents e, const bf16* x, const bf16* dy, float* dw, float* db) {
  constexpr int row = 64;
  const int pixels = e.n * e.h * e.w;
  e.h = e.oh = 1;
  e.w = e.ow = row;
  e.n = pixels / row;
  if (e.n > 0) conv2d_weights_pairs(e, x, nullptr, nullptr, dy, Epilogue{}, dw, db);
  const std::ptrdiff_t done = static_cast<std::ptrdiff_t>(e.n) * row;
  if (done == pixels) return;
  e.w = e.ow = pixels % row;
  e.n = 1;
  conv2d_weights_pairs(e, x + done * e.c, nullptr, nullptr, dy + done * e.oc, Epilogue{}, dw, db);
}

}  // namespace detail

/// conv2d_forward on bf16: x and y as there, w and b float.
inline void conv2d_forward(Bf16<Cpu>, const ConvExtents& e, const bf16* x, const float* w, const float* b,
                           const Epilogue& epilogue, bf16* y, std::uint8_t* argmax) {
  if (detail::pairs_fit_forward(e)) return detail::conv2d_gather(e, x, w, b, epilogue, y, argmax);
  const std::size_t in = detail::numbers_in(e), out = detail::numbers_out(e, epilogue.pool);
  float* const wide = workspace<float>(Work::widen, in + out);
  graft::detail::widen(in, x, wide);
  conv2d_forward(Cpu{}, e, wide, w, b, epilogue, wide + in, argmax);
  graft::detail::narrow(out, wide + in, y);
}

/// conv2d_backward on bf16: x, y, dy and dx as there, w, dw and db float.
inline void conv2d_backward(Bf16<Cpu>, const ConvExtents& e, const bf16* x, const float* w, const bf16* y,
                            const std::uint8_t* argmax, bf16* dy, const Epilogue& epilogue, bf16* dx, float* dw, float* db) {
  const std::size_t in = detail::numbers_in(e), out = detail::numbers_out(e, epilogue.pool);
  if (!epilogue.pool) {
    detail::mask_gradient(epilogue, static_cast<std::ptrdiff_t>(out), y, dy, detail::worth_a_team(e));
  }
  const Epilogue left = epilogue.pool ? epilogue : Epilogue{};  // what dy has yet to go through
  float* wide_dy = nullptr;
  float* wide_y = nullptr;
  float* wide_in = nullptr;
  const auto widened = [&] {
    wide_in = workspace<float>(Work::widen, in + 2 * out);
    wide_dy = wide_in + in;
    wide_y = wide_dy + out;
    graft::detail::widen(out, dy, wide_dy);
    if (left.pool) graft::detail::widen(out, y, wide_y);
  };
  if (dw != nullptr || db != nullptr) {
    if (!detail::pairs_fit_weights(e)) {
      widened();
      graft::detail::widen(in, x, wide_in);
      detail::conv2d_weights(e, wide_in, wide_y, argmax, wide_dy, left, dw, db);
    } else if (detail::is_product(e) && !left.pool) {
      detail::product_weights_pairs(e, x, dy, dw, db);
    } else {
      detail::conv2d_weights_pairs(e, x, y, argmax, dy, left, dw, db);
    }
  }
  if (dx == nullptr) return;
  if (detail::pairs_fit_data(e)) return detail::conv2d_data(e, w, y, argmax, dy, left, dx);
  widened();
  detail::conv2d_data(e, w, wide_y, argmax, wide_dy, left, wide_in);
  graft::detail::narrow(in, wide_in, dx);
}

namespace detail {
/// A fully connected layer as a 1x1 convolution of images of one pixel.
constexpr ConvExtents dense_extents(int n, int in, int out) {
  return {.n = n, .h = 1, .w = 1, .c = in, .oh = 1, .ow = 1, .oc = out, .kh = 1, .kw = 1};
}
}  // namespace detail

/// dense_forward on bf16: x and y as there, w and b float.
inline void dense_forward(Bf16<Cpu> on, int n, int in, int out, const bf16* x, const float* w, const float* b,
                          const Epilogue& epilogue, bf16* y) {
  conv2d_forward(on, detail::dense_extents(n, in, out), x, w, b, epilogue, y, nullptr);
}
/// dense_backward on bf16: x, y, dy and dx as there, w, dw and db float.
inline void dense_backward(Bf16<Cpu> on, int n, int in, int out, const bf16* x, const float* w, const bf16* y, bf16* dy,
                           const Epilogue& epilogue, bf16* dx, float* dw, float* db) {
  conv2d_backward(on, detail::dense_extents(n, in, out), x, w, y, nullptr, dy, epilogue, dx, dw, db);
}

}  // namespace kernel
GRAFT_END

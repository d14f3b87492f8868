#pragma once
/// \file describe.hpp  In words, for GRAFT_TRACE: which way each op takes and why not the others. The choices are those of the
/// kernels' own functions (forward_way, data_way, weights_way, cut_product, ...), asked again.
#include "graft/config.hpp"
#include "graft/core/passes.hpp"
#include "graft/kernel/cpu/conv2d.hpp"
#include "graft/kernel/cpu/conv_bf16.hpp"
#include "graft/kernel/cpu/depthwise.hpp"
#include "graft/kernel/cpu/gemm.hpp"

#include <cstddef>
#include <string>

GRAFT_BEGIN
namespace kernel {
namespace detail {
inline const char* told(bool worth) { return worth ? "" : "; one thread (little work)"; }

/// "product of pixels and weights", or the tile and why it is no product.
GRAFT_COLD inline std::string product_or_tile(const ConvExtents& e) {
  if (is_product(e)) return "product of pixels and weights";
  return e.kh * e.kw == 1 ? "register tile (no plain product: strides or padding)"
                          : "register tile (no product: kernel above 1x1)";
}
GRAFT_COLD inline std::string ragged(int channels, int lanes_of_one) {
  return channels % lanes_of_one == 0 ? "" : ", the last channels' in a second pass (they do not fill a vector)";
}
}  // namespace detail

/// y of conv2d_forward.
template <class T>
GRAFT_COLD std::string describe_conv2d_forward(const ConvExtents& extents, const Epilogue& epilogue) {
  const detail::ForwardWay way = detail::forward_way(extents, epilogue);
  const ConvExtents& e = way.e;
  std::string text = detail::product_or_tile(extents);
  if (detail::is_product(extents) && epilogue.pool) text += " (row by row: a pool is fused)";
  if (way.copy) {
    text += "; rows copied between zeros (few channels)";
  } else if (way.apart) {
    text += e.groups > 1 ? "; taps one by one (groups)" : "; taps one by one (dilation)";
  } else if (way.g.merged) {
    text += way.wide ? "; a kernel row's taps as one run, shorter at the edges" : "; a kernel row's taps as one run";
  } else {
    text += "; taps one by one (over a quarter of a row's outputs see padding)";
  }
  if (way.direct) {
    text += "; outputs written from registers" + detail::ragged(e.oc / e.groups, lanes<T>);
  } else {
    text += epilogue.pool                                            ? "; outputs in a second pass (fused pool)"
            : epilogue.act != Act::none && epilogue.act != Act::relu ? "; outputs in a second pass (activation)"
                                                                     : "; outputs in a second pass (they overlap)";
  }
  return text + detail::told(detail::worth_a_team(e));
}

/// dx of conv2d_backward.
template <class T>
GRAFT_COLD std::string describe_conv2d_data(const ConvExtents& extents, const Epilogue& epilogue) {
  const detail::DataWay way = detail::data_way<T>(extents, epilogue);
  std::string text = detail::product_or_tile(extents);
  if (way.g.merged) {
    if (way.g.kh * way.g.kw > 1) text += "; forward with the kernel turned round";
    if (way.g.across) text += ", tiles across samples";
    text += "; outputs written from registers" + detail::ragged(way.g.out_c, lanes<T>);
  } else {
    const bool dilated = extents.dw > 1 && extents.kw > 1;
    text += "; taps one by one, outputs in a second pass ";
    text += extents.groups > 1                 ? "(groups)"
            : extents.sh > 1 || extents.sw > 1 ? "(strides)"
            : dilated                          ? "(dilation)"
                                               : "(over a quarter of a row's inputs are near its ends)";
  }
  if (epilogue.pool) text += "; the gradient taken through the fused pool sample by sample";
  return text + detail::told(detail::worth_a_team(way.e));
}

/// dw of conv2d_backward.
template <class T>
GRAFT_COLD std::string describe_conv2d_weights(const ConvExtents& e) {
  const detail::WeightsWay way = detail::weights_way<T>(e);
  std::string text = way.copy               ? "register tile; rows copied between zeros (fewer than 16 channels)"
                     : way.merged           ? "register tile; a kernel row's taps as one run"
                     : e.groups > 1         ? "register tile; taps one by one (groups)"
                     : e.dw > 1 && e.kw > 1 ? "register tile; taps one by one (dilation)"
                                            : "register tile; taps one by one (padding, and too many channels to copy)";
  if (way.together) {
    text += "; all " + std::to_string(way.panels) + " panels in one task (their sums fit the second cache)";
  } else if (way.panels > 1) {
    text += e.n < fixed_chunks ? "; a panel a task (fewer than " + std::to_string(fixed_chunks) + " samples)"
                               : std::string("; a panel a task (the sums of all leave the second cache)");
  }
  if (way.parts > 1) text += "; a kernel row a task (the sums of all leave the first cache)";
  return text + "; " + std::to_string(way.chunks) + " sums over samples" + detail::told(way.worth);
}

/// What the Bf16<Cpu> kernels of a convolution or a fully connected layer do.
GRAFT_COLD inline std::string describe_conv2d_bf16(const ConvExtents& e, const Passes& passes) {
  const char* const with = has_amx()      ? "bf16 products on matrix tiles (AMX)"
                           : bf16_is_fast ? "bf16 products"
                                          : "bf16 as float products (compiled without AVX-512 BF16)";
  const auto way = [&](bool fits, const char* pairs, bool dilated = false) {
    if (fits) return std::string(with) + ", pairs of " + pairs;
    const char* const why = e.groups > 1 ? "groups" : dilated ? "dilation" : "an odd number of channels";
    return std::string("float on widened copies (") + why + ")";
  };
  const bool dilated = e.dw > 1 && e.kw > 1;
  return graft::detail::said(passes, way(detail::pairs_fit_forward(e), "channels", dilated),
                             way(detail::pairs_fit_weights(e), "pixels"), way(detail::pairs_fit_data(e), "channels"));
}

/// op(A) op(B) of m x k and k x n, as gemm() takes them.
template <class T>
GRAFT_COLD std::string describe_product(bool ta, bool tb, int m, int n, int k, std::ptrdiff_t lda) {
  const int panels = detail::panel_count<T>(n, max_gathered);
  const detail::ProductCut cut = detail::cut_product(m, panels, tb);
  const int rows = (m + cut.blocks - 1) / cut.blocks;
  int vectors = 1, real = n;  // of the first panel
  for_panels<T>(
      padded<T>(n),
      [&](int column, int count) {
        if (column > 0) return;
        vectors = count;
        real = std::min(count * lanes<T>, n);
      },
      max_gathered);
  std::string text = "product in " + std::to_string(cut.blocks) + " x " + std::to_string(cut.groups) + " tasks";
  if (tb) {
    text += "; B packed (it is transposed)";
  } else if (detail::unpacked<T>(tb, rows, vectors, real)) {
    text += "; B where it stands (few rows use it)";
  } else {
    text += real < vectors * lanes<T> ? "; B packed (its columns do not fill a vector)"
                                      : "; B packed (over " + std::to_string(2 * max_pixels(vectors)) + " rows use it)";
  }
  text += detail::copies_rows<T>(m, lda) ? "; A copied (its rows fall on few sets of the cache)"
          : ta                           ? "; A read down its columns"
                                         : "";
  return text + detail::told(detail::worth_a_team(m, n, k));
}

/// y of depthwise_forward.
template <class T>
GRAFT_COLD std::string describe_depthwise_forward(const ConvExtents& e) {
  std::string text = e.ow < 4 ? "pixels one by one (fewer than 4 in a row)" : "4 pixels at a time, at the edges one by one";
  if (e.c % lanes<T> != 0)
    text += "; the last " + std::to_string(e.c % lanes<T>) + " channels one by one (they do not fill a vector)";
  return text + "; no register tile (each channel has its own kernel)";
}

/// dx of depthwise_backward.
template <class T>
GRAFT_COLD std::string describe_depthwise_data(const ConvExtents& e) {
  if (detail::turns_kernel(e)) return "forward with the kernel turned round";
  return "each output's taps added to the inputs (the kernel is turned round at stride 1 only)";
}

/// Max and average pools that run on their own; `fusible`: a 2 x 2 max-pool.
GRAFT_COLD inline std::string describe_pool(const PoolExtents& e, bool max, bool fusible) {
  std::string text = "window by window";
  if (max) text += fusible ? " (not fused: no convolution stands before it)" : " (not fused: only 2x2 at stride 2 is)";
  const double numbers = static_cast<double>(e.n) * e.h * e.w * e.c;
  return text + detail::told(detail::worth_sharing(numbers));
}

}  // namespace kernel
GRAFT_END

#pragma once
/// \file conv2d.hpp  2-D convolution on NHWC, forward and backward, on the register tile of tile.hpp. No im2col buffer; weights
/// are packed once a call; whatever a task needs besides lies in the worker's workspace.
#include "graft/config.hpp"
#include "graft/kernel/cpu/conv_gather.hpp"
#include "graft/kernel/cpu/conv_parts.hpp"
#include "graft/kernel/cpu/conv_tasks.hpp"
#include "graft/kernel/cpu/conv_weights.hpp"

#include <utility>

GRAFT_BEGIN
namespace kernel {
namespace detail {

/// All pixels of a product as one long row.
inline void flatten(ConvExtents& e) {
  e.w = e.ow = e.n * e.h * e.w;
  e.n = e.h = e.oh = 1;
}

inline double multiplications(const ConvExtents& e) {
  return static_cast<double>(e.n) * e.oh * e.ow * e.oc * e.kh * e.kw * (e.c / e.groups);
}
inline bool worth_a_team(const ConvExtents& e) { return multiplications(e) > 5e5; }

/// Whether a run of taps may begin and end at any of them: between pairs. Matrix tiles want all runs alike.
inline bool cut_by_taps(const Gather& g) { return g.unit == 1 || (g.in_c % g.unit == 0 && !has_amx()); }
/// Whether columns at the edges, of which few fill a tile, cost less than sums that wait while taps are taken one by one.
inline bool worth_edges(const Gather& g) { return g.inside(0, g.out_w).size() * 4 >= g.out_w * std::ptrdiff_t{3}; }
/// Whether a panel's outputs are written from registers by the only block of steps.
template <class T>
bool at_once(const Gather& g, bool direct) {
  return direct && g.kh * g.run() <= panel_depth<T>(panel_at<T>(g, 0).vectors);
}

/// The forward pass (or, transposed, the data gradient) as a gather whose taps are taken one by one.
inline Gather gather_of(const ConvExtents& e, bool transposed, int unit) {
  Gather g{.transposed = transposed,
           .n = e.n,
           .out_h = e.oh,
           .out_w = e.ow,
           .out_c = e.oc,
           .in_h = e.h,
           .in_w = e.w,
           .in_c = e.c,
           .groups = e.groups,
           .kh = e.kh,
           .kw = e.kw,
           .sh = e.sh,
           .sw = e.sw,
           .dh = e.dh,
           .dw = e.dw,
           .top = e.top,
           .left = e.left,
           .unit = unit,
           .widest = max_gathered};
  if (transposed) {
    std::swap(g.out_h, g.in_h);
    std::swap(g.out_w, g.in_w);
    std::swap(g.out_c, g.in_c);
  }
  return g;
}

/// How a forward convolution runs.
struct ForwardWay {
  ConvExtents e;
  bool wide;    ///< windows reach beyond the left or right edge
  bool apart;   ///< a kernel row's taps are not contiguous
  bool copy;    ///< rows are copied between zeros first
  bool direct;  ///< the last block of steps writes the outputs
  Gather g;
};
inline ForwardWay forward_way(const ConvExtents& extents, const Epilogue& epilogue, int unit = 1) {
  ForwardWay way{.e = extents, .wide = false, .apart = false, .copy = false, .direct = false, .g = {}};
  ConvExtents& e = way.e;
  if (is_product(e) && !epilogue.pool) flatten(e);
  way.wide = e.left > 0 || (e.ow - 1) * e.sw + (e.kw - 1) * e.dw + 1 - e.left > e.w;
  way.apart = e.groups > 1 || (e.dw > 1 && e.kw > 1);
  way.g = gather_of(e, false, unit);
  way.g.merged = !way.apart;
  if (!cut_by_taps(way.g)) {  // an odd run's last pair reads one number more
    way.copy = (way.wide ? e.c : e.kw * e.c) % unit != 0 || (way.wide && e.c < 128);
    way.g.merged = !way.apart && (way.copy || !way.wide);
  } else if (way.wide && !way.apart) {
    const bool edges = worth_edges(way.g);
    // Few channels: zeros around cost less than short runs.
    way.copy = e.c < 16 * unit && (!edges || e.kh * e.kw * e.c < 100 * unit);
    way.g.merged = edges || way.copy;  // whatever the number of samples: weights may have been packed for another
  }
  if (way.copy) {
    way.g.in_h = (e.oh - 1) * e.sh + (e.kh - 1) * e.dh + 1;
    way.g.in_w = (e.ow - 1) * e.sw + (e.kw - 1) * e.dw + 1;
    way.g.top = way.g.left = 0;
  }
  way.direct = unit == 1 && !epilogue.pool && (epilogue.act == Act::none || epilogue.act == Act::relu) && way.g.merged;
  return way;
}

/// See kernel::conv2d_forward. Images are stored as E.
template <class T, class E>
void conv2d_gather(const ConvExtents& extents, const E* x, const T* w, const T* b, const Epilogue& epilogue, E* y,
                   std::uint8_t* argmax, const E* packed = nullptr) {
  const ForwardWay way = forward_way(extents, epilogue, Operand<T, E>::unit);
  const ConvExtents& e = way.e;
  const Gather& g = way.g;
  const bool copy = way.copy;
  const bool worth = worth_a_team(e);
  if (packed == nullptr) packed = pack_weights<E>(g, w, worth);
  const int panels = e.groups * panel_count<T>(e.oc / e.groups, g.widest);
  const int og = e.oc / e.groups;
  const std::size_t weight_bytes = static_cast<std::size_t>(g.depth()) * static_cast<std::size_t>(e.oc) * sizeof(E);
  const Cut cut = cut_tasks<T>(g, epilogue.pool ? 2 : 1, panels, weight_bytes, copy, at_once<T>(g, way.direct));
  const std::size_t moved = (numbers_in(e) + numbers_out(e, epilogue.pool)) * sizeof(E);
  bool past = false;
  if constexpr (std::is_same_v<T, E>) past = goes_past_caches(moved, y, e.oc);
  const bool direct = way.direct;

  for_tasks<T>(g, cut, panels, worth, [&](const auto& strip, int count, int pixels, int from, int until) {
    [[maybe_unused]] const TilesInUse<E> tiles;
    const std::ptrdiff_t size = static_cast<std::ptrdiff_t>(e.h) * e.w * e.c;
    const E* room = nullptr;
    int first = 0;
    if (copy) {
      const int row = strip(0).row;
      const std::size_t reach = static_cast<std::size_t>((count - 1) * e.sh + (e.kh - 1) * e.dh + 1);
      const std::size_t numbers = reach * static_cast<std::size_t>(g.in_w) * static_cast<std::size_t>(e.c);
      E* to = workspace<E>(Work::pad, numbers + 1);
      to[numbers] = E{};  // what an odd run's last pair reads, times zero
      room = pad_rows(e, x + strip(0).sample * size, row, row + count, g.in_w, to);
      first = row * e.sh;
    }
    if (!copy) bring_rows(g, strip(0), strip(count - 1), x);
    const auto in = [&](int sample) { return room != nullptr ? room : x + sample * size; };
    T* lines = workspace<T>(Work::tile, static_cast<std::size_t>(count) * static_cast<std::size_t>(pixels) *
                                            static_cast<std::size_t>(max_gathered * lanes<T>));
    for (int which = from; which < until; ++which) {
      const Panel panel = panel_at<T>(g, which);
      const int width = panel.vectors * lanes<T>;
      const std::ptrdiff_t line = static_cast<std::ptrdiff_t>(pixels) * width;
      const int channel = panel.group * og + panel.column;
      const PanelBias<T> bias(b != nullptr ? b + channel : nullptr, panel.real);
      if constexpr (std::is_same_v<T, E>) {
        if (direct && panel.real == width) {
          const Direct<T> out{y + channel, b != nullptr ? bias.value : nullptr, epilogue.act == Act::relu, past};
          gather_panel(g, panel, packed, count, pixels, strip, in, first, lines, out);
          continue;
        }
      }
      gather_panel<T>(g, panel, packed, count, pixels, strip, in, first, lines);
      for (int i = 0; i < count; i += cut.unit) {
        const Strip s = strip(i);
        if (epilogue.pool) {
          const std::ptrdiff_t to =
              (static_cast<std::ptrdiff_t>(s.sample) * (e.oh / 2) + s.row / 2) * (e.ow / 2) * e.oc + channel;
          finish_pooled(lines + i * line, lines + (i + 1) * line, width, e.ow / 2, panel.real, bias, epilogue, e.oc, y + to,
                        argmax != nullptr ? argmax + to : nullptr);
        } else {
          const std::ptrdiff_t to = ((static_cast<std::ptrdiff_t>(s.sample) * e.oh + s.row) * e.ow + s.begin) * e.oc + channel;
          finish_row(lines + i * line, width, s.end - s.begin, panel.real, bias, epilogue, e.oc, y + to, past);
        }
      }
    }
    if (direct && past) order_stores_past();
  });
}

}  // namespace detail

/// y = pool(act(conv(x, w) + b)). x: n x h x w x c; w: kh x kw x c/groups x oc; b: oc or null; y: n x oh x ow x oc, or with
/// e.pool n x oh/2 x ow/2 x oc and argmax (0..3 in row-major order of the window, null in inference) of the same extents.
/// `packed`: what conv2d_pack() made of w, or null; the result is the same to the bit.
template <class T>
void conv2d_forward(Cpu, const ConvExtents& extents, const T* x, const T* w, const T* b, const Epilogue& epilogue, T* y,
                    std::uint8_t* argmax, const T* packed = nullptr) {
  detail::conv2d_gather(extents, x, w, b, epilogue, y, argmax, packed);
}

/// Whether conv2d_pack() has something to gain: weights that take no more room packed.
template <class T>
bool conv2d_packs(const ConvExtents& e) {
  return e.oc / e.groups % lanes<T> == 0;
}
/// Weights as conv2d_forward() reads them, as many numbers, for any number of samples.
template <class T>
void conv2d_pack(Cpu, const ConvExtents& e, const T* w, T* packed) {
  detail::pack_weights<T>(detail::forward_way(e, Epilogue{}).g, w, detail::worth_a_team(e), packed);
}

namespace detail {

/// How the data gradient runs.
struct DataWay {
  ConvExtents e;
  Gather g;
};
template <class T>
DataWay data_way(const ConvExtents& extents, const Epilogue& epilogue, int unit = 1) {
  DataWay way{.e = extents, .g = {}};
  ConvExtents& e = way.e;
  if (is_product(e) && e.groups == 1 && !epilogue.pool) flatten(e);
  way.g = gather_of(e, true, unit);
  const bool product = is_product(e);
  if (e.groups == 1 && e.sh == 1 && e.sw == 1 && (e.dw == 1 || e.kw == 1) && (product || cut_by_taps(way.g))) {
    Gather g = way.g;
    g.merged = true;
    g.top = (e.kh - 1) * e.dh - e.top;
    g.left = (e.kw - 1) * e.dw - e.left;
    const bool edges = worth_edges(g);
    g.across = !edges && worth_across<T>(g);
    if (product || edges || g.across) way.g = g;
  }
  return way;
}

/// dx (overwritten) from the gradient of the output.
template <class T, class E>
void conv2d_data(const ConvExtents& extents, const T* w, const E* y, const std::uint8_t* argmax, const E* dy,
                 const Epilogue& epilogue, E* dx) {
  const DataWay way = data_way<T>(extents, epilogue, Operand<T, E>::unit);
  const ConvExtents& e = way.e;
  const Gather& g = way.g;
  const bool worth = worth_a_team(e);
  const E* packed = pack_weights<E>(g, w, worth);
  const int panels = e.groups * panel_count<T>(e.c / e.groups, g.widest);
  const std::size_t weight_bytes = static_cast<std::size_t>(g.depth()) * static_cast<std::size_t>(e.c) * sizeof(E);
  const Cut cut = cut_tasks<T>(g, 1, panels, weight_bytes, false, at_once<T>(g, g.merged));
  const std::ptrdiff_t out_size = static_cast<std::ptrdiff_t>(e.oh) * e.ow * e.oc;
  const std::ptrdiff_t pooled_size = static_cast<std::ptrdiff_t>(e.oh / 2) * (e.ow / 2) * e.oc;
  const std::size_t moved = (numbers_in(e) + numbers_out(e, epilogue.pool)) * sizeof(E);
  bool past = false;
  if constexpr (std::is_same_v<T, E>) past = g.merged && goes_past_caches(moved, dx, e.c);
  for_tasks<T>(g, cut, panels, worth, [&](const auto& strip, int count, int pixels, int from, int until) {
    [[maybe_unused]] const TilesInUse<E> tiles;
    const int first_sample = strip(0).sample;
    const E* expanded = nullptr;
    if (epilogue.pool) {
      const int samples = strip(count - 1).sample - first_sample + 1;
      E* room = workspace<E>(Work::unpool, static_cast<std::size_t>(samples * out_size));
      for (int s = 0; s < samples; ++s) {
        const std::ptrdiff_t at = (first_sample + s) * pooled_size;
        expand_gradient(e, epilogue, dy + at, y + at, argmax + at, 0, e.oh, e.oc, e.oc, room + s * out_size);
      }
      expanded = room;
    }
    if (expanded == nullptr) bring_rows(g, strip(0), strip(count - 1), dy);
    const auto in = [&](int sample) {
      return expanded != nullptr ? expanded + (sample - first_sample) * out_size : dy + sample * out_size;
    };
    T* lines = workspace<T>(Work::tile, static_cast<std::size_t>(count) * static_cast<std::size_t>(pixels) *
                                            static_cast<std::size_t>(max_gathered * lanes<T>));
    for (int which = from; which < until; ++which) {
      const Panel panel = panel_at<T>(g, which);
      const int width = panel.vectors * lanes<T>;
      if constexpr (std::is_same_v<T, E>) {
        if (g.merged && panel.real == width) {
          const Direct<T> out{dx + panel.group * (e.c / e.groups) + panel.column, nullptr, false, past};
          gather_panel(g, panel, packed, count, pixels, strip, in, 0, lines, out);
          continue;
        }
      }
      gather_panel<T>(g, panel, packed, count, pixels, strip, in, 0, lines);
      const PanelBias<T> no_bias(nullptr, 0);
      for (int i = 0; i < count; ++i) {
        const Strip s = strip(i);
        const std::ptrdiff_t to = ((static_cast<std::ptrdiff_t>(s.sample) * e.h + s.row) * e.w + s.begin) * e.c;
        finish_row(lines + static_cast<std::ptrdiff_t>(i) * pixels * width, width, s.end - s.begin, panel.real, no_bias,
                   Epilogue{}, e.c, dx + to + panel.group * (e.c / e.groups) + panel.column);
      }
    }
    if (past) order_stores_past();
  });
}

}  // namespace detail

/// The gradients of conv2d_forward: dx (null: not wanted) is overwritten, dw and db (null: not wanted) are added to. y and
/// argmax are what forward gave; dy has y's extents and is overwritten.
template <class T>
void conv2d_backward(Cpu, const ConvExtents& e, const T* x, const T* w, const T* y, const std::uint8_t* argmax, T* dy,
                     const Epilogue& epilogue, T* dx, T* dw, T* db) {
  if (!epilogue.pool) {
    detail::mask_gradient(epilogue, static_cast<std::ptrdiff_t>(e.n) * e.oh * e.ow * e.oc, y, dy, detail::worth_a_team(e));
  }
  if (dw != nullptr || db != nullptr) detail::conv2d_weights(e, x, y, argmax, dy, epilogue, dw, db);
  if (dx != nullptr) detail::conv2d_data(e, w, y, argmax, dy, epilogue, dx);
}

}  // namespace kernel
GRAFT_END

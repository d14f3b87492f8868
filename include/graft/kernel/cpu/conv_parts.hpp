#pragma once
/// \file conv_parts.hpp  What the three directions of a convolution share: padding a sample, the epilogue and its derivative,
/// fused pooling.
#include "graft/config.hpp"
#include "graft/core/buffer.hpp"
#include "graft/core/device.hpp"
#include "graft/core/parallel.hpp"
#include "graft/kernel/cpu/epilogue.hpp"
#include "graft/kernel/cpu/tile.hpp"

#include <cstdint>
#include <cstring>
#include <type_traits>

GRAFT_BEGIN
namespace kernel {
namespace detail {

inline bool is_padded(const ConvExtents& e) {
  return e.top > 0 || e.left > 0 || (e.oh - 1) * e.sh + (e.kh - 1) * e.dh + 1 - e.top > e.h ||
         (e.ow - 1) * e.sw + (e.kw - 1) * e.dw + 1 - e.left > e.w;
}

/// Of x and of y.
inline std::size_t numbers_in(const ConvExtents& e) {
  return static_cast<std::size_t>(e.n) * static_cast<std::size_t>(e.h) * static_cast<std::size_t>(e.w) *
         static_cast<std::size_t>(e.c);
}
inline std::size_t numbers_out(const ConvExtents& e, bool pooled) {
  const std::size_t shrink = pooled ? 2 : 1;
  return static_cast<std::size_t>(e.n) * (static_cast<std::size_t>(e.oh) / shrink) * (static_cast<std::size_t>(e.ow) / shrink) *
         static_cast<std::size_t>(e.oc);
}

/// Whether the convolution is one product of pixels and weights.
inline bool is_product(const ConvExtents& e) { return e.kh == 1 && e.kw == 1 && e.sh == 1 && e.sw == 1 && !is_padded(e); }

/// The rows of one sample that output rows [first, end) see, with zeros around: (rows) x wide x c numbers.
template <class T>
const T* pad_rows(const ConvExtents& e, const T* x, int first, int end, int wide, T* out) {
  const int rows = (end - 1 - first) * e.sh + (e.kh - 1) * e.dh + 1;
  const std::size_t c = static_cast<std::size_t>(e.c);
  const std::size_t line = static_cast<std::size_t>(wide) * c;
  const int before = std::min(e.left, wide);      // a stride may be longer than what is left of the padding
  const int kept = std::min(e.w, wide - before);  // columns of the image that any window reaches
  for (int r = 0; r < rows; ++r) {
    T* to = out + static_cast<std::size_t>(r) * line;
    const int y = first * e.sh + r - e.top;
    if (y < 0 || y >= e.h) {
      std::fill_n(to, line, T{});
      continue;
    }
    const std::size_t left = static_cast<std::size_t>(before) * c;
    const std::size_t middle = static_cast<std::size_t>(kept) * c;
    std::fill_n(to, left, T{});
    std::memcpy(to + left, x + static_cast<std::size_t>(y) * static_cast<std::size_t>(e.w) * c, middle * sizeof(T));
    std::fill_n(to + left + middle, line - left - middle, T{});
  }
  return out;
}

/// The bias of one panel, zeros where there is none.
template <class T>
struct PanelBias {
  T value[static_cast<std::size_t>(max_gathered * lanes<T>)] = {};
  PanelBias(const T* bias, int count) {
    for (int c = 0; bias != nullptr && c < count; ++c) value[c] = bias[c];
  }
};

/// Calls one(c) for the channels [0, real), a whole vector of them in a loop of constant length where possible.
template <class T, class F>
GRAFT_INLINE void for_panel_channels(int real, F&& one) {
  int c = 0;
  for (; c + lanes<T> <= real; c += lanes<T>) {
    for (int l = 0; l < lanes<T>; ++l) one(c + l);
  }
  for (; c < real; ++c) one(c);
}

/// Stores the first `count` numbers of a vector (all if there are fewer).
template <class T, class E>
GRAFT_INLINE void store_first(Vec<T> x, E* to, int count) {
  if (count >= lanes<T>) {
    write(x, to);
    return;
  }
  T numbers[static_cast<std::size_t>(lanes<T>)];
  x.store(numbers);
  for (int l = 0; l < count; ++l) to[l] = static_cast<E>(numbers[l]);
}

/// Writes `count` pixels of a panel (rows of `width` sums, `real` of them wanted) to y, whose pixels are oc apart, with bias
/// and activation; with `past` (see goes_past_caches) not into the caches.
template <class T, class E>
void finish_row(const T* sums, int width, int count, int real, const PanelBias<T>& bias, const Epilogue& e, int oc, E* y,
                bool past = false) {
  using V = Vec<T>;
  const V alpha = V::all(static_cast<T>(e.alpha));
  with_act(e.act, [&](auto act) {
    for (int p = 0; p < count; ++p) {
      const T* from = sums + static_cast<std::ptrdiff_t>(p) * width;
      E* to = y + static_cast<std::ptrdiff_t>(p) * oc;
      for (int c = 0; c < real; c += lanes<T>) {
        const V out = activate<act.value>(alpha, V::load(from + c) + V::load(bias.value + c));
        if constexpr (std::is_same_v<T, E>) {
          if (past) {
            store_past(out, to + c);
            continue;
          }
        }
        store_first(out, to + c, real - c);
      }
    }
  });
  if (past) order_stores_past();
}

/// Two rows of a panel's sums -> one pooled row of `count` pixels. Every activation but a leaky ReLU of negative slope never
/// falls, so it is applied to the maximum alone; what then ties otherwise has slope 0. The first of equal numbers wins, and a
/// NaN over all.
template <class T, class E>
void finish_pooled(const T* upper, const T* lower, int width, int count, int real, const PanelBias<T>& bias, const Epilogue& e,
                   int oc, E* y, std::uint8_t* argmax) {
  using V = Vec<T>;
  const V alpha = V::all(static_cast<T>(e.alpha));
  const V indices[4] = {V::all(T{0}), V::all(T{1}), V::all(T{2}), V::all(T{3})};
  const std::ptrdiff_t w = width;
  const auto all = [&](auto act, auto before) {
    for (int p = 0; p < count; ++p) {
      const T* a = upper + 2 * p * w;
      const T* c = lower + 2 * p * w;
      for (int i = 0; i < real; i += lanes<T>) {
        const V shift = V::load(bias.value + i);
        const T* corner[4] = {a + i, a + w + i, c + i, c + w + i};
        V best, which = indices[0];
        GRAFT_UNROLL
        for (int k = 0; k < 4; ++k) {
          V z = V::load(corner[k]) + shift;
          if constexpr (before.value) z = activate<act.value>(alpha, z);
          if (k == 0) {
            best = z;
          } else {
            const auto better = above_or_nan(z, best);
            best = V::choose(better, z, best);
            which = V::choose(better, indices[k], which);
          }
        }
        if constexpr (!before.value) best = activate<act.value>(alpha, best);
        const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(p) * oc + i;
        store_first(best, y + at, real - i);
        if (argmax == nullptr) continue;
        if (real - i >= lanes<T>) {
          store_bytes(which, argmax + at);
        } else {
          std::uint8_t bytes[static_cast<std::size_t>(lanes<T>)];
          store_bytes(which, bytes);
          std::memcpy(argmax + at, bytes, static_cast<std::size_t>(real - i));
        }
      }
    }
  };
  if (e.act == Act::leaky_relu && e.alpha < 0.0) {
    all(std::integral_constant<Act, Act::leaky_relu>{}, std::true_type{});
  } else {
    with_act(e.act, [&](auto act) { all(act, std::false_type{}); });
  }
}

/// The gradient of the convolution's own output, output rows [begin, end) of one sample, channels [0, real) of dy on, as rows
/// of `width` numbers with zeros beyond `real`: unpooled, through the activation. dy, y and argmax are the sample's, at the
/// first channel. Without pooling dy has gone through the activation already (mask_gradient). Pooled rows come in pairs: begin
/// is even.
template <class E>
void expand_gradient(const ConvExtents& e, const Epilogue& epilogue, const E* dy, const E* y, const std::uint8_t* argmax,
                     int begin, int end, int real, int width, E* out) {
  using T = Computed<E>;
  const std::ptrdiff_t w = width;
  const std::ptrdiff_t line = e.ow * w;
  if (!epilogue.pool) {
    for (std::ptrdiff_t p = static_cast<std::ptrdiff_t>(begin) * e.ow; p < static_cast<std::ptrdiff_t>(end) * e.ow;
         ++p, out += w) {
      const E* from = dy + p * e.oc;
      for_panel_channels<T>(real, [&](int c) { out[c] = from[c]; });
      for (int c = real; c < width; ++c) out[c] = E{};
    }
    return;
  }
  using V = Vec<T>;
  const V alpha = V::all(static_cast<T>(epilogue.alpha));
  const V indices[4] = {V::all(T{0}), V::all(T{1}), V::all(T{2}), V::all(T{3})};
  const int pw = e.ow / 2;
  const int paired = std::min(end, e.oh / 2 * 2);
  with_act(epilogue.act, [&](auto act) {
    const Epilogue same{act.value, epilogue.alpha};
    for (int r = begin; r < paired; r += 2) {
      E* row = out + (r - begin) * line;
      for (int q = 0; q < pw; ++q) {
        const std::ptrdiff_t from = (static_cast<std::ptrdiff_t>(r / 2) * pw + q) * e.oc;
        E* a = row + 2 * q * w;
        E* b = a + w;
        E* c = a + line;
        E* d = c + w;
        int i = 0;
        for (; i + lanes<T> <= real; i += lanes<T>) {
          const V g = through<act.value>(alpha, read(y + from + i), read(dy + from + i));
          const V which = load_bytes<T>(argmax + from + i);
          write(V::choose(equal(which, indices[0]), g, indices[0]), a + i);
          write(V::choose(equal(which, indices[1]), g, indices[0]), b + i);
          write(V::choose(equal(which, indices[2]), g, indices[0]), c + i);
          write(V::choose(equal(which, indices[3]), g, indices[0]), d + i);
        }
        for (; i < real; ++i) {
          const T s = slope(same, static_cast<T>(y[from + i]));
          const E g = static_cast<E>(s == T{0} ? s : static_cast<T>(dy[from + i]) * s);
          const int which = argmax[from + i];
          a[i] = which == 0 ? g : E{};
          b[i] = which == 1 ? g : E{};
          c[i] = which == 2 ? g : E{};
          d[i] = which == 3 ? g : E{};
        }
        for (; i < width; ++i) a[i] = b[i] = c[i] = d[i] = E{};
      }
      if (e.ow % 2 != 0) {
        std::fill_n(row + line - w, width, E{});
        std::fill_n(row + 2 * line - w, width, E{});
      }
    }
  });
  if (end > paired) {
    const int from = std::max(begin, paired);
    std::fill_n(out + (from - begin) * line, (end - from) * line, E{});
  }
}

/// sums[c] += the gradient of `count` pixels of dy, whose pixels are oc apart, channels [0, real): what a bias gets. Under a
/// pool dy has yet to go through the activation.
template <class T, class E>
void sum_gradient(const Epilogue& epilogue, int count, int real, int oc, const E* dy, const E* y, T* sums) {
  using V = Vec<T>;
  const V alpha = V::all(static_cast<T>(epilogue.alpha));
  with_act(epilogue.pool ? epilogue.act : Act::none, [&](auto act) {
    const Epilogue same{act.value, epilogue.alpha};
    int c = 0;
    for (; c + lanes<T> <= real; c += lanes<T>) {
      const auto at = [&](int p) {
        const std::ptrdiff_t i = static_cast<std::ptrdiff_t>(p) * oc + c;
        if constexpr (act.value == Act::none) return read(dy + i);
        return through<act.value>(alpha, read(y + i), read(dy + i));
      };
      V sum[4] = {V::load(sums + c), V::all(T{0}), V::all(T{0}), V::all(T{0})};
      int p = 0;
      for (; p + 4 <= count; p += 4) {
        GRAFT_UNROLL
        for (int k = 0; k < 4; ++k) sum[k] = sum[k] + at(p + k);
      }
      for (; p < count; ++p) sum[0] = sum[0] + at(p);
      ((sum[0] + sum[1]) + (sum[2] + sum[3])).store(sums + c);
    }
    for (; c < real; ++c) {
      for (int p = 0; p < count; ++p) {
        const std::ptrdiff_t i = static_cast<std::ptrdiff_t>(p) * oc + c;
        const T s = act.value == Act::none ? T{1} : slope(same, static_cast<T>(y[i]));
        sums[c] += s == T{0} ? s : static_cast<T>(dy[i]) * s;
      }
    }
  });
}

/// dy *= act'(y), `count` numbers.
template <class E>
void mask_gradient(const Epilogue& epilogue, std::ptrdiff_t count, const E* y, E* dy, bool worth) {
  using T = Computed<E>;
  if (epilogue.act == Act::none) return;
  const int pieces = static_cast<int>((count + 16383) / 16384);
  parallel_for(
      pieces,
      [&](int piece) {
        const Range range = chunk(count, pieces, piece);
        with_act(epilogue.act, [&](auto act) {
          const Vec<T> alpha = Vec<T>::all(static_cast<T>(epilogue.alpha));
          std::ptrdiff_t i = range.begin;
          for (; i + lanes<T> <= range.end; i += lanes<T>) {
            write(through<act.value>(alpha, read(y + i), read(dy + i)), dy + i);
          }
          for (; i < range.end; ++i) {
            const T s = slope(epilogue, static_cast<T>(y[i]));
            dy[i] = static_cast<E>(s == T{0} ? s : static_cast<T>(dy[i]) * s);
          }
        });
      },
      worth && pieces > 1);
}

}  // namespace detail
}  // namespace kernel
GRAFT_END

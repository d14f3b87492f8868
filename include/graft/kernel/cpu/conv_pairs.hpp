#pragma once
/// \file conv_pairs.hpp  What the weight gradient on bf16 multiplies: blocks of the image and of the output's gradient as pairs
/// of pixels that stand beside each other in a row of the output.
#include "graft/config.hpp"
#include "graft/core/bf16.hpp"
#include "graft/kernel/cpu/conv_parts.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

GRAFT_BEGIN
namespace kernel {
namespace detail {

/// Where the weight gradient's blocks lie: rows of one sample, or several whole samples.
struct PairBlocks {
  int rows = 1;     ///< of the output, of one sample; even under a pool
  int samples = 1;  ///< more than one only with all rows
  int reach = 1;    ///< rows of the image that they see
  int wide = 1;     ///< pixels of a copied row
};
inline PairBlocks pair_blocks(const ConvExtents& e, int unit, int width) {
  constexpr int bytes = vector_registers >= 32 ? 28672 : 16384;
  const int row_bytes = (e.ow + 1) / 2 * width * 4;
  PairBlocks b;
  b.rows = std::max(1, bytes / (row_bytes * unit)) * unit;
  if (b.rows >= e.oh) {
    b.rows = (e.oh + unit - 1) / unit * unit;
    b.samples = std::max(1, bytes / (row_bytes * e.oh));
  } else {
    const int blocks = (e.oh + b.rows - 1) / b.rows;
    b.rows = ((e.oh + blocks - 1) / blocks + unit - 1) / unit * unit;
  }
  b.reach = (b.rows - 1) * e.sh + (e.kh - 1) * e.dh + 1;
  b.wide = (e.ow - 1) * e.sw + (e.kw - 1) * e.dw + 1;
  return b;
}

/// Rows of one sample's image from row `first` on, `reach` of them, as pairs (x[i], x[i + sw]) of b.wide pixels, zeros around.
inline void copy_pairs(const ConvExtents& e, const PairBlocks& b, const bf16* x, int first, bf16* to) {
  const int line = b.wide * e.c, apart = e.sw * e.c;
  const int left = e.left * e.c, kept = std::min(e.w * e.c, line - left);
  const int paired = std::max(0, line - apart);  // the last pixels have no partner in a window
  bf16* const between_zeros = left > 0 || kept < line ? workspace<bf16>(Work::image, static_cast<std::size_t>(line)) : nullptr;
  if (between_zeros != nullptr) {
    std::fill_n(between_zeros, left, bf16{});
    std::fill(between_zeros + left + kept, between_zeros + line, bf16{});
  }
  for (int r = 0; r < b.reach; ++r, to += 2 * static_cast<std::ptrdiff_t>(line)) {
    const int y = first + r - e.top;
    if (y < 0 || y >= e.h) {
      std::fill_n(to, 2 * line, bf16{});
      continue;
    }
    const bf16* row = x + static_cast<std::ptrdiff_t>(y) * e.w * e.c;
    if (between_zeros != nullptr) {
      std::copy_n(row, kept, between_zeros + left);
      row = between_zeros;
    }
    interleave(row, row + apart, paired, to);
    interleave(row + paired, static_cast<const bf16*>(nullptr), line - paired, to + 2 * paired);
  }
}

/// Gradients of `count` (at most a vector's lanes) pooled numbers, each to the place in its window that `which` names: to one
/// half of one of the pairs that are the window's upper and lower row.
inline void place_in_windows(const bf16* g, const std::uint8_t* which, int count, bf16* upper, bf16* lower) {
#if defined(__AVX512F__) && !defined(GRAFT_NO_SIMD)
  if (count == 16) {
    const __m512i at = _mm512_maskz_cvtepu8_epi32(0xFFFF, _mm_loadu_si128(reinterpret_cast<const __m128i*>(which)));
    const __m512i first = _mm512_maskz_cvtepu16_epi32(0xFFFF, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(g)));
    const __m512i second = _mm512_maskz_slli_epi32(0xFFFF, first, 16);
    const auto pairs = [&](int left, int right) {
      const __m512i filled = _mm512_maskz_mov_epi32(_mm512_cmpeq_epi32_mask(at, _mm512_set1_epi32(left)), first);
      return _mm512_mask_mov_epi32(filled, _mm512_cmpeq_epi32_mask(at, _mm512_set1_epi32(right)), second);
    };
    _mm512_storeu_si512(static_cast<void*>(upper), pairs(0, 1));
    _mm512_storeu_si512(static_cast<void*>(lower), pairs(2, 3));
    return;
  }
#endif
  for (int l = 0; l < count; ++l) {
    for (int side = 0; side < 2; ++side) {
      upper[2 * l + side] = which[l] == side ? g[l] : bf16{};
      lower[2 * l + side] = which[l] == 2 + side ? g[l] : bf16{};
    }
  }
}

/// The rows of expand_gradient() as pairs of pixels, the last of an odd number with zeros.
inline void expand_pairs(const ConvExtents& e, const Epilogue& epilogue, const bf16* dy, const bf16* y,
                         const std::uint8_t* argmax, int begin, int end, int real, int width, bf16* to) {
  using V = Vec<float>;
  constexpr int together = lanes<float>;
  const std::ptrdiff_t pair = 2 * static_cast<std::ptrdiff_t>(width), row = (e.ow + 1) / 2 * pair;
  if (!epilogue.pool) {
    for (int r = begin; r < end; ++r) {
      for (int q = 0; q < e.ow; q += 2, to += pair) {
        const bf16* from = dy + (static_cast<std::ptrdiff_t>(r) * e.ow + q) * e.oc;
        interleave(from, q + 1 < e.ow ? from + e.oc : nullptr, real, to);
        std::fill(to + 2 * real, to + pair, bf16{});
      }
    }
    return;
  }
  const int paired = std::min(end, e.oh / 2 * 2), pw = e.ow / 2;
  const V alpha = V::all(static_cast<float>(epilogue.alpha));
  with_act(epilogue.act, [&](auto act) {
    const Epilogue same{act.value, epilogue.alpha};
    for (int r = begin; r < paired; r += 2) {
      bf16* const upper = to + (r - begin) * row;
      for (int q = 0; q < pw; ++q) {
        const std::ptrdiff_t from = (static_cast<std::ptrdiff_t>(r / 2) * pw + q) * e.oc;
        bf16* const at = upper + q * pair;
        bf16 g[together];
        int i = 0;
        for (; i + together <= real; i += together) {
          write(through<act.value>(alpha, read(y + from + i), read(dy + from + i)), g);
          place_in_windows(g, argmax + from + i, together, at + 2 * i, at + row + 2 * i);
        }
        for (int l = i; l < real; ++l) {
          const float s = slope(same, static_cast<float>(y[from + l]));
          g[l - i] = bf16(s == 0.0f ? s : static_cast<float>(dy[from + l]) * s);
        }
        place_in_windows(g, argmax + from + i, real - i, at + 2 * i, at + row + 2 * i);
        std::fill(at + 2 * real, at + pair, bf16{});
        std::fill(at + row + 2 * real, at + row + pair, bf16{});
      }
      if (e.ow % 2 != 0) {
        std::fill_n(upper + pw * pair, pair, bf16{});
        std::fill_n(upper + row + pw * pair, pair, bf16{});
      }
    }
  });
  if (end > paired) {
    const int first = std::max(begin, paired);
    std::fill_n(to + (first - begin) * row, (end - first) * row, bf16{});
  }
}

}  // namespace detail
}  // namespace kernel
GRAFT_END

#pragma once
/// \file bf16.hpp  bfloat16: the upper half of a float, with its range and eight bits of precision. As a model's precision it
/// is what activations and their gradients are stored in and what products multiply; sums, weights, gradients of weights and
/// optimisers stay float. `Model<Net, Bf16<Cpu>>`; docs/bf16.md says when that pays.
#include "graft/config.hpp"
#include "graft/core/device.hpp"
#include "graft/core/vector_math.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <type_traits>
#if defined(__AVX512F__) && defined(__AVX512BF16__)
#include <immintrin.h>
#endif

GRAFT_SHARED_BEGIN

/// One number. From a float it is rounded to the nearest, ties to even; a NaN stays one.
struct bf16 {
  std::uint16_t bits = 0;
  bf16() = default;
  constexpr explicit bf16(float x) {
    const std::uint32_t u = std::bit_cast<std::uint32_t>(x);
    const std::uint32_t rounded = u + 0x7fffu + ((u >> 16) & 1u);
    bits = static_cast<std::uint16_t>((x == x ? rounded : u | 0x400000u) >> 16);
  }
  constexpr explicit operator float() const { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }
};

/// Runs on D with activations in bf16.
template <class D>
struct Bf16 {};

GRAFT_END

GRAFT_BEGIN

/// Whether this translation unit multiplies bf16 by an instruction for it.
#if defined(__AVX512F__) && defined(__AVX512BF16__) && !defined(GRAFT_NO_SIMD)
inline constexpr bool bf16_is_fast = true;
#else
inline constexpr bool bf16_is_fast = false;
#endif

template <>
struct AcceleratorOf<Bf16<Cpu>, float> : AcceleratorOf<Cpu, float> {};

namespace detail {
/// Says, once, that bf16 brings no speed here.
GRAFT_COLD inline void say_slow_bf16() {
  static bool said = false;
  if (said) return;
  said = true;
  std::fprintf(stderr,
               "graft: Bf16: this program is compiled for %s, without AVX-512 BF16: its products are made in float. They give "
               "the same numbers, but slower than Model<Net> does.\n",
               isa_name);
}

template <class T, class D>
struct StoredAs {
  using type = T;
};
template <class T, class D>
struct StoredAs<T, Bf16<D>> {
  using type = bf16;
};

/// y = x, rounded.
inline void narrow(std::size_t count, const float* x, bf16* y) {
  for_pieces(count, [=](std::ptrdiff_t begin, std::ptrdiff_t end) {
    std::ptrdiff_t i = begin;
#if defined(__AVX512F__) && defined(__AVX512BF16__)
    for (; i + 16 <= end; i += 16) {
      const __m256bh half = _mm512_cvtneps_pbh(_mm512_loadu_ps(x + i));
      __builtin_memcpy(static_cast<void*>(y + i), &half, sizeof(half));
    }
#endif
    for (; i < end; ++i) y[i] = bf16(x[i]);
  });
}
/// y = x
inline void widen(std::size_t count, const bf16* x, float* y) {
  for_pieces(count, [=](std::ptrdiff_t begin, std::ptrdiff_t end) {
    for (std::ptrdiff_t i = begin; i < end; ++i) y[i] = static_cast<float>(x[i]);
  });
}
/// y += x
inline void add(std::size_t count, const bf16* x, bf16* y) {
  for_pieces(count, [=](std::ptrdiff_t begin, std::ptrdiff_t end) {
    for (std::ptrdiff_t i = begin; i < end; ++i) y[i] = bf16(static_cast<float>(y[i]) + static_cast<float>(x[i]));
  });
}
}  // namespace detail

/// What a model on device D stores its activations in: bf16 on Bf16<...>, else its scalar type T.
template <class T, class D>
using Stored = typename detail::StoredAs<T, D>::type;

GRAFT_END

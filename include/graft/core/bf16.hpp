#pragma once
/// \file bf16.hpp  bfloat16: the upper half of a float, with its range and eight bits of precision. As a model's precision it
/// is what activations and their gradients are stored in and what products multiply; sums, weights, gradients of weights and
/// optimisers stay float. `Model<Net, Bf16<Cpu>>`; docs/bf16.md says when that pays.
#include "graft/config.hpp"
#include "graft/core/device.hpp"
#include "graft/core/precision.hpp"
#include "graft/core/vector_math.hpp"

#include <cstddef>
#include <cstdio>
#include <type_traits>
#if defined(__AVX512F__) && defined(__AVX512BF16__)
#include <immintrin.h>
#endif

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
template <class T>
struct StoredAs<T, Bf16<Cpu>> {
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

/// What a model on device D stores its activations in: bf16 on Bf16<Cpu>, else its scalar type T.
template <class T, class D>
using Stored = typename detail::StoredAs<T, D>::type;

GRAFT_END

#pragma once
/// \file operand.hpp  What the register tile multiplies: numbers of T, or pairs of bf16 whose two products are added in float
/// (one instruction where the machine has it, vdpbf16ps; else two fused multiply-adds in its order, the odd one first).
#include "graft/config.hpp"
#include "graft/core/bf16.hpp"
#include "graft/kernel/cpu/simd.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

GRAFT_BEGIN
namespace kernel {

/// Factors of a product with sums of T, stored as E.
template <class T, class E>
struct Operand;

template <class T>
struct Operand<T, T> {
  static constexpr int unit = 1;  ///< numbers of one step
  using Row = Vec<T>;
  static GRAFT_INLINE Row row(const T* p) {
    Row x = Row::load(p);
    keep_in_register(x);
    return x;
  }
  static GRAFT_INLINE Row all(const T* p) { return Row::all(*p); }
  static GRAFT_INLINE Vec<T> fused_with(Row a, Row b, Vec<T> sum) { return fused(a, b, sum); }
};

/// Two bf16 as they lie in memory, the first in the lower half.
inline std::uint32_t pair_of(bf16 first, bf16 second) {
  return static_cast<std::uint32_t>(first.bits) | static_cast<std::uint32_t>(second.bits) << 16;
}

#if defined(__AVX512F__) && defined(__AVX512BF16__) && !defined(GRAFT_NO_SIMD)
template <>
struct Operand<float, bf16> {
  static constexpr int unit = 2;
  using Row = __m512i;
  static GRAFT_INLINE Row row(const bf16* p) { return _mm512_loadu_si512(static_cast<const void*>(p)); }
  static GRAFT_INLINE Row all(const bf16* p) {
    int pair;
    std::memcpy(&pair, p, sizeof(pair));
    return _mm512_set1_epi32(pair);
  }
  static GRAFT_INLINE Vec<float> fused_with(Row a, Row b, Vec<float> sum) {
    return {Vec<float>::Batch(_mm512_dpbf16_ps(sum.value, (__m512bh)a, (__m512bh)b))};
  }
};
#else
template <>
struct Operand<float, bf16> {
  static constexpr int unit = 2;
  struct Row {
    Vec<float> first, second;
  };
  static GRAFT_INLINE Row row(const bf16* p) {
#if defined(__AVX512F__) && !defined(GRAFT_NO_SIMD)
    if constexpr (lanes<float> == 16) {
      const __m512i pairs = _mm512_loadu_si512(static_cast<const void*>(p));
      return {{Vec<float>::Batch(_mm512_castsi512_ps(_mm512_maskz_slli_epi32(0xFFFF, pairs, 16)))},
              { Vec<float>::Batch(_mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32(-65536)))) }};
    }
#elif defined(__AVX2__) && !defined(GRAFT_NO_SIMD)
    if constexpr (lanes<float> == 8) {
      const __m256i pairs = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
      return {{Vec<float>::Batch(_mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16)))},
              {Vec<float>::Batch(_mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32(-65536))))}};
    }
#endif
    float first[static_cast<std::size_t>(lanes<float>)], second[static_cast<std::size_t>(lanes<float>)];
    for (int l = 0; l < lanes<float>; ++l) {
      std::uint32_t pair;
      std::memcpy(&pair, p + 2 * l, sizeof(pair));
      first[l] = std::bit_cast<float>(pair << 16);
      second[l] = std::bit_cast<float>(pair & 0xffff0000u);
    }
    return {Vec<float>::load(first), Vec<float>::load(second)};
  }
  static GRAFT_INLINE Row all(const bf16* p) {
    return {Vec<float>::all(static_cast<float>(p[0])), Vec<float>::all(static_cast<float>(p[1]))};
  }
  static GRAFT_INLINE Vec<float> fused_with(const Row& a, const Row& b, Vec<float> sum) {
    return fused(a.first, b.first, fused(a.second, b.second, sum));
  }
};
#endif

/// The factors of column c of a row at to[2 c] and to[2 c + 1]: count columns of `first` and `second` (null: zeros), which are
/// floats to be rounded or bf16.
template <class From>
void interleave(const From* first, const From* second, int count, bf16* to) {
  int c = 0;
#if defined(__AVX512F__) && defined(__AVX512BF16__)
  const auto halves = [](const From* p) {
    __m256i half;
    if constexpr (std::is_same_v<From, bf16>) {
      half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    } else {
      half = (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(p));
    }
    return _mm512_maskz_cvtepu16_epi32(0xFFFF, half);
  };
  for (; c + 16 <= count; c += 16) {
    __m512i pairs = halves(first + c);
    if (second != nullptr) pairs = _mm512_or_si512(pairs, _mm512_maskz_slli_epi32(0xFFFF, halves(second + c), 16));
    _mm512_storeu_si512(static_cast<void*>(to + 2 * c), pairs);
  }
#endif
  for (; c < count; ++c) {
    to[2 * c] = bf16(first[c]);
    to[2 * c + 1] = second != nullptr ? bf16(second[c]) : bf16{};
  }
}

}  // namespace kernel
GRAFT_END

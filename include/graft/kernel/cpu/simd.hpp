#pragma once
/// \file simd.hpp  The vector type of the kernels: xsimd's batch of the best instruction set this file is compiled for, or one number where
/// xsimd knows none.
#include "graft/config.hpp"

#include <cstddef>
#include <type_traits>
#include <xsimd/xsimd.hpp>

#if defined(__clang__)
#define GRAFT_UNROLL _Pragma("unroll")
#define GRAFT_INLINE inline __attribute__((always_inline))
#elif defined(__GNUC__)
#define GRAFT_UNROLL _Pragma("GCC unroll 64")
#define GRAFT_INLINE inline __attribute__((always_inline))
#else
#define GRAFT_UNROLL
#define GRAFT_INLINE inline
#endif

GRAFT_BEGIN
namespace kernel {

#if XSIMD_NO_SUPPORTED_ARCHITECTURE || defined(GRAFT_NO_SIMD)
template <class T>
struct Vec {
  static constexpr int lanes = 1;
  T value{};
  static GRAFT_INLINE Vec load(const T* p) { return {*p}; }
  static GRAFT_INLINE Vec all(T x) { return {x}; }
  GRAFT_INLINE void store(T* p) const { *p = value; }
  friend GRAFT_INLINE Vec operator+(Vec a, Vec b) { return {a.value + b.value}; }
  friend GRAFT_INLINE Vec operator*(Vec a, Vec b) { return {a.value * b.value}; }
  friend GRAFT_INLINE Vec fused(Vec a, Vec b, Vec c) { return {a.value * b.value + c.value}; }
  friend GRAFT_INLINE Vec larger(Vec a, Vec b) { return {a.value > b.value ? a.value : b.value}; }
};
#else
namespace detail {
/// a * b + c in one instruction. xsimd 8 spells it as a product and a sum for AVX-512, which GCC contracts and Clang does not.
template <class B>
GRAFT_INLINE B multiply_add(const B& a, const B& b, const B& c) {
#ifdef __AVX512F__
  if constexpr (sizeof(B) == 64 && std::is_same_v<typename B::value_type, float>) return B(_mm512_fmadd_ps(a, b, c));
  if constexpr (sizeof(B) == 64 && std::is_same_v<typename B::value_type, double>) return B(_mm512_fmadd_pd(a, b, c));
#elif defined(__FMA__)
  if constexpr (sizeof(B) == 32 && std::is_same_v<typename B::value_type, float>) return B(_mm256_fmadd_ps(a, b, c));
  if constexpr (sizeof(B) == 32 && std::is_same_v<typename B::value_type, double>) return B(_mm256_fmadd_pd(a, b, c));
#endif
  return xsimd::fma(a, b, c);
}
}  // namespace detail

/// As many numbers as one register holds.
template <class T>
struct Vec {
  using Batch = xsimd::batch<T>;
  static constexpr int lanes = static_cast<int>(Batch::size);
  Batch value{};
  static GRAFT_INLINE Vec load(const T* p) { return {Batch::load_unaligned(p)}; }
  static GRAFT_INLINE Vec all(T x) { return {Batch(x)}; }
  GRAFT_INLINE void store(T* p) const { value.store_unaligned(p); }
  friend GRAFT_INLINE Vec operator+(Vec a, Vec b) { return {a.value + b.value}; }
  friend GRAFT_INLINE Vec operator*(Vec a, Vec b) { return {a.value * b.value}; }
  friend GRAFT_INLINE Vec fused(Vec a, Vec b, Vec c) { return {detail::multiply_add(a.value, b.value, c.value)}; }
  friend GRAFT_INLINE Vec larger(Vec a, Vec b) { return {xsimd::max(a.value, b.value)}; }
};
#endif

template <class T>
inline constexpr int lanes = Vec<T>::lanes;

/// Registers that hold vectors.
#ifdef __AVX512F__
inline constexpr int vector_registers = 32;
#else
inline constexpr int vector_registers = 16;
#endif

/// `count` rounded up to whole vectors.
template <class T>
constexpr int padded(int count) {
  return (count + lanes<T> - 1) / lanes<T> * lanes<T>;
}

}  // namespace kernel
GRAFT_END

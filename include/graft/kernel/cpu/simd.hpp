#pragma once
/// \file simd.hpp  The vector type of the kernels: xsimd's batch of the best instruction set this file is compiled for, or one
/// number where xsimd knows none.
#include "graft/config.hpp"
#include "graft/core/bf16.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <xsimd/xsimd.hpp>

#ifdef __linux__
#include <unistd.h>
#endif

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
  friend GRAFT_INLINE Vec smaller(Vec a, Vec b) { return {a.value < b.value ? a.value : b.value}; }
  friend GRAFT_INLINE bool above(Vec a, Vec b) { return a.value > b.value; }
  friend GRAFT_INLINE bool above_or_nan(Vec a, Vec b) { return a.value > b.value || a.value != a.value; }
  friend GRAFT_INLINE bool equal(Vec a, Vec b) { return a.value == b.value; }
  static GRAFT_INLINE Vec choose(bool mask, Vec a, Vec b) { return mask ? a : b; }
};
#else
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
  friend GRAFT_INLINE Vec fused(Vec a, Vec b, Vec c) {
#ifdef __AVX512F__  // xsimd 8 has no fused form for AVX-512: it writes a * b + c, which Clang leaves as two instructions
    if constexpr (std::is_same_v<T, float> && sizeof(Batch) == 64) return {Batch(_mm512_fmadd_ps(a.value, b.value, c.value))};
    if constexpr (std::is_same_v<T, double> && sizeof(Batch) == 64) return {Batch(_mm512_fmadd_pd(a.value, b.value, c.value))};
#endif
    return {xsimd::fma(a.value, b.value, c.value)};
  }
  // Chosen by hand: b where either is a NaN, on every instruction set.
  friend GRAFT_INLINE Vec larger(Vec a, Vec b) { return {xsimd::select(a.value > b.value, a.value, b.value)}; }
  friend GRAFT_INLINE Vec smaller(Vec a, Vec b) { return {xsimd::select(a.value < b.value, a.value, b.value)}; }
  using Mask = xsimd::batch_bool<T>;
  friend GRAFT_INLINE Mask above(Vec a, Vec b) { return a.value > b.value; }
  friend GRAFT_INLINE Mask above_or_nan(Vec a, Vec b) { return (a.value > b.value) | (a.value != a.value); }
  friend GRAFT_INLINE Mask equal(Vec a, Vec b) { return a.value == b.value; }
  static GRAFT_INLINE Vec choose(Mask mask, Vec a, Vec b) { return {xsimd::select(mask, a.value, b.value)}; }
};
#endif

template <class T>
inline constexpr int lanes = Vec<T>::lanes;

/// What a kernel computes in with numbers stored as E.
template <class E>
using Computed = std::conditional_t<std::is_same_v<E, bf16>, float, E>;

/// A vector from numbers as they are stored, and back.
template <class T>
GRAFT_INLINE Vec<T> read(const T* p) {
  return Vec<T>::load(p);
}
template <class T>
GRAFT_INLINE void write(Vec<T> x, T* p) {
  x.store(p);
}
GRAFT_INLINE Vec<float> read(const bf16* p) {
#if defined(__AVX512F__) && !defined(GRAFT_NO_SIMD)
  if constexpr (lanes<float> == 16) {
    const __m512i wide = _mm512_maskz_cvtepu16_epi32(0xFFFF, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    return {Vec<float>::Batch(_mm512_castsi512_ps(_mm512_maskz_slli_epi32(0xFFFF, wide, 16)))};
  }
#elif defined(__AVX2__) && !defined(GRAFT_NO_SIMD)
  if constexpr (lanes<float> == 8) {
    const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    return {Vec<float>::Batch(_mm256_castsi256_ps(_mm256_slli_epi32(wide, 16)))};
  }
#endif
  float numbers[static_cast<std::size_t>(lanes<float>)];
  for (int l = 0; l < lanes<float>; ++l) numbers[l] = static_cast<float>(p[l]);
  return Vec<float>::load(numbers);
}
GRAFT_INLINE void write(Vec<float> x, bf16* p) {
#if defined(__AVX512F__) && defined(__AVX512BF16__) && !defined(GRAFT_NO_SIMD)
  if constexpr (lanes<float> == 16) {
    const __m256bh half = _mm512_cvtneps_pbh(x.value);
    __builtin_memcpy(static_cast<void*>(p), &half, sizeof(half));
    return;
  }
#endif
  float numbers[static_cast<std::size_t>(lanes<float>)];
  x.store(numbers);
  for (int l = 0; l < lanes<float>; ++l) p[l] = bf16(numbers[l]);
}

/// How much of what a layer moves the last cache keeps for the next, in bytes: what the system says of its size, which virtual
/// machines say of all their host's, 24 MB at most and where it does not.
inline std::size_t last_cache() {
  constexpr std::size_t most = std::size_t{24} << 20;
#ifdef _SC_LEVEL3_CACHE_SIZE
  static const long said = sysconf(_SC_LEVEL3_CACHE_SIZE);
  if (said > 0) return std::min(static_cast<std::size_t>(said), most);
#endif
  return most;
}
/// Whether an output goes to memory past the caches, so that its lines are not read first: when so many bytes are `moved` (read
/// and written) that its beginning has left them before anyone reads it, and its pixels are whole, aligned lines.
template <class T>
bool goes_past_caches(std::size_t moved, const T* out, int channels) {
  constexpr std::size_t line = sizeof(Vec<T>);
  return line == 64 && moved > last_cache() && reinterpret_cast<std::uintptr_t>(out) % line == 0 && channels % lanes<T> == 0;
}

/// Stores a vector, past the caches where the machine can.
template <class T>
GRAFT_INLINE void store_past(Vec<T> x, T* to) {
#if defined(__AVX512F__) && !defined(GRAFT_NO_SIMD)
  if constexpr (sizeof(x) == 64 && std::is_same_v<T, float>) return _mm512_stream_ps(to, x.value);
  if constexpr (sizeof(x) == 64 && std::is_same_v<T, double>) return _mm512_stream_pd(to, x.value);
#endif
  x.store(to);
}
/// After store_past(), before other threads may read: nothing else orders such stores.
inline void order_stores_past() {
#if defined(__AVX512F__) && !defined(GRAFT_NO_SIMD)
  _mm_sfence();
#endif
}

/// A vector of whole numbers from 0 to 255, to and from bytes.
template <class T>
GRAFT_INLINE void store_bytes(Vec<T> x, std::uint8_t* to) {
#if defined(__AVX512F__) && !defined(GRAFT_NO_SIMD)
  if constexpr (std::is_same_v<T, float> && lanes<T> == 16) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                     _mm512_maskz_cvtepi32_epi8(0xFFFF, _mm512_maskz_cvttps_epi32(0xFFFF, x.value)));
    return;
  }
#endif
  T numbers[static_cast<std::size_t>(lanes<T>)];
  x.store(numbers);
  for (int l = 0; l < lanes<T>; ++l) to[l] = static_cast<std::uint8_t>(numbers[l]);
}
template <class T>
GRAFT_INLINE Vec<T> load_bytes(const std::uint8_t* from) {
#if defined(__AVX512F__) && !defined(GRAFT_NO_SIMD)
  if constexpr (std::is_same_v<T, float> && lanes<T> == 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    return {typename Vec<T>::Batch(_mm512_maskz_cvtepi32_ps(0xFFFF, _mm512_maskz_cvtepu8_epi32(0xFFFF, bytes)))};
  }
#endif
  T numbers[static_cast<std::size_t>(lanes<T>)];
  for (int l = 0; l < lanes<T>; ++l) numbers[l] = static_cast<T>(from[l]);
  return Vec<T>::load(numbers);
}

/// Keeps a loaded vector in its register. GCC otherwise reads it again from memory as the operand of every product, and a
/// tile whose products each read memory is bound by its loads (AVX2: 2 loads and 2 products a cycle).
template <class T>
GRAFT_INLINE void keep_in_register([[maybe_unused]] Vec<T>& x) {
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && !XSIMD_NO_SUPPORTED_ARCHITECTURE && \
    !defined(GRAFT_NO_SIMD)
  asm("" : "+x"(x.value.data));
#endif
}

/// GCC parks numbers for which it lacks general registers in vector registers, and moving one back waits in the queue behind
/// the products. What follows keeps it from doing so.
#if defined(__GNUC__) && !defined(__clang__)
inline constexpr bool parks_in_vectors = true;
#else
inline constexpr bool parks_in_vectors = false;
#endif
/// `value`, of which the compiler no longer knows how it came about.
template <class P>
GRAFT_INLINE P hidden(P value) {
#if defined(__GNUC__) && !defined(__clang__)
  asm("" : "+r"(value));
#endif
  return value;
}
/// What was read from memory before is read again when it is needed, and not kept in a register until then.
GRAFT_INLINE void forget_memory() {
#if defined(__GNUC__) && !defined(__clang__)
  asm volatile("" ::: "memory");
#endif
}

/// Registers that hold vectors.
#if defined(__AVX512F__) && !defined(GRAFT_NO_SIMD)
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

#pragma once
/// \file config.hpp  What this translation unit was compiled for, and the inline namespace that keeps two different
/// configurations in one program from being merged silently by the linker.
#include "graft/version.hpp"

// Intel's matrix tiles (kernel/cpu/amx.hpp); Clang 14 writes their names otherwise.
// GRAFT_AMX_EMULATION: tests name a header of functions that stand for the instructions.
#if defined(GRAFT_AMX_EMULATION)
#define GRAFT_AMX 1
#elif defined(__linux__) && defined(__x86_64__) && defined(__AVX512BF16__) && !defined(GRAFT_NO_SIMD) && \
    ((defined(__AMX_TILE__) && defined(__AMX_BF16__)) || (defined(__AMXTILE__) && defined(__AMXBF16__)))
#define GRAFT_AMX 1
#endif

#if defined(GRAFT_AMX_EMULATION)
#define GRAFT_ISA amx_emulated
#elif defined(GRAFT_AMX)
#define GRAFT_ISA amx_bf16
#elif defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512BW__) && defined(__AVX512CD__)
#ifdef __AVX512BF16__
#define GRAFT_ISA avx512_bf16
#else
#define GRAFT_ISA avx512
#endif
#elif defined(__AVX2__) && defined(__FMA__)
#define GRAFT_ISA avx2
#elif defined(__AVX__)
#define GRAFT_ISA avx
#elif defined(__SSE2__) || defined(__aarch64__)
#define GRAFT_ISA simd128
#else
#define GRAFT_ISA scalar
#endif

#ifdef _OPENMP
#define GRAFT_TEAM omp
#else
#define GRAFT_TEAM serial
#endif

// Optional readers: set by the CMake components graft::zlib, graft::stb, graft::tiff and graft::hdf5.
#ifdef GRAFT_WITH_ZLIB
#define GRAFT_READERS_Z z
#else
#define GRAFT_READERS_Z
#endif
#ifdef GRAFT_WITH_STB
#define GRAFT_READERS_S s
#else
#define GRAFT_READERS_S
#endif
#ifdef GRAFT_WITH_HDF5
#define GRAFT_READERS_H h
#else
#define GRAFT_READERS_H
#endif
#ifdef GRAFT_WITH_TIFF
#define GRAFT_READERS_T t
#else
#define GRAFT_READERS_T
#endif

#define GRAFT_JOIN_(a, b, c, d, e, f) v0_1_##a##_##b##_##c##d##e##f
#define GRAFT_JOIN(a, b, c, d, e, f) GRAFT_JOIN_(a, b, c, d, e, f)
#define GRAFT_ABI GRAFT_JOIN(GRAFT_ISA, GRAFT_TEAM, GRAFT_READERS_Z, GRAFT_READERS_S, GRAFT_READERS_H, GRAFT_READERS_T)

/// Opens `namespace graft` with its inline version-and-configuration namespace; `GRAFT_END` closes it.
#define GRAFT_BEGIN \
  namespace graft { \
  inline namespace GRAFT_ABI {
#define GRAFT_END \
  }               \
  }

/// Opens `namespace graft` for plain types that are the same in every configuration and that a compiled library (graft::cuda)
/// shares with its user; `GRAFT_END` closes it.
#define GRAFT_SHARED_BEGIN \
  namespace graft {        \
  inline namespace v0_1_shared {

/// Before a function that does not run per step: it is compiled for size, which takes the compiler half the time.
#if defined(__GNUC__)
#define GRAFT_COLD __attribute__((cold))
#else
#define GRAFT_COLD
#endif

#define GRAFT_STRING_(x) #x
#define GRAFT_STRING(x) GRAFT_STRING_(x)

GRAFT_BEGIN
/// The instruction set the kernels of this translation unit were compiled for: "amx_bf16", "avx512_bf16", "avx512", "avx2",
/// "avx", "simd128", "scalar".
inline constexpr const char* isa_name = GRAFT_STRING(GRAFT_ISA);
GRAFT_END

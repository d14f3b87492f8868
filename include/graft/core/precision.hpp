#pragma once
/// \file precision.hpp  Precisions of a model as device tags, and bfloat16 as a number. Plain types, which a compiled library
/// shares with its user.
#include "graft/config.hpp"
#include "graft/core/device.hpp"

#include <bit>
#include <cstdint>

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

/// Runs on D with products of bf16 numbers, summed in float. Bf16<Cpu> stores activations in bf16, too; on Cuda they stay
/// float.
template <class D>
struct Bf16 {};
template <>
struct Bf16<Cuda> : Cuda {};  // what has no kernels of its own runs as on Cuda

/// Runs on D with products of numbers rounded to tf32 (eight bits of exponent, ten of mantissa), summed in float: Tf32<Cuda>.
template <class D>
struct Tf32 {};
template <>
struct Tf32<Cuda> : Cuda {};

/// Runs on D with its 3x3 and 5x5 convolutions by Winograd's minimal filtering, where that fits: the same numbers but for
/// rounding, which is some ten times as large, in about half the time (Winograd<Cpu>; docs/winograd.md).
template <class D>
struct Winograd {};
template <>
struct Winograd<Cpu> : Cpu {};  // all else runs as on Cpu

GRAFT_END

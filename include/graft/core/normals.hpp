#pragma once
/// \file normals.hpp  Many normal numbers at once.
#include "graft/config.hpp"
#include "graft/core/random.hpp"
#include "graft/kernel/cpu/simd.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>

// GCC 12 takes the undefined operand of AVX-512 intrinsics for a variable that is used uninitialised.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

GRAFT_BEGIN

/// `count` standard normal numbers (Box-Muller, both of each pair), by vectors; Random::normal gives one at a time, five times
/// as slowly.
inline void fill_normals(float* out, std::size_t count, Random& random) {
  constexpr std::size_t pairs = 64;
  alignas(64) float u[pairs], v[pairs], sine[pairs];
  for (std::size_t done = 0; done < count; done += 2 * pairs) {
    for (std::size_t i = 0; i < pairs; ++i) {
      u[i] = static_cast<float>(1.0 - random.uniform());  // (0, 1]
      v[i] = static_cast<float>(2.0 * std::numbers::pi * random.uniform());
    }
#if !(XSIMD_NO_SUPPORTED_ARCHITECTURE || defined(GRAFT_NO_SIMD))
    using Batch = kernel::Vec<float>::Batch;
    for (std::size_t i = 0; i < pairs; i += Batch::size) {
      const Batch radius = xsimd::sqrt(Batch(-2.0f) * xsimd::log(Batch::load_aligned(u + i)));
      const auto turn = xsimd::sincos(Batch::load_aligned(v + i));
      (radius * turn.first).store_aligned(sine + i);
      (radius * turn.second).store_aligned(u + i);
    }
#else
    for (std::size_t i = 0; i < pairs; ++i) {
      const float radius = std::sqrt(-2.0f * std::log(u[i]));
      sine[i] = radius * std::sin(v[i]);
      u[i] = radius * std::cos(v[i]);
    }
#endif
    const std::size_t left = count - done, first = std::min(left, pairs), second = std::min(left - first, pairs);
    std::copy_n(u, first, out + done);
    std::copy_n(sine, second, out + done + first);
  }
}

GRAFT_END

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

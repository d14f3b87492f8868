#pragma once
/// \file words.cuh  The random numbers of core/random.hpp on the GPU.
#include "graft/kernel/cuda/launch.cuh"

#include <cstdint>

GRAFT_CUDA_BEGIN
namespace detail {

/// Four random words: philox() of core/random.hpp, for counter (position, stream).
struct Words {
  std::uint32_t word[4];
  __device__ Words(std::uint64_t position, std::uint64_t stream, std::uint64_t seed)
      : word{static_cast<std::uint32_t>(position), static_cast<std::uint32_t>(position >> 32),
             static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32)} {
    std::uint32_t key0 = static_cast<std::uint32_t>(seed), key1 = static_cast<std::uint32_t>(seed >> 32);
    for (int round = 0; round < 10; ++round) {
      const std::uint64_t p = std::uint64_t{0xD2511F53u} * word[0], q = std::uint64_t{0xCD9E8D57u} * word[2];
      const std::uint32_t first = static_cast<std::uint32_t>(q >> 32) ^ word[1] ^ key0;
      const std::uint32_t third = static_cast<std::uint32_t>(p >> 32) ^ word[3] ^ key1;
      word[0] = first;
      word[1] = static_cast<std::uint32_t>(q);
      word[2] = third;
      word[3] = static_cast<std::uint32_t>(p);
      key0 += 0x9E3779B9u;
      key1 += 0xBB67AE85u;
    }
  }
};
/// 24 random bits as a number in [0, 1): Random::to_unit().
inline __device__ double unit_of(std::uint32_t bits) { return static_cast<double>(bits >> 8) * 0x1p-24; }

}  // namespace detail
GRAFT_CUDA_END

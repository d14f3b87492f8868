#pragma once
/// \file random.hpp  Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
/// SC 2011). A number is a pure function of (seed, stream, position), so it does not depend on threads or on order, and the CPU
/// and a GPU draw the same.
#include "graft/config.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>

GRAFT_BEGIN

/// Four random 32-bit words for a 128-bit counter and a 64-bit key.
constexpr std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::uint64_t seed) {
  std::uint32_t key0 = static_cast<std::uint32_t>(seed);
  std::uint32_t key1 = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53u} * counter[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key0, static_cast<std::uint32_t>(b),
               static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key1, static_cast<std::uint32_t>(a)};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

/// A stream of random numbers, keyed by (seed, stream); `at(i)` is its i-th block of four words, and the next_... functions
/// walk along it. Two streams of one seed are independent.
class Random {
 public:
  explicit constexpr Random(std::uint64_t seed, std::uint64_t stream = 0) : seed_(seed), stream_(stream) {}

  [[nodiscard]] constexpr std::array<std::uint32_t, 4> at(std::uint64_t position) const {
    return philox({static_cast<std::uint32_t>(position), static_cast<std::uint32_t>(position >> 32),
                   static_cast<std::uint32_t>(stream_), static_cast<std::uint32_t>(stream_ >> 32)},
                  seed_);
  }
  /// The next 32 random bits.
  constexpr std::uint32_t next() {
    if (used_ == 4) {
      block_ = at(position_++);
      used_ = 0;
    }
    return block_[static_cast<std::size_t>(used_++)];
  }
  /// Uniform in [0, 1), 24 bits: the same number in float and double.
  constexpr double uniform() { return to_unit(next()); }
  constexpr double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Standard normal (Box-Muller).
  double normal() {
    const double u = 1.0 - to_unit(next());  // (0, 1]
    const double v = to_unit(next());
    return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
  }
  /// Uniform integer in [0, count), count >= 1.
  constexpr std::uint32_t below(std::uint32_t count) {
    return static_cast<std::uint32_t>((std::uint64_t{next()} * count) >> 32);
  }

  /// How many words of 32 bits have been taken.
  [[nodiscard]] constexpr std::uint64_t taken() const { return 4 * position_ - static_cast<std::uint64_t>(4 - used_); }
  /// Passes over so many.
  constexpr void skip(std::uint64_t words) {
    const std::uint64_t at = taken() + words;
    position_ = at / 4;
    used_ = 4;
    while (taken() < at) next();
  }

  /// 24 random bits as a number in [0, 1).
  static constexpr double to_unit(std::uint32_t bits) { return static_cast<double>(bits >> 8) * 0x1p-24; }

 private:
  std::uint64_t seed_;
  std::uint64_t stream_;
  std::uint64_t position_ = 0;
  std::array<std::uint32_t, 4> block_{};
  int used_ = 4;
};

/// Mixes several numbers into one stream or seed (SplitMix64 finaliser), so that (epoch, index) pairs give unrelated streams.
constexpr std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  std::uint64_t z = a + 0x9E3779B97F4A7C15ull * (b + 1);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

/// Fisher-Yates shuffle of `values[0..count)`.
template <class Index>
constexpr void shuffle(Index* values, std::size_t count, Random& random) {
  for (std::size_t i = count; i > 1; --i) {
    const std::size_t j = random.below(static_cast<std::uint32_t>(i));
    const Index kept = values[i - 1];
    values[i - 1] = values[j];
    values[j] = kept;
  }
}

GRAFT_END

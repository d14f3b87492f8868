#pragma once
// One piece of work that graft and its peers both do: benchmarks/compare.py asks for its numbers, then for its time. Nothing
// here is graft's, so that the peers written in C++ use it too.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace works {

class Work {
 public:
  virtual ~Work() = default;
  /// What is timed.
  virtual void step() = 0;
  /// Ends what step() may have left running, on a device that works while the program goes on.
  virtual void finish() {}
  /// Steps that are timed as one.
  [[nodiscard]] virtual int together() const { return 1; }
  /// From the start, what both sides must agree on; called once, before the first step().
  virtual std::vector<double> numbers() = 0;
  /// Additions and multiplications of a step; 0 where they say nothing.
  [[nodiscard]] virtual double operations() const { return 0; }
};

using Makers = std::map<std::string, std::function<std::unique_ptr<Work>()>>;

/// The i-th number of a stream, in [-1, 1): the same in every peer, to the bit.
inline float hashed(std::uint32_t i, std::uint32_t stream) {
  std::uint32_t h = i * 0x9e3779b1u + stream * 0x85ebca77u;
  h ^= h >> 16;
  h *= 0x7feb352du;
  h ^= h >> 15;
  h *= 0x846ca68bu;
  h ^= h >> 16;
  return static_cast<float>(h >> 8) * 0x1p-23f - 1.0f;
}

/// An array in three numbers: its norm and two products with streams.
inline std::vector<double> summary(const float* x, std::size_t count) {
  double squares = 0, first = 0, second = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const double v = static_cast<double>(x[i]);
    squares += v * v;
    first += v * static_cast<double>(hashed(static_cast<std::uint32_t>(i), 9001));
    second += v * static_cast<double>(hashed(static_cast<std::uint32_t>(i), 9002));
  }
  return {std::sqrt(squares), first, second};
}

}  // namespace works

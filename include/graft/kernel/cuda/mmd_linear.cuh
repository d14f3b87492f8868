#pragma once
/// \file mmd_linear.cuh  What all estimates of the maximum mean discrepancy need, and those in linear time, which look at n / 2
/// pairs, or at n in a ring.
#include "graft/kernel/cuda/reduce.cuh"

GRAFT_CUDA_BEGIN
namespace detail {

inline constexpr int most_kernels = 8;

/// What the device finds out about the clouds before the distances.
struct CloudFacts {
  double unit;  ///< a power of two by which everything is divided
  double gap;   ///< |mean x - mean y|^2
  double gamma[most_kernels];
  int count;  ///< kernels; 0: all points in one place, nothing pulls
};

/// k(d2) and -k'(d2).
template <class T>
__device__ void kernel_sum(const CloudFacts& facts, T d2, T& value, T& minus_slope) {
  value = minus_slope = T{0};
  for (int k = 0; k < facts.count; ++k) {
    const T g = static_cast<T>(facts.gamma[k]), e = std::exp(-g * d2);
    value += e;
    minus_slope += g * e;
  }
}

/// The rows of a pair.
struct Pairs {
  int n;
  bool ring;
  __device__ std::ptrdiff_t first(std::ptrdiff_t pair) const { return ring ? pair : 2 * pair; }
  __device__ std::ptrdiff_t second(std::ptrdiff_t pair) const { return ring && pair + 1 == n ? 0 : first(pair) + 1; }
};
/// A pair's loss, and its four slopes: within x, within y, x_a y_b, x_b y_a.
template <class T>
struct PairRow {
  Pairs pairs;
  int count, d;
  const T* x;
  const T* y;
  const CloudFacts* facts;
  double* losses;
  T* slopes;
  __device__ void operator()(std::ptrdiff_t pair, int lane) const {
    const std::ptrdiff_t a = pairs.first(pair) * d, b = pairs.second(pair) * d;
    const T* left[4] = {x + a, y + a, x + a, x + b};
    const T* right[4] = {x + b, y + b, y + b, y + a};
    double loss = 0.0;
    for (int t = 0; t < 4; ++t) {
      const double sign = t < 2 ? 1.0 : -1.0;
      double d2 = 0.0;
      for (int k = lane; k < d; k += 32) {
        const double off = (static_cast<double>(left[t][k]) - static_cast<double>(right[t][k])) / facts->unit;
        d2 += off * off;
      }
      d2 = warp_sum(d2);
      T value, minus_slope;
      kernel_sum(*facts, static_cast<T>(d2), value, minus_slope);
      loss += sign * static_cast<double>(value);
      if (lane == 0) slopes[4 * pair + t] = static_cast<T>(-2.0 * sign / count) * minus_slope;
    }
    if (lane == 0) losses[pair] = facts->unit == facts->unit ? loss : facts->unit;
  }
};
/// The gradient of one number, from the one or two pairs of its row.
template <class T>
struct PairPull {
  Pairs pairs;
  int d;
  bool of_x;
  const T* own;
  const T* other;
  const T* slopes;
  const CloudFacts* facts;
  T* to;
  __device__ void operator()(std::ptrdiff_t i) const {
    const std::ptrdiff_t row = i / d, k = i % d;
    const double unit = facts->unit, here = static_cast<double>(own[i]);
    double sum = unit == unit ? 0.0 : unit;
    const auto add = [&](std::ptrdiff_t pair, bool is_first) {
      const std::ptrdiff_t mate = (is_first ? pairs.second(pair) : pairs.first(pair)) * d + k;
      const T* s = slopes + 4 * pair;
      const T cross = is_first == of_x ? s[2] : s[3];
      sum += static_cast<double>(of_x ? s[0] : s[1]) * ((here - static_cast<double>(own[mate])) / unit) +
             static_cast<double>(cross) * ((here - static_cast<double>(other[mate])) / unit);
    };
    if (pairs.ring) {
      add(row, true);
      add(row == 0 ? pairs.n - 1 : row - 1, false);
    } else {
      add(row / 2, row % 2 == 0);
    }
    to[i] = static_cast<T>(sum / unit);
  }
};

}  // namespace detail
GRAFT_CUDA_END

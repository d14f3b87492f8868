#pragma once
/// \file pixel_math.hpp  What the changes of images compute for one pixel, on the CPU and in a device's kernels.
#include "graft/config.hpp"
#include "graft/core/pixel_change.hpp"

#include <cmath>

GRAFT_BEGIN
namespace data {

/// What lies beyond the edges, under Keras's names: one value; the edge's pixel; mirrored (dcba|abcd|dcba); repeated. They are
/// scipy.ndimage's modes, so `wrap` repeats with period n - 1, as there.
enum class Fill : int { constant, nearest, reflect, wrap };

namespace detail {

/// The two pixels of [0, n) that a place lies between and the second's share; false: the place is beyond the edges.
struct Taps {
  int low = 0, high = 0;
  float part = 0.0f;
};
GRAFT_ANYWHERE inline bool taps(double at, int n, Fill fill, Taps& out) {
  const double last = n - 1;
  if (fill == Fill::constant && (at < 0.0 || at > last)) return false;
  if (fill == Fill::nearest) at = at < 0.0 ? 0.0 : at > last ? last : at;
  if (fill == Fill::wrap) {
    if (n == 1) at = 0.0;
    if (at < 0.0) at += last * (std::floor(-at / last) + 1.0);
    if (at > last) at -= last * std::floor(at / last);
  }
  const double floor = std::floor(at);
  out.part = static_cast<float>(at - floor);
  if (fill == Fill::reflect) {
    const auto fold = [n](double i) {
      const double period = 2.0 * n;
      i -= period * std::floor(i / period);
      return static_cast<int>(i < n ? i : period - 1.0 - i);
    };
    out.low = fold(floor);
    out.high = fold(floor + 1.0);
  } else {
    const int low = static_cast<int>(floor);
    out.low = low < 0 ? 0 : low > n - 1 ? n - 1 : low;
    out.high = out.low + 1 < n ? out.low + 1 : n - 1;
  }
  return true;
}
/// The bilinear mean of four neighbours.
GRAFT_ANYWHERE inline float between(float p00, float p01, float p10, float p11, float u, float v) {
  const float top = p00 + (p01 - p00) * u;
  const float bottom = p10 + (p11 - p10) * u;
  return top + (bottom - top) * v;
}

GRAFT_ANYWHERE inline float luma(const float* p, int channels) {
  return channels < 3 ? p[0] : 0.2989f * p[0] + 0.587f * p[1] + 0.114f * p[2];
}
GRAFT_ANYWHERE inline float byte_range(float v) { return v < 0.0f ? 0.0f : v > 255.0f ? 255.0f : v; }
/// Away from (factor above 1) or towards `grey`.
GRAFT_ANYWHERE inline float apart_from(float grey, float v, float factor) {
  return byte_range(factor * v + (1.0f - factor) * grey);
}

/// The hue of one RGB pixel turned by `turn` (1 is the whole circle), through HSV.
GRAFT_ANYWHERE inline void turn_hue(float* p, float turn) {
  const float r = p[0], g = p[1], b = p[2];
  const float high = r > g ? (r > b ? r : b) : (g > b ? g : b), low = r < g ? (r < b ? r : b) : (g < b ? g : b);
  const float range = high - low;
  if (range <= 0.0f) return;  // grey has no hue
  float h = high == r ? (g - b) / range : high == g ? 2.0f + (b - r) / range : 4.0f + (r - g) / range;
  h = h / 6.0f + turn;
  h = (h - std::floor(h)) * 6.0f;
  const int sextant = static_cast<int>(h) % 6;
  const float f = h - std::floor(h), s = range / high;
  const float lowest = high * (1.0f - s), falling = high * (1.0f - s * f), rising = high * (1.0f - s * (1.0f - f));
  p[0] = sextant == 0 || sextant == 5 ? high : sextant == 1 ? falling : sextant == 4 ? rising : lowest;
  p[1] = sextant == 1 || sextant == 2 ? high : sextant == 3 ? falling : sextant == 0 ? rising : lowest;
  p[2] = sextant == 3 || sextant == 4 ? high : sextant == 5 ? falling : sextant == 2 ? rising : lowest;
}

}  // namespace detail
}  // namespace data
GRAFT_END

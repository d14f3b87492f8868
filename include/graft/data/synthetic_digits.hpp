#pragma once
/// \file synthetic_digits.hpp  Two worlds of digits that the library draws itself, so that everything runs with nothing
/// downloaded: strokes with a random affine warp, thickness and blur; the source is white on black like MNIST, the target is
/// painted on coloured, natural-looking texture. Image i of a seed is the same on every machine with the same floating point,
/// for any number of threads.
#include "graft/config.hpp"
#include "graft/core/parallel.hpp"
#include "graft/core/random.hpp"
#include "graft/data/dataset.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

GRAFT_BEGIN
namespace data {

enum class Domain { source, target };

namespace detail {

struct Point {
  double x;
  double y;
};
/// One stroke of a digit through control points in the unit square (x right, y down): smooth, or straight from point to point.
struct Stroke {
  bool smooth;
  std::vector<Point> points;
};

/// The ways to write each digit.
inline const std::vector<std::vector<Stroke>>& digit_strokes(int digit) {
  using Ways = std::vector<std::vector<Stroke>>;
  static const std::array<Ways, 10> all{
      Ways{{{true,
             {{.5, .06},
              {.3, .14},
              {.2, .36},
              {.2, .64},
              {.3, .87},
              {.5, .95},
              {.7, .87},
              {.8, .64},
              {.8, .36},
              {.7, .14},
              {.5, .06}}}},
           {{true, {{.56, .06}, {.34, .2}, {.24, .5}, {.3, .82}, {.48, .95}, {.68, .82}, {.76, .5}, {.7, .2}, {.5, .08}}}}},
      Ways{{{false, {{.5, .06}, {.5, .95}}}}, {{false, {{.34, .24}, {.54, .06}, {.54, .95}}}}},
      Ways{{{true, {{.22, .28}, {.34, .1}, {.58, .06}, {.76, .22}, {.7, .46}, {.46, .7}, {.2, .92}}},
            {false, {{.2, .92}, {.82, .92}}}},
           {{true,
             {{.22, .26},
              {.4, .08},
              {.66, .1},
              {.74, .32},
              {.56, .62},
              {.3, .86},
              {.22, .78},
              {.36, .76},
              {.6, .92},
              {.84, .86}}}}},
      Ways{{{true, {{.24, .14}, {.5, .05}, {.74, .18}, {.68, .4}, {.44, .48}}},
            {true, {{.44, .48}, {.72, .56}, {.78, .78}, {.54, .95}, {.22, .86}}}}},
      Ways{{{false, {{.62, .06}, {.18, .64}, {.86, .64}}}, {false, {{.64, .34}, {.62, .95}}}},
           {{false, {{.26, .08}, {.22, .54}, {.8, .5}}}, {false, {{.74, .08}, {.68, .95}}}}},
      Ways{{{false, {{.76, .07}, {.32, .08}, {.28, .44}}},
            {true, {{.28, .44}, {.5, .38}, {.75, .52}, {.76, .78}, {.5, .95}, {.2, .86}}}}},
      Ways{{{true, {{.66, .06}, {.42, .24}, {.26, .54}, {.28, .82}, {.5, .95}, {.72, .82}, {.72, .62}, {.52, .5}, {.3, .64}}}}},
      Ways{{{false, {{.2, .1}, {.8, .1}, {.42, .95}}}},
           {{false, {{.2, .1}, {.8, .1}, {.42, .95}}}, {false, {{.36, .5}, {.72, .5}}}}},
      Ways{{{true,
             {{.5, .48},
              {.28, .32},
              {.34, .1},
              {.5, .05},
              {.66, .1},
              {.72, .3},
              {.5, .48},
              {.26, .7},
              {.32, .9},
              {.5, .96},
              {.7, .9},
              {.76, .7},
              {.5, .48}}}}},
      Ways{{{true, {{.72, .3}, {.6, .08}, {.38, .08}, {.26, .28}, {.36, .48}, {.58, .48}, {.72, .3}}},
            {true, {{.72, .3}, {.72, .6}, {.6, .95}}}},
           {{true, {{.72, .26}, {.54, .07}, {.3, .16}, {.3, .42}, {.54, .5}, {.72, .3}}}, {false, {{.73, .2}, {.72, .95}}}}}};
  return all[static_cast<std::size_t>(digit)];
}

/// A point of the Catmull-Rom curve between b and c.
inline Point between(Point a, Point b, Point c, Point d, double t) {
  const auto one = [t](double p, double q, double r, double s) {
    return 0.5 * (2 * q + (r - p) * t + (2 * p - 5 * q + 4 * r - s) * t * t + (3 * q - p - 3 * r + s) * t * t * t);
  };
  return {one(a.x, b.x, c.x, d.x), one(a.y, b.y, c.y, d.y)};
}

/// The ink of one digit, 28 x 28 numbers in [0, 1].
inline void draw_digit(int digit, Random& random, float* ink) {
  constexpr int side = 28;
  const auto& ways = digit_strokes(digit);
  const auto& strokes = ways[random.below(static_cast<std::uint32_t>(ways.size()))];
  const double angle = random.uniform(-0.25, 0.25);
  const double shear = random.uniform(-0.3, 0.3);
  const double wide = random.uniform(14.0, 21.0);
  const double high = random.uniform(17.0, 22.0);
  const double left = 14.0 + random.uniform(-2.0, 2.0);
  const double top = 14.0 + random.uniform(-2.0, 2.0);
  const double radius = random.uniform(0.7, 1.8);
  const double soft = random.uniform(0.5, 1.2);
  const auto place = [&](Point p) {
    const double y = (p.y - 0.5) * high;
    const double x = (p.x - 0.5) * wide - shear * y;
    return Point{left + std::cos(angle) * x - std::sin(angle) * y, top + std::sin(angle) * x + std::cos(angle) * y};
  };
  std::array<float, side * side> nearest;
  nearest.fill(1e9f);
  const auto segment = [&](Point a, Point b) {
    const double reach = radius + soft + 1.0;
    const int x0 = std::max(0, static_cast<int>(std::min(a.x, b.x) - reach));
    const int x1 = std::min(side - 1, static_cast<int>(std::max(a.x, b.x) + reach));
    const int y0 = std::max(0, static_cast<int>(std::min(a.y, b.y) - reach));
    const int y1 = std::min(side - 1, static_cast<int>(std::max(a.y, b.y) + reach));
    const double dx = b.x - a.x, dy = b.y - a.y;
    const double length = dx * dx + dy * dy + 1e-9;
    for (int y = y0; y <= y1; ++y) {
      for (int x = x0; x <= x1; ++x) {
        const double t = std::clamp(((x - a.x) * dx + (y - a.y) * dy) / length, 0.0, 1.0);
        const double ex = x - a.x - t * dx, ey = y - a.y - t * dy;
        float& best = nearest[static_cast<std::size_t>(y * side + x)];
        best = std::min(best, static_cast<float>(ex * ex + ey * ey));
      }
    }
  };
  for (const Stroke& stroke : strokes) {
    std::array<Point, 16> p;
    const std::size_t n = stroke.points.size();
    for (std::size_t i = 0; i < n; ++i) {
      p[i] = place({stroke.points[i].x + 0.025 * random.normal(), stroke.points[i].y + 0.025 * random.normal()});
    }
    for (std::size_t i = 0; i + 1 < n; ++i) {
      if (!stroke.smooth) {
        segment(p[i], p[i + 1]);
        continue;
      }
      Point last = p[i];
      for (int k = 1; k <= 4; ++k) {
        const Point now = between(p[i > 0 ? i - 1 : 0], p[i], p[i + 1], p[std::min(i + 2, n - 1)], k / 4.0);
        segment(last, now);
        last = now;
      }
    }
  }
  for (std::size_t i = 0; i < nearest.size(); ++i) {
    ink[i] = static_cast<float>(std::clamp((radius - std::sqrt(static_cast<double>(nearest[i]))) / soft + 0.5, 0.0, 1.0));
  }
}

/// A colourful background in [0, 255], 28 x 28 x 3: octaves of smooth noise in brightness and colour over a gradient, with a
/// hard edge in every second one, as a crop of a photograph has.
inline void draw_texture(Random& random, float* out) {
  constexpr int side = 28;
  const double base = random.uniform(60.0, 160.0);
  std::array<double, 3> tint{};
  for (double& t : tint) t = random.uniform(-45.0, 45.0);
  const double contrast = random.uniform(2.0, 20.0);
  const double slope_x = random.uniform(-2.0, 2.0), slope_y = random.uniform(-2.0, 2.0);
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      for (std::size_t k = 0; k < 3; ++k) {
        out[static_cast<std::size_t>(y * side + x) * 3 + k] =
            static_cast<float>(base + tint[k] + slope_x * (x - 14) + slope_y * (y - 14));
      }
    }
  }
  double strength = contrast;
  for (int cell = 14; cell >= 2; cell /= 2, strength *= 0.62) {
    constexpr std::size_t most = 17;
    std::array<std::array<float, 4>, most * most> grid;  // brightness and three colours at the corners
    const double ox = random.uniform(0.0, cell), oy = random.uniform(0.0, cell);
    for (auto& corner : grid) {
      corner[0] = static_cast<float>(strength * random.uniform(-1.0, 1.0));
      for (std::size_t k = 1; k < 4; ++k) corner[k] = static_cast<float>(0.4 * strength * random.uniform(-1.0, 1.0));
    }
    for (int y = 0; y < side; ++y) {
      for (int x = 0; x < side; ++x) {
        const double gx = (x + ox) / cell, gy = (y + oy) / cell;
        const std::size_t ix = static_cast<std::size_t>(gx), iy = static_cast<std::size_t>(gy);
        const double tx = gx - static_cast<double>(ix), ty = gy - static_cast<double>(iy);
        const double sx = tx * tx * (3 - 2 * tx), sy = ty * ty * (3 - 2 * ty);
        const auto smooth = [&](std::size_t k) {
          const auto at = [&](std::size_t a, std::size_t b) { return static_cast<double>(grid[(iy + b) * most + ix + a][k]); };
          return (at(0, 0) * (1 - sx) + at(1, 0) * sx) * (1 - sy) + (at(0, 1) * (1 - sx) + at(1, 1) * sx) * sy;
        };
        const double brightness = smooth(0);
        for (std::size_t k = 0; k < 3; ++k)
          out[static_cast<std::size_t>(y * side + x) * 3 + k] += static_cast<float>(brightness + smooth(k + 1));
      }
    }
  }
  for (std::uint32_t edges = random.below(2); edges > 0; --edges) {  // an object in front: everything beyond a line is shifted
    const double angle = random.uniform(0.0, 6.283185307179586);
    const double offset = random.uniform(-10.0, 10.0);
    std::array<double, 3> shift{};
    const double bright = random.uniform(-60.0, 60.0);
    for (double& s : shift) s = bright + random.uniform(-25.0, 25.0);
    for (int y = 0; y < side; ++y) {
      for (int x = 0; x < side; ++x) {
        const double part = std::clamp(std::cos(angle) * (x - 14) + std::sin(angle) * (y - 14) - offset + 0.5, 0.0, 1.0);
        for (std::size_t k = 0; k < 3; ++k)
          out[static_cast<std::size_t>(y * side + x) * 3 + k] += static_cast<float>(part * shift[k]);
      }
    }
  }
  for (int i = 0; i < side * side * 3; ++i) out[i] = std::clamp(out[i], 0.0f, 255.0f);
}

}  // namespace detail

/// `count` digits, the classes in turn: source 28 x 28 x 1, target 28 x 28 x 3. Give the training and the test part different
/// seeds.
inline Labelled synthetic_digits(std::size_t count, std::uint64_t seed, Domain domain) {
  constexpr std::size_t area = 28 * 28;
  const std::size_t channels = domain == Domain::source ? 1 : 3;
  Pixels pixels(std::array<std::size_t, 4>{count, 28, 28, channels});
  std::vector<std::int32_t> labels(count);
  const int pieces = static_cast<int>((count + 127) / 128);
  parallel_for(pieces, [&](int piece) {
    const Range range = chunk(static_cast<std::ptrdiff_t>(count), pieces, piece);
    std::array<float, area> ink;
    std::array<float, area * 3> texture;
    for (std::size_t i = static_cast<std::size_t>(range.begin); i < static_cast<std::size_t>(range.end); ++i) {
      Random random(seed, mix(domain == Domain::source ? 0x736f75726365 : 0x746172676574, i));
      const int digit = static_cast<int>(i % 10);
      labels[i] = digit;
      detail::draw_digit(digit, random, ink.data());
      std::uint8_t* out = pixels.data() + i * area * channels;
      if (domain == Domain::source) {
        for (std::size_t p = 0; p < area; ++p) out[p] = static_cast<std::uint8_t>(std::lround(255.0f * ink[p]));
        continue;
      }
      detail::draw_texture(random, texture.data());
      const double light = random.uniform(60.0, 130.0);  // the digit is painted on, brighter than what it stands on
      std::array<float, 3> paint;
      for (float& p : paint) p = static_cast<float>(light * random.uniform(0.6, 1.2));
      for (std::size_t p = 0; p < area; ++p) {
        for (std::size_t k = 0; k < 3; ++k) {
          out[p * 3 + k] = static_cast<std::uint8_t>(std::lround(std::min(255.0f, texture[p * 3 + k] + paint[k] * ink[p])));
        }
      }
    }
  });
  return {domain == Domain::source ? "synthetic digits" : "synthetic digits on texture", std::move(pixels), std::move(labels),
          10};
}

}  // namespace data
GRAFT_END

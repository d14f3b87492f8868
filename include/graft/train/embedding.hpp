#pragma once
/// \file embedding.hpp  Points of many dimensions in the plane, for looking at features: principal components, and t-SNE
/// (van der Maaten & Hinton, JMLR 9, 2008), exact, for about a thousand points. Both are functions of their input alone.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/core/random.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

GRAFT_BEGIN

/// Points of the plane.
using Plane = std::vector<std::array<double, 2>>;

namespace detail {

/// n x d numbers, their mean taken off. Throws Error for numbers that are not finite or not n rows.
template <class T>
std::vector<double> centred_rows(const std::vector<T>& numbers, std::size_t n) {
  if (n < 2 || numbers.size() % n != 0 || numbers.empty())
    fail("an embedding of ", n, " points from ", numbers.size(), " numbers; give at least 2 points, all of one size.");
  const std::size_t d = numbers.size() / n;
  std::vector<double> x(numbers.begin(), numbers.end());
  for (std::size_t k = 0; k < d; ++k) {
    double mean = 0.0;
    for (std::size_t i = 0; i < n; ++i) mean += x[i * d + k] / static_cast<double>(n);
    if (!std::isfinite(mean)) fail("an embedding of numbers that are not finite was asked for.");
    for (std::size_t i = 0; i < n; ++i) x[i * d + k] -= mean;
  }
  return x;
}

/// The row of conditional probabilities p_j|i whose perplexity is the wanted one (section 2), by bisection of the precision.
inline void similarities(const double* squared, std::size_t n, std::size_t i, double perplexity, double* p) {
  double nearest = std::numeric_limits<double>::max(), mean = 0.0;
  for (std::size_t j = 0; j < n; ++j) {
    if (j == i) continue;
    nearest = std::min(nearest, squared[j]);
    mean += squared[j] / static_cast<double>(n - 1);
  }
  double low = 0.0, high = std::numeric_limits<double>::infinity();
  double beta = mean > nearest ? 1.0 / (mean - nearest) : 1.0;  // distances only count above the nearest one
  for (int turn = 0; turn < 100; ++turn) {
    double sum = 0.0, weighted = 0.0;
    for (std::size_t j = 0; j < n; ++j) {
      p[j] = j == i ? 0.0 : std::exp(-beta * (squared[j] - nearest));
      sum += p[j];
      weighted += p[j] * (squared[j] - nearest);
    }
    const double entropy = std::log(sum) + beta * weighted / sum;
    for (std::size_t j = 0; j < n; ++j) p[j] /= sum;
    const double excess = entropy - std::log(perplexity);
    if (std::abs(excess) < 1e-7) return;
    if (excess > 0.0) {
      low = beta;
      beta = std::isinf(high) ? 2.0 * beta : 0.5 * (beta + high);
    } else {
      high = beta;
      beta = 0.5 * (beta + low);
    }
  }
}

}  // namespace detail

/// The n points' first two principal components: n x d numbers, row by row, projected on the two directions of the largest
/// variance. The sign of each is such that its largest number in magnitude is positive. Throws Error for fewer than two points
/// or numbers that are not finite.
template <class T>
Plane pca(const std::vector<T>& numbers, std::size_t n) {
  const std::vector<double> x = detail::centred_rows(numbers, n);
  const std::size_t d = x.size() / n;
  Plane plane(n, {0.0, 0.0});
  std::vector<double> axes[2];
  Random random(0, 0x706361);
  for (std::size_t a = 0; a < 2; ++a) {
    std::vector<double> v(d), next(d);
    for (double& value : v) value = random.normal();
    for (int turn = 0; turn < 300; ++turn) {  // power iteration, orthogonal to the axis before
      std::fill(next.begin(), next.end(), 0.0);
      for (std::size_t i = 0; i < n; ++i) {
        const double* row = x.data() + i * d;
        double dot = 0.0;
        for (std::size_t k = 0; k < d; ++k) dot += row[k] * v[k];
        for (std::size_t k = 0; k < d; ++k) next[k] += dot * row[k];
      }
      for (std::size_t b = 0; b < a; ++b) {
        double dot = 0.0;
        for (std::size_t k = 0; k < d; ++k) dot += next[k] * axes[b][k];
        for (std::size_t k = 0; k < d; ++k) next[k] -= dot * axes[b][k];
      }
      double norm = 0.0, change = 0.0;
      for (const double value : next) norm += value * value;
      norm = std::sqrt(norm);
      if (!(norm > 1e-300)) {  // no variance is left: this coordinate stays 0
        std::fill(v.begin(), v.end(), 0.0);
        break;
      }
      for (std::size_t k = 0; k < d; ++k) {
        next[k] /= norm;
        change += (next[k] - v[k]) * (next[k] - v[k]);
      }
      v.swap(next);
      if (change < 1e-20) break;
    }
    const auto largest = std::max_element(v.begin(), v.end(), [](double p, double q) { return std::abs(p) < std::abs(q); });
    if (*largest < 0.0) std::transform(v.begin(), v.end(), v.begin(), [](double value) { return -value; });
    axes[a] = v;
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t k = 0; k < d; ++k) plane[i][a] += x[i * d + k] * v[k];
    }
  }
  return plane;
}

struct TsneOptions {
  double perplexity = 30.0;  ///< the number of neighbours that count, at most a third of the points
  int turns = 500;
  double rate = 0.0;  ///< 0: n / 12, at least 50 (Belkina et al. 2019)
};

/// The n points (n x d numbers, row by row) by t-SNE: gradient (5) with momentum, gains and early exaggeration by 12 for the
/// first half of the turns, begun at the principal components (Kobak & Berens 2019), so that the picture depends on the points
/// alone. Time and memory grow with n^2; Error above 2000 points, and as pca.
template <class T>
Plane tsne(const std::vector<T>& numbers, std::size_t n, const TsneOptions& options = {}) {
  if (n > 2000) fail("tsne: ", n, " points; at most 2000 are compared all with all. Take some of them.");
  Plane y = pca(numbers, n);
  if (n < 4) return y;
  const std::vector<double> x = detail::centred_rows(numbers, n);
  const std::size_t d = x.size() / n;
  std::vector<double> squared(n * n), p(n * n), q(n * n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      double sum = 0.0;
      for (std::size_t k = 0; k < d; ++k) sum += (x[i * d + k] - x[j * d + k]) * (x[i * d + k] - x[j * d + k]);
      squared[i * n + j] = squared[j * n + i] = sum;
    }
  }
  const double perplexity = std::min(options.perplexity, static_cast<double>(n - 1) / 3.0);
  for (std::size_t i = 0; i < n; ++i) detail::similarities(squared.data() + i * n, n, i, perplexity, q.data() + i * n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j)
      p[i * n + j] = std::max(1e-12, (q[i * n + j] + q[j * n + i]) / (2.0 * static_cast<double>(n)));
  }
  double spread = 0.0;
  for (const auto& point : y) spread += point[0] * point[0] / static_cast<double>(n);
  const double scale = spread > 0.0 ? 1e-4 / std::sqrt(spread) : 1.0;
  for (auto& point : y) point = {point[0] * scale, point[1] * scale};
  Plane speed(n, {0.0, 0.0}), gain(n, {1.0, 1.0});
  const double rate = options.rate > 0.0 ? options.rate : std::max(50.0, static_cast<double>(n) / 12.0);
  for (int turn = 0; turn < options.turns; ++turn) {
    const bool early = turn < options.turns / 2;
    double total = 0.0;
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        const double dx = y[i][0] - y[j][0], dy = y[i][1] - y[j][1];
        total += 2.0 * (q[i * n + j] = q[j * n + i] = 1.0 / (1.0 + dx * dx + dy * dy));
      }
      q[i * n + i] = 0.0;
    }
    Plane gradient(n, {0.0, 0.0});
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        const double t = q[i * n + j], pull = 4.0 * ((early ? 12.0 : 1.0) * p[i * n + j] - t / total) * t;
        gradient[i][0] += pull * (y[i][0] - y[j][0]);
        gradient[i][1] += pull * (y[i][1] - y[j][1]);
      }
    }
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t a = 0; a < 2; ++a) {
        const bool same = gradient[i][a] * speed[i][a] > 0.0;
        gain[i][a] = std::max(0.01, same ? 0.8 * gain[i][a] : gain[i][a] + 0.2);
        speed[i][a] = (early ? 0.5 : 0.8) * speed[i][a] - rate * gain[i][a] * gradient[i][a];
        y[i][a] += speed[i][a];
      }
    }
  }
  return y;
}

GRAFT_END

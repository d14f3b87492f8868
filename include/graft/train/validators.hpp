#pragma once
/// \file validators.hpp  How good a network may be on a target whose labels nobody has: numbers by which an epoch or an option
/// can be chosen without them. None is always right; compare several (Musgrave, Belongie, Lim 2022).
#include "graft/config.hpp"
#include "graft/core/error.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

GRAFT_BEGIN

/// The mean entropy, in nats, of n rows of k probabilities: low where predictions are sure. Blind to surely wrong ones.
template <class T>
GRAFT_COLD double prediction_entropy(const T* probabilities, int n, int k) {
  double sum = 0.0;
  for (std::ptrdiff_t i = 0; i < static_cast<std::ptrdiff_t>(n) * k; ++i) {
    const double p = static_cast<double>(probabilities[i]);
    if (p > 0.0) sum -= p * std::log(p);
  }
  return sum / n;
}

/// Soft neighbourhood density (Saito et al. 2021, equations 2 to 4): the mean entropy of each row's similarities to all others,
/// of rows of unit length and sharpened by the temperature. High where predictions lie in dense clusters. n >= 3 rows of k
/// probabilities; n^2 k operations, n k numbers. Throws Error for fewer rows.
template <class T>
GRAFT_COLD double soft_neighbourhood_density(const T* probabilities, int n, int k, double temperature = 0.05) {
  if (n < 3) fail("soft_neighbourhood_density: ", n, " rows; it needs at least 3.");
  const std::size_t rows = static_cast<std::size_t>(n), width = static_cast<std::size_t>(k);
  std::vector<double> unit(rows * width), near(rows);
  for (std::size_t i = 0; i < rows; ++i) {
    double square = 0.0;
    for (std::size_t c = 0; c < width; ++c) {
      unit[i * width + c] = static_cast<double>(probabilities[i * width + c]);
      square += unit[i * width + c] * unit[i * width + c];
    }
    for (std::size_t c = 0; c < width && square > 0.0; ++c) unit[i * width + c] /= std::sqrt(square);
  }
  double sum = 0.0;
  for (std::size_t i = 0; i < rows; ++i) {
    double most = -HUGE_VAL, total = 0.0, weighted = 0.0;
    for (std::size_t j = 0; j < rows; ++j) {
      double dot = 0.0;
      for (std::size_t c = 0; c < width; ++c) dot += unit[i * width + c] * unit[j * width + c];
      near[j] = dot / temperature;
      if (j != i) most = std::max(most, near[j]);
    }
    for (std::size_t j = 0; j < rows; ++j) {
      if (j == i) continue;  // a row is no neighbour of itself
      const double e = std::exp(near[j] - most);
      total += e;
      weighted += e * (near[j] - most);
    }
    sum += std::log(total) - weighted / total;
  }
  return sum / n;
}

/// 2 (1 - 2 error) (Ben-David et al. 2007): 0 where a classifier cannot tell the domains, 2 where it always can.
constexpr double a_distance(double error) { return 2.0 * (1.0 - 2.0 * error); }

/// Deep embedded validation (You et al. 2019, equations 5 and 6): the risk on the target from losses on held-out source images,
/// each weighted by how likely it is in the target; the weights' known mean of 1 takes variance away. Low is good.
/// `weights`: (Ns / Nt) d_t / d_s from a domain classifier's probabilities. Throws Error unless both are of one size above 1.
GRAFT_COLD inline double deep_embedded_validation(const std::vector<double>& weights, const std::vector<double>& losses) {
  const std::size_t n = losses.size();
  if (n < 2 || weights.size() != n)
    fail("deep_embedded_validation: ", weights.size(), " weights and ", n, " losses; give as many of each, at least 2.");
  double mean_w = 0.0, mean_wl = 0.0, covariance = 0.0, variance = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    mean_w += weights[i] / static_cast<double>(n);
    mean_wl += weights[i] * losses[i] / static_cast<double>(n);
  }
  for (std::size_t i = 0; i < n; ++i) {
    covariance += (weights[i] * losses[i] - mean_wl) * (weights[i] - mean_w);
    variance += (weights[i] - mean_w) * (weights[i] - mean_w);
  }
  const double eta = variance > 0.0 ? -covariance / variance : 0.0;
  return mean_wl + eta * mean_w - eta;
}

GRAFT_END

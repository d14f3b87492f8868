#pragma once
/// \file domain_classifier.hpp  A small classifier of domains, for validators: how well it tells two domains by their features,
/// and how likely a source sample is in the target.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/train/validators.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

GRAFT_BEGIN

/// What a classifier of domains says of samples that it has not learnt from.
struct DomainsTold {
  std::vector<double>
      weights;         ///< (Ns / Nt) d_t / d_s of the source's rows 1, 3, 5, ...: about how much likelier in the target
  double error = 0.0;  ///< on the odd rows of both, half for each domain
};

/// Logistic regression, by 200 steps of Nesterov's method from 0 on the even rows of both domains, features standardised. It is
/// fast and rough, and its early end keeps weights from growing without bound where the domains are told easily. ns and nt rows
/// of d features. Throws Error for fewer than 2 rows.
template <class T>
GRAFT_COLD DomainsTold tell_domains(const T* source, int ns, const T* target, int nt, int d) {
  if (ns < 2 || nt < 2) fail("tell_domains: ", ns, " and ", nt, " rows; it needs at least 2 of each.");
  const std::size_t width = static_cast<std::size_t>(d), rows = static_cast<std::size_t>((ns + 1) / 2 + (nt + 1) / 2);
  const auto each = [&](auto&& f, int first) {  // the even rows (first = 0) or the odd ones: f(row, whether of the source)
    for (int i = first; i < ns; i += 2) f(source + static_cast<std::ptrdiff_t>(i) * d, true);
    for (int i = first; i < nt; i += 2) f(target + static_cast<std::ptrdiff_t>(i) * d, false);
  };
  std::vector<double> mean(width), deviation(width), x, side;
  each(
      [&](const T* row, bool) {
        for (std::size_t c = 0; c < width; ++c) mean[c] += static_cast<double>(row[c]) / static_cast<double>(rows);
      },
      0);
  each(
      [&](const T* row, bool) {
        for (std::size_t c = 0; c < width; ++c) {
          const double apart = static_cast<double>(row[c]) - mean[c];
          deviation[c] += apart * apart / static_cast<double>(rows);
        }
      },
      0);
  for (double& v : deviation) v = v > 0.0 ? std::sqrt(v) : 1.0;
  const auto standard = [&](const T* row, std::size_t c) { return (static_cast<double>(row[c]) - mean[c]) / deviation[c]; };
  each(
      [&](const T* row, bool of_source) {
        for (std::size_t c = 0; c < width; ++c) x.push_back(standard(row, c));
        side.push_back(of_source ? -1.0 : 1.0);
      },
      0);

  // The curvature is at most a quarter of the rows' mean square, which standardising made width + 1 with the bias.
  const double step = 4.0 / (static_cast<double>(width) + 1.0);
  std::vector<double> w(width + 1), before(width + 1), ahead(width + 1), slope(width + 1);
  for (int turn = 0; turn < 200; ++turn) {
    const double momentum = turn / (turn + 3.0);
    for (std::size_t c = 0; c <= width; ++c) ahead[c] = w[c] + momentum * (w[c] - before[c]);
    std::fill(slope.begin(), slope.end(), 0.0);
    for (std::size_t i = 0; i < rows; ++i) {
      const double* row = x.data() + i * width;
      double score = ahead[width];
      for (std::size_t c = 0; c < width; ++c) score += ahead[c] * row[c];
      const double pull = -side[i] / ((1.0 + std::exp(side[i] * score)) * static_cast<double>(rows));
      for (std::size_t c = 0; c < width; ++c) slope[c] += pull * row[c];
      slope[width] += pull;
    }
    before = w;
    for (std::size_t c = 0; c <= width; ++c) w[c] = ahead[c] - step * slope[c];
  }

  DomainsTold told;
  double wrong[2] = {0.0, 0.0};
  const double prior = static_cast<double>((ns + 1) / 2) / static_cast<double>((nt + 1) / 2);
  each(
      [&](const T* row, bool of_source) {
        double score = w[width];
        for (std::size_t c = 0; c < width; ++c) score += w[c] * standard(row, c);
        const double weight = prior * std::exp(score);
        if (of_source) told.weights.push_back(weight);
        wrong[of_source ? 0 : 1] += (weight < 1.0) == of_source ? 0.0 : 1.0;
      },
      1);
  told.error = 0.5 * (wrong[0] / (ns / 2) + wrong[1] / (nt / 2));
  return told;
}

GRAFT_END

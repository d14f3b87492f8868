#pragma once
/// \file a_distance.hpp  How well a linear classifier tells two domains by their features (Ben-David et al. 2007). An include
/// of its own, because it needs Eigen.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/train/validators.hpp"

#include <Eigen/Dense>

#include <algorithm>
#include <cstddef>

GRAFT_BEGIN

/// The A-distance between ns and nt rows of d features. The classifier is linear, by least squares with a small ridge on the
/// even rows of both; the odd ones give its error (half for each domain), which counts as 1/2 where it is above.
template <class T>
GRAFT_COLD double a_distance(const T* source, int ns, const T* target, int nt, int d) {
  if (ns < 2 || nt < 2) fail("a_distance: ", ns, " and ", nt, " rows; it needs at least 2 of each.");
  Eigen::MatrixXd gram = Eigen::MatrixXd::Zero(d + 1, d + 1);
  Eigen::VectorXd right = Eigen::VectorXd::Zero(d + 1), row(d + 1);
  const auto read = [&](const T* from, int i) {
    for (int c = 0; c < d; ++c) row[c] = static_cast<double>(from[static_cast<std::ptrdiff_t>(i) * d + c]);
    row[d] = 1.0;
  };
  const auto learn = [&](const T* from, int n, double side) {
    const double weight = 1.0 / ((n + 1) / 2);
    for (int i = 0; i < n; i += 2) {
      read(from, i);
      gram.selfadjointView<Eigen::Lower>().rankUpdate(row, weight);
      right += weight * side * row;
    }
  };
  learn(source, ns, 1.0);
  learn(target, nt, -1.0);
  gram.diagonal().array() += 1e-3 * gram.trace() / (d + 1) + 1e-12;
  const Eigen::VectorXd w = gram.selfadjointView<Eigen::Lower>().ldlt().solve(right);
  const auto errors = [&](const T* from, int n, double side) {
    double wrong = 0.0;
    for (int i = 1; i < n; i += 2) {
      read(from, i);
      wrong += side * w.dot(row) > 0.0 ? 0.0 : 1.0;
    }
    return wrong / (n / 2);
  };
  return a_distance(std::min(0.5, 0.5 * (errors(source, ns, 1.0) + errors(target, nt, -1.0))));
}

GRAFT_END

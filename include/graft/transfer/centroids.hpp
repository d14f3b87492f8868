#pragma once
/// \file centroids.hpp  Labels by the nearest centroid: Liang, Hu, Feng 2020 (SHOT), equations 4 to 6.
#include "graft/config.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

GRAFT_BEGIN

/// For n rows of d features and n rows of k probabilities: 1 is appended to each row of features, which is scaled to unit
/// length; centroids are the rows' means, weighted by the probabilities; a row's label is that of the centroid of the largest
/// cosine; then once more with centroids of those labels. A class that is no row's most probable one has no centroid.
template <class T>
GRAFT_COLD std::vector<int> labels_by_centroids(const std::vector<T>& features, const std::vector<T>& probabilities,
                                                std::size_t n) {
  const std::size_t d = features.size() / n, k = probabilities.size() / n;
  std::vector<double> row(d + 1), centroids(k * (d + 1));
  std::vector<int> labels(n);
  std::vector<char> there(k, 0);
  for (std::size_t i = 0; i < n; ++i) {
    const auto p = probabilities.begin() + static_cast<std::ptrdiff_t>(i * k);
    there[static_cast<std::size_t>(std::max_element(p, p + static_cast<std::ptrdiff_t>(k)) - p)] = 1;
  }
  const auto read = [&](std::size_t i) {
    double square = 1.0;
    for (std::size_t c = 0; c < d; ++c) {
      row[c] = static_cast<double>(features[i * d + c]);
      square += row[c] * row[c];
    }
    row[d] = 1.0;
    for (double& x : row) x /= std::sqrt(square);
  };
  for (int round = 0; round < 2; ++round) {
    std::fill(centroids.begin(), centroids.end(), 0.0);
    for (std::size_t i = 0; i < n; ++i) {
      read(i);
      for (std::size_t c = 0; c < k; ++c) {
        const double weight = round == 0                         ? static_cast<double>(probabilities[i * k + c])
                              : labels[i] == static_cast<int>(c) ? 1.0
                                                                 : 0.0;
        for (std::size_t j = 0; j <= d && weight > 0.0; ++j) centroids[c * (d + 1) + j] += weight * row[j];
      }
    }
    for (std::size_t c = 0; c < k; ++c) {  // to unit length: cosines ignore how many rows there were
      double square = 0.0;
      for (std::size_t j = 0; j <= d; ++j) square += centroids[c * (d + 1) + j] * centroids[c * (d + 1) + j];
      for (std::size_t j = 0; j <= d && square > 0.0; ++j) centroids[c * (d + 1) + j] /= std::sqrt(square);
    }
    for (std::size_t i = 0; i < n; ++i) {
      read(i);
      double nearest = -HUGE_VAL;
      for (std::size_t c = 0; c < k; ++c) {
        double cosine = 0.0;
        for (std::size_t j = 0; j <= d; ++j) cosine += centroids[c * (d + 1) + j] * row[j];
        if (there[c] != 0 && cosine > nearest) nearest = cosine, labels[i] = static_cast<int>(c);
      }
    }
  }
  return labels;
}

GRAFT_END

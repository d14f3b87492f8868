#pragma once
/// \file cross_entropy.hpp  Losses on logits. Each returns the mean loss and, unless the pointer is null, writes its gradient.
/// Sums over rows are taken in double in row order.
#include "graft/config.hpp"
#include "graft/core/buffer.hpp"
#include "graft/core/device.hpp"
#include "graft/core/error.hpp"
#include "graft/kernel/cpu/softmax.hpp"
#include "graft/kernel/options.hpp"

#include <cmath>
#include <cstddef>

GRAFT_BEGIN
namespace kernel {

/// logits: n x classes; labels: n in [0, classes). Throws Error for a label out of range.
template <class T>
T cross_entropy(Cpu, int n, int classes, const T* logits, const int* labels, const CrossEntropyOptions<T>& options,
                T* gradient) {
  double loss = 0.0;
  double weights = 0.0;
  T* p = workspace<T>(Work::tile, static_cast<std::size_t>(classes));
  const auto weight = [&](int c) {
    return options.class_weights != nullptr ? static_cast<double>(options.class_weights[c]) : 1.0;
  };
  const auto counts = [&](int label) { return !(options.ignored && label == *options.ignored); };
  for (int i = 0; i < n; ++i) {
    if (!counts(labels[i])) continue;
    if (labels[i] < 0 || labels[i] >= classes) {
      fail("cross_entropy: the label of row ", i, " is ", labels[i], " but the head has ", classes, " classes, 0 to ",
           classes - 1, ".");
    }
    weights += weight(labels[i]);
  }
  const double part = weights > 0.0 ? 1.0 / weights : 0.0;
  const double spread = options.smoothing / classes;
  for (int i = 0; i < n; ++i) {
    const T* z = logits + static_cast<std::ptrdiff_t>(i) * classes;
    T* g = gradient != nullptr ? gradient + static_cast<std::ptrdiff_t>(i) * classes : nullptr;
    const int label = labels[i];
    if (!counts(label)) {
      if (g != nullptr) std::fill(g, g + classes, T{0});
      continue;
    }
    const T top = *std::max_element(z, z + classes);
    const T normaliser = detail::softmax_row(classes, z, p) - top;  // log(sum exp(z - top)): no cancellation with a huge top
    const auto nll = [&](int c) { return static_cast<double>(top - z[c]) + static_cast<double>(normaliser); };
    double row = (1.0 - options.smoothing) * weight(label) * nll(label);
    double mass = (1.0 - options.smoothing) * weight(label);
    if (options.smoothing > 0.0) {
      for (int c = 0; c < classes; ++c) {
        row += spread * weight(c) * nll(c);
        mass += spread * weight(c);
      }
    }
    loss += row;
    if (g == nullptr) continue;
    for (int c = 0; c < classes; ++c) {
      double d = mass * static_cast<double>(p[c]);
      if (options.smoothing > 0.0) d -= spread * weight(c);
      if (c == label) d -= (1.0 - options.smoothing) * weight(label);
      g[c] = static_cast<T>(d * part);
    }
  }
  return static_cast<T>(loss * part);
}

/// targets: n in [0, 1]. loss = mean of max(z, 0) - z t + log(1 + exp(-|z|)).
template <class T>
T binary_cross_entropy(Cpu, int n, const T* logits, const T* targets, T* gradient) {
  double loss = 0.0;
  for (int i = 0; i < n; ++i) {
    const T z = logits[i];
    const T e = std::exp(-std::abs(z));
    loss += static_cast<double>((z > T{0} ? z : T{0}) - z * targets[i] + std::log1p(e));
    const T sigmoid = z >= T{0} ? T{1} / (T{1} + e) : e / (T{1} + e);
    if (gradient != nullptr) gradient[i] = (sigmoid - targets[i]) / static_cast<T>(n);
  }
  return static_cast<T>(loss / n);
}

/// mean of |a - b| over `count` numbers
template <class T>
T mean_absolute_error(Cpu, std::ptrdiff_t count, const T* a, const T* b, T* da) {
  double loss = 0.0;
  const T part = T{1} / static_cast<T>(count);
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    const T d = a[i] - b[i];
    loss += static_cast<double>(std::abs(d));
    if (da != nullptr) da[i] = d > T{0} ? part : d < T{0} ? -part : T{0};
  }
  return static_cast<T>(loss / static_cast<double>(count));
}

/// mean of (a - b)^2 over `count` numbers
template <class T>
T mean_squared_error(Cpu, std::ptrdiff_t count, const T* a, const T* b, T* da, T* db) {
  double loss = 0.0;
  const T part = T{2} / static_cast<T>(count);
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    const T d = a[i] - b[i];
    loss += static_cast<double>(d) * static_cast<double>(d);
    if (da != nullptr) da[i] = part * d;
    if (db != nullptr) db[i] = -part * d;
  }
  return static_cast<T>(loss / static_cast<double>(count));
}

namespace detail {
/// entropy() with an epsilon inside the logarithm, as SHOT has it.
template <class T>
T entropy_with_epsilon(int n, int classes, const T* logits, T* gradient, double epsilon) {
  const std::size_t k = static_cast<std::size_t>(classes);
  double* p = workspace<double>(Work::pairwise, 2 * k);
  double* slope = p + k;
  double loss = 0.0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
    for (std::size_t c = 0; c < k; ++c) p[c] = static_cast<double>(logits[i * k + c]);
    softmax_row(classes, p, p);
    double mean = 0.0;
    for (std::size_t c = 0; c < k; ++c) {
      loss -= p[c] * std::log(p[c] + epsilon);
      slope[c] = -std::log(p[c] + epsilon) - p[c] / (p[c] + epsilon);
      mean += p[c] * slope[c];
    }
    for (std::size_t c = 0; gradient != nullptr && c < k; ++c)
      gradient[i * k + c] = static_cast<T>(p[c] * (slope[c] - mean) / n);
  }
  return static_cast<T>(loss / n);
}
}  // namespace detail

/// -sum q log(q + epsilon), q the mean over rows of p = softmax(logits), in nats.
template <class T>
T mean_entropy(Cpu, int n, int classes, const T* logits, T* gradient, double epsilon = 0.0) {
  const std::size_t k = static_cast<std::size_t>(classes);
  double* p = workspace<double>(Work::pairwise, (static_cast<std::size_t>(n) + 1) * k);
  double* q = p + static_cast<std::size_t>(n) * k;
  std::fill(q, q + k, 0.0);
  for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
    for (std::size_t c = 0; c < k; ++c) p[i * k + c] = static_cast<double>(logits[i * k + c]);
    detail::softmax_row(classes, p + i * k, p + i * k);
    for (std::size_t c = 0; c < k; ++c) q[c] += p[i * k + c] / n;
  }
  double loss = 0.0;
  for (std::size_t c = 0; c < k; ++c) {
    const double inside = q[c] + epsilon;
    if (inside > 0.0) loss -= q[c] * std::log(inside);
    q[c] = inside > 0.0 ? -std::log(inside) - q[c] / inside : 0.0;  // the slope
  }
  for (std::size_t i = 0; gradient != nullptr && i < static_cast<std::size_t>(n); ++i) {
    double mean = 0.0;
    for (std::size_t c = 0; c < k; ++c) mean += p[i * k + c] * q[c];
    for (std::size_t c = 0; c < k; ++c) gradient[i * k + c] = static_cast<T>(p[i * k + c] * (q[c] - mean) / n);
  }
  return static_cast<T>(loss);
}

/// Mean over rows of -sum p log(p + epsilon), p = softmax(logits), in nats.
template <class T>
T entropy(Cpu, int n, int classes, const T* logits, T* gradient, double epsilon = 0.0) {
  if (epsilon > 0.0) return detail::entropy_with_epsilon(n, classes, logits, gradient, epsilon);
  double loss = 0.0;
  T* p = workspace<T>(Work::tile, static_cast<std::size_t>(classes));
  for (int i = 0; i < n; ++i) {
    const T* z = logits + static_cast<std::ptrdiff_t>(i) * classes;
    const T top = *std::max_element(z, z + classes);
    const T normaliser = detail::softmax_row(classes, z, p) - top;
    T h{0};
    for (int c = 0; c < classes; ++c) h += p[c] * (normaliser + (top - z[c]));
    loss += static_cast<double>(h);
    if (gradient == nullptr) continue;
    for (int c = 0; c < classes; ++c) {
      gradient[static_cast<std::ptrdiff_t>(i) * classes + c] = p[c] * ((normaliser + (top - z[c])) - h) / static_cast<T>(n);
    }
  }
  return static_cast<T>(loss / n);
}

/// Minimum class confusion (Jin et al. 2020, eq. 2-6) with the entropy weights held constant in the gradient; log(p + epsilon)
/// inside the weights. With rows of p summing to 1, the row sums of the confusion matrix are R_j = sum_i w_i p_ij, so only its
/// diagonal is needed.
template <class T>
T mcc(Cpu, int n, int classes, const T* logits, T temperature, T* gradient, double epsilon = 1e-5) {
  const std::size_t k = static_cast<std::size_t>(classes);
  double* p = workspace<double>(Work::pairwise, static_cast<std::size_t>(n) * k + static_cast<std::size_t>(n) + 2 * k);
  double* w = p + static_cast<std::size_t>(n) * k;
  double* sums = w + n;
  double* diagonal = sums + k;
  double total = 0.0;
  for (int i = 0; i < n; ++i) {
    double* row = p + static_cast<std::size_t>(i) * k;
    for (std::size_t c = 0; c < k; ++c)
      row[c] = static_cast<double>(logits[static_cast<std::size_t>(i) * k + c]) / static_cast<double>(temperature);
    detail::softmax_row(classes, row, row);
    double h = 0.0;
    for (std::size_t c = 0; c < k; ++c) h -= row[c] * std::log(row[c] + epsilon);
    w[i] = 1.0 + std::exp(-h);
    total += w[i];
  }
  std::fill(sums, sums + 2 * k, 0.0);
  for (int i = 0; i < n; ++i) {
    w[i] *= n / total;
    const double* row = p + static_cast<std::size_t>(i) * k;
    for (std::size_t c = 0; c < k; ++c) {
      sums[c] += w[i] * row[c];
      diagonal[c] += w[i] * row[c] * row[c];
    }
  }
  double loss = static_cast<double>(classes);
  for (std::size_t c = 0; c < k; ++c) {  // a class that no row gives any probability: its row of the matrix is 0, not 0 / 0
    diagonal[c] = sums[c] > 0.0 ? diagonal[c] / sums[c] : 0.0;
    loss -= diagonal[c];
  }
  if (gradient != nullptr) {
    for (int i = 0; i < n; ++i) {
      const double* row = p + static_cast<std::size_t>(i) * k;
      const auto slope = [&](std::size_t c) {
        return sums[c] > 0.0 ? -w[i] * ((2.0 * row[c] - diagonal[c]) / sums[c]) / classes : 0.0;
      };
      double mean = 0.0;
      for (std::size_t c = 0; c < k; ++c) mean += row[c] * slope(c);
      for (std::size_t c = 0; c < k; ++c) {
        gradient[static_cast<std::size_t>(i) * k + c] =
            static_cast<T>(row[c] * (slope(c) - mean) / static_cast<double>(temperature));
      }
    }
  }
  return static_cast<T>(loss / classes);
}

}  // namespace kernel
GRAFT_END

#pragma once
/// \file classifiers.cuh  Losses on predictions, a warp for each row: how far two classifiers are apart (MCD, MDD), agreement
/// with a teacher, minimum class confusion. As loss/classifiers.hpp, loss/consistency.hpp and kernel/cpu/cross_entropy.hpp have
/// them.
#include "graft/kernel/cuda/losses.hpp"
#include "graft/kernel/cuda/softmax.cuh"

GRAFT_CUDA_BEGIN
namespace detail {

template <class T>
struct DiscrepancyRow {
  const T* p;
  const T* q;
  int classes;
  T part;  ///< 1 / all numbers
  T* da;
  T* db;
  double* losses;
  __device__ void operator()(std::ptrdiff_t row, int lane) const {
    const T* own = p + row * classes;
    const T* other = q + row * classes;
    const auto slope = [&](int c) { return own[c] > other[c] ? part : own[c] < other[c] ? -part : T{0}; };
    double sum = 0.0;
    T to_a{0}, to_b{0};
    for (int c = lane; c < classes; c += 32) {
      sum += std::abs(static_cast<double>(own[c] - other[c]));
      to_a += slope(c) * own[c];
      to_b -= slope(c) * other[c];
    }
    sum = warp_sum(sum);
    to_a = warp_sum(to_a);
    to_b = warp_sum(to_b);
    if (lane == 0) losses[row] = sum;
    for (int c = lane; c < classes; c += 32) {
      if (da != nullptr) da[row * classes + c] = own[c] * (slope(c) - to_a);
      if (db != nullptr) db[row * classes + c] = other[c] * (-slope(c) - to_b);
    }
  }
};

template <class T>
struct MarginRow {
  const T* p;
  const T* main;
  int rows, split, classes;
  double margin;
  T* dz;
  double* losses;
  __device__ void operator()(std::ptrdiff_t row, int lane) const {
    const T* choice = main + row * classes;
    const int k = largest_of(classes, lane, choice);
    const double own = static_cast<double>(p[row * classes + k]);
    double loss, slope;
    if (row < split) {
      loss = -margin / split * std::log(own > 1e-300 ? own : 1e-300);
      slope = -margin / split;
    } else {
      const double rest = 1.0 - own + 1e-6;
      loss = -std::log(rest < 1.0 ? rest : 1.0) / (rows - split);
      slope = rest < 1.0 ? own / rest / (rows - split) : 0.0;
    }
    if (lane == 0) losses[row] = loss;
    if (dz == nullptr) return;
    for (int c = lane; c < classes; c += 32)
      dz[row * classes + c] = static_cast<T>(slope * ((c == k ? 1.0 : 0.0) - static_cast<double>(p[row * classes + c])));
  }
};

template <class T>
struct ConsistencyRow {
  const T* logits;
  const T* teacher;
  int classes;
  double confidence;
  T slope;  ///< 2 / all numbers
  T* dx;
  double* losses;
  __device__ void operator()(std::ptrdiff_t row, int lane) const {
    const T* z = logits + row * classes;
    const T* q = teacher + row * classes;
    T top = q[lane < classes ? lane : 0];
    for (int c = lane + 32; c < classes; c += 32) top = q[c] > top ? q[c] : top;
    const bool sure = static_cast<double>(warp_max(top)) >= confidence;
    const Normaliser<T> of(classes, lane, [z](int c) { return z[c]; });
    const T share = T{1} / of.sum;
    const auto p = [&](int c) { return std::exp(z[c] - of.top) * share; };
    const auto apart = [&](int c) { return sure ? p(c) - q[c] : T{0}; };
    double sum = 0.0;
    T dot{0};
    for (int c = lane; c < classes; c += 32) {
      sum += static_cast<double>(apart(c)) * static_cast<double>(apart(c));
      dot += slope * apart(c) * p(c);
    }
    sum = warp_sum(sum);
    dot = warp_sum(dot);
    if (lane == 0) losses[row] = sum;
    if (dx == nullptr) return;
    for (int c = lane; c < classes; c += 32) dx[row * classes + c] = p(c) * (slope * apart(c) - dot);
  }
};

/// softmax(logits / temperature) in double, and 1 + exp(-entropy) of each row.
template <class T>
struct ConfusionRow {
  const T* logits;
  int classes;
  double temperature, epsilon;
  double* p;
  double* w;
  __device__ void operator()(std::ptrdiff_t row, int lane) const {
    const T* z = logits + row * classes;
    const Normaliser<double> of(classes, lane, [&](int c) { return static_cast<double>(z[c]) / temperature; });
    double h = 0.0;
    for (int c = lane; c < classes; c += 32) {
      const double q = std::exp(static_cast<double>(z[c]) / temperature - of.top) / of.sum;
      p[row * classes + c] = q;
      h -= q * std::log(q + epsilon);
    }
    h = warp_sum(h);
    if (lane == 0) w[row] = 1.0 + std::exp(-h);
  }
};
struct ConfusionTerm {
  const double* p;
  const double* w;
  const double* total;
  int n, classes;
  __device__ void operator()(std::ptrdiff_t row, int c, double& first, double& second) const {
    const double q = p[row * classes + c], own = w[row] * (n / *total) * q;
    first += own;
    second += own * q;
  }
};
struct ConfusionDiagonal {
  double* sums;
  double* diagonal;
  __device__ void operator()(int c, double first, double second) const {
    sums[c] = first;
    diagonal[c] = first > 0.0 ? second / first : 0.0;  // a class that no row gives any probability: 0, not 0 / 0
  }
};
template <class T>
struct ConfusionLoss {
  int classes;
  T* value;
  __device__ void operator()(double sum) const { *value = static_cast<T>((classes - sum) / classes); }
};
template <class T>
struct ConfusionGradient {
  const double* p;
  const double* w;
  const double* total;
  const double* sums;
  const double* diagonal;
  int n, classes;
  double temperature;
  T* gradient;
  __device__ void operator()(std::ptrdiff_t row, int lane) const {
    const double* own = p + row * classes;
    const double weight = w[row] * (n / *total);
    const auto slope = [&](int c) {
      return sums[c] > 0.0 ? -weight * ((2.0 * own[c] - diagonal[c]) / sums[c]) / classes : 0.0;
    };
    double mean = 0.0;
    for (int c = lane; c < classes; c += 32) mean += own[c] * slope(c);
    mean = warp_sum(mean);
    for (int c = lane; c < classes; c += 32)
      gradient[row * classes + c] = static_cast<T>(own[c] * (slope(c) - mean) / temperature);
  }
};

}  // namespace detail

template <class T>
void classifier_discrepancy(Cuda, int n, int classes, const T* p, const T* q, T* da, T* db, T* value) {
  double* losses = detail::room<double>(detail::Room::rows, static_cast<std::size_t>(n));
  const double numbers = static_cast<double>(n) * classes;
  detail::rows_by_warp("classifier_discrepancy", n,
                       detail::DiscrepancyRow<T>{p, q, classes, T{1} / static_cast<T>(numbers), da, db, losses});
  detail::total("classifier_discrepancy", n, losses, detail::Scaled<T>{1.0 / numbers, value});
}

template <class T>
void margin_disparity(Cuda, int rows, int split, int classes, const T* p, const T* main, double margin, T* dz, T* value) {
  double* losses = detail::room<double>(detail::Room::rows, static_cast<std::size_t>(rows));
  detail::rows_by_warp("margin_disparity", rows, detail::MarginRow<T>{p, main, rows, split, classes, margin, dz, losses});
  detail::total("margin_disparity", rows, losses, detail::Scaled<T>{1.0, value});
}

template <class T>
void consistency(Cuda, int n, int classes, const T* logits, const T* teacher, double confidence, T* dx, T* value) {
  double* losses = detail::room<double>(detail::Room::rows, static_cast<std::size_t>(n));
  const double numbers = static_cast<double>(n) * classes;
  detail::rows_by_warp(
      "consistency", n,
      detail::ConsistencyRow<T>{logits, teacher, classes, confidence, T{2} / static_cast<T>(numbers), dx, losses});
  detail::total("consistency", n, losses, detail::Scaled<T>{1.0 / numbers, value});
}

template <class T>
void mcc(Cuda, int n, int classes, const T* logits, T temperature, T* gradient, double epsilon, T* value) {
  const std::size_t rows = static_cast<std::size_t>(n), width = static_cast<std::size_t>(classes);
  double* p = detail::room<double>(detail::Room::rows, rows * width + rows + 2 * width + 1);
  double* w = p + rows * width;
  double* sums = w + rows;
  double* diagonal = sums + width;
  double* all = diagonal + width;
  const double cooled = static_cast<double>(temperature);
  detail::rows_by_warp("mcc", n, detail::ConfusionRow<T>{logits, classes, cooled, epsilon, p, w});
  detail::total("mcc's weights", n, w, detail::Keep{all});
  detail::column_sums("mcc", n, classes, detail::ConfusionTerm{p, w, all, n, classes},
                      detail::ConfusionDiagonal{sums, diagonal});
  detail::total("mcc", classes, diagonal, detail::ConfusionLoss<T>{classes, value});
  if (gradient == nullptr) return;
  detail::rows_by_warp("mcc's gradient", n,
                       detail::ConfusionGradient<T>{p, w, all, sums, diagonal, n, classes, cooled, gradient});
}

GRAFT_CUDA_END

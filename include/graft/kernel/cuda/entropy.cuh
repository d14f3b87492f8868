#pragma once
/// \file entropy.cuh  Entropies of softmax(logits), a warp for each row: those of kernel/cpu/cross_entropy.hpp on the GPU.
#include "graft/kernel/cuda/losses.hpp"
#include "graft/kernel/cuda/softmax.cuh"

GRAFT_CUDA_BEGIN
namespace detail {

template <class T>
struct EntropyRow {
  const T* logits;
  int n, classes;
  T* gradient;
  double* losses;
  __device__ void operator()(std::ptrdiff_t row, int lane) const {
    const T* z = logits + row * classes;
    const Normaliser<T> of(classes, lane, [z](int c) { return z[c]; });
    const T share = T{1} / of.sum;
    T h{0};
    for (int c = lane; c < classes; c += 32) h += std::exp(z[c] - of.top) * share * (of.shift + (of.top - z[c]));
    h = warp_sum(h);
    if (lane == 0) losses[row] = static_cast<double>(h);
    if (gradient == nullptr) return;
    for (int c = lane; c < classes; c += 32) {
      const T p = std::exp(z[c] - of.top) * share;
      gradient[row * classes + c] = p * ((of.shift + (of.top - z[c])) - h) / static_cast<T>(n);
    }
  }
};

/// With an epsilon inside the logarithm, in double.
template <class T>
struct EntropyRowWithEpsilon {
  const T* logits;
  int n, classes;
  double epsilon;
  T* gradient;
  double* losses;
  __device__ void operator()(std::ptrdiff_t row, int lane) const {
    const T* z = logits + row * classes;
    const Normaliser<double> of(classes, lane, [z](int c) { return static_cast<double>(z[c]); });
    const auto p = [&](int c) { return std::exp(static_cast<double>(z[c]) - of.top) / of.sum; };
    const auto slope = [&](double q) { return -std::log(q + epsilon) - q / (q + epsilon); };
    double loss = 0.0, mean = 0.0;
    for (int c = lane; c < classes; c += 32) {
      const double q = p(c);
      loss -= q * std::log(q + epsilon);
      mean += q * slope(q);
    }
    loss = warp_sum(loss);
    mean = warp_sum(mean);
    if (lane == 0) losses[row] = loss;
    if (gradient == nullptr) return;
    for (int c = lane; c < classes; c += 32) {
      const double q = p(c);
      gradient[row * classes + c] = static_cast<T>(q * (slope(q) - mean) / n);
    }
  }
};

/// softmax in double.
template <class T>
struct WideSoftmax {
  const T* logits;
  int classes;
  double* p;
  __device__ void operator()(std::ptrdiff_t row, int lane) const {
    const T* z = logits + row * classes;
    const Normaliser<double> of(classes, lane, [z](int c) { return static_cast<double>(z[c]); });
    for (int c = lane; c < classes; c += 32) p[row * classes + c] = std::exp(static_cast<double>(z[c]) - of.top) / of.sum;
  }
};
/// The mean prediction's part of the loss, and its slope.
struct MeanPart {
  int n;
  double epsilon;
  double* parts;
  double* slope;
  __device__ void operator()(int c, double sum, double) const {
    const double q = sum / n, inside = q + epsilon;
    parts[c] = inside > 0.0 ? -q * std::log(inside) : 0.0;
    slope[c] = inside > 0.0 ? -std::log(inside) - q / inside : 0.0;
  }
};
template <class T>
struct MeanEntropyGradient {
  const double* p;
  const double* slope;
  int n, classes;
  T* gradient;
  __device__ void operator()(std::ptrdiff_t row, int lane) const {
    double mean = 0.0;
    for (int c = lane; c < classes; c += 32) mean += p[row * classes + c] * slope[c];
    mean = warp_sum(mean);
    for (int c = lane; c < classes; c += 32)
      gradient[row * classes + c] = static_cast<T>(p[row * classes + c] * (slope[c] - mean) / n);
  }
};
struct WideTerm {
  const double* x;
  int c;
  __device__ void operator()(std::ptrdiff_t row, int i, double& sum, double&) const { sum += x[row * c + i]; }
};

}  // namespace detail

template <class T>
void entropy(Cuda, int n, int classes, const T* logits, T* gradient, double epsilon, T* value) {
  double* losses = detail::room<double>(detail::Room::rows, static_cast<std::size_t>(n));
  if (epsilon > 0.0) {
    detail::rows_by_warp("entropy", n, detail::EntropyRowWithEpsilon<T>{logits, n, classes, epsilon, gradient, losses});
  } else {
    detail::rows_by_warp("entropy", n, detail::EntropyRow<T>{logits, n, classes, gradient, losses});
  }
  detail::total("entropy's mean", n, losses, detail::Scaled<T>{1.0 / n, value});
}

template <class T>
void mean_entropy(Cuda, int n, int classes, const T* logits, T* gradient, double epsilon, T* value) {
  const std::size_t width = static_cast<std::size_t>(classes);
  double* p = detail::room<double>(detail::Room::rows, static_cast<std::size_t>(n) * width + 2 * width);
  double* parts = p + static_cast<std::size_t>(n) * width;
  double* slope = parts + width;
  detail::rows_by_warp("mean_entropy", n, detail::WideSoftmax<T>{logits, classes, p});
  detail::column_sums("mean_entropy", n, classes, detail::WideTerm{p, classes}, detail::MeanPart{n, epsilon, parts, slope});
  detail::total("mean_entropy", classes, parts, detail::Scaled<T>{1.0, value});
  if (gradient == nullptr) return;
  detail::rows_by_warp("mean_entropy's gradient", n, detail::MeanEntropyGradient<T>{p, slope, n, classes, gradient});
}

GRAFT_CUDA_END

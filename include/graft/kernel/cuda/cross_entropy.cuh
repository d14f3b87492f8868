#pragma once
/// \file cross_entropy.cuh  Losses on logits and between arrays: kernel/cpu/{cross_entropy,soft_cross_entropy}.hpp on the GPU.
/// A warp has a row; the rows' losses are added in double in a fixed order.
#include "graft/kernel/cuda/losses.hpp"
#include "graft/kernel/cuda/softmax.cuh"

#include <limits>

GRAFT_CUDA_BEGIN
namespace detail {

/// The options as kernels take them.
template <class T>
struct Counting {
  double smoothing;
  const T* weights;
  bool ignores;
  int ignored;
  explicit Counting(const CrossEntropyOptions<T>& o)
      : smoothing(o.smoothing), weights(o.class_weights), ignores(o.ignored.has_value()), ignored(o.ignored.value_or(0)) {}
  __device__ double weight(int c) const { return weights != nullptr ? static_cast<double>(weights[c]) : 1.0; }
  __device__ bool counts(int label) const { return !(ignores && label == ignored); }
};

/// A row's weight; of a label out of range, not a number.
template <class T>
struct LabelWeight {
  Counting<T> how;
  const int* labels;
  int classes;
  double bad;
  __device__ double operator()(std::ptrdiff_t i) const {
    const int label = labels[i];
    if (!how.counts(label)) return 0.0;
    return label < 0 || label >= classes ? bad : how.weight(label);
  }
};
/// Notes 1 / the sum of the weights, and the first label out of range.
template <class T>
struct NotePart {
  Counting<T> how;
  const int* labels;
  int n, classes;
  double* part;
  Complaint* complaint;
  __device__ void operator()(double weights) const {
    *part = weights > 0.0 ? 1.0 / weights : weights != weights ? weights : 0.0;
    if (weights == weights) return;
    for (int i = 0; i < n; ++i) {
      const int label = labels[i];
      if (!how.counts(label) || (label >= 0 && label < classes)) continue;
      if (complaint->row == Complaint{}.row) *complaint = Complaint{i, label, classes};
      return;
    }
  }
};
template <class T>
struct LabelRow {
  Counting<T> how;
  const T* logits;
  const int* labels;
  int classes;
  const double* part;
  T* gradient;
  double* losses;
  __device__ void operator()(std::ptrdiff_t row, int lane) const {
    const T* z = logits + row * classes;
    const int label = labels[row];
    const double scale = *part;
    if (!how.counts(label) || scale != scale) {
      if (lane == 0) losses[row] = 0.0;
      if (gradient == nullptr) return;
      for (int c = lane; c < classes; c += 32) gradient[row * classes + c] = static_cast<T>(how.counts(label) ? scale : 0.0);
      return;
    }
    const Normaliser<T> of(classes, lane, [z](int c) { return z[c]; });
    const auto nll = [&](int c) { return static_cast<double>(of.top - z[c]) + static_cast<double>(of.shift); };
    const double own = (1.0 - how.smoothing) * how.weight(label), spread = how.smoothing / classes;
    double smooth = 0.0, mass = 0.0;
    if (how.smoothing > 0.0) {
      for (int c = lane; c < classes; c += 32) {
        smooth += spread * how.weight(c) * nll(c);
        mass += spread * how.weight(c);
      }
      smooth = warp_sum(smooth);
      mass = warp_sum(mass);
    }
    mass += own;
    if (lane == 0) losses[row] = own * nll(label) + smooth;
    if (gradient == nullptr) return;
    const T share = T{1} / of.sum;
    for (int c = lane; c < classes; c += 32) {
      double d = mass * static_cast<double>(std::exp(z[c] - of.top) * share);
      if (how.smoothing > 0.0) d -= spread * how.weight(c);
      if (c == label) d -= own;
      gradient[row * classes + c] = static_cast<T>(d * scale);
    }
  }
};
template <class T>
struct ScaledBy {  ///< *value = *part * sum
  const double* part;
  T* value;
  __device__ void operator()(double sum) const { *value = static_cast<T>(*part * sum); }
};

template <class T>
struct SoftRow {
  const T* logits;
  const T* targets;
  int n, classes;
  T* gradient;
  double* losses;
  __device__ void operator()(std::ptrdiff_t row, int lane) const {
    const T* z = logits + row * classes;
    const T* t = targets + row * classes;
    const Normaliser<T> of(classes, lane, [z](int c) { return z[c]; });
    double loss = 0.0, mass = 0.0;
    for (int c = lane; c < classes; c += 32) {
      loss += static_cast<double>(t[c]) * (static_cast<double>(of.top - z[c]) + static_cast<double>(of.shift));
      mass += static_cast<double>(t[c]);
    }
    loss = warp_sum(loss);
    mass = warp_sum(mass);
    if (lane == 0) losses[row] = loss;
    if (gradient == nullptr) return;
    const T share = T{1} / of.sum;
    for (int c = lane; c < classes; c += 32) {
      const double p = static_cast<double>(std::exp(z[c] - of.top) * share);
      gradient[row * classes + c] = static_cast<T>((p * mass - static_cast<double>(t[c])) / n);
    }
  }
};

template <class T>
struct BinaryTerm {
  const T* logits;
  const T* targets;
  T count;
  T* gradient;
  __device__ double operator()(std::ptrdiff_t i) const {
    const T z = logits[i], e = std::exp(-std::abs(z));
    const T s = z >= T{0} ? T{1} / (T{1} + e) : e / (T{1} + e);
    if (gradient != nullptr) gradient[i] = (s - targets[i]) / count;
    return static_cast<double>((z > T{0} ? z : T{0}) - z * targets[i] + std::log1p(e));
  }
};
template <class T>
struct AbsoluteTerm {
  const T* a;
  const T* b;
  T part;
  T* da;
  __device__ double operator()(std::ptrdiff_t i) const {
    const T d = a[i] - b[i];
    if (da != nullptr) da[i] = d > T{0} ? part : d < T{0} ? -part : T{0};
    return static_cast<double>(std::abs(d));
  }
};
template <class T>
struct SquaredTerm {
  const T* a;
  const T* b;
  T part;
  T* da;
  T* db;
  __device__ double operator()(std::ptrdiff_t i) const {
    const T d = a[i] - b[i];
    if (da != nullptr) da[i] = part * d;
    if (db != nullptr) db[i] = -part * d;
    return static_cast<double>(d) * static_cast<double>(d);
  }
};

}  // namespace detail

template <class T>
void cross_entropy(Cuda, int n, int classes, const T* logits, const int* labels, const CrossEntropyOptions<T>& options,
                   T* gradient, T* value) {
  const detail::Counting<T> how(options);
  double* part = detail::room<double>(detail::Room::rows, static_cast<std::size_t>(n) + 1);
  double* losses = part + 1;
  detail::sum("cross_entropy's weights", n,
              detail::LabelWeight<T>{how, labels, classes, std::numeric_limits<double>::quiet_NaN()},
              detail::NotePart<T>{how, labels, n, classes, part, detail::complaint()});
  detail::rows_by_warp("cross_entropy", n, detail::LabelRow<T>{how, logits, labels, classes, part, gradient, losses});
  detail::total("cross_entropy's mean", n, losses, detail::ScaledBy<T>{part, value});
}

template <class T>
void soft_cross_entropy(Cuda, int n, int classes, const T* logits, const T* targets, T* gradient, T* value) {
  double* losses = detail::room<double>(detail::Room::rows, static_cast<std::size_t>(n));
  detail::rows_by_warp("soft_cross_entropy", n, detail::SoftRow<T>{logits, targets, n, classes, gradient, losses});
  detail::total("soft_cross_entropy's mean", n, losses, detail::Scaled<T>{1.0 / n, value});
}

template <class T>
void binary_cross_entropy(Cuda, int n, const T* logits, const T* targets, T* gradient, T* value) {
  detail::sum("binary_cross_entropy", n, detail::BinaryTerm<T>{logits, targets, static_cast<T>(n), gradient},
              detail::Scaled<T>{1.0 / n, value});
}
template <class T>
void mean_absolute_error(Cuda, std::ptrdiff_t count, const T* a, const T* b, T* da, T* value) {
  detail::sum("mean_absolute_error", count, detail::AbsoluteTerm<T>{a, b, T{1} / static_cast<T>(count), da},
              detail::Scaled<T>{1.0 / static_cast<double>(count), value});
}
template <class T>
void mean_squared_error(Cuda, std::ptrdiff_t count, const T* a, const T* b, T* da, T* db, T* value) {
  detail::sum("mean_squared_error", count, detail::SquaredTerm<T>{a, b, T{2} / static_cast<T>(count), da, db},
              detail::Scaled<T>{1.0 / static_cast<double>(count), value});
}

GRAFT_CUDA_END

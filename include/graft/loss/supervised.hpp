#pragma once
/// \file supervised.hpp  Losses against given answers. Each is the mean over its samples, in nats where it is an entropy.
#include "graft/config.hpp"
#include "graft/core/labels.hpp"
#include "graft/core/mixed_labels.hpp"
#include "graft/kernel/cpu/cross_entropy.hpp"
#include "graft/kernel/cpu/soft_cross_entropy.hpp"
#include "graft/loss/record.hpp"

GRAFT_BEGIN

using kernel::CrossEntropyOptions;

/// The compile error of a cross-entropy whose head and labels speak of different numbers of classes, or of one given no logits.
template <Shape Head, int Classes>
struct HeadAndLabelsDiffer {
  static_assert(Classes == 0 || Head.c == Classes,
                "graft: the head's outputs and the labels' classes differ in number; give Dense<classes> or the labels that "
                "belong to this head "
                "(domain labels have 2 classes).");
  static constexpr bool ok = true;
};
template <Kind Given>
struct LossWantsLogits {
  static_assert(
      Given != Kind::probabilities,
      "graft: this loss applies softmax or sigmoid itself and wants logits; remove Softmax or Sigmoid from the head.");
  static_assert(Given != Kind::features,
                "graft: this loss wants logits but the net ends in features; end the head with Dense<classes>.");
  static constexpr bool ok = true;
};

/// Softmax cross-entropy from logits and integer labels, one for each row. Options: label smoothing, class weights (the mean is
/// then weighted, as in PyTorch), one label value that is ignored. Throws Error for a label out of range.
template <Shape S, Kind K, class T, int Classes>
Loss<T> cross_entropy(const Var<S, K, T>& logits, ClassLabels<Classes> labels, const CrossEntropyOptions<T>& options = {}) {
  static_assert(LossWantsLogits<K>::ok && HeadAndLabelsDiffer<S, Classes>::ok);
  if (labels.count != logits.count()) {
    fail("cross_entropy: ", logits.count(), " rows of logits but ", labels.count, " labels; give one label for each row.");
  }
  return detail::record_loss(
      logits, [&](const T* x, T* dx) { return kernel::cross_entropy(Cpu{}, logits.count(), S.c, x, labels.data, options, dx); },
      [&](const DeviceLosses<T>& losses, const T* x, T* dx, T* value) {
        Tape<T>& tape = *logits.tape;
        CrossEntropyOptions<T> there = options;
        there.class_weights = tape.brought(options.class_weights, static_cast<std::size_t>(S.c));
        const int* const of_rows = tape.brought(labels.data, static_cast<std::size_t>(labels.count));
        losses.cross_entropy(logits.count(), S.c, x, of_rows, there, dx, value);
      });
}

/// The same with two labels a row: share * CE(first) + (1 - share) * CE(second) (mixup: Zhang et al. 2018).
template <Shape S, Kind K, class T, int Classes>
Loss<T> cross_entropy(const Var<S, K, T>& logits, MixedLabels<Classes> labels, const CrossEntropyOptions<T>& options = {}) {
  const Loss<T> first = cross_entropy(logits, ClassLabels<Classes>{labels.first, labels.count}, options);
  if (labels.second == labels.first || labels.share == 1.0) return first;
  return labels.share * first +
         (1.0 - labels.share) * cross_entropy(logits, ClassLabels<Classes>{labels.second, labels.count}, options);
}
/// The same with a distribution a row, which need not outlive the call. The mean is over all rows.
template <Shape S, Kind K, class T>
Loss<T> cross_entropy(const Var<S, K, T>& logits, SoftLabels<T> labels) {
  static_assert(LossWantsLogits<K>::ok);
  if (labels.count != logits.count() || labels.classes != S.c) {
    fail("cross_entropy: ", logits.count(), " x ", S.c, " logits but ", labels.count, " x ", labels.classes,
         " soft labels; give one distribution over the head's classes for each row.");
  }
  return detail::record_loss(
      logits, [&](const T* x, T* dx) { return kernel::soft_cross_entropy(Cpu{}, logits.count(), S.c, x, labels.data, dx); },
      [&](const DeviceLosses<T>& losses, const T* x, T* dx, T* value) {
        losses.soft_cross_entropy(logits.count(), S.c, x, logits.tape->brought(labels.data, logits.view.size()), dx, value);
      });
}

namespace detail {
/// `outside`: whether the targets lie in the caller's memory.
template <Shape S, Kind K, class T>
Loss<T> binary_cross_entropy(const Var<S, K, T>& logits, const T* targets, bool outside) {
  const int count = static_cast<int>(logits.view.size());
  return record_loss(
      logits, [&](const T* x, T* dx) { return kernel::binary_cross_entropy(Cpu{}, count, x, targets, dx); },
      [&](const DeviceLosses<T>& losses, const T* x, T* dx, T* value) {
        const T* there = outside ? logits.tape->brought(targets, logits.view.size()) : targets;
        losses.binary_cross_entropy(count, x, there, dx, value);
      });
}
}  // namespace detail

/// Binary cross-entropy from one logit a row; every row's answer is `target` (1 or 0, or smoothed).
template <Shape S, Kind K, class T>
Loss<T> binary_cross_entropy(const Var<S, K, T>& logits, T target) {
  static_assert(LossWantsLogits<K>::ok);
  return detail::binary_cross_entropy(logits, logits.tape->filled(logits.view.size(), target), false);
}
/// The same with one answer for each logit, in [0, 1].
template <Shape S, Kind K, class T>
Loss<T> binary_cross_entropy(const Var<S, K, T>& logits, const T* targets) {
  static_assert(LossWantsLogits<K>::ok);
  return detail::binary_cross_entropy(logits, targets, true);
}

/// Mean over all numbers of |a - b|, b from outside and of a's size; where both are equal the gradient is 0.
template <Shape S, Kind K, class T>
Loss<T> mean_absolute_error(const Var<S, K, T>& a, const T* b) {
  const std::ptrdiff_t count = static_cast<std::ptrdiff_t>(a.view.size());
  return detail::record_loss(
      a, [&](const T* x, T* dx) { return kernel::mean_absolute_error(Cpu{}, count, x, b, dx); },
      [&](const DeviceLosses<T>& losses, const T* x, T* dx, T* value) {
        losses.mean_absolute_error(count, x, a.tape->brought(b, a.view.size()), dx, value);
      });
}
/// Mean over all numbers of (a - b)^2, b one number for all (least-squares GAN: Mao et al. 2017).
template <Shape S, Kind K, class T>
Loss<T> mean_squared_error(const Var<S, K, T>& a, T b) {
  const std::ptrdiff_t count = static_cast<std::ptrdiff_t>(a.view.size());
  const T* const all = a.tape->filled(a.view.size(), b);
  T* const none = nullptr;
  return detail::record_loss(
      a, [&](const T* x, T* dx) { return kernel::mean_squared_error(Cpu{}, count, x, all, dx, none); },
      [&](const DeviceLosses<T>& losses, const T* x, T* dx, T* value) {
        losses.mean_squared_error(count, x, all, dx, none, value);
      });
}

/// Mean over all numbers of (a - b)^2.
template <Shape S, Kind A, Kind B, class T>
Loss<T> mean_squared_error(const Var<S, A, T>& a, const Var<S, B, T>& b) {
  if (a.count() != b.count())
    fail("mean_squared_error: ", a.count(), " rows against ", b.count(), "; both must have the same number.");
  const std::ptrdiff_t count = static_cast<std::ptrdiff_t>(a.view.size());
  return detail::record_loss(
      a, b, [&](const T* x, const T* y, T* dx, T* dy) { return kernel::mean_squared_error(Cpu{}, count, x, y, dx, dy); },
      [&](const DeviceLosses<T>& losses, const T* x, const T* y, T* dx, T* dy, T* value) {
        losses.mean_squared_error(count, x, y, dx, dy, value);
      });
}

GRAFT_END

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
  return detail::record_loss(logits, [&](const T* x, T* dx) {
    return kernel::cross_entropy(Cpu{}, logits.count(), S.c, x, labels.data, options, dx);
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
      logits, [&](const T* x, T* dx) { return kernel::soft_cross_entropy(Cpu{}, logits.count(), S.c, x, labels.data, dx); });
}

/// Binary cross-entropy from one logit a row; every row's answer is `target` (1 or 0, or smoothed).
template <Shape S, Kind K, class T>
Loss<T> binary_cross_entropy(const Var<S, K, T>& logits, T target) {
  static_assert(LossWantsLogits<K>::ok);
  T* targets = logits.tape->arena().template take<T>(logits.view.size());
  for (std::size_t i = 0; i < logits.view.size(); ++i) targets[i] = target;
  return binary_cross_entropy(logits, static_cast<const T*>(targets));
}
/// The same with one answer for each logit, in [0, 1].
template <Shape S, Kind K, class T>
Loss<T> binary_cross_entropy(const Var<S, K, T>& logits, const T* targets) {
  static_assert(LossWantsLogits<K>::ok);
  return detail::record_loss(logits, [&](const T* x, T* dx) {
    return kernel::binary_cross_entropy(Cpu{}, static_cast<int>(logits.view.size()), x, targets, dx);
  });
}

/// Mean over all numbers of |a - b|, b from outside and of a's size; where both are equal the gradient is 0.
template <Shape S, Kind K, class T>
Loss<T> mean_absolute_error(const Var<S, K, T>& a, const T* b) {
  return detail::record_loss(a, [&](const T* x, T* dx) {
    return kernel::mean_absolute_error(Cpu{}, static_cast<std::ptrdiff_t>(a.view.size()), x, b, dx);
  });
}
/// Mean over all numbers of (a - b)^2, b one number for all (least-squares GAN: Mao et al. 2017).
template <Shape S, Kind K, class T>
Loss<T> mean_squared_error(const Var<S, K, T>& a, T b) {
  T* all = a.tape->arena().template take<T>(a.view.size());
  for (std::size_t i = 0; i < a.view.size(); ++i) all[i] = b;
  return detail::record_loss(a, [&](const T* x, T* dx) {
    return kernel::mean_squared_error(Cpu{}, static_cast<std::ptrdiff_t>(a.view.size()), x, all, dx, static_cast<T*>(nullptr));
  });
}

/// Mean over all numbers of (a - b)^2.
template <Shape S, Kind A, Kind B, class T>
Loss<T> mean_squared_error(const Var<S, A, T>& a, const Var<S, B, T>& b) {
  if (a.count() != b.count())
    fail("mean_squared_error: ", a.count(), " rows against ", b.count(), "; both must have the same number.");
  return detail::record_loss(a, b, [&](const T* x, const T* y, T* dx, T* dy) {
    return kernel::mean_squared_error(Cpu{}, static_cast<std::ptrdiff_t>(a.view.size()), x, y, dx, dy);
  });
}

GRAFT_END

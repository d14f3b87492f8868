#pragma once
/// \file unsupervised.hpp  Losses that need no answers: entropy and minimum class confusion.
#include "graft/config.hpp"
#include "graft/kernel/cpu/cross_entropy.hpp"
#include "graft/loss/record.hpp"
#include "graft/loss/supervised.hpp"

GRAFT_BEGIN

/// Mean Shannon entropy, in nats, of softmax(logits) over the rows (Grandvalet & Bengio 2004); -sum p log(p + epsilon).
template <Shape S, Kind K, class T>
Loss<T> entropy(const Var<S, K, T>& logits, double epsilon = 0.0) {
  static_assert(LossWantsLogits<K>::ok);
  return detail::record_loss(
      logits, [&](const T* x, T* dx) { return kernel::entropy(Cpu{}, logits.count(), S.c, x, dx, epsilon); },
      [&](const DeviceLosses<T>& losses, const T* x, T* dx, T* value) {
        losses.entropy(logits.count(), S.c, x, dx, epsilon, value);
      });
}

/// Entropy, in nats, of the mean of softmax(logits) over the rows: how evenly the classes are predicted. Its greatest value is
/// log of the number of classes. With the entropy it makes information maximisation: entropy - mean_entropy (Liang et al.
/// 2020).
template <Shape S, Kind K, class T>
Loss<T> mean_entropy(const Var<S, K, T>& logits, double epsilon = 0.0) {
  static_assert(LossWantsLogits<K>::ok);
  return detail::record_loss(
      logits, [&](const T* x, T* dx) { return kernel::mean_entropy(Cpu{}, logits.count(), S.c, x, dx, epsilon); },
      [&](const DeviceLosses<T>& losses, const T* x, T* dx, T* value) {
        losses.mean_entropy(logits.count(), S.c, x, dx, epsilon, value);
      });
}

/// Minimum class confusion (Jin et al. 2020), the entropy weights, of -sum p log(p + epsilon), held constant in the gradient.
/// temperature > 0; the paper's is 2.5.
template <Shape S, Kind K, class T>
Loss<T> minimum_class_confusion(const Var<S, K, T>& logits, double temperature = 2.5, double epsilon = 1e-5) {
  static_assert(LossWantsLogits<K>::ok);
  if (!(temperature > 0.0)) fail("minimum_class_confusion: temperature is ", temperature, " but must be above 0.");
  return detail::record_loss(
      logits,
      [&](const T* x, T* dx) { return kernel::mcc(Cpu{}, logits.count(), S.c, x, static_cast<T>(temperature), dx, epsilon); },
      [&](const DeviceLosses<T>& losses, const T* x, T* dx, T* value) {
        losses.mcc(logits.count(), S.c, x, static_cast<T>(temperature), dx, epsilon, value);
      });
}

GRAFT_END

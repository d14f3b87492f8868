#pragma once
/// \file consistency.hpp  Predictions that are to agree with given ones.
#include "graft/config.hpp"
#include "graft/kernel/cpu/softmax.hpp"
#include "graft/loss/record.hpp"
#include "graft/loss/supervised.hpp"

#include <algorithm>

GRAFT_BEGIN

/// Mean over all rows of [largest of q >= confidence] times the mean over the classes of (softmax(logits) - q)^2: French,
/// Mackiewicz, Fisher 2018 (section 3). `teacher`: rows x classes probabilities q, constant in the gradient; they must live as
/// long as the step.
template <Shape S, Kind K, class T>
Loss<T> consistency(const Var<S, K, T>& logits, const T* teacher, double confidence = 0.0) {
  static_assert(LossWantsLogits<K>::ok);
  const auto here = [&](const T* x, T* dx) {
    const std::size_t classes = static_cast<std::size_t>(S.c), numbers = logits.view.size();
    ArenaScope scope(logits.tape->arena());
    T* p = logits.tape->arena().template take<T>(numbers);
    kernel::softmax_forward(Cpu{}, logits.count(), S.c, x, p);
    double sum = 0.0;
    const T slope = T{2} / static_cast<T>(numbers);
    for (std::size_t row = 0; row < numbers; row += classes) {
      const bool sure = static_cast<double>(*std::max_element(teacher + row, teacher + row + classes)) >= confidence;
      for (std::size_t i = row; i < row + classes; ++i) {
        const T apart = sure ? p[i] - teacher[i] : T{0};
        sum += static_cast<double>(apart) * static_cast<double>(apart);
        if (dx != nullptr) dx[i] = slope * apart;
      }
    }
    if (dx != nullptr) kernel::softmax_backward(Cpu{}, logits.count(), S.c, p, dx, dx);
    return static_cast<T>(sum / static_cast<double>(numbers));
  };
  return detail::record_loss(logits, here, [&](const DeviceLosses<T>& losses, const T* x, T* dx, T* value) {
    const T* q = logits.tape->brought(teacher, logits.view.size());
    losses.consistency(logits.count(), S.c, x, q, confidence, dx, value);
  });
}

GRAFT_END

#pragma once
/// \file loss.hpp  Scalars on the tape: sums, weights and squares of losses, and the way back from them. Comes with tape.hpp.
#include "graft/config.hpp"
#include "graft/core/parameters.hpp"
#include "graft/core/tape.hpp"

GRAFT_BEGIN

/// A scalar on a tape; losses add up and take weights: `cross_entropy(...) + 0.25 * mmd(...)`.
template <class T>
struct Loss {
  Tape<T>* tape = nullptr;
  Node<T>* node = nullptr;
  /// The loss, valid until the next step records. On a device this waits for it.
  [[nodiscard]] T value() const { return tape->read(node->value); }
};

/// Runs the tape backward from `loss`: adds to the gradients of every trained model it reaches, and ends the step.
template <class T>
Gradients backward(const Loss<T>& loss) {
  loss.tape->backward(*loss.node);
  return {};
}

namespace detail {
template <class T>
struct AddLosses {
  Node<T>* a;
  Node<T>* b;
  double weight_a;
  double weight_b;
  Node<T>* out;
  static constexpr bool waits_for_nothing = true;
  static void add(Tape<T>& tape, Node<T>* node, T amount) { tape.contribute(View<T>{node, 0, 1, 1.0}, 1.0, &amount); }
  void backward(Tape<T>& tape) {
    if (out->gradient == nullptr) return;
    add(tape, a, static_cast<T>(weight_a) * *out->gradient);
    if (b != nullptr) add(tape, b, static_cast<T>(weight_b) * *out->gradient);
  }
};

template <class T>
Loss<T> weighted_sum(Tape<T>& tape, Node<T>* a, double weight_a, Node<T>* b, double weight_b) {
  T* value = tape.arena().template take<T>(1);
  if (const Accelerator<T>* device = tape.device()) {
    device->weigh(weight_a, a->value, weight_b, b != nullptr ? b->value : nullptr, value);
  } else {
    *value = static_cast<T>(weight_a) * *a->value + (b != nullptr ? static_cast<T>(weight_b) * *b->value : T{0});
  }
  Node<T>* out = tape.scalar(value, a->wanted || (b != nullptr && b->wanted));
  tape.record(AddLosses<T>{a, b, weight_a, weight_b, out});
  return {&tape, out};
}
}  // namespace detail

template <class T>
Loss<T> operator+(const Loss<T>& a, const Loss<T>& b) {
  return detail::weighted_sum(*a.tape, a.node, 1.0, b.node, 1.0);
}
template <class T>
Loss<T> operator-(const Loss<T>& a, const Loss<T>& b) {
  return detail::weighted_sum(*a.tape, a.node, 1.0, b.node, -1.0);
}
template <class T>
Loss<T> operator*(double weight, const Loss<T>& a) {
  return detail::weighted_sum<T>(*a.tape, a.node, weight, nullptr, 0.0);
}

/// loss * loss, for a penalty that is the square of a distance. On a device this waits for the loss.
template <class T>
Loss<T> square(const Loss<T>& a) {
  const T once = a.value(), twice = T{2} * once;
  Node<T>* out = a.tape->scalar(a.tape->filled(1, once * once), a.node->wanted);
  a.tape->record(detail::AddLosses<T>{a.node, nullptr, static_cast<double>(twice), 0.0, out});
  return {a.tape, out};
}

GRAFT_END

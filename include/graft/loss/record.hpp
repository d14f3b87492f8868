#pragma once
/// \file record.hpp  How a loss gets onto the tape: its kernel gives the value and the gradient of the unit loss in one pass,
/// and the way back multiplies that gradient by the loss's weight.
#include "graft/config.hpp"
#include "graft/core/tape.hpp"

GRAFT_BEGIN
namespace detail {

template <class T>
struct LossCall {
  View<T> in[2];
  T* unit[2];
  Node<T>* out;
  void backward(Tape<T>& tape) {
    if (out->gradient == nullptr) return;
    for (int i = 0; i < 2; ++i) {
      if (unit[i] != nullptr) tape.contribute(in[i], static_cast<double>(*out->gradient), unit[i]);
    }
  }
};

template <class T, class Kernel>
Loss<T> record_loss(Tape<T>& tape, const View<T>& a, const View<T>* b, Kernel&& kernel) {
  Arena& arena = tape.arena();
  LossCall<T> call{{a, b != nullptr ? *b : View<T>{}}, {nullptr, nullptr}, nullptr};
  if (a.wanted()) call.unit[0] = arena.template take<T>(a.size());
  if (b != nullptr && b->wanted()) call.unit[1] = arena.template take<T>(b->size());
  T* value = arena.template take<T>(1);
  *value = kernel(call.unit[0], call.unit[1]);
  call.out = tape.node(value, 1, 1, call.unit[0] != nullptr || call.unit[1] != nullptr);
  if (call.out->wanted) tape.record(call);
  return {&tape, call.out};
}

/// A loss of one batch: kernel(values, gradient or null) returns the loss and fills the gradient.
template <Shape S, Kind K, class T, class Kernel>
Loss<T> record_loss(const Var<S, K, T>& x, Kernel&& kernel) {
  return record_loss(*x.tape, x.view, static_cast<const View<T>*>(nullptr), [&](T* dx, T*) { return kernel(x.value(), dx); });
}

/// A loss between two batches of one shape.
template <Shape S, Kind A, Kind B, class T, class Kernel>
Loss<T> record_loss(const Var<S, A, T>& x, const Var<S, B, T>& y, Kernel&& kernel) {
  return record_loss(*x.tape, x.view, &y.view, [&](T* dx, T* dy) { return kernel(x.value(), y.value(), dx, dy); });
}

}  // namespace detail
GRAFT_END

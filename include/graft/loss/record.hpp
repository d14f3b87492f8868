#pragma once
/// \file record.hpp  How a loss gets onto the tape: its kernel gives the value and the gradient of the unit loss in one pass,
/// and the way back multiplies that gradient by the loss's weight.
#include "graft/config.hpp"
#include "graft/core/tape.hpp"
#include "graft/loss/on_device.hpp"

#include <type_traits>

GRAFT_BEGIN
namespace detail {

template <class T>
struct LossCall {
  View<T> in[2];
  T* unit[2];
  Node<T>* out;
  static constexpr bool waits_for_nothing = true;
  void backward(Tape<T>& tape) {
    if (out->gradient == nullptr) return;
    for (int i = 0; i < 2; ++i) {
      if (unit[i] != nullptr) tape.contribute(in[i], static_cast<double>(*out->gradient), unit[i]);
    }
  }
};

/// What a loss has in place of a device's kernel: the CPU's runs on the device's numbers, once the device is done.
struct NoKernel {};

/// kernel(gradient of a or null, of b or null) returns the loss; on_device(losses, the same, value) has the device do it all.
/// `name` is the loss's, for a message.
template <class T, class Kernel, class OnDevice = NoKernel>
Loss<T> record_loss(Tape<T>& tape, const View<T>& a, const View<T>* b, Kernel&& kernel, OnDevice&& on_device = {},
                    const char* name = __builtin_FUNCTION()) {
  tape.bring(*a.node);
  if (b != nullptr) tape.bring(*b->node);
  Arena& arena = tape.arena();
  LossCall<T> call{{a, b != nullptr ? *b : View<T>{}}, {nullptr, nullptr}, nullptr};
  if (a.wanted()) call.unit[0] = arena.template take<T>(a.size());
  if (b != nullptr && b->wanted()) call.unit[1] = arena.template take<T>(b->size());
  T* value = arena.template take<T>(1);
  if constexpr (std::is_same_v<std::remove_cvref_t<OnDevice>, NoKernel>) {
    tape.on_host(name);
    *value = kernel(call.unit[0], call.unit[1]);
  } else if (tape.device() != nullptr) {
    on_device(tape.device()->losses(), call.unit[0], call.unit[1], value);
  } else {
    *value = kernel(call.unit[0], call.unit[1]);
  }
  call.out = tape.scalar(value, call.unit[0] != nullptr || call.unit[1] != nullptr);
  if (call.out->wanted) tape.record(call);
  return {&tape, call.out};
}

/// A loss of one batch: kernel(values, gradient or null) returns the loss and fills the gradient, as does
/// on_device(losses, values, gradient or null, loss).
template <Shape S, Kind K, class T, class Kernel, class OnDevice = NoKernel>
Loss<T> record_loss(const Var<S, K, T>& x, Kernel&& kernel, OnDevice&& on_device = {},
                    const char* name = __builtin_FUNCTION()) {
  const auto here = [&](T* dx, T*) { return kernel(x.view.value(), dx); };
  const View<T>* const none = nullptr;
  if constexpr (std::is_same_v<std::remove_cvref_t<OnDevice>, NoKernel>) {
    return record_loss(*x.tape, x.view, none, here, NoKernel{}, name);
  } else {
    const auto there = [&](const DeviceLosses<T>& losses, T* dx, T*, T* value) {
      on_device(losses, x.view.value(), dx, value);
    };
    return record_loss(*x.tape, x.view, none, here, there, name);
  }
}

/// A loss between two batches of one shape.
template <Shape S, Kind A, Kind B, class T, class Kernel, class OnDevice = NoKernel>
Loss<T> record_loss(const Var<S, A, T>& x, const Var<S, B, T>& y, Kernel&& kernel, OnDevice&& on_device = {},
                    const char* name = __builtin_FUNCTION()) {
  const auto here = [&](T* dx, T* dy) { return kernel(x.view.value(), y.view.value(), dx, dy); };
  if constexpr (std::is_same_v<std::remove_cvref_t<OnDevice>, NoKernel>) {
    return record_loss(*x.tape, x.view, &y.view, here, NoKernel{}, name);
  } else {
    const auto there = [&](const DeviceLosses<T>& losses, T* dx, T* dy, T* value) {
      on_device(losses, x.view.value(), y.view.value(), dx, dy, value);
    };
    return record_loss(*x.tape, x.view, &y.view, here, there, name);
  }
}

}  // namespace detail
GRAFT_END

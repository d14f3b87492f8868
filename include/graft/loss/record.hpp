#pragma once
/// \file record.hpp  How a loss gets onto the tape: its kernel gives the value and the gradient of the unit loss in one pass,
/// and the way back multiplies that gradient by the loss's weight.
#include "graft/config.hpp"
#include "graft/core/tape.hpp"
#include "graft/loss/on_device.hpp"

#include <type_traits>
#include <utility>

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
template <class OnDevice>
inline constexpr bool has_kernel = !std::is_same_v<std::remove_cvref_t<OnDevice>, NoKernel>;

/// A loss that is being recorded: its two sides, where their gradients go, and where its value does.
template <class T>
struct LossBegun {
  Tape<T>& tape;
  LossCall<T> call;
  T* value;
  LossBegun(Tape<T>& on, const View<T>& a, const View<T>* b)
      : tape(on), call{{a, b != nullptr ? *b : View<T>{}}, {nullptr, nullptr}, nullptr} {
    tape.bring(*a.node);
    if (b != nullptr) tape.bring(*b->node);
    if (a.wanted()) call.unit[0] = tape.arena().template take<T>(a.size());
    if (b != nullptr && b->wanted()) call.unit[1] = tape.arena().template take<T>(b->size());
    value = tape.arena().template take<T>(1);
  }
  Loss<T> end() {
    call.out = tape.scalar(value, call.unit[0] != nullptr || call.unit[1] != nullptr);
    if (call.out->wanted) tape.record(call);
    return {&tape, call.out};
  }
};

/// kernel(arguments...) returns the loss; on_device(losses, arguments..., value) has the device do it all.
template <class T, class Kernel, class OnDevice, class... Arguments>
Loss<T> run_loss(LossBegun<T>&& begun, const char* name, Kernel& kernel, OnDevice& on_device, Arguments... arguments) {
  if constexpr (has_kernel<OnDevice>) {
    if (begun.tape.device() != nullptr) {
      on_device(begun.tape.device()->losses(), arguments..., begun.value);
      return begun.end();
    }
  }
  begun.tape.on_host(name);
  *begun.value = kernel(arguments...);
  return begun.end();
}

/// kernel(gradient of a or null, of b or null) returns the loss and fills them; on_device(losses, the same, value) has the
/// device do it all. `name` is the loss's, for a message.
template <class T, class Kernel, class OnDevice = NoKernel>
Loss<T> record_loss(Tape<T>& tape, const View<T>& a, const View<T>* b, Kernel&& kernel, OnDevice&& on_device = {},
                    const char* name = __builtin_FUNCTION()) {
  LossBegun<T> begun(tape, a, b);
  T *const da = begun.call.unit[0], *const db = begun.call.unit[1];
  return run_loss(std::move(begun), name, kernel, on_device, da, db);
}
/// A loss of one batch: kernel(values, gradient or null).
template <Shape S, Kind K, class T, class Kernel, class OnDevice = NoKernel>
Loss<T> record_loss(const Var<S, K, T>& x, Kernel&& kernel, OnDevice&& on_device = {},
                    const char* name = __builtin_FUNCTION()) {
  LossBegun<T> begun(*x.tape, x.view, nullptr);
  T* const dx = begun.call.unit[0];
  return run_loss(std::move(begun), name, kernel, on_device, x.view.value(), dx);
}
/// A loss between two batches of one shape: kernel(values, values, gradient or null, gradient or null).
template <Shape S, Kind A, Kind B, class T, class Kernel, class OnDevice = NoKernel>
Loss<T> record_loss(const Var<S, A, T>& x, const Var<S, B, T>& y, Kernel&& kernel, OnDevice&& on_device = {},
                    const char* name = __builtin_FUNCTION()) {
  LossBegun<T> begun(*x.tape, x.view, &y.view);
  T *const dx = begun.call.unit[0], *const dy = begun.call.unit[1];
  return run_loss(std::move(begun), name, kernel, on_device, x.view.value(), y.view.value(), dx, dy);
}

}  // namespace detail
GRAFT_END

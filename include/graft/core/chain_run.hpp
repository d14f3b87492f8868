#pragma once
/// \file chain_run.hpp  Running layers in sequence, forward and back: one loop over a plan's values and the layers' functions,
/// the same code for every chain, so that a further network costs the compiler a table and not a copy of the loop.
#include "graft/config.hpp"
#include "graft/core/arena.hpp"
#include "graft/core/bf16.hpp"
#include "graft/core/error.hpp"
#include "graft/core/layer.hpp"
#include "graft/core/passes.hpp"
#include "graft/core/rules.hpp"
#include "graft/core/trace.hpp"
#include "graft/core/widened.hpp"

#include <cmath>
#include <cstddef>
#include <cstring>
#include <string>
#include <type_traits>

GRAFT_BEGIN

/// A Plan (core/chain.hpp) of any length.
struct PlanView {
  int count;
  const Shape* shape;
  const std::size_t* parameters;
  const std::size_t* statistics;
  const int* statistic_arrays;
  const Epilogue* epilogue;
  const int* last;
  const bool* covered;
  const bool* in_place;
  std::size_t widest;
};

/// What forward leaves for backward, by layer. S is what activations are stored in.
template <class S>
struct ChainRecord {
  const S** x = nullptr;
  S** y = nullptr;
  void** kept = nullptr;
  const S* output = nullptr;
  int kept_from = 0;  ///< backward reaches back to this layer
};
/// The same of a chain whose activations are stored in S, for a tape of T.
template <class T, class S>
struct StoredRecord {
  ChainRecord<S>* inner = nullptr;
  const T* output = nullptr;
};

namespace detail {

/// A layer's functions.
template <class T, class S = T>
struct Step {
  void* (*forward)(Run<T>&, const Place<T>&, const S*, S*) = nullptr;
  void (*backward)(Run<T>&, const Place<T>&, const S*, const S*, void*, S*, S*) = nullptr;
  std::string (*kernel)(Shape in, int n, const Epilogue&, const Passes&) = nullptr;  ///< what it runs on, in words
};
/// A layer that knows the CPU alone, on another device's numbers.
template <class L, class T>
struct OnHost {
  static void* forward(Run<T>& run, const Place<T>& at, const T* x, T* y) {
    to_host(run.device, L::name);
    return L::template forward<T>(run, at, x, y);
  }
  static void backward(Run<T>& run, const Place<T>& at, const T* x, const T* y, void* kept, T* dy, T* dx) {
    to_host(run.device, L::name);
    L::template backward<T>(run, at, x, y, kept, dy, dx);
  }
};
template <class L, class T, class D, bool with_backward>
constexpr auto step_of() {
  using S = Stored<T, D>;
  Step<T, S> step;
  if constexpr (!std::is_same_v<S, T>) {
    if constexpr (requires { step.forward = &L::template forward<T, D>; }) {
      step.forward = &L::template forward<T, D>;
      if constexpr (with_backward) step.backward = &L::template backward<T, D>;
      if constexpr (requires { &L::describe_bf16; }) step.kernel = &L::describe_bf16;
    } else {
      step.forward = &Widened<L, T, S>::forward;
      if constexpr (with_backward) step.backward = &Widened<L, T, S>::backward;
      step.kernel = &Widened<L, T, S>::describe;
    }
  } else if constexpr (std::is_base_of_v<Cpu, D>) {
    if constexpr (requires { step.forward = &L::template forward<T, D>; }) {
      step.forward = &L::template forward<T, D>;
      if constexpr (with_backward) step.backward = &L::template backward<T, D>;
    } else {
      step.forward = &L::template forward<T>;
      if constexpr (with_backward) step.backward = &L::template backward<T>;
    }
    if constexpr (requires { step.kernel = &L::template describe<T, D>; }) {
      step.kernel = &L::template describe<T, D>;
    } else if constexpr (requires { step.kernel = &L::template describe<T>; }) {
      step.kernel = &L::template describe<T>;
    }
  } else if constexpr (requires { &L::template forward<T, D>; }) {
    step.forward = &L::template forward<T, D>;
    if constexpr (with_backward) step.backward = &L::template backward<T, D>;
  } else {
    step.forward = &OnHost<L, T>::forward;
    if constexpr (with_backward) step.backward = &OnHost<L, T>::backward;
  }
  return step;
}

template <class T, class S = T>
struct Steps {
  PlanView p;
  const LayerRules* layer;
  const Step<T, S>* step;
  /// Whether layer i runs as nothing of its own.
  [[nodiscard]] bool skips(int i) const { return layer[i].traits.is_free || p.covered[i]; }
  [[nodiscard]] Place<T> place(const Place<T>& base, int i) const {
    Place<T> here;
    here.in = p.shape[i];
    here.out = p.shape[p.last[i] + 1];
    here.epilogue = p.epilogue[i];
    here.weights = base.weights + p.parameters[i];
    here.packed = base.packed != nullptr ? base.packed + p.parameters[i] : nullptr;
    here.gradients = base.gradients != nullptr ? base.gradients + p.parameters[i] : nullptr;
    here.statistics = base.statistics + p.statistics[i];
    here.fixed_statistics = base.fixed_statistics + p.statistic_arrays[i];
    return here;
  }
  GRAFT_COLD void trace(const Passes& passes, int i, int n, double begin) const {
    const std::string kernel = step[i].kernel != nullptr ? step[i].kernel(p.shape[i], n, p.epilogue[i], passes) : "";
    trace_layer(passes.forward ? "forward" : "backward", i, layer[i].name, n, p.shape[i], p.shape[p.last[i] + 1], p.epilogue[i],
                kernel, begin);
  }
  [[nodiscard]] int first_running(int first) const {
    while (first < p.count && skips(first)) ++first;
    return first;
  }
};

/// y = x, activations of a run on `device`.
template <class T, class S>
void copy_stored([[maybe_unused]] const Accelerator<T>* device, std::size_t count, const S* x, S* y) {
  if constexpr (std::is_same_v<T, S>) {
    copy(device, count, x, y);
  } else {
    std::memcpy(y, x, count * sizeof(S));
  }
}

/// Throws Error, which names the layer, when one of its numbers is not finite.
template <class S>
void refuse_not_finite(int layer, const char* name, const S* y, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    if (!std::isfinite(static_cast<std::conditional_t<std::is_same_v<S, bf16>, float, S>>(y[i])))
      fail("layer ", layer, " (", name, ", counted from 0) is the first to give a number that is not finite");
  }
}

/// Layers [begin, end). Where nothing is kept, two buffers serve in turn, and the last layer that has a buffer of its own
/// writes to `into`, or, if that is null, to one that outlives them. Without a layer that does, the result is x itself.
template <class T, class S>
const S* forward_range(Run<T>& run, const Steps<T, S>& steps, const Place<T>& base, ChainRecord<S>& record, const S* x,
                       int begin, int end, S* into) {
  const PlanView& p = steps.p;
  const std::size_t n = static_cast<std::size_t>(run.n);
  Arena& arena = *run.arena;
  int last = end - 1;  // the last with a buffer of its own
  while (last >= begin && (steps.skips(last) || p.in_place[last])) --last;
  S* const result = run.keep || last < begin ? nullptr
                    : into != nullptr        ? into
                                             : arena.template take<S>(n * p.shape[end].size());
  const Arena::Mark mark = arena.mark();
  S* ping = run.keep ? nullptr : arena.template take<S>(n * p.widest);
  S* pong = run.keep ? nullptr : arena.template take<S>(n * p.widest);
  for (int i = begin; i < end; ++i) {
    ++run.place;
    if (steps.skips(i)) continue;
    const Place<T> here = steps.place(base, i);
    S* y = nullptr;
    if (p.in_place[i]) {
      y = const_cast<S*>(x);  // x lies in a buffer of this run, written by an earlier layer of this chain
    } else if (i == last && result != nullptr) {
      y = result;
    } else if (ping != nullptr) {
      y = x == ping ? pong : ping;
    } else {
      y = arena.template take<S>(n * here.out.size());
    }
    record.x[i] = x;
    record.y[i] = y;
    const double started = trace_clock();
    record.kept[i] = steps.step[i].forward(run, here, x, y);
    if (run.device != nullptr && (traced() || run.check_finite)) run.device->synchronise();
    if (traced()) steps.trace({.forward = true}, i, run.n, started);
    if (run.check_finite) refuse_not_finite(i, steps.layer[i].name, y, n * here.out.size());
    x = y;
  }
  if (!run.keep) arena.release(mark);
  return x;
}

/// See Chain::forward. `into`: where the result may be written if nothing is kept; see forward_range().
template <class T, class S>
ChainRecord<S>* run_forward(Run<T>& run, const Steps<T, S>& steps, const Place<T>& base, const S* x, int trained, int kept_from,
                            S* into = nullptr) {
  const int count = steps.p.count;
  const std::size_t layers = static_cast<std::size_t>(count);
  ChainRecord<S>* record = run.arena->template make<ChainRecord<S>>();
  record->x = run.arena->template take_host<const S*>(layers);
  record->y = run.arena->template take_host<S*>(layers);
  record->kept = run.arena->template take_host<void*>(layers);
  const bool training = run.training, keep = run.keep;
  record->kept_from = keep && kept_from > trained ? kept_from : trained;
  const int ends[3] = {trained, record->kept_from, count};
  for (int part = 0, begin = 0; part < 3; begin = ends[part++]) {
    if (begin == ends[part] && part < 2) continue;
    run.training = training && part > 0;
    run.keep = keep && part == 2;
    x = forward_range(run, steps, base, *record, x, begin, ends[part], part == 2 ? into : nullptr);
  }
  run.training = training;
  run.keep = keep;
  record->output = x;
  return record;
}

/// See Chain::backward. A layer hands a gradient on when a layer before it has parameters or the input's is wanted.
template <class T, class S>
void run_backward(Run<T>& run, const Steps<T, S>& steps, const Place<T>& base, ChainRecord<S>& record, S* dy, S* dx,
                  const unsigned char* frozen) {
  const PlanView& p = steps.p;
  ArenaScope scope(*run.arena);
  S* spare[2] = {nullptr, nullptr};
  int turn = 0;
  S* gradient = dy;
  const int first = record.kept_from, first_running = steps.first_running(first);
  for (int i = p.count - 1; i >= first && gradient != nullptr; --i) {
    if (steps.skips(i)) continue;
    Place<T> here = steps.place(base, i);
    if (frozen != nullptr && frozen[i] != 0) here.gradients = nullptr;
    S* target = nullptr;
    if (i == first_running) {
      target = dx;
    } else if (dx != nullptr || p.parameters[i] > p.parameters[first]) {
      if (p.in_place[i]) {
        target = gradient;
      } else {
        if (spare[turn] == nullptr) spare[turn] = run.arena->template take<S>(static_cast<std::size_t>(run.n) * p.widest);
        target = spare[turn];
        turn = 1 - turn;
      }
    }
    const double started = trace_clock();
    steps.step[i].backward(run, here, record.x[i], record.y[i], record.kept[i], gradient, target);
    if (run.device != nullptr && traced()) run.device->synchronise();
    if (traced()) steps.trace({.parameters = here.gradients != nullptr, .input = target != nullptr}, i, run.n, started);
    gradient = target;
  }
  if (dx != nullptr && gradient != dx) {
    copy_stored(run.device, static_cast<std::size_t>(run.n) * p.shape[0].size(), gradient, dx);
  }
}

/// run_forward() on numbers of T, for a record whose output is one of T.
template <class T, class S>
StoredRecord<T, S>* run_stored_forward(Run<T>& run, const Steps<T, S>& steps, const Place<T>& base, const T* x, int trained,
                                       int kept_from) {
  if constexpr (!bf16_is_fast) say_slow_bf16();
  const std::size_t n = static_cast<std::size_t>(run.n);
  const std::size_t in = n * steps.p.shape[0].size(), out = n * steps.p.shape[steps.p.count].size();
  StoredRecord<T, S>* record = run.arena->template make<StoredRecord<T, S>>();
  T* const result = run.arena->template take<T>(out);
  S* const stored = run.arena->template take<S>(in);
  narrow(in, x, stored);
  record->inner = run_forward(run, steps, base, static_cast<const S*>(stored), trained, kept_from);
  widen(out, record->inner->output, result);
  record->output = result;
  return record;
}
/// run_backward() from such a record. dy stays as it is.
template <class T, class S>
void run_stored_backward(Run<T>& run, const Steps<T, S>& steps, const Place<T>& base, StoredRecord<T, S>& record, T* dy, T* dx,
                         const unsigned char* frozen) {
  ArenaScope scope(*run.arena);
  const std::size_t n = static_cast<std::size_t>(run.n);
  const std::size_t in = n * steps.p.shape[0].size(), out = n * steps.p.shape[steps.p.count].size();
  S* const stored_dy = run.arena->template take<S>(out);
  S* const stored_dx = dx != nullptr ? run.arena->template take<S>(in) : nullptr;
  narrow(out, dy, stored_dy);
  run_backward(run, steps, base, *record.inner, stored_dy, stored_dx, frozen);
  if (dx != nullptr) widen(in, stored_dx, dx);
}

}  // namespace detail
GRAFT_END

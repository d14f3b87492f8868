#pragma once
/// \file chain.hpp  Layers in sequence. The plan (shapes, offsets, which neighbours run as one kernel, what runs in place) is a
/// constexpr value; core/chain_run.hpp runs it. There is no tape inside.
#include "graft/config.hpp"
#include "graft/core/chain_run.hpp"
#include "graft/core/layer.hpp"
#include "graft/core/rules.hpp"

#include <array>
#include <cstddef>
#include <utility>

GRAFT_BEGIN

namespace detail {

/// Where a plan's values by layer are put: arrays of one more than the layers.
struct PlanArrays {
  Shape* shape;
  std::size_t* parameters;
  std::size_t* statistics;
  int* statistic_arrays;
  Epilogue* epilogue;
  int* last;
  bool* covered;
  bool* in_place;
};

/// What a plan says of a chain as a whole.
struct PlanSummary {
  Fit fit{};                   ///< the first misfit, or the chain's output
  int bad = -1;                ///< which layer does not fit
  std::size_t widest = 0;      ///< largest activation of one sample, in numbers
  Kind kind = Kind::features;  ///< what the output means
};

/// Decides which neighbours run as one kernel, and what runs in place.
constexpr void fuse(const PlanArrays& p, const ChainRules& chain) {
  int producer = -1;  // the layer whose buffer holds the current activation; -1: the chain's own input
  for (int i = 0; i < chain.count; ++i) {
    p.last[i] = i;
    if (p.covered[i]) continue;
    const Traits& t = chain.layer[i].traits;
    int next = i + 1;
    if (t.takes_activation && next < chain.count && chain.layer[next].traits.act != Act::none) {
      p.epilogue[i].act = chain.layer[next].traits.act;
      p.epilogue[i].alpha = chain.layer[next].traits.alpha;
      p.covered[next] = true;
      ++next;
    }
    if (t.takes_pool && next < chain.count && chain.layer[next].traits.is_pool2) {
      p.epilogue[i].pool = true;
      p.covered[next] = true;
      ++next;
    }
    p.last[i] = next - 1;
    if (t.is_free) continue;
    if (t.in_place && !t.needs_input && producer >= 0) {
      p.in_place[i] = !chain.layer[producer].traits.needs_output && p.epilogue[producer].act == Act::none;
    }
    if (!p.in_place[i] || t.needs_output) producer = i;
  }
}

/// Plans `chain` for samples of shape `in`. The arrays hold zeros before.
constexpr PlanSummary fill_plan(Shape in, const ChainRules& chain, const PlanArrays& p) {
  PlanSummary sum;
  p.shape[0] = in;
  sum.widest = in.size();
  for (int i = 0; i < chain.count; ++i) {
    const LayerRules& layer = chain.layer[i];
    Counts counts{};
    Shape out = p.shape[i];
    if (sum.bad < 0) {
      const Fit fit = layer.fit(p.shape[i]);
      if (fit.reason == Reason::fits) {
        out = fit.out;
        counts = layer.counts(p.shape[i]);
      } else {
        sum.fit = fit;
        sum.bad = i;
      }
    }
    p.shape[i + 1] = out;
    p.parameters[i + 1] = p.parameters[i] + counts.parameters;
    p.statistics[i + 1] = p.statistics[i] + counts.statistics;
    p.statistic_arrays[i + 1] = p.statistic_arrays[i] + counts.statistic_arrays;
    if (out.size() > sum.widest) sum.widest = out.size();
    if (!layer.traits.keeps_kind) sum.kind = layer.traits.kind;
  }
  if (sum.bad < 0) sum.fit.out = p.shape[chain.count];
  fuse(p, chain);
  return sum;
}

}  // namespace detail

/// The plan of a chain of N layers.
template <int N>
struct Plan : detail::PlanSummary {
  std::array<Shape, N + 1> shape{};             ///< shape[i] comes into layer i
  std::array<std::size_t, N + 1> parameters{};  ///< offset of layer i's parameters
  std::array<std::size_t, N + 1> statistics{};  ///< offset of its statistics
  std::array<int, N + 1> statistic_arrays{};    ///< how many statistic arrays stand before it
  std::array<Epilogue, N + 1> epilogue{};       ///< what layer i takes over from its followers
  std::array<int, N + 1> last{};                ///< the last layer that layer i's kernel covers
  std::array<bool, N + 1> covered{};            ///< runs as part of an earlier layer's kernel
  std::array<bool, N + 1> in_place{};
  [[nodiscard]] constexpr Shape out() const { return shape[N]; }
  [[nodiscard]] constexpr PlanView view() const {
    return {N,
            shape.data(),
            parameters.data(),
            statistics.data(),
            statistic_arrays.data(),
            epilogue.data(),
            last.data(),
            covered.data(),
            in_place.data(),
            widest};
  }
  constexpr Plan(Shape in, const ChainRules& chain) {
    static_cast<detail::PlanSummary&>(*this) =
        detail::fill_plan(in, chain,
                          {shape.data(), parameters.data(), statistics.data(), statistic_arrays.data(), epilogue.data(),
                           last.data(), covered.data(), in_place.data()});
  }
};

namespace detail {
template <int trained, class T, class D, class... Ls, std::size_t... Is>
constexpr std::array<Step<T, Stored<T, D>>, sizeof...(Ls) + 1> make_steps(std::index_sequence<Is...>) {
  return {step_of<Ls, T, D, (static_cast<int>(Is) >= trained)>()..., Step<T, Stored<T, D>>{}};
}
}  // namespace detail

template <class... Ls>
struct Chain {
  static constexpr int count = static_cast<int>(sizeof...(Ls));
  using PlanType = Plan<count>;
  static constexpr std::array<LayerRules, count + 1> rules{detail::rules_of<Ls>()..., LayerRules{}};

  static constexpr ChainRules chain_rules() { return {count, rules.data()}; }

  /// The plan for samples of shape `in`. After a misfit the remaining shapes repeat the last good one.
  static constexpr PlanType plan(Shape in) { return PlanType(in, chain_rules()); }

  template <class T, class D = Cpu>
  using Record = std::conditional_t<std::is_same_v<Stored<T, D>, T>, ChainRecord<T>, StoredRecord<T, Stored<T, D>>>;

  /// Runs all layers on x (n samples of plan.shape[0]) and returns the record; record.output is the result. Layers before
  /// `trained` run in inference mode and keep nothing. Those from there to `kept_from`, which must have an array of its own,
  /// run as the others do, but keep nothing either: backward then stops at `kept_from` and gives no gradient of x.
  template <int trained = 0, class D = Cpu, class T>
  static Record<T, D>* forward(Run<T>& run, const PlanType& p, const Place<T>& base, const T* x, int kept_from = trained) {
    using S = Stored<T, D>;
    const detail::Steps<T, S> all{p.view(), rules.data(), forward_steps<T, D>.data()};
    if constexpr (std::is_same_v<S, T>) {
      return detail::run_forward(run, all, base, x, trained, kept_from);
    } else {
      return detail::run_stored_forward(run, all, base, x, trained, kept_from);
    }
  }

  /// The way back: dy is the gradient of the output (may be overwritten), dx (null: not wanted) that of the input. Layers
  /// flagged in `frozen` (null: none) get no gradients of their parameters.
  template <int trained = 0, class D = Cpu, class T>
  static void backward(Run<T>& run, const PlanType& p, const Place<T>& base, Record<T, D>& record, T* dy, T* dx,
                       const unsigned char* frozen = nullptr) {
    using S = Stored<T, D>;
    const detail::Steps<T, S> all{p.view(), rules.data(), steps<trained, T, D>.data()};
    if constexpr (std::is_same_v<S, T>) {
      detail::run_backward(run, all, base, record, dy, dx, frozen);
    } else {
      detail::run_stored_backward(run, all, base, record, dy, dx, frozen);
    }
  }

  /// The layers' functions on a device; those before `trained` have no way back, which is never instantiated.
  template <int trained, class T, class D = Cpu>
  static constexpr auto steps = detail::make_steps<trained, T, D, Ls...>(std::index_sequence_for<Ls...>{});
  /// The way forward alone: a program that only predicts compiles no way back.
  template <class T, class D = Cpu>
  static constexpr auto forward_steps = detail::make_steps<count, T, D, Ls...>(std::index_sequence_for<Ls...>{});
};

GRAFT_END

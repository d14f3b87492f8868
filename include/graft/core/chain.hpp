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

template <int N>
struct Plan {
  Fit fit{};                                    ///< the first misfit, or the chain's output
  int bad = -1;                                 ///< which layer does not fit
  std::array<Shape, N + 1> shape{};             ///< shape[i] comes into layer i
  std::array<std::size_t, N + 1> parameters{};  ///< offset of layer i's parameters
  std::array<std::size_t, N + 1> statistics{};  ///< offset of its statistics
  std::array<int, N + 1> statistic_arrays{};    ///< how many statistic arrays stand before it
  std::array<Epilogue, N + 1> epilogue{};       ///< what layer i takes over from its followers
  std::array<int, N + 1> last{};                ///< the last layer that layer i's kernel covers
  std::array<bool, N + 1> covered{};            ///< runs as part of an earlier layer's kernel
  std::array<bool, N + 1> in_place{};
  std::size_t widest = 0;      ///< largest activation of one sample, in numbers
  Kind kind = Kind::features;  ///< what the output means
  [[nodiscard]] constexpr Shape out() const { return shape[N]; }
  [[nodiscard]] PlanView view() const {
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
};

namespace detail {
/// Decides which neighbours run as one kernel, and what runs in place.
template <int N>
constexpr void fuse(Plan<N>& p, const std::array<Traits, N + 1>& traits) {
  const auto at = [](int i) { return static_cast<std::size_t>(i); };
  int producer = -1;  // the layer whose buffer holds the current activation; -1: the chain's own input
  for (int i = 0; i < N; ++i) {
    p.last[at(i)] = i;
    if (p.covered[at(i)]) continue;
    const Traits& t = traits[at(i)];
    int next = i + 1;
    if (t.takes_activation && next < N && traits[at(next)].act != Act::none) {
      p.epilogue[at(i)].act = traits[at(next)].act;
      p.epilogue[at(i)].alpha = traits[at(next)].alpha;
      p.covered[at(next)] = true;
      ++next;
    }
    if (t.takes_pool && next < N && traits[at(next)].is_pool2) {
      p.epilogue[at(i)].pool = true;
      p.covered[at(next)] = true;
      ++next;
    }
    p.last[at(i)] = next - 1;
    if (t.is_free) continue;
    if (t.in_place && !t.needs_input && producer >= 0) {
      p.in_place[at(i)] = !traits[at(producer)].needs_output && p.epilogue[at(producer)].act == Act::none;
    }
    if (!p.in_place[at(i)] || t.needs_output) producer = i;
  }
}

template <int N>
constexpr Plan<N> make_plan(Shape in, const std::array<LayerRules, N + 1>& rules, const std::array<Traits, N + 1>& traits) {
  Plan<N> p;
  p.shape[0] = in;
  p.widest = in.size();
  for (std::size_t i = 0; i < static_cast<std::size_t>(N); ++i) {
    Counts counts{};
    Shape out = p.shape[i];
    if (p.bad < 0) {
      const Fit fit = rules[i].fit(p.shape[i]);
      if (fit.reason == Reason::fits) {
        out = fit.out;
        counts = rules[i].counts(p.shape[i]);
      } else {
        p.fit = fit;
        p.bad = static_cast<int>(i);
      }
    }
    p.shape[i + 1] = out;
    p.parameters[i + 1] = p.parameters[i] + counts.parameters;
    p.statistics[i + 1] = p.statistics[i] + counts.statistics;
    p.statistic_arrays[i + 1] = p.statistic_arrays[i] + counts.statistic_arrays;
    if (out.size() > p.widest) p.widest = out.size();
    if (!traits[i].keeps_kind) p.kind = traits[i].kind;
  }
  if (p.bad < 0) p.fit.out = p.out();
  fuse(p, traits);
  return p;
}

}  // namespace detail

template <class... Ls>
struct Chain {
  static constexpr int count = static_cast<int>(sizeof...(Ls));
  using PlanType = Plan<count>;
  static constexpr std::array<Traits, count + 1> traits{Ls::traits..., Traits{}};
  static constexpr std::size_t at(int i) { return static_cast<std::size_t>(i); }

  static constexpr std::array<LayerRules, count + 1> rules{detail::rules_of<Ls>()..., LayerRules{}};

  /// The plan for samples of shape `in`. After a misfit the remaining shapes repeat the last good one.
  static constexpr PlanType plan(Shape in) { return detail::make_plan<count>(in, rules, traits); }

  template <class T>
  using Record = ChainRecord<T>;

  /// Runs all layers on x (n samples of plan.shape[0]) and returns the record; record.output is the result. Layers before
  /// `trained` run in inference mode and keep nothing. Those from there to `kept_from`, which must have an array of its own,
  /// run as the others do, but keep nothing either: backward then stops at `kept_from` and gives no gradient of x.
  template <int trained = 0, class T>
  static Record<T>* forward(Run<T>& run, const PlanType& p, const Place<T>& base, const T* x, int kept_from = trained) {
    return detail::run_forward(run, {p.view(), traits.data(), steps<trained, T>.data()}, base, x, trained, kept_from);
  }

  /// The way back: dy is the gradient of the output (may be overwritten), dx (null: not wanted) that of the input. Layers
  /// flagged in `frozen` (null: none) get no gradients of their parameters.
  template <int trained = 0, class T>
  static void backward(Run<T>& run, const PlanType& p, const Place<T>& base, Record<T>& record, T* dy, T* dx,
                       const unsigned char* frozen = nullptr) {
    detail::run_backward(run, {p.view(), traits.data(), steps<trained, T>.data()}, base, record, dy, dx, frozen);
  }

 private:
  /// The layers' functions; those before `trained` have no way back, which is never instantiated.
  template <int trained, class T, std::size_t... Is>
  static constexpr std::array<detail::Step<T>, sizeof...(Ls) + 1> make_steps(std::index_sequence<Is...>) {
    return {detail::step_of<Ls, T, (static_cast<int>(Is) >= trained)>()..., detail::Step<T>{}};
  }
  template <int trained, class T>
  static constexpr auto steps = make_steps<trained, T>(std::index_sequence_for<Ls...>{});
};

GRAFT_END

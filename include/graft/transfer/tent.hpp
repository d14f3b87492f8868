#pragma once
/// \file tent.hpp  Adaptation while predicting: Wang, Shelhamer, Liu, Olshausen, Darrell, "Tent: fully test-time adaptation by
/// entropy minimization", ICLR 2021; with the goal of Liang, Hu, Feng, "Do we really need to access the source data?", ICML
/// 2020 (SHOT-IM) as an option.
#include "graft/config.hpp"
#include "graft/core/tape.hpp"
#include "graft/loss/unsupervised.hpp"
#include "graft/optim/adam.hpp"
#include "graft/transfer/heads.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <vector>

GRAFT_BEGIN

struct TentOptions {
  /// Of Adam (beta 0.9, 0.999). 0: weights stay, and each batch is normalised by its own statistics, as AdaBN would on a
  /// stream.
  double learning_rate = 0.001;
  /// Weight of the entropy of the batch's mean prediction, which is to be large: 1 makes it information maximisation.
  double diversity = 0.0;
  /// Whether all of the models but the last, the label head, is trained, as SHOT does, and not BatchNorm alone.
  bool whole_body = false;
  /// Where the running mean of the entropy (nats, factor 0.9) falls below this, the models have collapsed on few classes, and
  /// are reset (Niu et al. 2023, SAR, section 3.2: 0.2). 0: never.
  double reset_below = 0.0;
  /// The same of the mean prediction's entropy: few classes are left in whole batches. 0: never.
  double reset_below_diversity = 0.0;
};

/// `Tent tent{options, body, head}`: each batch is normalised by its own statistics, and one step on the entropy of its
/// predictions moves the scales and shifts of BatchNorm (or, by option, the whole body); all else stays. Needs no source, no
/// labels and no more memory than one training step. While it lives, only those are trainable; its end gives the models their
/// flags back, not their weights (reset() does).
template <class... Models>
class Tent {
  using First = std::tuple_element_t<0, std::tuple<Models...>>;

 public:
  using Scalar = typename First::Scalar;

  /// Throws Error when there is nothing to train: no model has a BatchNorm or, with whole_body, there is but one.
  explicit Tent(const TentOptions& options, Models&... models)
      : options_(options), models_(models...), begin_{state_of(models)...}, optimizer_(prepared(options, models...)) {}
  ~Tent() {
    each([](auto& model, State& state) { give_flags(model, state); });
  }
  Tent(const Tent&) = delete;
  Tent& operator=(const Tent&) = delete;

  /// Logits of n >= 2 samples into y (n x classes), as they were before the step that follows. Returns their mean entropy, in
  /// nats; where it is not finite, no step is taken and the models are reset.
  double predict(const Scalar* x, int n, Scalar* y) {
    if (n < 2) fail("Tent: a batch of ", n, " samples; its own statistics need at least 2.");
    const auto logits = run(Rows<Scalar>{x, n, n});
    std::copy_n(logits.value(), logits.view.size(), y);
    const auto unsure = entropy(logits);
    const auto spread = mean_entropy(logits);
    const auto loss = unsure - options_.diversity * spread;
    const double value = static_cast<double>(unsure.value());
    if (!std::isfinite(value)) {
      tape_.discard();
      reset();
      return value;
    }
    optimizer_.step(backward(loss));
    const double wide = static_cast<double>(spread.value());
    diversity_ = mean_ < 0.0 ? wide : 0.9 * diversity_ + 0.1 * wide;
    mean_ = mean_ < 0.0 ? value : 0.9 * mean_ + 0.1 * value;
    if (mean_ < options_.reset_below || diversity_ < options_.reset_below_diversity) reset();
    return value;
  }

  /// The weights, statistics and optimiser as they were at the beginning.
  void reset() {
    each([](auto& model, State& state) {
      std::copy(state.values.begin(), state.values.end(), model.values().begin());
      std::copy(state.statistics.begin(), state.statistics.end(), model.statistics_of(0).begin());
    });
    optimizer_.reset();
    mean_ = -1.0;
    ++resets_;
  }
  /// How often reset() was called, by the user or by predict().
  [[nodiscard]] int resets() const { return resets_; }

 private:
  struct State {
    Buffer<Scalar> values, statistics;
    std::vector<bool> trainable;
  };
  template <class M>
  static State state_of(M& model) {
    State state{model.values(), model.statistics_of(0), {}};
    for (const Segment& s : model.segments()) state.trainable.push_back(s.trainable);
    return state;
  }
  template <class M>
  static void give_flags(M& model, const State& state) {
    for (std::size_t i = 0; i < state.trainable.size(); ++i) model.set_trainable(state.trainable[i], model.segments()[i].name);
  }
  static Adam<Scalar> prepared(const TentOptions& options, Models&... models) {
    int found = 0;
    std::size_t left = sizeof...(Models);
    const auto prepare = [&](auto& model) {
      --left;
      if (options.whole_body && left > 0) {
        if (!model.segments().empty()) model.set_trainable(true);
        found += static_cast<int>(model.segments().size());
        return;
      }
      if (!model.segments().empty()) model.set_trainable(false);
      if (options.whole_body) return;
      for (std::size_t i = 0; i < model.segments().size(); ++i) {
        const std::string name = model.segments()[i].name;
        const std::string leaf = name.substr(name.rfind('/') + 1);
        if (leaf != "gamma" && leaf != "beta") continue;
        model.set_trainable(true, name);
        ++found;
      }
    };
    (prepare(models), ...);
    if (found == 0 && options.whole_body)
      fail(
          "Tent: with whole_body all models but the last are trained, and there is none with weights; give body and label "
          "head.");
    if (found == 0)
      fail(
          "Tent: none of the models has a BatchNorm; it adapts their scales and shifts, and nothing else, unless whole_body is "
          "set.");
    return Adam<Scalar>({.learning_rate = options.learning_rate}, models...);
  }
  auto run(Rows<Scalar> rows) {
    return std::apply([&](auto& first, auto&... rest) { return through(tape_(first, rows), rest...); }, models_);
  }
  template <class V>
  V through(const V& x) {
    return x;
  }
  template <class V, class M, class... Rest>
  auto through(const V& x, M& model, Rest&... rest) {
    return through(tape_(model, x), rest...);
  }
  template <class F>
  void each(F&& f) {
    std::size_t i = 0;
    std::apply([&](auto&... models) { (f(models, begin_[i++]), ...); }, models_);
  }

  TentOptions options_;
  std::tuple<Models&...> models_;
  State begin_[sizeof...(Models)];
  Tape<Scalar> tape_;
  Adam<Scalar> optimizer_;
  double mean_ = -1.0;  // of the entropy; below 0: nothing seen yet
  double diversity_ = 0.0;
  int resets_ = 0;
};

GRAFT_END

#pragma once
/// \file composed.hpp  A method put together of parts on one body and label head: any of penalties, an adversary, labels for
/// the target, averaged weights, each with a weight and a schedule of its own.
#include "graft/config.hpp"
#include "graft/transfer/method.hpp"

#include <cstdint>
#include <tuple>
#include <utility>

GRAFT_BEGIN

/// What a part sees of a step: both domains' features and logits, run once for all parts. `.features.source()` and
/// `.logits.target()` are those of one domain.
template <class Features, class Logits, class Batch>
struct Step {
  const Features& features;
  const Logits& logits;
  const Batch& batch;
  double progress = 0.0;  ///< of the run, from 0 to 1
};

/// `Composed{features, labels, recipe, parts...}`: cross-entropy on the source plus the loss of each part, learnt in one step
/// by one optimiser:
///
///   Composed method{features, labels, Recipe{},
///                   part::Dann{domains, {.high = 0.5}},
///                   part::Penalty{"coral", {10.0}, [](auto& step) { return coral(step.features.source(),
///                   step.features.target()); }}};
///   method.fit(source, target.without_labels(), {.epochs = 30});
///
/// A part may provide
///   static constexpr bool sees_clean_target   true: batch.clean_target() is there
///   Loss<T> loss(Tape<T>&, const Step&, Means&)   weighted
///   auto models()                             its own, trained with the body and label head
///   auto kept()                               its own that no gradient trains, saved in checkpoints
///   void begin(body, label_head)              before the first step
///   void after_step(step, body, label_head)
///   auto classifier()                         what is scored and used in the end, in place of body and label head
///   void report(double progress, Row&) const
///   void for_each_state(f)                    f(name, numbers, count) for what else checkpoints save of it
template <class Body, class LabelHead, class... Parts>
class Composed : public Method<Composed<Body, LabelHead, Parts...>, Body, LabelHead> {
 public:
  using Scalar = typename Body::Scalar;
  static constexpr bool sees_clean_target = (detail::sees_clean_target<Parts>() || ...);

  Composed(Body& features, LabelHead& labels, const Recipe& recipe, Parts... parts)
      : Method<Composed, Body, LabelHead>(features, labels, recipe), parts_(std::move(parts)...) {
    for_each([&](auto& part) {
      if constexpr (requires { part.begin(features, labels); }) part.begin(features, labels);
    });
  }

  Loss<Scalar> loss(Tape<Scalar>& tape, const data::PairedBatch<Scalar>& batch, double progress, Means& means) {
    const auto f = tape(this->features_, batch);
    const auto logits = tape(this->labels_, f);
    auto sum = cross_entropy(logits.source(), batch.class_labels());
    means.add("label_loss", sum);
    const Step<decltype(f), decltype(logits), data::PairedBatch<Scalar>> step{f, logits, batch, progress};
    for_each([&](auto& part) {
      if constexpr (requires { part.loss(tape, step, means); }) sum = sum + part.loss(tape, step, means);
    });
    return sum;
  }
  void after_step(std::uint64_t step) {
    for_each([&](auto& part) {
      if constexpr (requires { part.after_step(step, this->features_, this->labels_); })
        part.after_step(step, this->features_, this->labels_);
    });
  }

  auto optimizer() {
    return std::apply([&](auto&... models) { return recipe_optimizer(this->recipe_, models...); }, trained());
  }
  auto models() {
    return std::apply(
        [&](auto&... part) {
          return std::tuple_cat(trained(), [&] {
            if constexpr (requires { part.kept(); })
              return part.kept();
            else
              return std::tie();
          }()...);
        },
        parts_);
  }
  auto classifier() { return classifier_of<0>(); }
  template <class F>
  void for_each_state(F&& f) {
    for_each([&](auto& part) {
      if constexpr (requires { part.for_each_state(f); }) part.for_each_state(f);
    });
  }
  void report(double progress, Row& row) const {
    std::apply(
        [&](const auto&... part) {
          (
              [&] {
                if constexpr (requires { part.report(progress, row); }) part.report(progress, row);
              }(),
              ...);
        },
        parts_);
  }

 private:
  template <class F>
  void for_each(F&& f) {
    std::apply([&](auto&... part) { (f(part), ...); }, parts_);
  }
  auto trained() {
    return std::apply(
        [&](auto&... part) {
          return std::tuple_cat(std::tie(this->features_, this->labels_), [&] {
            if constexpr (requires { part.models(); })
              return part.models();
            else
              return std::tie();
          }()...);
        },
        parts_);
  }
  template <std::size_t I>
  auto classifier_of() {
    if constexpr (I == sizeof...(Parts)) {
      return std::tie(this->features_, this->labels_);
    } else if constexpr (requires { std::get<I>(parts_).classifier(); }) {
      return std::get<I>(parts_).classifier();
    } else {
      return classifier_of<I + 1>();
    }
  }
  std::tuple<Parts...> parts_;
};

GRAFT_END

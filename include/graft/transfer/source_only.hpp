#pragma once
/// \file source_only.hpp  Plain supervised training, the baseline of every method: what a network knows of the target when it
/// has seen the source alone.
#include "graft/config.hpp"
#include "graft/loss/supervised.hpp"
#include "graft/transfer/adaptation.hpp"
#include "graft/transfer/recipe.hpp"

GRAFT_BEGIN

struct SourceOnlyOptions {
  double momentum = 0.9;
  DannRate rate{};         ///< the schedule of Ganin et al., so that a comparison with Dann differs in the method only
  double body_rate = 1.0;  ///< factor on the body's learning rate; below 1 for a pretrained one
  double weight_decay = 0.0;
};

/// `SourceOnly{features, labels}.fit(source, target, ...)`: body and label head by cross-entropy on the source. The target is
/// not used.
template <class Body, class LabelHead>
class SourceOnly {
  static_assert(HeadDoesNotFitBody<Body::output, LabelHead::input>::ok);

 public:
  using Scalar = typename Body::Scalar;
  static constexpr Shape input = Body::input;
  static constexpr int classes = LabelHead::output.c;
  static constexpr bool uses_target = false;

  SourceOnly(Body& features, LabelHead& labels, SourceOnlyOptions options = {})
      : features_(features), labels_(labels), options_(options) {
    name_models("features", features, "labels", labels);
  }

  Loss<Scalar> loss(Tape<Scalar>& tape, const data::PairedBatch<Scalar>& batch, double, Means& means) {
    const auto loss = cross_entropy(tape(labels_, tape(features_, batch.source())), batch.class_labels());
    means.add("label_loss", loss);
    return loss;
  }

  [[nodiscard]] double learning_rate(double progress) const { return options_.rate(progress); }
  auto optimizer() {
    return recipe_optimizer(
        {.momentum = options_.momentum, .body_rate = options_.body_rate, .weight_decay = options_.weight_decay}, features_,
        labels_);
  }
  auto models() { return std::tie(features_, labels_); }
  auto classifier() { return std::tie(features_, labels_); }
  void report(double, Row&) const {}

  template <class... Callbacks>
  History fit(const data::Labelled& source, const data::Unlabelled& target, const FitOptions& options,
              Callbacks&&... callbacks) {
    return adapt(*this, source, target, options, std::forward<Callbacks>(callbacks)...);
  }
  /// The same on features, which body and heads then take in place of images.
  template <class T, class... Callbacks>
  History fit(const data::Features<T>& source, const data::UnlabelledFeatures<T>& target, const FeatureFitOptions<T>& options,
              Callbacks&&... callbacks) {
    return adapt(*this, source, target, options, std::forward<Callbacks>(callbacks)...);
  }

 private:
  Body& features_;
  LabelHead& labels_;
  SourceOnlyOptions options_;
};

GRAFT_END

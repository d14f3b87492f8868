#pragma once
/// \file method.hpp  What methods that train a body and a label head have in common, so that a method's own file holds its loss
/// and little else.
#include "graft/config.hpp"
#include "graft/loss/supervised.hpp"
#include "graft/transfer/adaptation.hpp"
#include "graft/transfer/recipe.hpp"

GRAFT_BEGIN

/// Base of a method `Self` that trains a body and a label head on batches of both domains. Self gives
///   Loss<Scalar> loss(Tape<Scalar>&, const data::PairedBatch<Scalar>&, double progress, Means&)
/// and replaces here what else it does otherwise (see adaptation.hpp for all that a method may have).
template <class Self, class Body, class LabelHead>
class Method {
  static_assert(HeadDoesNotFitBody<Body::output, LabelHead::input>::ok);

 public:
  using Scalar = typename Body::Scalar;
  static constexpr Shape input = Body::input;
  static constexpr int classes = LabelHead::output.c;
  static constexpr bool uses_target = true;

  [[nodiscard]] double learning_rate(double progress) const { return recipe_.rate(progress); }
  auto optimizer() { return recipe_optimizer(recipe_, features_, labels_); }
  auto models() { return std::tie(features_, labels_); }
  auto classifier() { return std::tie(features_, labels_); }
  void report(double, Row&) const {}

  /// Trains on a labelled source and a target whose labels cannot be seen.
  template <class... Callbacks>
  History fit(const data::Labelled& source, const data::Unlabelled& target, const FitOptions& options,
              Callbacks&&... callbacks) {
    return adapt(static_cast<Self&>(*this), source, target, options, std::forward<Callbacks>(callbacks)...);
  }
  /// The same on features, which body and heads then take in place of images.
  template <class T, class... Callbacks>
  History fit(const data::Features<T>& source, const data::UnlabelledFeatures<T>& target, const FeatureFitOptions<T>& options,
              Callbacks&&... callbacks) {
    return adapt(static_cast<Self&>(*this), source, target, options, std::forward<Callbacks>(callbacks)...);
  }

 protected:
  Method(Body& features, LabelHead& labels, const Recipe& recipe) : features_(features), labels_(labels), recipe_(recipe) {
    name_models("features", features, "labels", labels);
  }

  Body& features_;
  LabelHead& labels_;
  Recipe recipe_;
};

GRAFT_END

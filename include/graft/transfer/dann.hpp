#pragma once
/// \file dann.hpp  Domain-adversarial training of neural networks: Ganin, Ustinova, Ajakan, Germain, Larochelle, Laviolette,
/// Marchand, Lempitsky, JMLR 17 (2016).
#include "graft/config.hpp"
#include "graft/loss/supervised.hpp"
#include "graft/transfer/adaptation.hpp"
#include "graft/transfer/domain_loss.hpp"
#include "graft/transfer/recipe.hpp"

GRAFT_BEGIN

struct DannOptions {
  double momentum = 0.9;
  DannRate rate{};         ///< mu_p = 0.01 / (1 + 10 p)^0.75
  DannLambda lambda{};     ///< lambda_p = 2 / (1 + exp(-10 p)) - 1
  double body_rate = 1.0;  ///< factor on the body's learning rate; below 1 for a pretrained one
  double weight_decay = 0.0;
};

/// `Dann{features, labels, domains}.fit(source, target, {.epochs = 30}, ProgressBar{})`.
///
/// The body learns to serve the label head and to confuse the domain head; the domain head learns to tell source (0) from
/// target (1). Both losses are minimised; the minus sits in reverse_gradient (see there). lambda acts on the body only
/// (section 5.2).
template <class Body, class LabelHead, class DomainHead>
class Dann {
  static_assert(HeadDoesNotFitBody<Body::output, LabelHead::input>::ok &&
                HeadDoesNotFitBody<Body::output, DomainHead::input>::ok);
  static_assert(
      DomainHead::output == Vector<2>,
      "graft: Dann{body, labels, domains}: the domain head must give 2 outputs (source, target); were the heads swapped?");

 public:
  using Scalar = typename Body::Scalar;
  static constexpr Shape input = Body::input;
  static constexpr int classes = LabelHead::output.c;
  static constexpr bool uses_target = true;

  Dann(Body& features, LabelHead& labels, DomainHead& domains, DannOptions options = {})
      : features_(features), labels_(labels), domains_(domains), options_(options) {
    name_models("features", features, "labels", labels, "domains", domains);
  }

  /// Equation (9), with the saddle point of (10)-(12) reached by one descent thanks to the reversal (14)-(15).
  Loss<Scalar> loss(Tape<Scalar>& tape, const data::PairedBatch<Scalar>& batch, double progress, Means& means) {
    const auto f = tape(features_, batch);
    const auto label_loss = cross_entropy(tape(labels_, f.source()), batch.class_labels());
    means.add("label_loss", label_loss);
    return label_loss + domain_loss(tape, domains_, f, batch, options_.lambda(progress), means);
  }

  [[nodiscard]] double learning_rate(double progress) const { return options_.rate(progress); }
  auto optimizer() {
    return recipe_optimizer(
        {.momentum = options_.momentum, .body_rate = options_.body_rate, .weight_decay = options_.weight_decay}, features_,
        labels_, domains_);
  }
  auto models() { return std::tie(features_, labels_, domains_); }
  auto classifier() { return std::tie(features_, labels_); }
  void report(double progress, Row& row) const { row.set("lambda", options_.lambda(progress)); }

  /// Trains on a labelled source and a target whose labels cannot be seen.
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
  DomainHead& domains_;
  DannOptions options_;
};

GRAFT_END

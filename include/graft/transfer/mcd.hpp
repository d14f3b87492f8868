#pragma once
/// \file mcd.hpp  Maximum classifier discrepancy: Saito, Watanabe, Ushiku, Harada, CVPR 2018.
#include "graft/config.hpp"
#include "graft/loss/classifiers.hpp"
#include "graft/transfer/method.hpp"

#include <cstdint>
#include <tuple>
#include <utility>

GRAFT_BEGIN

struct McdOptions {
  int body_steps = 4;   ///< n, of the body on each batch (the paper's step C); 0: all in one step, by a reversal
  Growing lambda{4.0};  ///< weight of the discrepancy in the body's steps; by a reversal {4, 10} serves better
  Recipe recipe{};
};

/// `Mcd{features, labels, second}`: two classifiers that are right on the source move apart on the target, and the body brings
/// the target to where they agree. `second` is a net like `labels`, of other initial weights; `labels` classifies in the end.
/// Throws Error for body_steps below 0.
template <class Body, class LabelHead>
class Mcd : public Method<Mcd<Body, LabelHead>, Body, LabelHead> {
 public:
  using Scalar = typename Body::Scalar;
  /// With body_steps it steps in learn(), that is in loss(), and not again with the body's.
  struct HeadOptimizer : Sgd<Scalar> {
    bool in_loss;
    HeadOptimizer(Sgd<Scalar>&& made, bool in_its_loss) : Sgd<Scalar>(std::move(made)), in_loss(in_its_loss) {}
    void learn() { Sgd<Scalar>::step(); }
    void step(Gradients gradients) {
      if (!in_loss) Sgd<Scalar>::step(gradients);
    }
  };

  Mcd(Body& features, LabelHead& labels, LabelHead& second, const McdOptions& options = {})
      : Method<Mcd, Body, LabelHead>(features, labels, options.recipe), second_(second), options_(options) {
    if (options.body_steps < 0) fail("Mcd: body_steps is ", options.body_steps, "; give 1 or more, or 0 for a reversal.");
    name_models("second", second);
  }

  /// All in one step (the end of section 3.3): both minimise CE on the source; the classifiers maximise d(p1, p2) on the
  /// target, the body minimises it.
  Loss<Scalar> loss(Tape<Scalar>& tape, const data::PairedBatch<Scalar>& batch, double progress, Means& means) {
    const auto f = tape(this->features_, batch);
    const auto label_loss = right(tape, f.source(), batch);
    auto target = f.target();
    target.view.scale *= -options_.lambda(progress);
    const auto discrepancy = classifier_discrepancy(tape(this->labels_, target), tape(second_, target));
    means.add("label_loss", label_loss);
    means.add("discrepancy", discrepancy);
    return label_loss - discrepancy;
  }
  /// Steps A, B and all but the last of C (section 3.2), then C's loss, if the optimisers are given.
  template <class Optimizers>
  Loss<Scalar> loss(Tape<Scalar>& tape, const data::PairedBatch<Scalar>& batch, double progress, Means& means,
                    Optimizers& optimizers) {
    if (options_.body_steps == 0) return loss(tape, batch, progress, means);
    auto& body = std::get<0>(optimizers);
    auto& heads = std::get<1>(optimizers);
    const double lambda = options_.lambda(progress);
    const auto apart = [&](Tape<Scalar>& on) {
      const auto target = on(this->features_, batch.target());
      return classifier_discrepancy(on(fixed(this->labels_), target), on(fixed(second_), target));
    };
    steps_.domain_norm = tape.domain_norm;
    steps_.set_step(tape.step() * static_cast<std::uint64_t>(options_.body_steps + 1));

    const auto label_loss = right(steps_, steps_(this->features_, batch.source()), batch);  // A, equation (3)
    means.add("label_loss", label_loss);
    backward(label_loss);
    body.step();
    heads.learn();

    const auto f = steps_(this->features_, batch).detached();  // B, equation (4)
    backward(right(steps_, f.source(), batch) -
             classifier_discrepancy(steps_(this->labels_, f.target()), steps_(second_, f.target())));
    heads.learn();

    for (int k = 1; k < options_.body_steps; ++k) {  // C, equation (5)
      backward(lambda * apart(steps_));
      body.step();
    }
    const auto discrepancy = apart(tape);
    means.add("discrepancy", discrepancy);
    return lambda * discrepancy;
  }
  auto optimizer() {
    return std::tuple(recipe_optimizer(this->recipe_, this->features_),
                      HeadOptimizer(recipe_optimizer(this->recipe_, this->labels_, second_), options_.body_steps > 0));
  }
  auto models() { return std::tie(this->features_, this->labels_, second_); }
  void report(double progress, Row& row) const { row.set("lambda", options_.lambda(progress)); }

 private:
  template <class V>
  Loss<Scalar> right(Tape<Scalar>& tape, const V& source, const data::PairedBatch<Scalar>& batch) {
    return cross_entropy(tape(this->labels_, source), batch.class_labels()) +
           cross_entropy(tape(second_, source), batch.class_labels());
  }

  LabelHead& second_;
  McdOptions options_;
  Tape<Scalar> steps_;  // of A, B and C before the last
};

GRAFT_END

#pragma once
/// \file mcc.hpp  Minimum class confusion: Jin, Wang, Long, Wang, "Minimum class confusion for versatile domain adaptation",
/// ECCV 2020.
#include "graft/config.hpp"
#include "graft/loss/unsupervised.hpp"
#include "graft/transfer/method.hpp"

GRAFT_BEGIN

struct MccOptions {
  Growing lambda{1.0, 10.0};  ///< mu in the paper, which takes 1 throughout, with a pretrained body
  double temperature = 2.5;
  Recipe recipe{};
};

/// `Mcc{features, labels}`: predictions on the target should not confuse classes with each other. Nothing is aligned, so it
/// bears other class frequencies in the target; classes must lie apart there.
template <class Body, class LabelHead>
class Mcc : public Method<Mcc<Body, LabelHead>, Body, LabelHead> {
 public:
  using Scalar = typename Body::Scalar;

  Mcc(Body& features, LabelHead& labels, const MccOptions& options = {})
      : Method<Mcc, Body, LabelHead>(features, labels, options.recipe), options_(options) {}

  /// Equation (8): E_s L_CE + mu E_t L_MCC, with L_MCC of equations (2)-(7).
  Loss<Scalar> loss(Tape<Scalar>& tape, const data::PairedBatch<Scalar>& batch, double progress, Means& means) {
    const auto logits = tape(this->labels_, tape(this->features_, batch));
    const auto label_loss = cross_entropy(logits.source(), batch.class_labels());
    const auto confusion = minimum_class_confusion(logits.target(), options_.temperature);
    means.add("label_loss", label_loss);
    means.add("confusion", confusion);
    return label_loss + options_.lambda(progress) * confusion;
  }
  void report(double progress, Row& row) const { row.set("lambda", options_.lambda(progress)); }

 private:
  MccOptions options_;
};

GRAFT_END

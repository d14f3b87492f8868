#pragma once
/// \file deep_coral.hpp  Deep CORAL: Sun, Saenko, "Deep CORAL: correlation alignment for deep domain adaptation", ECCV
/// workshops 2016.
#include "graft/config.hpp"
#include "graft/loss/discrepancy.hpp"
#include "graft/transfer/method.hpp"

GRAFT_BEGIN

struct DeepCoralOptions {
  Growing lambda{10.0, 10.0};  ///< the paper's is such that both losses end alike
  bool on_features = true;     ///< match the body's output
  bool on_logits = true;       ///< match the logits (the paper: fc8 alone)
  Recipe recipe{};
};

/// `DeepCoral{features, labels}`: the covariances of both domains are made alike, at the body's output, the logits, or both.
template <class Body, class LabelHead>
class DeepCoral : public Method<DeepCoral<Body, LabelHead>, Body, LabelHead> {
 public:
  using Scalar = typename Body::Scalar;

  DeepCoral(Body& features, LabelHead& labels, const DeepCoralOptions& options = {})
      : Method<DeepCoral, Body, LabelHead>(features, labels, options.recipe), options_(options) {
    if (!options.on_features && !options.on_logits) fail("DeepCoral: nothing is aligned; set on_features, on_logits or both.");
  }

  /// Equation (6): l = l_CLASS + sum over the layers of lambda l_CORAL, l_CORAL = |C_S - C_T|_F^2 / (4 d^2) (1).
  Loss<Scalar> loss(Tape<Scalar>& tape, const data::PairedBatch<Scalar>& batch, double progress, Means& means) {
    const auto f = tape(this->features_, batch);
    const auto logits = tape(this->labels_, f);
    const auto label_loss = cross_entropy(logits.source(), batch.class_labels());
    const auto distance = options_.on_features && options_.on_logits
                              ? coral(f.source(), f.target()) + coral(logits.source(), logits.target())
                          : options_.on_features ? coral(f.source(), f.target())
                                                 : coral(logits.source(), logits.target());
    means.add("label_loss", label_loss);
    means.add("coral", distance);
    return label_loss + options_.lambda(progress) * distance;
  }
  void report(double progress, Row& row) const { row.set("lambda", options_.lambda(progress)); }

 private:
  DeepCoralOptions options_;
};

GRAFT_END

#pragma once
/// \file jan.hpp  Joint adaptation networks: Long, Zhu, Wang, Jordan, "Deep transfer learning with joint adaptation networks",
/// ICML 2017.
#include "graft/config.hpp"
#include "graft/loss/joint.hpp"
#include "graft/transfer/method.hpp"

GRAFT_BEGIN

struct JanOptions {
  Growing lambda{1.0, 10.0};
  JointMmdOptions joint{};
  Recipe recipe{};
};

/// `Jan{features, labels}`: the joint distributions of features and predictions are matched by joint MMD.
template <class Body, class LabelHead>
class Jan : public Method<Jan<Body, LabelHead>, Body, LabelHead> {
 public:
  using Scalar = typename Body::Scalar;

  Jan(Body& features, LabelHead& labels, const JanOptions& options = {})
      : Method<Jan, Body, LabelHead>(features, labels, options.recipe), options_(options) {}

  /// Equation (10): min 1/n sum J(f(x), y) + lambda D_L(P, Q).
  Loss<Scalar> loss(Tape<Scalar>& tape, const data::PairedBatch<Scalar>& batch, double progress, Means& means) {
    const auto f = tape(this->features_, batch);
    const auto logits = tape(this->labels_, f);
    const auto label_loss = cross_entropy(logits.source(), batch.class_labels());
    const auto distance = joint_mmd(f, logits, options_.joint);
    means.add("label_loss", label_loss);
    means.add("joint_mmd", distance);
    return label_loss + options_.lambda(progress) * distance;
  }
  void report(double progress, Row& row) const { row.set("lambda", options_.lambda(progress)); }

 private:
  JanOptions options_;
};

GRAFT_END

#pragma once
/// \file mcd.hpp  Maximum classifier discrepancy: Saito, Watanabe, Ushiku, Harada, CVPR 2018.
#include "graft/config.hpp"
#include "graft/loss/classifiers.hpp"
#include "graft/transfer/method.hpp"

GRAFT_BEGIN

struct McdOptions {
  Growing lambda{4.0, 10.0};  ///< how strongly the body is drawn to where the classifiers agree
  Recipe recipe{};
};

/// `Mcd{features, labels, second}`: two classifiers that are right on the source move apart on the target, and the body brings
/// the target to where they agree. `second` is a net like `labels`, of other initial weights; `labels` classifies in the end.
/// One step in place of the paper's three (its section 3.3 ends with it): the body sees the discrepancy through a reversal.
template <class Body, class LabelHead>
class Mcd : public Method<Mcd<Body, LabelHead>, Body, LabelHead> {
 public:
  using Scalar = typename Body::Scalar;

  Mcd(Body& features, LabelHead& labels, LabelHead& second, const McdOptions& options = {})
      : Method<Mcd, Body, LabelHead>(features, labels, options.recipe), second_(second), options_(options) {
    name_models("second", second);
  }

  /// Equations (3) to (5): both minimise CE on the source; the classifiers maximise d(p1, p2) on the target, the body minimises
  /// it.
  Loss<Scalar> loss(Tape<Scalar>& tape, const data::PairedBatch<Scalar>& batch, double progress, Means& means) {
    const auto f = tape(this->features_, batch);
    const auto right = [&](auto& head) { return cross_entropy(tape(head, f.source()), batch.class_labels()); };
    const auto label_loss = right(this->labels_) + right(second_);
    auto target = f.target();
    target.view.scale *= -options_.lambda(progress);
    const auto discrepancy = classifier_discrepancy(tape(this->labels_, target), tape(second_, target));
    means.add("label_loss", label_loss);
    means.add("discrepancy", discrepancy);
    return label_loss - discrepancy;
  }
  auto optimizer() { return recipe_optimizer(this->recipe_, this->features_, this->labels_, second_); }
  auto models() { return std::tie(this->features_, this->labels_, second_); }
  void report(double progress, Row& row) const { row.set("lambda", options_.lambda(progress)); }

 private:
  LabelHead& second_;
  McdOptions options_;
};

GRAFT_END

#pragma once
/// \file mdd.hpp  Margin disparity discrepancy: Zhang, Liu, Long, Jordan, "Bridging theory and algorithm for domain
/// adaptation", ICML 2019.
#include "graft/config.hpp"
#include "graft/loss/classifiers.hpp"
#include "graft/transfer/method.hpp"

GRAFT_BEGIN

struct MddOptions {
  Growing lambda{0.1, 10.0};  ///< of the reversal; the authors' rises to 0.1
  double margin = 4.0;        ///< gamma = exp(rho)
  Recipe recipe{};
};

/// `Mdd{features, labels, adversary}`: an adversary that follows the classifier on the source departs from it on the target as
/// far as it can, and the body leaves it no room. `adversary` is a net like `labels`.
template <class Body, class LabelHead>
class Mdd : public Method<Mdd<Body, LabelHead>, Body, LabelHead> {
 public:
  using Scalar = typename Body::Scalar;

  Mdd(Body& features, LabelHead& labels, LabelHead& adversary, const MddOptions& options = {})
      : Method<Mdd, Body, LabelHead>(features, labels, options.recipe), adversary_(adversary), options_(options) {
    name_models("adversary", adversary);
  }

  /// Equations (27) and (29), with the reversal in place of the minimax.
  Loss<Scalar> loss(Tape<Scalar>& tape, const data::PairedBatch<Scalar>& batch, double progress, Means& means) {
    const auto f = tape(this->features_, batch);
    const auto logits = tape(this->labels_, f);
    const auto label_loss = cross_entropy(logits.source(), batch.class_labels());
    auto reversed = f;
    reversed.view.scale *= -options_.lambda(progress);
    const auto disparity = margin_disparity(tape(adversary_, reversed), logits, options_.margin);
    means.add("label_loss", label_loss);
    means.add("disparity", disparity);
    return label_loss + disparity;
  }
  auto optimizer() { return recipe_optimizer(this->recipe_, this->features_, this->labels_, adversary_); }
  auto models() { return std::tie(this->features_, this->labels_, adversary_); }
  void report(double progress, Row& row) const { row.set("lambda", options_.lambda(progress)); }

 private:
  LabelHead& adversary_;
  MddOptions options_;
};

GRAFT_END

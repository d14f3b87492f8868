#pragma once
/// \file entropy_minimisation.hpp  Entropy minimisation: Grandvalet, Bengio, "Semi-supervised learning by entropy
/// minimization", NIPS 2004, with the target as the unlabelled part.
#include "graft/config.hpp"
#include "graft/loss/unsupervised.hpp"
#include "graft/transfer/method.hpp"

GRAFT_BEGIN

struct EntropyMinimisationOptions {
  Growing lambda{0.1, 10.0};  ///< grows: the entropy of a classifier that knows nothing is noise
  double diversity = 1.0;     ///< weight, within the entropy's, of the entropy of the mean prediction (0: Grandvalet & Bengio)
  Recipe recipe{};
};

/// `EntropyMinimisation{features, labels}`: target images are to be told with confidence, so that the border between classes
/// moves to where few of them lie. Alone that may end with all of them in one class, which `diversity` works against.
template <class Body, class LabelHead>
class EntropyMinimisation : public Method<EntropyMinimisation<Body, LabelHead>, Body, LabelHead> {
 public:
  using Scalar = typename Body::Scalar;

  EntropyMinimisation(Body& features, LabelHead& labels, const EntropyMinimisationOptions& options = {})
      : Method<EntropyMinimisation, Body, LabelHead>(features, labels, options.recipe), options_(options) {}

  /// Grandvalet & Bengio, equation (6): the likelihood of the labelled and lambda times the entropy of the unlabelled.
  Loss<Scalar> loss(Tape<Scalar>& tape, const data::PairedBatch<Scalar>& batch, double progress, Means& means) {
    const auto logits = tape(this->labels_, tape(this->features_, batch));
    const auto label_loss = cross_entropy(logits.source(), batch.class_labels());
    const auto uncertainty = entropy(logits.target());
    const auto spread = mean_entropy(logits.target());
    means.add("label_loss", label_loss);
    means.add("entropy", uncertainty);
    means.add("spread", spread);
    return label_loss + options_.lambda(progress) * (uncertainty - options_.diversity * spread);
  }
  void report(double progress, Row& row) const { row.set("lambda", options_.lambda(progress)); }

 private:
  EntropyMinimisationOptions options_;
};

GRAFT_END

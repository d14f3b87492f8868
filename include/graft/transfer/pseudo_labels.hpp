#pragma once
/// \file pseudo_labels.hpp  Transfer by pseudo-labels: Lee, "Pseudo-label: the simple and efficient semi-supervised learning
/// method", ICML workshops 2013, with the target as the unlabelled part.
#include "graft/config.hpp"
#include "graft/transfer/guesses.hpp"
#include "graft/transfer/method.hpp"

GRAFT_BEGIN

struct PseudoLabelsOptions {
  double first_part = 0.4;     ///< of the run, on the source alone
  double confidence = 0.9;     ///< a target image below this probability is left out
  double source_weight = 1.0;  ///< of the source's labels in the second part; 0: the target alone
  Recipe recipe{};
};

/// `PseudoLabels{features, labels}`: a classifier is trained on the source. It labels the target; a second one starts from it
/// and learns from what it is sure of, and from the source. The labels are made anew at the start of each epoch.
template <class Body, class LabelHead>
class PseudoLabels : public Method<PseudoLabels<Body, LabelHead>, Body, LabelHead> {
 public:
  using Scalar = typename Body::Scalar;

  PseudoLabels(Body& features, LabelHead& labels, const PseudoLabelsOptions& options = {})
      : Method<PseudoLabels, Body, LabelHead>(features, labels, options.recipe), options_(options) {}

  template <class Set>
  void begin_epoch(double progress, const Set& target, const data::Normalize& normalize) {
    if (progress < options_.first_part) return;
    guesses_.make(target, normalize, this->features_, this->labels_);
    guesses_.believe_above(options_.confidence);
  }

  /// Lee 2013, equation (15): the mean over labelled samples, and alpha(t) times that over pseudo-labelled ones; alpha goes
  /// from 0 to 1 where the second part begins.
  Loss<Scalar> loss(Tape<Scalar>& tape, const data::PairedBatch<Scalar>& batch, double, Means& means) {
    if (guesses_.empty()) {
      const auto alone = cross_entropy(tape(this->labels_, tape(this->features_, batch.source())), batch.class_labels());
      means.add("label_loss", alone);
      return alone;
    }
    const auto logits = tape(this->labels_, tape(this->features_, batch));
    const auto label_loss = cross_entropy(logits.source(), batch.class_labels());
    const auto pseudo_loss = believed_cross_entropy(logits.target(), guesses_.of(batch));
    means.add("label_loss", label_loss);
    means.add("pseudo_loss", pseudo_loss);
    return options_.source_weight * label_loss + pseudo_loss;
  }
  void report(double, Row& row) const { row.set("believed", guesses_.believed()); }

 private:
  PseudoLabelsOptions options_;
  Guesses guesses_;
};

GRAFT_END

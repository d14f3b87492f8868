#pragma once
/// \file curriculum.hpp  A curriculum from source to target: the target's images enter in the order of their difficulty
/// (Bengio, Louradour, Collobert, Weston, "Curriculum learning", ICML 2009; as self-training, class by class: Zou, Yu, Kumar,
/// Wang, "Unsupervised domain adaptation for semantic segmentation via class-balanced self-training", ECCV 2018).
#include "graft/config.hpp"
#include "graft/transfer/guesses.hpp"
#include "graft/transfer/method.hpp"

#include <algorithm>

GRAFT_BEGIN

struct CurriculumOptions {
  double first_part = 0.2;  ///< of the run, on the source alone
  double easiest = 0.1;     ///< share of each class's target images with which the target enters
  double hardest = 0.9;     ///< share that is in at the end; the rest is taken for too hard to be true
  Recipe recipe{};
};

/// `Curriculum{features, labels}`: lessons go from what is most like the source to what is least like it. The difficulty of a
/// target image is 1 - the probability of the class that it is taken for, measured anew at each epoch; the share that is taught
/// grows evenly. Classes have equal shares of what was taken for them.
template <class Body, class LabelHead>
class Curriculum : public Method<Curriculum<Body, LabelHead>, Body, LabelHead> {
 public:
  using Scalar = typename Body::Scalar;

  Curriculum(Body& features, LabelHead& labels, const CurriculumOptions& options = {})
      : Method<Curriculum, Body, LabelHead>(features, labels, options.recipe), options_(options) {}

  /// The share of the target that is taught at this progress.
  [[nodiscard]] double share(double progress) const {
    if (progress < options_.first_part) return 0.0;
    const double way = std::min(1.0, (progress - options_.first_part) / (1.0 - options_.first_part));
    return options_.easiest + (options_.hardest - options_.easiest) * way;
  }
  template <class Set>
  void begin_epoch(double progress, const Set& target, const data::Normalize& normalize) {
    if (share(progress) <= 0.0) return;
    guesses_.make(target, normalize, this->features_, this->labels_);
    guesses_.believe_share(share(progress));
  }

  /// Zou et al., equation (4), with hard labels: source and believed target labels in one sum.
  Loss<Scalar> loss(Tape<Scalar>& tape, const data::PairedBatch<Scalar>& batch, double, Means& means) {
    if (guesses_.empty()) {
      const auto alone = cross_entropy(tape(this->labels_, tape(this->features_, batch.source())), batch.class_labels());
      means.add("label_loss", alone);
      return alone;
    }
    const auto logits = tape(this->labels_, tape(this->features_, batch));
    const auto label_loss = cross_entropy(logits.source(), batch.class_labels());
    const auto lesson = believed_cross_entropy(logits.target(), guesses_.of(batch));
    means.add("label_loss", label_loss);
    means.add("lesson_loss", lesson);
    return label_loss + lesson;
  }
  void report(double, Row& row) const { row.set("believed", guesses_.believed()); }

 private:
  CurriculumOptions options_;
  Guesses guesses_;
};

GRAFT_END

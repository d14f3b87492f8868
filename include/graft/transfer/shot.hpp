#pragma once
/// \file shot.hpp  Source hypothesis transfer: Liang, Hu, Feng, "Do we really need to access the source data? Source hypothesis
/// transfer for unsupervised domain adaptation", ICML 2020.
#include "graft/config.hpp"
#include "graft/loss/conventions.hpp"
#include "graft/train/finetune.hpp"
#include "graft/transfer/guesses.hpp"
#include "graft/transfer/method.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

GRAFT_BEGIN

struct ShotOptions {
  double first_part = 0.5;  ///< of the run, on the source alone; 0: the models come trained
  double smoothing = 0.1;   ///< of the source's labels
  int classes = 0;          ///< smoothed over the first so many outputs, where the others stand for no class; 0: over all
  double entropy = 1.0;     ///< weight of the information maximisation
  double pseudo = 0.3;      ///< weight of the centroids' labels
  Recipe recipe{};
};

/// `Shot{features, labels}`: source-free. After the first part no image of the source is looked at: the label head is kept as
/// it is (frozen; the next fit's first part, or unfreeze(labels), lets it learn again) and the body learns to give features on
/// which it is sure and not one-sided.
template <class Body, class LabelHead>
class Shot : public Method<Shot<Body, LabelHead>, Body, LabelHead> {
 public:
  using Scalar = typename Body::Scalar;

  Shot(Body& features, LabelHead& labels, const ShotOptions& options = {})
      : Method<Shot, Body, LabelHead>(features, labels, options.recipe), options_(options) {
    if (options.classes < 0 || options.classes > LabelHead::output.c) {
      fail("Shot: labels were to be smoothed over ", options.classes, " classes, but the head has ", LabelHead::output.c,
           " outputs; give as many or fewer, or 0 for all.");
    }
  }

  /// The schedule begins anew with the second part.
  [[nodiscard]] double learning_rate(double progress) const {
    return rate_in_two_parts(this->recipe_, progress, options_.first_part);
  }
  template <class Set>
  void begin_epoch(double progress, const Set& target, const data::Normalize& normalize) {
    if (progress < options_.first_part) return unfreeze(this->labels_);
    freeze(this->labels_);
    guesses_.make_by_centroids(target, normalize, this->features_, this->labels_);
  }

  /// Equation (1), then equation (7): L_ent + L_div + beta CE(centroids' labels), with the authors' epsilon.
  Loss<Scalar> loss(Tape<Scalar>& tape, const data::PairedBatch<Scalar>& batch, double, Means& means) {
    if (guesses_.empty()) {
      const auto alone = smoothed(tape(this->labels_, tape(this->features_, batch.source())), batch.class_labels());
      means.add("label_loss", alone);
      return alone;
    }
    const auto logits = tape(this->labels_, tape(this->features_, batch.target()));
    const auto sure = information_maximisation(logits, Convention::shot);
    const auto pseudo_loss = believed_cross_entropy(logits, guesses_.of(batch));
    means.add("information", sure);
    means.add("pseudo_loss", pseudo_loss);
    return options_.entropy * sure + options_.pseudo * pseudo_loss;
  }

 private:
  /// Equation (1): cross-entropy with smoothing / K on each of K classes and the rest on the label.
  template <class V, class Labels>
  Loss<Scalar> smoothed(const V& logits, const Labels& labels) {
    constexpr int outputs = LabelHead::output.c;
    const int classes = options_.classes > 0 ? options_.classes : outputs;
    soft_.assign(static_cast<std::size_t>(logits.count()) * outputs, Scalar{0});
    for (int i = 0; i < logits.count(); ++i) {
      Scalar* row = soft_.data() + static_cast<std::ptrdiff_t>(i) * outputs;
      std::fill_n(row, classes, static_cast<Scalar>(options_.smoothing / classes));
      row[labels.data[i]] += static_cast<Scalar>(1.0 - options_.smoothing);
    }
    return cross_entropy(logits, SoftLabels<Scalar>{soft_.data(), logits.count(), outputs});
  }

  ShotOptions options_;
  Guesses guesses_;
  std::vector<Scalar> soft_;
};

GRAFT_END

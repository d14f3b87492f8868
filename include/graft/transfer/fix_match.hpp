#pragma once
/// \file fix_match.hpp  Labels by the clean view for the augmented one: Sohn, Berthelot, Li, Zhang, Carlini, Cubuk, Kurakin,
/// Zhang, Raffel, "FixMatch: simplifying semi-supervised learning with consistency and confidence", NeurIPS 2020, with the
/// target as the unlabelled part.
#include "graft/config.hpp"
#include "graft/loss/consistency.hpp"
#include "graft/transfer/distribution_alignment.hpp"
#include "graft/transfer/guesses.hpp"
#include "graft/transfer/parts.hpp"

#include <algorithm>
#include <vector>

GRAFT_BEGIN

struct FixMatchOptions {
  double confidence = 0.95;  ///< tau: a label below this probability is not believed
  Growing lambda{1.0};       ///< lambda_u, of the believed labels' loss
  /// Above 0: guesses are aligned (DistributionAlignment) before they are believed, with means that remember about
  /// 1 / (1 - align) steps. FixMatch has none.
  double align = 0.0;
  Recipe recipe{};
};

namespace part {

/// softmax of what body and label head, in inference mode, make of a batch's clean target.
template <class Body, class LabelHead>
class CleanTarget {
 public:
  using T = typename Body::Scalar;
  CleanTarget(Body& features, LabelHead& labels) : features_(features), labels_(labels) {}
  /// target_count x classes probabilities, valid until the next call.
  const T* operator()(const data::PairedBatch<T>& batch) {
    const Rows<T> rows = batch.clean_target();
    const std::size_t n = static_cast<std::size_t>(rows.count);
    hidden_.resize(n * Body::output.size());
    out_.resize(n * LabelHead::output.size());
    features_.domain = features_.has_target_statistics() ? 1 : 0;
    labels_.domain = labels_.has_target_statistics() ? 1 : 0;
    features_.predict(rows.data, rows.count, hidden_.data());
    labels_.predict(hidden_.data(), rows.count, out_.data());
    kernel::softmax_forward(Cpu{}, rows.count, LabelHead::output.c, out_.data(), out_.data());
    return out_.data();
  }

 private:
  Body& features_;
  LabelHead& labels_;
  std::vector<T> hidden_, out_;
};

/// Equation (4): cross-entropy of the augmented target with what `features` and `labels` are sure of on the clean one. They may
/// be the trained ones, or their averages.
template <class Body, class LabelHead>
class SureLabels {
  using T = typename Body::Scalar;

 public:
  static constexpr bool sees_clean_target = true;
  SureLabels(Body& features, LabelHead& labels, const FixMatchOptions& options = {})
      : clean_(features, labels), options_(options), alignment_(LabelHead::output.c, options.align) {}
  template <class S>
  Loss<T> loss(Tape<T>&, const S& step, Means& means) {
    constexpr int classes = LabelHead::output.c;
    const T* p = clean_(step.batch);
    if (options_.align > 0.0)
      p = alignment_(step.batch.class_labels().data, step.batch.source_count, p, step.batch.target_count);
    labels_.resize(static_cast<std::size_t>(step.batch.target_count));
    for (int& label : labels_) {
      label = argmax(p, classes);
      if (static_cast<double>(p[label]) < options_.confidence) label = -1;
      p += classes;
    }
    const auto loss = believed_cross_entropy(step.logits.target(), {labels_.data(), step.batch.target_count});
    means.add("pseudo_loss", loss);
    const auto none = std::count(labels_.begin(), labels_.end(), -1);
    means.add("believed", 1.0 - static_cast<double>(none) / static_cast<double>(labels_.size()));
    return options_.lambda(step.progress) * loss;
  }
  template <class F>
  void for_each_state(F&& f) {
    if (options_.align > 0.0) alignment_.for_each_state(f);
  }

 private:
  CleanTarget<Body, LabelHead> clean_;
  FixMatchOptions options_;
  std::vector<int> labels_;
  DistributionAlignment<T> alignment_;
};

}  // namespace part

/// `FixMatch{features, labels}`, with FitOptions::target_augment: what the classifier is sure of on an image as it is, it
/// learns on the image as changed. Give the source the same augmentation.
template <class Body, class LabelHead>
class FixMatch : public Composed<Body, LabelHead, part::SureLabels<Body, LabelHead>> {
 public:
  FixMatch(Body& features, LabelHead& labels, const FixMatchOptions& options = {})
      : Composed<Body, LabelHead, part::SureLabels<Body, LabelHead>>(
            features, labels, options.recipe, part::SureLabels<Body, LabelHead>(features, labels, options)) {}
};

GRAFT_END

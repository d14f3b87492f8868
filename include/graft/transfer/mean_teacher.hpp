#pragma once
/// \file mean_teacher.hpp  Mean teacher: Tarvainen & Valpola, NeurIPS 2017, for domains as in French, Mackiewicz, Fisher,
/// "Self-ensembling for visual domain adaptation", ICLR 2018.
#include "graft/config.hpp"
#include "graft/loss/consistency.hpp"
#include "graft/transfer/fix_match.hpp"

GRAFT_BEGIN

struct MeanTeacherOptions {
  double decay = 0.99;        ///< of the teacher's weights
  double confidence = 0.968;  ///< the teacher's probability from which on a row counts
  Growing lambda{3.0};        ///< of the consistency
  Recipe recipe{};
};

namespace part {
/// The augmented target's probabilities are drawn to the teacher's of the clean one, where it is sure.
template <class Body, class LabelHead>
class Agreement {
  using T = typename Body::Scalar;

 public:
  static constexpr bool sees_clean_target = true;
  Agreement(Body& teacher, LabelHead& teacher_labels, const MeanTeacherOptions& options)
      : clean_(teacher, teacher_labels), options_(options) {}
  template <class S>
  Loss<T> loss(Tape<T>&, const S& step, Means& means) {
    const auto loss = consistency(step.logits.target(), clean_(step.batch), options_.confidence);
    means.add("consistency", loss);
    return options_.lambda(step.progress) * loss;
  }

 private:
  CleanTarget<Body, LabelHead> clean_;
  MeanTeacherOptions options_;
};
}  // namespace part

/// `MeanTeacher{features, labels, teacher_features, teacher_labels}`, with FitOptions::target_augment: the teacher is a moving
/// average of the student, which learns the source's labels and to agree with the teacher on the target. The teacher is scored.
template <class Body, class LabelHead>
class MeanTeacher : public Composed<Body, LabelHead, part::Agreement<Body, LabelHead>, part::WeightAverage<Body, LabelHead>> {
 public:
  MeanTeacher(Body& features, LabelHead& labels, Body& teacher, LabelHead& teacher_labels,
              const MeanTeacherOptions& options = {})
      : Composed<Body, LabelHead, part::Agreement<Body, LabelHead>, part::WeightAverage<Body, LabelHead>>(
            features, labels, options.recipe, part::Agreement<Body, LabelHead>(teacher, teacher_labels, options),
            part::WeightAverage<Body, LabelHead>(teacher, teacher_labels, options.decay)) {}
};

GRAFT_END

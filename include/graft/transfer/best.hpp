#pragma once
/// \file best.hpp  What served best of all that is here, as a preset: images normalised one by one, augmentation of both
/// domains, a domain head behind a reversed gradient, labels by the clean view that are aligned with the source's classes,
/// averaged weights.
#include "graft/config.hpp"
#include "graft/transfer/fix_match.hpp"

GRAFT_BEGIN

struct BestOptions {
  DannLambda lambda{.high = 0.3};
  double confidence = 0.8;
  Growing pseudo{2.0};   ///< weight of the target's pseudo-labels
  double align = 0.99;   ///< FixMatchOptions::align
  double decay = 0.999;  ///< of the averaged weights
  Recipe recipe{.rate = {.mu0 = 0.03}};
};

/// Strong changes of small images that leave the class as it is, digits' too: place, size, slant, negative, colours, noise.
inline data::Augment strong_augmentation() {
  return {data::rotate(9.0),       data::shear(6.0), data::zoom(0.09),
          data::shift(0.06, 0.06), data::invert(),   data::colour_jitter(0.3, 0.7, 0.5),
          data::noise(0.05)};
}
/// Options with what the preset needs of them: augmentation of both domains, and images normalised one by one. Sets of features
/// are left as they are.
template <class Labelled>
BasicFitOptions<Labelled> best_fit(BasicFitOptions<Labelled> options) {
  if constexpr (std::is_same_v<Labelled, data::Labelled>) {
    options.normalize = data::Normalize::of_each_image();
    options.augment = options.target_augment = strong_augmentation();
  }
  return options;
}

/// `Best{features, labels, domains, average_features, average_labels}.fit(source, target, best_fit(options))`. The averages are
/// what is scored and used in the end.
template <class Body, class LabelHead, class DomainHead>
class Best : public Composed<Body, LabelHead, part::Dann<DomainHead>, part::SureLabels<Body, LabelHead>,
                             part::WeightAverage<Body, LabelHead>> {
 public:
  Best(Body& features, LabelHead& labels, DomainHead& domains, Body& average_features, LabelHead& average_labels,
       const BestOptions& options = {})
      : Composed<Body, LabelHead, part::Dann<DomainHead>, part::SureLabels<Body, LabelHead>,
                 part::WeightAverage<Body, LabelHead>>(
            features, labels, options.recipe, part::Dann<DomainHead>(domains, options.lambda),
            part::SureLabels<Body, LabelHead>(
                features, labels, {.confidence = options.confidence, .lambda = options.pseudo, .align = options.align}),
            part::WeightAverage<Body, LabelHead>(average_features, average_labels, options.decay)) {}
};

GRAFT_END

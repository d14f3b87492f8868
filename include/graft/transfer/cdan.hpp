#pragma once
/// \file cdan.hpp  Conditional adversarial domain adaptation: Long, Cao, Wang, Jordan, NeurIPS 2018.
#include "graft/config.hpp"
#include "graft/loss/conditional.hpp"
#include "graft/transfer/gradient_reversal.hpp"
#include "graft/transfer/method.hpp"

GRAFT_BEGIN

struct CdanOptions {
  DannLambda lambda{};
  bool entropy = true;                     ///< CDAN+E: rows count the more the surer their prediction (equation 8)
  Convention weights = Convention::paper;  ///< paper: scaled in each domain, as the authors' code; tllib: in both together
  std::uint64_t seed = 0;                  ///< of the random map
  Recipe recipe{};
};

/// `Cdan{features, labels, domains}`: as Dann, but the domain head sees the features with what they are taken for. It takes
/// Vector<classes x features> (the multilinear map), or any other width, to which the map is then projected at random (the
/// paper: 1024 where the product is above 4096), and gives one logit of "source".
template <class Body, class LabelHead, class DomainHead>
class Cdan : public Method<Cdan<Body, LabelHead, DomainHead>, Body, LabelHead> {
  static constexpr int d = static_cast<int>(Body::output.size()), wide = DomainHead::input.c;
  static_assert(
      DomainHead::output == Vector<1> && DomainHead::input.is_vector(),
      "graft: Cdan{body, labels, domains}: the domain head takes a vector (classes x features, or a random map's width) "
      "and gives 1 output, the logit of the source.");

 public:
  using Scalar = typename Body::Scalar;

  Cdan(Body& features, LabelHead& labels, DomainHead& domains, const CdanOptions& options = {})
      : Method<Cdan, Body, LabelHead>(features, labels, options.recipe),
        domains_(domains),
        options_(options),
        map_(d, LabelHead::output.c, wide == d * LabelHead::output.c ? 0 : wide, options.seed, features.device()) {
    name_models("domains", domains);
  }

  /// Equations (3) and (8), with the reversal in place of the minimax.
  Loss<Scalar> loss(Tape<Scalar>& tape, const data::PairedBatch<Scalar>& batch, double progress, Means& means) {
    const auto f = tape(this->features_, batch);
    const auto logits = tape(this->labels_, f);
    const auto label_loss = cross_entropy(logits.source(), batch.class_labels());
    const auto joint = [&] {
      if constexpr (wide == d * LabelHead::output.c)
        return conditional(f, logits);
      else
        return conditional<wide>(f, logits, map_);
    }();
    const auto domain = tape(domains_, reverse_gradient(joint, options_.lambda(progress)));
    const auto weights = options_.entropy ? entropy_weights(logits, options_.weights == Convention::paper) : nullptr;
    const auto domain_loss = domain_cross_entropy(domain, weights);
    means.add("label_loss", label_loss);
    means.add("domain_loss", domain_loss);
    return label_loss + domain_loss;
  }
  auto optimizer() { return recipe_optimizer(this->recipe_, this->features_, this->labels_, domains_); }
  auto models() { return std::tie(this->features_, this->labels_, domains_); }
  void report(double progress, Row& row) const { row.set("lambda", options_.lambda(progress)); }

 private:
  DomainHead& domains_;
  CdanOptions options_;
  RandomMap<Scalar> map_;
};

GRAFT_END

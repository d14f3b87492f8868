#pragma once
/// \file adabn.hpp  Adaptive batch normalisation: Li, Wang, Shi, Hou, Liu, "Adaptive batch normalization for practical domain
/// adaptation", Pattern Recognition 80 (2018).
#include "graft/config.hpp"
#include "graft/transfer/method.hpp"

GRAFT_BEGIN

struct AdabnOptions {
  Recipe recipe{};
};

/// `Adabn{features, labels}`: training on the source alone; for the target every BatchNorm takes the mean and variance of the
/// target's images in place of the source's (algorithm 1). The nets need BatchNorm. After fit() the models hold the target's
/// statistics; `model.domain = 0` goes back to the source's. For a net that is trained already, count_statistics() is enough.
template <class Body, class LabelHead>
class Adabn : public Method<Adabn<Body, LabelHead>, Body, LabelHead> {
  static_assert(Body::Network::statistic_arrays + LabelHead::Network::statistic_arrays > 0,
                "graft: Adabn adapts BatchNorm layers and these nets have none; put BatchNorm<> behind Conv2D and Dense.");

 public:
  using Scalar = typename Body::Scalar;
  static constexpr bool uses_target = false;
  static constexpr DomainNorm batch_norm = DomainNorm::adabn;

  Adabn(Body& features, LabelHead& labels, const AdabnOptions& options = {})
      : Method<Adabn, Body, LabelHead>(features, labels, options.recipe) {}

  Loss<Scalar> loss(Tape<Scalar>& tape, const data::PairedBatch<Scalar>& batch, double, Means& means) {
    const auto loss = cross_entropy(tape(this->labels_, tape(this->features_, batch.source())), batch.class_labels());
    means.add("label_loss", loss);
    return loss;
  }
};

GRAFT_END

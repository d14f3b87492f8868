#pragma once
/// \file sliced_wasserstein.hpp  Features made alike by the sliced Wasserstein distance (Bonneel et al. 2015), as a penalty on
/// the body as Shen, Qu, Zhang, Yu, "Wasserstein distance guided representation learning for domain adaptation", AAAI 2018,
/// have it, with random projections in place of their critic.
#include "graft/config.hpp"
#include "graft/loss/sliced.hpp"
#include "graft/transfer/method.hpp"

#include <bit>
#include <cstdint>

GRAFT_BEGIN

struct SlicedWassersteinOptions {
  Growing lambda{1.0, 10.0};  ///< times the numbers of a feature
  int projections = 64;       ///< drawn afresh in each step
  Recipe recipe{};
};

/// `SlicedWasserstein{features, labels}`: no critic to train, no kernel to choose.
template <class Body, class LabelHead>
class SlicedWasserstein : public Method<SlicedWasserstein<Body, LabelHead>, Body, LabelHead> {
 public:
  using Scalar = typename Body::Scalar;

  SlicedWasserstein(Body& features, LabelHead& labels, const SlicedWassersteinOptions& options = {})
      : Method<SlicedWasserstein, Body, LabelHead>(features, labels, options.recipe), options_(options) {}

  /// Equation (6) of Shen et al.: label loss + lambda W. A direction sees 1 / width of a squared distance, which the width
  /// makes good, so that one lambda serves wide and narrow bodies.
  Loss<Scalar> loss(Tape<Scalar>& tape, const data::PairedBatch<Scalar>& batch, double progress, Means& means) {
    const auto f = tape(this->features_, batch);
    const auto label_loss = cross_entropy(tape(this->labels_, f.source()), batch.class_labels());
    const auto distance =
        sliced_wasserstein(f.source(), f.target(), options_.projections, std::bit_cast<std::uint64_t>(progress));
    means.add("label_loss", label_loss);
    means.add("sliced_wasserstein", distance);
    return label_loss + options_.lambda(progress) * static_cast<double>(Body::output.size()) * distance;
  }
  void report(double progress, Row& row) const { row.set("lambda", options_.lambda(progress)); }

 private:
  SlicedWassersteinOptions options_;
};

GRAFT_END

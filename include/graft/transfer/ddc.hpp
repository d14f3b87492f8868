#pragma once
/// \file ddc.hpp  Deep domain confusion: Tzeng, Hoffman, Zhang, Saenko, Darrell, arXiv 1412.3474 (2014).
#include "graft/config.hpp"
#include "graft/loss/discrepancy.hpp"
#include "graft/transfer/method.hpp"

GRAFT_BEGIN

/// What is penalised at the adaptation layer.
enum class DdcPenalty {
  mmd,         ///< MMD^2 with the kernels of DdcOptions::kernel
  linear,      ///< |mean - mean|^2, the paper's equation (1): MMD^2 with the linear kernel
  mmd_squared  ///< the square of `mmd`, as the DDC tutorial takes it (with gamma 1)
};

struct DdcOptions {
  Growing lambda{0.25};  ///< the paper's weight
  MmdOptions kernel{};   ///< five Gaussians, bandwidths from the data
  DdcPenalty penalty = DdcPenalty::mmd;
  Recipe recipe{};
};

/// `Ddc{features, labels}.fit(source, target, {.epochs = 30}, ProgressBar{})`: the body ends in the adaptation layer (for
/// example Dense<256>, ReLU), whose outputs are drawn together while the label head learns on the source. The target runs
/// through the body in training only. Freeze what is pretrained: freeze_first(features, 17).
template <class Body, class LabelHead>
class Ddc : public Method<Ddc<Body, LabelHead>, Body, LabelHead> {
 public:
  using Scalar = typename Body::Scalar;

  Ddc(Body& features, LabelHead& labels, const DdcOptions& options = {})
      : Method<Ddc, Body, LabelHead>(features, labels, options.recipe), options_(options) {}

  /// Equation (2): L = L_C(X_L, y) + lambda MMD^2(X_S, X_T).
  Loss<Scalar> loss(Tape<Scalar>& tape, const data::PairedBatch<Scalar>& batch, double progress, Means& means) {
    const auto f = tape(this->features_, batch);
    const auto label_loss = cross_entropy(tape(this->labels_, f.source()), batch.class_labels());
    const auto distance = penalty(f.source(), f.target());
    means.add("label_loss", label_loss);
    means.add("mmd", distance);
    return label_loss + options_.lambda(progress) * distance;
  }
  void report(double progress, Row& row) const { row.set("lambda", options_.lambda(progress)); }

 private:
  template <class V>
  Loss<Scalar> penalty(const V& source, const V& target) const {
    if (options_.penalty == DdcPenalty::linear) return mean_difference(source, target);
    const auto distance = mmd(source, target, options_.kernel);
    return options_.penalty == DdcPenalty::mmd_squared ? square(distance) : distance;
  }
  DdcOptions options_;
};

GRAFT_END

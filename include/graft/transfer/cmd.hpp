#pragma once
/// \file cmd.hpp  Central moment discrepancy: Zellinger, Grubinger, Lughofer, Natschlaeger, Saminger-Platz, "Central moment
/// discrepancy (CMD) for domain-invariant representation learning", ICLR 2017.
#include "graft/config.hpp"
#include "graft/loss/central_moments.hpp"
#include "graft/transfer/method.hpp"

GRAFT_BEGIN

struct CmdOptions {
  Growing lambda{1.0};  ///< the paper's, throughout
  int moments = 5;
  double range = 1.0;  ///< of the body's outputs: 1 for Sigmoid, 2 for Tanh
  Recipe recipe{};
};

/// `Cmd{features, labels}`: means and central moments of the body's outputs, which lie in an interval, are made alike.
template <class Body, class LabelHead>
class Cmd : public Method<Cmd<Body, LabelHead>, Body, LabelHead> {
 public:
  using Scalar = typename Body::Scalar;

  Cmd(Body& features, LabelHead& labels, const CmdOptions& options = {})
      : Method<Cmd, Body, LabelHead>(features, labels, options.recipe), options_(options) {}

  /// Equation (2): the classification loss and lambda times the CMD of equation (9).
  Loss<Scalar> loss(Tape<Scalar>& tape, const data::PairedBatch<Scalar>& batch, double progress, Means& means) {
    const auto f = tape(this->features_, batch);
    const auto label_loss = cross_entropy(tape(this->labels_, f.source()), batch.class_labels());
    const auto distance = central_moment_discrepancy(f.source(), f.target(), options_.moments, options_.range);
    means.add("label_loss", label_loss);
    means.add("cmd", distance);
    return label_loss + options_.lambda(progress) * distance;
  }
  void report(double progress, Row& row) const { row.set("lambda", options_.lambda(progress)); }

 private:
  CmdOptions options_;
};

GRAFT_END

#pragma once
/// \file dsan.hpp  Deep subdomain adaptation: Zhu, Zhuang, Wang, Ke, Chen, Bian, Xiong, He, "Deep subdomain adaptation network
/// for image classification", IEEE TNNLS 2020.
#include "graft/config.hpp"
#include "graft/loss/joint.hpp"
#include "graft/transfer/method.hpp"

GRAFT_BEGIN

struct DsanOptions {
  Growing lambda{0.5, 10.0};
  MmdOptions kernel{};
  Recipe recipe{};
};

/// `Dsan{features, labels}`: each class's features are matched between the domains by local MMD.
template <class Body, class LabelHead>
class Dsan : public Method<Dsan<Body, LabelHead>, Body, LabelHead> {
 public:
  using Scalar = typename Body::Scalar;

  Dsan(Body& features, LabelHead& labels, const DsanOptions& options = {})
      : Method<Dsan, Body, LabelHead>(features, labels, options.recipe), options_(options) {}

  /// Equation (9): min 1/n sum J(f(x), y) + lambda d_l(p, q).
  Loss<Scalar> loss(Tape<Scalar>& tape, const data::PairedBatch<Scalar>& batch, double progress, Means& means) {
    const auto f = tape(this->features_, batch);
    const auto logits = tape(this->labels_, f);
    const auto label_loss = cross_entropy(logits.source(), batch.class_labels());
    const auto distance = local_mmd(f, logits, batch.class_labels(), options_.kernel);
    means.add("label_loss", label_loss);
    means.add("local_mmd", distance);
    return label_loss + options_.lambda(progress) * distance;
  }
  void report(double progress, Row& row) const { row.set("lambda", options_.lambda(progress)); }

 private:
  DsanOptions options_;
};

GRAFT_END

#pragma once
/// \file dan.hpp  Deep adaptation networks: Long, Cao, Wang, Jordan, "Learning transferable features with deep adaptation
/// networks", ICML 2015.
#include "graft/config.hpp"
#include "graft/core/outputs.hpp"
#include "graft/loss/discrepancy.hpp"
#include "graft/transfer/method.hpp"

GRAFT_BEGIN

/// Names of layers, as a value: `Layers<"fc1", "fc2", "logits">{}`.
template <Name... Names>
struct Layers {};

struct DanOptions {
  Growing lambda{2.0, 10.0};  ///< of the sum over the layers; grows, so that raw features are not aligned first
  MmdOptions kernel{};        ///< of every layer: five Gaussians, bandwidths from the data; equal weights beta
  Recipe recipe{};
};

/// `Dan{features, labels}`: the distributions of the body's output and of the logits are matched by MK-MMD. With
/// `Dan{features, labels, Layers<"fc1", "logits">{}}` those of the body's output and of the named layers of the label head, the
/// last of which must be its last one (the paper: fc6 to fc8).
template <class Body, class LabelHead, Name... Names>
class Dan : public Method<Dan<Body, LabelHead, Names...>, Body, LabelHead> {
 public:
  using Scalar = typename Body::Scalar;

  Dan(Body& features, LabelHead& labels, const DanOptions& options = {}) requires(sizeof...(Names) == 0)
      : Method<Dan, Body, LabelHead>(features, labels, options.recipe), options_(options) {}
  Dan(Body& features, LabelHead& labels, Layers<Names...>, const DanOptions& options = {})
      : Method<Dan, Body, LabelHead>(features, labels, options.recipe), options_(options) {}

  /// Equation (4): min 1/n sum J(theta(x), y) + lambda sum over the layers of d_k^2(D_s, D_t).
  Loss<Scalar> loss(Tape<Scalar>& tape, const data::PairedBatch<Scalar>& batch, double progress, Means& means) {
    const auto f = tape(this->features_, batch);
    const auto heads = [&] {
      if constexpr (sizeof...(Names) == 0) {
        return std::make_tuple(tape(this->labels_, f));
      } else {
        return outputs<Names...>(tape, this->labels_, f);
      }
    }();
    const auto logits = std::get<std::tuple_size_v<decltype(heads)> - 1>(heads);
    static_assert(logits.shape == LabelHead::output, "graft: Dan: the last named layer must be the label head's last layer.");
    const auto label_loss = cross_entropy(logits.source(), batch.class_labels());
    const auto distance = std::apply(
        [&](const auto&... layer) {
          return (mmd(f.source(), f.target(), options_.kernel) + ... + mmd(layer.source(), layer.target(), options_.kernel));
        },
        heads);
    means.add("label_loss", label_loss);
    means.add("mmd", distance);
    return label_loss + options_.lambda(progress) * distance;
  }
  void report(double progress, Row& row) const { row.set("lambda", options_.lambda(progress)); }

 private:
  DanOptions options_;
};
template <class Body, class LabelHead>
Dan(Body&, LabelHead&, const DanOptions& = {}) -> Dan<Body, LabelHead>;
template <class Body, class LabelHead, Name... Names>
Dan(Body&, LabelHead&, Layers<Names...>, const DanOptions& = {}) -> Dan<Body, LabelHead, Names...>;

GRAFT_END

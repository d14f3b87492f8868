#pragma once
/// \file dann_three_adam.hpp  DANN with three optimisers, BatchNorm and a swapped-label adversary, in place of one optimiser
/// and reversal: the loss of Goodfellow et al. (2014) for the body, which does not vanish where the domain head is sure.
#include "graft/config.hpp"
#include "graft/loss/supervised.hpp"
#include "graft/optim/adam.hpp"
#include "graft/train/accuracy.hpp"
#include "graft/transfer/method.hpp"

GRAFT_BEGIN

struct DannThreeAdamOptions {
  AdamOptions adam{.epsilon = 1e-7};  ///< Keras' epsilon
  DannRate rate{.mu0 = 0.001};
  DannLambda lambda{};  ///< of the swapped loss
  double mu = 1.0;      ///< factor on all three goals
};

/// `DannThreeAdam{features, labels, domains}`; the domain head ends in Dense<1>, a logit of "source". Heads with BatchNorm and
/// LeakyReLU<0.3> are usual. Each domain passes the nets by itself, so BatchNorm never mixes them.
template <class Body, class LabelHead, class DomainHead>
class DannThreeAdam : public Method<DannThreeAdam<Body, LabelHead, DomainHead>, Body, LabelHead> {
  static_assert(HeadDoesNotFitBody<Body::output, DomainHead::input>::ok);
  static_assert(
      DomainHead::output == Vector<1>,
      "graft: DannThreeAdam{body, labels, domains}: the domain head must give 1 output, the logit of the source; were "
      "the heads swapped?");

 public:
  using Scalar = typename Body::Scalar;

  DannThreeAdam(Body& features, LabelHead& labels, DomainHead& domains, const DannThreeAdamOptions& options = {})
      : Method<DannThreeAdam, Body, LabelHead>(features, labels, {}), domains_(domains), options_(options) {
    name_models("domains", domains);
  }

  /// The label head minimises mu label, the domain head mu domain (source 1, target 0), the body mu (label + lambda swapped),
  /// where swapped is the domain loss with the labels exchanged.
  Loss<Scalar> loss(Tape<Scalar>& tape, const data::PairedBatch<Scalar>& batch, double progress, Means& means) {
    const Scalar one{1}, zero{0};
    const auto source = tape(this->features_, batch.source()), target = tape(this->features_, batch.target());
    const auto logits = tape(this->labels_, source);
    const auto label_loss = cross_entropy(logits, batch.class_labels());
    const auto of_source = tape(domains_, source.detached()), of_target = tape(domains_, target.detached());
    const auto domain_loss = binary_cross_entropy(of_source, one) + binary_cross_entropy(of_target, zero);
    const auto swapped_loss =
        binary_cross_entropy(tape(fixed(domains_), source), zero) + binary_cross_entropy(tape(fixed(domains_), target), one);
    means.add("label_loss", label_loss);
    means.add("domain_loss", domain_loss);
    means.add("swapped_loss", swapped_loss);
    means.add("train_accuracy", accuracy(logits, batch.class_labels()));
    means.add("domain_accuracy", 0.5 * (above_zero(of_source) + 1.0 - above_zero(of_target)));
    return options_.mu * (label_loss + options_.lambda(progress) * swapped_loss + domain_loss);
  }

  [[nodiscard]] double learning_rate(double progress) const { return options_.rate(progress); }
  auto optimizer() {
    return std::tuple(Adam<Scalar>(options_.adam, this->features_), Adam<Scalar>(options_.adam, this->labels_),
                      Adam<Scalar>(options_.adam, domains_));
  }
  auto models() { return std::tie(this->features_, this->labels_, domains_); }
  void report(double progress, Row& row) const { row.set("lambda", options_.lambda(progress)); }

 private:
  template <class V>
  static double above_zero(const V& logits) {
    int above = 0;
    for (int i = 0; i < logits.count(); ++i) above += logits.value()[i] > Scalar{0} ? 1 : 0;
    return static_cast<double>(above) / logits.count();
  }
  DomainHead& domains_;
  DannThreeAdamOptions options_;
};

GRAFT_END

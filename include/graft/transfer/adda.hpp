#pragma once
/// \file adda.hpp  Adversarial discriminative domain adaptation: Tzeng, Hoffman, Saenko, Darrell, "Adversarial discriminative
/// domain adaptation", CVPR 2017.
#include "graft/config.hpp"
#include "graft/loss/supervised.hpp"
#include "graft/optim/adam.hpp"
#include "graft/train/finetune.hpp"
#include "graft/transfer/method.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

GRAFT_BEGIN

struct AddaOptions {
  double first_part = 0.5;         ///< of the run, on the source alone
  Growing lambda{1.0};             ///< of the body's own goal
  double rate = 0.001;             ///< Adam's learning rate in the first part
  double second_rate = 0.0002;     ///< and in the second, which Adam begins anew; the authors'
  AdamOptions adam{.beta1 = 0.5};  ///< the authors' adversary
};

/// `Adda{features, labels, domains, source_features}`; the domain head ends in Dense<1>, a logit of "source". In the first part
/// body and label head learn the source, and `source_features`, a model of the body's net, follows. Then it and the label head
/// stay (frozen; the next fit's first part, or unfreeze(labels), lets it learn again), and the body learns to give the target
/// features that the domain head takes for the source's.
template <class Body, class LabelHead, class DomainHead>
class Adda : public Method<Adda<Body, LabelHead, DomainHead>, Body, LabelHead> {
  static_assert(HeadDoesNotFitBody<Body::output, DomainHead::input>::ok);
  static_assert(
      DomainHead::output == Vector<1>,
      "graft: Adda{body, labels, domains, source_body}: the domain head must give 1 output, the logit of the source.");

 public:
  using Scalar = typename Body::Scalar;

  Adda(Body& features, LabelHead& labels, DomainHead& domains, Body& source_features, const AddaOptions& options = {})
      : Method<Adda, Body, LabelHead>(features, labels, {}),
        domains_(domains),
        source_features_(source_features),
        options_(options) {
    name_models("domains", domains, "source_features", source_features);
  }

  [[nodiscard]] double learning_rate(double) const { return apart_ ? options_.second_rate : options_.rate; }
  template <class Set>
  void begin_epoch(double progress, const Set&, const data::Normalize&) {
    apart_ = progress >= options_.first_part;
    apart_ ? freeze(this->labels_) : unfreeze(this->labels_);
  }
  void after_step(std::uint64_t) {
    if (apart_) return;
    std::copy_n(this->features_.values().data(), this->features_.values().size(), source_features_.values().data());
    const auto& statistics = this->features_.statistics_of(0);
    std::copy_n(statistics.data(), statistics.size(), source_features_.statistics_of(0).data());
  }

  /// Equation (9): L_cls, then L_adv of the domain head and L_adv of the body, with the labels swapped.
  Loss<Scalar> loss(Tape<Scalar>& tape, const data::PairedBatch<Scalar>& batch, double progress, Means& means) {
    const Scalar one{1}, zero{0};
    if (!apart_) {
      const auto alone = cross_entropy(tape(this->labels_, tape(this->features_, batch.source())), batch.class_labels());
      means.add("label_loss", alone);
      return alone;
    }
    const Rows<Scalar> source = batch.source();
    of_source_.resize(static_cast<std::size_t>(source.count) * Body::output.size());
    source_features_.predict(source.data, source.count, of_source_.data());
    const auto target = tape(this->features_, batch.target());
    const auto domain_loss =
        binary_cross_entropy(tape(domains_, Rows<Scalar>{of_source_.data(), source.count, source.count}), one) +
        binary_cross_entropy(tape(domains_, target.detached()), zero);
    const auto mapping_loss = binary_cross_entropy(tape(fixed(domains_), target), one);
    means.add("domain_loss", domain_loss);
    means.add("mapping_loss", mapping_loss);
    return domain_loss + options_.lambda(progress) * mapping_loss;
  }

  /// The same; the second part's first step lets the optimiser forget the first part.
  Loss<Scalar> loss(Tape<Scalar>& tape, const data::PairedBatch<Scalar>& batch, double progress, Means& means,
                    Adam<Scalar>& optimizer) {
    const Scalar part = apart_ ? Scalar{1} : Scalar{0};
    if (part > learnt_) optimizer.reset();
    learnt_ = part;
    return loss(tape, batch, progress, means);
  }

  auto optimizer() { return Adam<Scalar>(options_.adam, this->features_, this->labels_, domains_); }
  /// For checkpoints.
  template <class F>
  void for_each_state(F&& f) {
    f("adda/part", &learnt_, std::size_t{1});
  }
  auto models() { return std::tie(this->features_, this->labels_, domains_, source_features_); }

 private:
  DomainHead& domains_;
  Body& source_features_;
  AddaOptions options_;
  std::vector<Scalar> of_source_;
  bool apart_ = false;  // whether the second part has begun
  Scalar learnt_{};     // the part of the last step: 1 in the second
};

GRAFT_END

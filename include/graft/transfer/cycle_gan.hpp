#pragma once
/// \file cycle_gan.hpp  CycleGAN: Zhu, Park, Isola, Efros, "Unpaired image-to-image translation using cycle-consistent
/// adversarial networks", ICCV 2017, and a classifier for the target that learns from the translated source.
#include "graft/config.hpp"
#include "graft/optim/adam.hpp"
#include "graft/transfer/method.hpp"

#include <array>

GRAFT_BEGIN

struct CycleGanOptions {
  double cycle = 10.0;    ///< lambda of the paper's equation (3)
  double identity = 5.0;  ///< weight of leaving images of the right domain as they are (section 5.2)
  double meaning = 0.0;   ///< weight of the classifier's loss in the generator's goal: 0 as in the paper, above it as in CyCADA
  double on_source = 1.0;  ///< weight of the untranslated source in the classifier's loss
  double gan_rate = 0.0002;
  AdamOptions adam{.beta1 = 0.5};
  Recipe recipe{};
};

/// The generators and critics: `translation{to_target, to_source, real_source, real_target}`. Generators map Body::input to
/// itself; end them in Tanh-like bounds only if the images are within them. Critics map it to any number of logits (patches).
template <class ToTarget, class ToSource, class SourceCritic, class TargetCritic>
struct Translation {
  ToTarget& to_target;
  ToSource& to_source;
  SourceCritic& source_critic;
  TargetCritic& target_critic;
};
template <class A, class B, class C, class D>
Translation(A&, B&, C&, D&) -> Translation<A, B, C, D>;

/// `CycleGan{features, labels, Translation{to_target, to_source, source_critic, target_critic}}`.
template <class Body, class LabelHead, class Nets>
class CycleGan : public Method<CycleGan<Body, LabelHead, Nets>, Body, LabelHead> {
 public:
  using Scalar = typename Body::Scalar;

  CycleGan(Body& features, LabelHead& labels, const Nets& nets, const CycleGanOptions& options = {})
      : Method<CycleGan, Body, LabelHead>(features, labels, options.recipe), nets_(nets), options_(options) {
    name_models("to_target", nets.to_target, "to_source", nets.to_source, "source_critic", nets.source_critic, "target_critic",
                nets.target_critic);
  }

  Loss<Scalar> loss(Tape<Scalar>& tape, const data::PairedBatch<Scalar>& batch, double, Means& means) {
    const Rows<Scalar> source = batch.source(), target = batch.target();
    const auto y = batch.class_labels();
    const auto fake_target = tape(nets_.to_target, source), fake_source = tape(nets_.to_source, target);
    // equation (1) with the least squares of section 4: each critic wants 1 for real and 0 for made images
    const auto fooling =
        squares(tape(fixed(nets_.target_critic), fake_target), 1) + squares(tape(fixed(nets_.source_critic), fake_source), 1);
    const auto critics = judged(tape, nets_.target_critic, target, fake_target.detached()) +
                         judged(tape, nets_.source_critic, source, fake_source.detached());
    // equation (2), and the identity loss
    const auto cycle = mean_absolute_error(tape(nets_.to_source, fake_target), source.data) +
                       mean_absolute_error(tape(nets_.to_target, fake_source), target.data);
    const auto kept = mean_absolute_error(tape(nets_.to_target, target), target.data) +
                      mean_absolute_error(tape(nets_.to_source, source), source.data);
    const auto label_loss = cross_entropy(classify(tape, fake_target.detached()), y);
    const auto plain_loss = cross_entropy(classify(tape, source), y);
    means.add("label_loss", label_loss);
    means.add("source_loss", plain_loss);
    means.add("fooling", fooling);
    means.add("critics", critics);
    means.add("cycle", cycle);
    means.add("identity", kept);
    const auto gan = fooling + options_.cycle * cycle + options_.identity * kept + 0.5 * critics;
    const auto all = gan + label_loss + options_.on_source * plain_loss;
    if (options_.meaning <= 0.0) return all;
    return all + options_.meaning * cross_entropy(tape(fixed(this->labels_), tape(fixed(this->features_), fake_target)), y);
  }

  [[nodiscard]] std::array<double, 3> learning_rate(double progress) const {
    const double gan = options_.gan_rate * (progress < 0.5 ? 1.0 : 2.0 - 2.0 * progress);  // the paper's: linear to 0
    return {this->recipe_.rate(progress), gan, gan};
  }
  auto optimizer() {
    return std::tuple(recipe_optimizer(this->recipe_, this->features_, this->labels_),
                      Adam<Scalar>(options_.adam, nets_.to_target, nets_.to_source),
                      Adam<Scalar>(options_.adam, nets_.source_critic, nets_.target_critic));
  }
  auto models() {
    return std::tie(this->features_, this->labels_, nets_.to_target, nets_.to_source, nets_.source_critic, nets_.target_critic);
  }

 private:
  template <class V>
  static Loss<Scalar> squares(const V& judgement, int wanted) {
    return mean_squared_error(judgement, static_cast<Scalar>(wanted));
  }
  template <class Critic, class V>
  static Loss<Scalar> judged(Tape<Scalar>& tape, Critic& critic, Rows<Scalar> real, const V& made) {
    return squares(tape(critic, real), 1) + squares(tape(critic, made), 0);
  }
  template <class X>
  auto classify(Tape<Scalar>& tape, const X& x) {
    return tape(this->labels_, tape(this->features_, x));
  }
  Nets nets_;
  CycleGanOptions options_;
};

GRAFT_END

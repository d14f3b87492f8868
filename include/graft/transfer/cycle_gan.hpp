#pragma once
/// \file cycle_gan.hpp  CycleGAN: Zhu, Park, Isola, Efros, "Unpaired image-to-image translation using cycle-consistent
/// adversarial networks", ICCV 2017, and a classifier for the target that learns from the translated source.
#include "graft/config.hpp"
#include "graft/optim/adam.hpp"
#include "graft/transfer/method.hpp"

#include <array>

GRAFT_BEGIN

struct CycleGanOptions {
  double cycle = 10.0;  ///< lambda of equation (3)
  double identity =
      0.0;  ///< weight of leaving images of the right domain as they are (section 5.2: half of cycle, for paintings)
  double meaning = 0.0;  ///< weight of the classifier's loss in the generator's goal: 0 as in the paper, above it as in CyCADA
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
    const Scalar real{1}, made{0};  // what a critic is to say: equation (1) with the least squares of section 4
    const auto fake_target = tape(nets_.to_target, source), fake_source = tape(nets_.to_source, target);
    const auto fooling = mean_squared_error(tape(fixed(nets_.target_critic), fake_target), real) +
                         mean_squared_error(tape(fixed(nets_.source_critic), fake_source), real);
    const auto critics = mean_squared_error(tape(nets_.target_critic, target), real) +
                         mean_squared_error(tape(nets_.target_critic, fake_target.detached()), made) +
                         mean_squared_error(tape(nets_.source_critic, source), real) +
                         mean_squared_error(tape(nets_.source_critic, fake_source.detached()), made);
    const auto cycle = mean_absolute_error(tape(nets_.to_source, fake_target), source.data) +  // equation (2)
                       mean_absolute_error(tape(nets_.to_target, fake_source), target.data);
    const auto label_loss = cross_entropy(classify(tape, fake_target.detached()), batch.class_labels());
    means.add("label_loss", label_loss);
    means.add("fooling", fooling);
    means.add("critics", critics);
    means.add("cycle", cycle);
    auto all = label_loss + fooling + options_.cycle * cycle + 0.5 * critics;
    if (options_.on_source > 0.0) all = all + options_.on_source * cross_entropy(classify(tape, source), batch.class_labels());
    if (options_.identity > 0.0) {
      all = all + options_.identity * (mean_absolute_error(tape(nets_.to_target, target), target.data) +
                                       mean_absolute_error(tape(nets_.to_source, source), source.data));
    }
    if (options_.meaning <= 0.0) return all;
    const auto kept =
        cross_entropy(tape(fixed(this->labels_), tape(fixed(this->features_), fake_target)), batch.class_labels());
    return all + options_.meaning * kept;
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
  /// The generators and critics, to translate images with: `translation().to_target.predict(...)`.
  [[nodiscard]] const Nets& translation() const { return nets_; }

 private:
  template <class X>
  auto classify(Tape<Scalar>& tape, const X& x) {
    return tape(this->labels_, tape(this->features_, x));
  }
  Nets nets_;
  CycleGanOptions options_;
};

GRAFT_END

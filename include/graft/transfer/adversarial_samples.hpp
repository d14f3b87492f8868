#pragma once
/// \file adversarial_samples.hpp  Transfer by adversarial samples: a generator makes, of what the classifier knows, what it
/// misjudges, and the classifier learns from that (Volpi, Namkoong, Sener, Duchi, Murino, Savarese, "Generalizing to unseen
/// domains via adversarial data augmentation", NeurIPS 2018, with a network in place of their gradient steps, which draws
/// towards the target).
#include "graft/config.hpp"
#include "graft/loss/discrepancy.hpp"
#include "graft/optim/adam.hpp"
#include "graft/transfer/method.hpp"

#include <array>

GRAFT_BEGIN

struct AdversarialSamplesOptions {
  Growing misjudged{0.1, 10.0};  ///< weight of the classifier's error in the generator's goal
  double near = 0.1;             ///< weight of the squared distance of a sample from its original: gamma of Volpi et al.
  double like_target = 1.0;      ///< weight of the MMD between samples and target, at the body's output
  double learnt = 1.0;           ///< weight of the samples in the classifier's loss
  double generator_rate = 0.001;
  MmdOptions kernel{};
  Recipe recipe{};
};

/// `AdversarialSamples{features, labels, generator}`. A generator from Body::output to Body::output makes features, one from
/// Body::input to Body::input makes images. It is trained to be misjudged, to stay near the original and to look like the
/// target; body and label head are trained on the source and on what it makes, with the original's label.
template <class Body, class LabelHead, class Generator>
class AdversarialSamples : public Method<AdversarialSamples<Body, LabelHead, Generator>, Body, LabelHead> {
  static constexpr bool of_features = Generator::input == Body::output;
  static_assert(
      Generator::input == Generator::output && (of_features || Generator::input == Body::input),
      "graft: AdversarialSamples{body, labels, generator}: the generator takes and gives the body's input or its output.");

 public:
  using Scalar = typename Body::Scalar;

  AdversarialSamples(Body& features, LabelHead& labels, Generator& generator, const AdversarialSamplesOptions& options = {})
      : Method<AdversarialSamples, Body, LabelHead>(features, labels, options.recipe),
        generator_(generator),
        options_(options) {
    name_models("generator", generator);
  }

  /// Volpi et al., equation (3): the sample maximises l(theta; (x, y)) - gamma c(x, x0), the classifier minimises l.
  Loss<Scalar> loss(Tape<Scalar>& tape, const data::PairedBatch<Scalar>& batch, double progress, Means& means) {
    const auto f = tape(this->features_, batch);
    const auto y = batch.class_labels();
    const auto label_loss = cross_entropy(tape(this->labels_, f.source()), y);
    const auto made = make(tape, batch, f.source());
    const auto made_features = through_body(tape, made, [&](Body& body) { return fixed(body); });
    const auto learnt_features = through_body(tape, made.detached(), [](Body& body) -> Body& { return body; });
    const auto misjudged = cross_entropy(tape(fixed(this->labels_), made_features), y);
    const auto distance = mean_squared_error(made, original(tape, batch, f.source()));
    const auto like = mmd(made_features, f.target().detached(), options_.kernel);
    const auto learnt = cross_entropy(tape(this->labels_, learnt_features), y);
    means.add("label_loss", label_loss);
    means.add("misjudged", misjudged);
    means.add("distance", distance);
    means.add("mmd", like);
    means.add("learnt", learnt);
    return label_loss + options_.learnt * learnt + options_.near * distance + options_.like_target * like -
           options_.misjudged(progress) * misjudged;
  }

  [[nodiscard]] std::array<double, 2> learning_rate(double progress) const {
    return {this->recipe_.rate(progress), options_.generator_rate};
  }
  auto optimizer() {
    return std::tuple(recipe_optimizer(this->recipe_, this->features_, this->labels_), Adam<Scalar>({}, generator_));
  }
  auto models() { return std::tie(this->features_, this->labels_, generator_); }

 private:
  template <class V>
  auto make(Tape<Scalar>& tape, const data::PairedBatch<Scalar>& batch, const V& source) {
    if constexpr (of_features)
      return tape(generator_, source.detached());
    else
      return tape(generator_, batch.source());
  }
  template <class V>
  auto original(Tape<Scalar>& tape, const data::PairedBatch<Scalar>& batch, const V& source) {
    if constexpr (of_features)
      return source.detached();
    else
      return tape.template constant<Body::input>(batch.source());
  }
  template <class V, class How>
  auto through_body(Tape<Scalar>& tape, const V& samples, How&& how) {
    if constexpr (of_features)
      return samples;
    else
      return tape(how(this->features_), samples);
  }
  Generator& generator_;
  AdversarialSamplesOptions options_;
};

GRAFT_END

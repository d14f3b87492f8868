#pragma once
// Methods behind a frozen trunk: its features are computed once, and the nets that adapt read those.
#include "nets.hpp"
#include "trunk.hpp"

#include <graft/data/features.hpp>
#include <graft/ops/list.hpp>

namespace example {

/// What a trunk made of a pair of domains.
struct FeaturePair {
  graft::data::Features<float> source, source_test;
  graft::data::UnlabelledFeatures<float> target;
  graft::data::Features<float> target_test;
  int classes = 0;
  std::shared_ptr<void> trunk{};  ///< Model<Trunk<W>, Device>, W being the numbers of a feature
};

/// An adaptation layer on a trunk's features (Tzeng et al. 2014: 256 outputs), and the heads.
template <int Width, int Classes>
struct AdaptationLayer {
  struct Features : graft::Net<graft::Vector<Width>, graft::Dense<256>, graft::ReLU> {};
  struct BoundedFeatures : graft::Net<graft::Vector<Width>, graft::Dense<256>, graft::Tanh> {};
  struct Labels : graft::Net<Features::output, graft::Dense<Classes>> {};
  struct Domains : graft::Net<Features::output, graft::Dense<128>, graft::ReLU, graft::Dense<2>> {};
  struct MapDomains : graft::Net<graft::Vector<1024>, graft::Dense<128>, graft::ReLU, graft::Dense<1>> {};
  struct Generator : graft::Net<Features::output, graft::Dense<256>, graft::ReLU, graft::Dense<256>> {};
  struct NormFeatures : graft::Net<graft::Vector<Width>, graft::Dense<256, false>, graft::BatchNorm<>, graft::LeakyReLU<0.3>> {
  };
  struct NormLabels : graft::Net<NormFeatures::output, graft::Dense<Classes>> {};
  struct NormDomains
      : graft::Net<NormFeatures::output, graft::Dense<128, false>, graft::BatchNorm<>, graft::LeakyReLU<0.3>, graft::Dense<1>> {
  };
  using Encoder = NormFeatures;
  using EncoderLabels = NormLabels;
  static constexpr bool reads_images = false;
  static constexpr graft::Initialiser initialiser = graft::Initialiser::glorot_uniform;
};

template <int Width, int Classes, class Device = graft::Cpu>
Outcome run_on_features(const FeaturePair& pair, const Settings& settings) {
  using B = AdaptationLayer<Width, Classes>;
  Nets<B, Device> nets(settings.seed, pair.classes);
  Outcome outcome;
  with_method(nets, settings, [&](auto& method) {
    using M = std::remove_reference_t<decltype(method)>;
    auto& body = std::get<0>(method.classifier());
    const auto look = [&](Cloud& cloud, bool adapted) {  // before: the pretrained trunk's own features
      if (!settings.features) return;
      int domain = 0;
      std::vector<float> out(std::remove_reference_t<decltype(body)>::output.size());
      for (const auto* set : {&pair.source_test, &pair.target_test}) {
        if (body.has_target_statistics()) body.domain = domain;
        for (const std::size_t i : some_of(set->size())) {
          if (adapted) body.predict(set->sample(i), 1, out.data());
          cloud.add(adapted ? out.data() : set->sample(i), adapted ? out.size() : std::size_t{Width}, set->label(i), domain);
        }
        ++domain;
      }
    };
    look(outcome.before, false);
    const auto fit = fit_for(settings.method, graft::FeatureFitOptions<float>{.epochs = settings.epochs,
                                                                              .batch = settings.batch,
                                                                              .seed = settings.seed,
                                                                              .source_test = pair.source_test,
                                                                              .target_test = pair.target_test,
                                                                              .validate_on = 1000});
    graft::Adaptation<M, graft::data::Features<float>> adaptation(method, pair.source, pair.target, fit);
    TrainableOf run(adaptation);
    outcome.history = train(run, settings);
    const auto confusion = [&](const graft::data::Features<float>& set) {
      return only_classes(std::apply([&](auto&... models) { return graft::score(set, models...); }, method.classifier()),
                          pair.classes);
    };
    outcome.source_test = confusion(pair.source_test), outcome.target_test = confusion(pair.target_test);
    look(outcome.after, true);
    auto& trunk = *static_cast<graft::Model<Trunk<Width>, Device>*>(pair.trunk.get());
    std::apply([&](auto&... models) { write_deployed(settings, trunk_normalize, trunk, models...); }, method.classifier());
  });
  return outcome;
}

Outcome features_256_10(const FeaturePair&, const Settings&);
Outcome features_256_100(const FeaturePair&, const Settings&);
Outcome features_1024_10(const FeaturePair&, const Settings&);
Outcome features_1024_100(const FeaturePair&, const Settings&);

}  // namespace example

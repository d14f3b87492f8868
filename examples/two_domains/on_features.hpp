#pragma once
// Methods behind a frozen trunk: its features are computed once, and the nets that adapt read those.
#include "nets.hpp"

#include <graft/data/feature_loader.hpp>
#include <graft/ops/list.hpp>

namespace example {

/// What a trunk made of a pair of domains.
struct FeaturePair {
  graft::data::Features<float> source, source_test;
  graft::data::UnlabelledFeatures<float> target;
  graft::data::Features<float> target_test;
  int classes = 0;
};

/// An adaptation layer on a trunk's features (Tzeng et al. 2014: 256 outputs), and the heads.
template <int Width, int Classes>
struct AdaptationLayer {
  struct Features : graft::Net<graft::Vector<Width>, graft::Dense<256>, graft::ReLU> {};
  struct Labels : graft::Net<Features::output, graft::Dense<Classes>> {};
  struct Domains : graft::Net<Features::output, graft::Dense<128>, graft::ReLU, graft::Dense<2>> {};
  struct Generator : graft::Net<Features::output, graft::Dense<256>, graft::ReLU, graft::Dense<256>> {};
  struct NormFeatures : graft::Net<graft::Vector<Width>, graft::Dense<256, false>, graft::BatchNorm<>, graft::LeakyReLU<0.3>> {
  };
  struct NormLabels : graft::Net<NormFeatures::output, graft::Dense<Classes>> {};
  struct NormDomains
      : graft::Net<NormFeatures::output, graft::Dense<128, false>, graft::BatchNorm<>, graft::LeakyReLU<0.3>, graft::Dense<1>> {
  };
  static constexpr bool reads_images = false;
  static constexpr graft::Initialiser initialiser = graft::Initialiser::glorot_uniform;
};

/// graft::Adaptation on features in the place of images, for methods whose step is one loss.
template <class M>
class FeatureAdaptation {
 public:
  FeatureAdaptation(M& method, const FeaturePair& pair, const Settings& settings)
      : method_(method),
        pair_(pair),
        batch_(settings.batch),
        loader_(pair.source, pair.target,
                {.source_batch = settings.batch, .target_batch = settings.batch, .seed = settings.seed}),
        optimizer_(method.optimizer()) {}

  [[nodiscard]] int steps_per_epoch() const { return loader_.steps_per_epoch(); }
  [[nodiscard]] int images_per_step() const { return M::uses_target ? 2 * batch_ : batch_; }
  void begin_epoch(std::uint64_t step) {
    loader_.seek(step);
    tape_.set_step(step);
  }
  void step(double progress, std::uint64_t, graft::Means& means) {
    const auto rates = method_.learning_rate(progress);
    graft::for_each_optimizer(optimizer_, [&](auto& optimizer, std::size_t index) {
      if constexpr (std::is_same_v<decltype(rates), const double>) {
        optimizer.learning_rate = rate_factor_ * rates;
      } else {
        optimizer.learning_rate = rate_factor_ * rates[index];
      }
      if (index == 0) learning_rate_ = optimizer.learning_rate;
    });
    progress_ = progress;
    const auto loss = method_.loss(tape_, loader_.next(), progress, means);
    means.add("loss", static_cast<double>(loss.value()));
    const auto gradients = graft::backward(loss);
    graft::for_each_optimizer(optimizer_, [&](auto& optimizer, std::size_t) { optimizer.step(gradients); });
  }
  [[nodiscard]] graft::Confusion confusion(const graft::data::Features<float>& set) {
    return std::apply([&](auto&... models) { return only_classes(graft::score(set, models...), pair_.classes); },
                      method_.classifier());
  }
  void set_rate_factor(double factor) { rate_factor_ = factor; }
  void evaluate(graft::Row& row) {
    row.set("learning_rate", learning_rate_);
    method_.report(progress_, row);
    row.set("source_accuracy", confusion(pair_.source_test).accuracy());
    row.set("target_accuracy", confusion(pair_.target_test).accuracy());
  }
  void save(graft::CheckpointWriter& file) {
    std::apply([&](auto&... model) { (graft::save_model(file, model), ...); }, method_.models());
    graft::for_each_optimizer(optimizer_, [&](auto& optimizer, std::size_t index) {
      file.add_number(prefix(index) + "steps", static_cast<double>(optimizer.steps));
      optimizer.for_each_state(
          [&](const std::string& name, auto* data, std::size_t size) { file.add(prefix(index) + name, data, size); });
    });
  }
  void load(graft::CheckpointReader& file) {
    std::apply([&](auto&... model) { (graft::load_model(file, model), ...); }, method_.models());
    graft::for_each_optimizer(optimizer_, [&](auto& optimizer, std::size_t index) {
      optimizer.steps = static_cast<decltype(optimizer.steps)>(file.number(prefix(index) + "steps"));
      optimizer.for_each_state(
          [&](const std::string& name, auto* data, std::size_t size) { file.get(prefix(index) + name, data, size); });
    });
  }

 private:
  static std::string prefix(std::size_t index) { return "optimizer" + std::to_string(index) + "/"; }
  M& method_;
  const FeaturePair& pair_;
  int batch_;
  graft::data::PairedFeatureLoader<float> loader_;
  decltype(std::declval<M&>().optimizer()) optimizer_;
  graft::Tape<float> tape_;
  double progress_ = 0.0, learning_rate_ = 0.0, rate_factor_ = 1.0;
};

template <int Width, int Classes>
Outcome run_on_features(const FeaturePair& pair, const Settings& settings) {
  using B = AdaptationLayer<Width, Classes>;
  Nets<B> nets(settings.seed, pair.classes);
  Outcome outcome;
  with_method(nets, settings, [&](auto& method) {
    using M = std::remove_reference_t<decltype(method)>;
    auto& body = std::get<0>(method.classifier());
    const auto look = [&](Cloud& cloud, bool adapted) {  // before: the pretrained trunk's own features
      if (!settings.features) return;
      int domain = 0;
      std::vector<float> out(std::remove_reference_t<decltype(body)>::output.size());
      for (const auto* set : {&pair.source_test, &pair.target_test}) {
        for (const std::size_t i : some_of(set->size())) {
          if (adapted) body.predict(set->sample(i), 1, out.data());
          cloud.add(adapted ? out.data() : set->sample(i), adapted ? out.size() : std::size_t{Width}, set->label(i), domain);
        }
        ++domain;
      }
    };
    look(outcome.before, false);
    FeatureAdaptation<M> run(method, pair, settings);
    TrainableOf trainable(run);
    outcome.history = train(trainable, settings);
    outcome.source_test = run.confusion(pair.source_test), outcome.target_test = run.confusion(pair.target_test);
    look(outcome.after, true);
  });
  return outcome;
}

Outcome features_256_10(const FeaturePair&, const Settings&);
Outcome features_256_100(const FeaturePair&, const Settings&);
Outcome features_1024_10(const FeaturePair&, const Settings&);
Outcome features_1024_100(const FeaturePair&, const Settings&);

}  // namespace example

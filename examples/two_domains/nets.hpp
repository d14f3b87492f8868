#pragma once
// A backbone's models, made when a method asks for them, and what every run does with them.
#include "methods.hpp"

#include <graft/core/model.hpp>
#include <graft/io/onnx.hpp>
#include <graft/io/weights.hpp>
#include <graft/ops/deploy.hpp>
#include <graft/transfer/adaptation.hpp>

#include <memory>

namespace example {

/// Models of the nets of B. B has Features, Labels, Domains (two outputs), MapDomains (on 1024 numbers, one output), Generator
/// (features to features), NormFeatures, NormLabels, NormDomains (with BatchNorm; one output), Encoder and EncoderLabels
/// (Adda's), BoundedFeatures (Features that end in Tanh), the initialiser, and reads_images; where that is true also Translator
/// (images to images) and Critic.
template <class B, class Device = graft::Cpu>
class Nets {
 public:
  static constexpr bool reads_images = B::reads_images;
  /// Of the run, before which features are not made alike: where the body has yet to learn, all become one.
  static constexpr double begin = reads_images ? 0.1 : 0.0;
  /// Of the features of both domains: 100 hidden units, as Shen et al. (2018) have.
  struct DomainCritic : graft::Net<B::Features::output, graft::Dense<100>, graft::ReLU, graft::Dense<1>> {};
  /// Adda's, as its authors have it. BatchNorm would hide the domains from it: each passes by itself.
  struct Discriminator
      : graft::Net<B::Encoder::output, graft::Dense<500>, graft::ReLU, graft::Dense<500>, graft::ReLU, graft::Dense<1>> {};
  Nets(std::uint64_t seed, int classes) : seed_(seed), classes_(classes) {}

  auto& features() { return model<typename B::Features>(0); }
  auto& bounded_features() { return model<typename B::BoundedFeatures>(0); }
  auto& labels() { return silenced<typename B::Labels>(1); }
  /// How many of the label head's outputs stand for a class.
  [[nodiscard]] int classes() const { return classes_; }
  auto& second() { return silenced<typename B::Labels>(8); }
  auto& domains() { return model<typename B::Domains>(2); }
  auto& domain_critic() { return model<DomainCritic>(2); }
  auto& map_domains() { return model<typename B::MapDomains>(2); }
  auto& generator() { return model<typename B::Generator>(3); }
  auto& norm_features() { return model<typename B::NormFeatures>(0); }
  auto& norm_labels() { return silenced<typename B::NormLabels>(1); }
  auto& norm_second() { return silenced<typename B::NormLabels>(8); }
  auto& norm_domains() { return model<typename B::NormDomains>(2); }
  auto& encoder() { return model<typename B::Encoder>(0); }
  auto& source_encoder() { return model<typename B::Encoder>(11); }
  auto& encoder_labels() { return silenced<typename B::EncoderLabels>(1); }
  auto& discriminator() { return model<Discriminator>(2); }
  auto& translator(std::size_t i) { return model<typename B::Translator>(4 + i); }
  auto& average_features() { return model<typename B::Features>(9); }
  auto& average_labels() { return model<typename B::Labels>(10); }
  auto& critic(std::size_t i) { return model<typename B::Critic>(6 + i); }

 private:
  template <class Net>
  using ModelOf = graft::Model<Net, Device>;
  template <class Net>
  ModelOf<Net>& model(std::size_t part) {
    if (!models_[part])
      models_[part] = std::make_shared<ModelOf<Net>>(graft::ModelOptions{.seed = seed_ + part, .initialiser = B::initialiser});
    return *static_cast<ModelOf<Net>*>(models_[part].get());
  }
  /// A label head. Outputs beyond the classes there are get the probability 0, and so never a gradient.
  template <class Net>
  ModelOf<Net>& silenced(std::size_t part) {
    const bool made = models_[part] != nullptr;
    ModelOf<Net>& head = model<Net>(part);
    if (made) return head;
    const std::size_t outputs = static_cast<std::size_t>(Net::output.c);
    const auto& kernel = head.segments()[head.segments().size() - 2];
    const auto& bias = head.segments().back();
    for (std::size_t c = static_cast<std::size_t>(classes_); c < outputs; ++c) {
      for (std::size_t i = c; i < kernel.count; i += outputs) head.values()[kernel.offset + i] = 0.0f;
      head.values()[bias.offset + c] = -1024.0f;
    }
    return head;
  }
  std::uint64_t seed_;
  int classes_;
  std::shared_ptr<void> models_[12];
};

/// What graft::train needs, behind virtual functions: the fit loop is compiled once instead of for each method.
struct Trainable {
  virtual ~Trainable() = default;
  virtual int steps_per_epoch() = 0;
  virtual int images_per_step() = 0;
  virtual void begin_epoch(std::uint64_t step) = 0;
  virtual void step(double progress, std::uint64_t step, graft::Means& means) = 0;
  virtual void set_rate_factor(double factor) = 0;
  virtual void evaluate(graft::Row& row) = 0;
  virtual void save(graft::CheckpointWriter& file) = 0;
  virtual void load(graft::CheckpointReader& file) = 0;
};
template <class A>
struct TrainableOf final : Trainable {
  explicit TrainableOf(A& a) : it(a) {}
  int steps_per_epoch() override { return it.steps_per_epoch(); }
  int images_per_step() override { return it.images_per_step(); }
  void begin_epoch(std::uint64_t step) override { it.begin_epoch(step); }
  void step(double progress, std::uint64_t step, graft::Means& means) override { it.step(progress, step, means); }
  void set_rate_factor(double factor) override { it.set_rate_factor(factor); }
  void evaluate(graft::Row& row) override { it.evaluate(row); }
  void save(graft::CheckpointWriter& file) override { it.save(file); }
  void load(graft::CheckpointReader& file) override { it.load(file); }
  A& it;
};
/// Trains with a progress bar and a checkpoint as the settings say.
graft::History train(Trainable& run, const Settings& settings);

/// Without the rows and columns of outputs that stand for no class.
inline graft::Confusion only_classes(const graft::Confusion& all, int classes) {
  graft::Confusion part(classes);
  for (int r = 0; r < classes; ++r) {
    for (int c = 0; c < classes; ++c) {
      for (std::int64_t k = 0; k < all.count(r, c); ++k) part.add(r, c);
    }
  }
  return part;
}

/// Every k-th sample of a set, so that about `most` are taken.
inline std::vector<std::size_t> some_of(std::size_t size, std::size_t most = 250) {
  const std::size_t count = std::min(size, most);
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < count; ++i) places.push_back(i * size / count);
  return places;
}

/// The models one behind the other, for ONNX Runtime and for io::load. `normalize`: of images, which the graph does itself.
template <class... Models>
void write_deployed(const Settings& settings, const graft::data::Normalize& normalize, Models&... models) {
  if (settings.deployed.empty()) return;
  auto deployed = graft::deploy(models...);
  graft::io::save(deployed, settings.deployed.string() + ".safetensors");
  graft::io::save_onnx(deployed, settings.deployed.string() + ".onnx", {.normalize = normalize});
}

/// Makes the method that the settings name and calls f(method).
template <class N, class F>
void with_method(N& nets, const Settings& settings, F&& f) {
  bool found = false;
  for_each_method([&](const char* name, const char*, auto make) {
    if (settings.method != name) return;
    found = true;
    if constexpr (requires { make(nets, settings); }) {
      auto method = make(nets, settings);
      f(method);
    } else {
      throw OtherNets("the method '" + settings.method +
                      "' needs nets that this backbone does not have; try another --backbone.");
    }
  });
  if (!found) graft::fail("there is no method '", settings.method, "'; --method list tells them.");
}

}  // namespace example

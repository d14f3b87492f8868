#pragma once
// Training a classifier on images or on features, as several examples do it.
#include <graft/graft.hpp>
#include <graft/data/split.hpp>
#include <graft/train/picture.hpp>

#include "face/device.hpp"
#include "face/photos.hpp"

#include <deque>
#include <functional>
#include <tuple>

namespace example {

using namespace graft;

/// Probability 0 for the classes that the set lacks.
template <class M>
void close_outputs(M& model, int classes) {
  std::fill(model.array("predictions/b") + classes, model.array("predictions/b") + most_classes, -1e4f);
}

/// Models in a row (a body, then its head) trained on the batches of any loader, each at a rate and decay of its own, as
/// graft's train() wants a method.
template <class Loader, class... Models>
class Supervised {
 public:
  struct Rate {
    double rate, decay;
  };
  Supervised(Loader& loader, int batch, std::vector<Rate> rates, std::function<double()> score, Models&... models)
      : loader_(loader), batch_(batch), rates_(std::move(rates)), score_(std::move(score)), models_(models...) {
    (optimizers_.emplace_back(AdamOptions{.weight_decay = rates_[optimizers_.size()].decay}, models), ...);
  }
  [[nodiscard]] int steps_per_epoch() const { return loader_.steps_per_epoch(); }
  [[nodiscard]] int images_per_step() const { return batch_; }
  void begin_epoch(std::uint64_t step) {
    loader_.seek(step);
    tape_.set_step(step);
  }
  void step(double progress, std::uint64_t, Means& means) {
    const auto batch = loader_.next();
    const auto loss = cross_entropy(forward(batch, std::index_sequence_for<Models...>()), batch.class_labels());
    means.add("loss", static_cast<double>(loss.value()));
    const auto gradients = backward(loss);
    for (std::size_t i = 0; i < optimizers_.size(); ++i) {
      optimizers_[i].learning_rate = Cosine{rates_[i].rate}(progress);
      optimizers_[i].step(gradients);
    }
  }
  void evaluate(Row& row) {
    row.set("learning_rate", optimizers_.back().learning_rate);
    row.set("target_accuracy", score_());
  }
  void save(CheckpointWriter& file) {
    std::apply([&](auto&... model) { (save_model(file, model), ...); }, models_);
    each_optimizer([&](const std::string& name, AdamW<float>& o) {
      file.add_number(name + "steps", static_cast<double>(o.steps));
      o.for_each_state([&](const std::string& state, auto* p, std::size_t n) { file.add(name + state, p, n); });
    });
  }
  void load(CheckpointReader& file) {
    std::apply([&](auto&... model) { (load_model(file, model), ...); }, models_);
    each_optimizer([&](const std::string& name, AdamW<float>& o) {
      o.steps = static_cast<std::uint64_t>(file.number(name + "steps"));
      o.for_each_state([&](const std::string& state, auto* p, std::size_t n) { file.get(name + state, p, n); });
    });
  }

 private:
  template <class Batch, std::size_t First, std::size_t... Rest>
  auto forward(const Batch& batch, std::index_sequence<First, Rest...>) {
    auto out = tape_(std::get<0>(models_), batch);
    if constexpr (sizeof...(Rest) == 0) {
      return out;
    } else {
      return tape_(std::get<1>(models_), out);
    }
  }
  template <class F>
  void each_optimizer(F&& f) {
    for (std::size_t i = 0; i < optimizers_.size(); ++i) f("optimizer" + std::to_string(i) + "/", optimizers_[i]);
  }
  Loader& loader_;
  Tape<float> tape_;
  int batch_;
  std::vector<Rate> rates_;
  std::function<double()> score_;
  std::tuple<Models&...> models_;
  std::deque<AdamW<float>> optimizers_;
};

/// What `model` gives for each sample of a set of features.
template <class M>
data::Features<float> through(M& model, const data::Features<float>& set) {
  std::vector<float> out(set.size() * M::output.size());
  constexpr std::size_t batch = 64;
  for (std::size_t i = 0; i < set.size(); i += batch)
    model.predict(set.sample(i), static_cast<int>(std::min(batch, set.size() - i)), out.data() + i * M::output.size());
  return {set.name(), M::output, std::move(out), set.labels(), set.classes()};
}

/// The net's last BatchNorm standardises: its statistics are the mean and variance of these features, and stay so.
template <class M>
void standardise(M& model, const data::Features<float>& features) {
  float* mean = model.array("scale/running_mean");
  float* variance = model.array("scale/running_var");
  for (std::size_t k = 0; k < features.shape().size(); ++k) {
    double sum = 0.0, squares = 0.0;
    for (std::size_t i = 0; i < features.size(); ++i) {
      const double v = static_cast<double>(features.sample(i)[k]);
      sum += v, squares += v * v;
    }
    const double n = static_cast<double>(features.size());
    mean[k] = static_cast<float>(sum / n);
    variance[k] = static_cast<float>(std::max(squares / n - sum / n * (sum / n), 0.0));
  }
  freeze(model, "scale/*");
}

/// A linear classifier on standardised features; its weights begin at 0.
template <Shape Input>
struct LinearHead : Net<Input, Named<"scale", BatchNorm<>>, Named<"predictions", Dense<most_classes>>> {};
template <class Head, class Device = Cpu>
Model<Head, Device> linear_classifier(const PhotoSession& session, const data::Features<float>& features) {
  Model<Head, Device> head{{.name = "head", .seed = session.options.seed}};
  standardise(head, features);
  std::fill_n(head.array("predictions/w"), Head::input.size() * most_classes, 0.0f);
  close_outputs(head, features.classes());
  return head;
}

/// Sets the head of linear_classifier() to the linear discriminant of these features in closed form (Fisher 1936; the classes'
/// common covariance drawn towards a multiple of the identity by `shrinkage`, Friedman 1989): logits x S^-1 m_c - m_c S^-1 m_c
/// / 2.
void set_discriminant(float* weights, float* bias, const data::Features<float>& features, double shrinkage);
template <class Head, class Device = Cpu>
Model<Head, Device> discriminant(const PhotoSession& session, const data::Features<float>& features, double shrinkage) {
  auto head = linear_classifier<Head, Device>(session, features);
  set_discriminant(head.array("predictions/w"), head.array("predictions/b"), features, shrinkage);
  return head;
}

/// data::split_stratified for features: the same images for the same labels, share and seed.
struct FeatureParts {
  data::Features<float> train, rest;
};
FeatureParts split(const data::Features<float>& set, double share, std::uint64_t seed);

/// Writes what a method came to: tables, plots, the confusion matrix, and, where `images` of the set
/// are given, one of them with its probabilities.
template <class M>
void report(PhotoSession& session, const std::string& method, const History& history, const data::Features<float>& rest,
            M& model, const std::vector<std::string>& names, const data::Labelled* images = nullptr) {
  const auto logits = through(model, rest);
  const int classes = rest.classes();
  Confusion confusion(classes);
  for (std::size_t i = 0; i < logits.size(); ++i) confusion.add(rest.label(i), argmax(logits.sample(i), classes));
  session.report(method, history, confusion, names);
  if (images == nullptr) return;
  const std::size_t shown = session.options.seed % rest.size();
  session.picture(method, bitmap_of(*images, shown), softmax(logits.sample(shown), classes), names, rest.label(shown));
}

/// Pixels as the pretrained nets of Keras' MobileNet and Inception take them.
inline data::Normalize minus_one_to_one() { return {{0.5, 0.5, 0.5, 0.5}, {0.5, 0.5, 0.5, 0.5}}; }

/// The run of a method in this example: epochs, checkpoint, and a line an epoch.
template <class Method, class... Callbacks>
History train_with(PhotoSession& session, const std::string& name, Method& method, Callbacks&&... callbacks) {
  const TrainOptions run{
      .epochs = session.options.epochs, .checkpoint = session.checkpoint(name), .resume = session.options.resume};
  return train(method, run, std::forward<Callbacks>(callbacks)..., ProgressBar(name));
}

}  // namespace example

#pragma once
// Fine-tuning one pretrained net on a folder of images: the layers up to a named one are frozen and their outputs computed once;
// the epochs run on those. The net is a type, so each file beside this one compiles one net.
#include <graft/graft.hpp>
#include <graft/data/image_folder.hpp>
#include <graft/data/split.hpp>
#include <graft/io/weights.hpp>
#include <graft/train/feature_cache.hpp>
#include <graft/train/picture.hpp>

#include "face/photos.hpp"

#include <chrono>
#include <deque>
#include <functional>
#include <tuple>

namespace example {

using namespace graft;

/// The classifiers' outputs. A folder may have fewer classes: the biases of the others make their probability 0.
inline constexpr int most_classes = 64;

struct TuneOptions {
  int turns = 8;               ///< copies of each training image: mirrored (2), and turned by quarters (8)
  double rate = 0.01;          ///< of the classifier
  double decay = 1.0;          ///< of its weights (AdamW)
  double body_rate = 0.001;    ///< of the layers that are tuned
  double body_decay = 0.05;
  int head_epochs = 2;         ///< before the layers below the classifier are tuned, too
  bool check_cache = false;
};

/// The parts of a run. `rest` is scored and decides nothing.
struct Photos {
  data::Labelled train, rest;
};

/// All images, then copies of them all in another orientation: mirrored (`turns` 2), or in all eight of a square (8).
data::Labelled turned(const data::Labelled& set, int turns);
/// Seconds since an earlier call of now().
double now();

/// Probability 0 for the classes that the set lacks.
template <class M>
void close_outputs(M& model, int classes) {
  std::fill(model.array("predictions/b") + classes, model.array("predictions/b") + most_classes, -1e4f);
}

/// Models in a row (a body, then its head) trained on the batches of any loader, each at a rate and decay of its own, as graft's
/// train() wants a method.
template <class Loader, class... Models>
class Supervised {
 public:
  struct Rate {
    double rate, decay;
  };
  Supervised(Loader loader, int batch, std::vector<Rate> rates, std::function<double()> score, Models&... models)
      : loader_(std::move(loader)), batch_(batch), rates_(std::move(rates)), score_(std::move(score)), models_(models...) {
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
  Loader loader_;
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

/// Writes what a method came to: tables, plots, the confusion matrix, and one image that was not trained on.
template <class M>
void report(PhotoSession& session, const std::string& method, const History& history, const Photos& photos,
            const data::Features<float>& rest, M& model) {
  const auto logits = through(model, rest);
  const int classes = rest.classes();
  Confusion confusion(classes);
  for (std::size_t i = 0; i < logits.size(); ++i) confusion.add(rest.label(i), argmax(logits.sample(i), classes));
  const auto& names = photos.rest.class_names();
  session.report(method, history, confusion, names);
  const std::size_t shown = session.options.seed % rest.size();
  session.picture(method, bitmap_of(photos.rest, shown), softmax(logits.sample(shown), classes), names, rest.label(shown));
}

/// Fine-tunes `Whole`, a net that ends with a vector of features, frozen up to the layer `Last`.
template <class Whole, Name Last>
class Tuning {
 public:
  using Frozen = Cut<Whole, Last>;
  using Above = Behind<Whole, Last>;
  using Head = Net<Whole::output, Named<"scale", BatchNorm<>>, Named<"predictions", Dense<most_classes>>>;

  Tuning(PhotoSession& session, const Photos& photos, const TuneOptions& options, const std::filesystem::path& weights)
      : session_(session), photos_(photos), options_(options) {
    const io::LoadOptions load{.names = io::names::keras(), .allow_unused = true};
    std::printf("%s\n", io::load(frozen_, weights, load).summary().c_str());
    if constexpr (Above::parameter_count != 0) io::load(above_, weights, load);
    const double start = now();
    const auto train = turned(photos.train, options.turns);
    train_ = cache_.features(frozen_, train, normalize_);
    rest_ = cache_.features(frozen_, photos.rest, normalize_);
    std::printf("outputs of the %d frozen layers, computed once: %zu + %zu images in %.1f s, %.0f MB in memory\n", Frozen::layers,
                train_.size(), rest_.size(), now() - start, static_cast<double>(cache_.memory_used()) / 1e6);
  }

  /// All convolutions frozen: a linear classifier on their features.
  void frozen() {
    const auto train = through(above_, train_), rest = through(above_, rest_);
    auto head = classifier(train);
    Supervised method(loader(train), session_.options.batch, {{options_.rate, options_.decay}},
                      [&] { return score(rest, head).accuracy(); }, head);
    const History history = run("frozen", method);
    report(session_, "frozen", history, photos_, rest, head);
    if (options_.check_cache) check_cache();
  }

  /// The first layers frozen; those behind them are tuned at a rate of their own, after the classifier alone has begun.
  void partial(const std::vector<std::string>& also_frozen = {}) {
    auto head = classifier(through(above_, train_));
    Model<Above> body{{.name = "body"}};
    copy_weights(above_, body);
    std::vector<Unfreeze> plan;
    for (const Segment& s : body.segments()) {
      if (std::none_of(also_frozen.begin(), also_frozen.end(), [&](const std::string& p) { return matches(p, s.name); }))
        plan.push_back({options_.head_epochs, s.name});
    }
    freeze(body);
    Supervised method(loader(train_), session_.options.batch,
                      {{options_.body_rate, options_.body_decay}, {options_.rate, options_.decay}},
                      [&] { return score(rest_, body, head).accuracy(); }, body, head);
    const History history = run("partial", method, GradualUnfreezing(body, plan, false));
    report(session_, "partial", history, photos_, through(body, rest_), head);
  }

 private:
  Model<Head> classifier(const data::Features<float>& features) {
    Model<Head> head{{.name = "head", .seed = session_.options.seed + 1}};
    standardise(head, features);
    std::fill_n(head.array("predictions/w"), Head::input.size() * most_classes, 0.0f);
    close_outputs(head, features.classes());
    return head;
  }
  data::FeatureLoader<float> loader(const data::Features<float>& set) const {
    return {set, {.batch = session_.options.batch, .seed = session_.options.seed}};
  }
  template <class Method, class... Callbacks>
  History run(const std::string& name, Method& method, Callbacks&&... callbacks) {
    return train(method,
                 {.epochs = session_.options.epochs,
                  .checkpoint = session_.checkpoint(name),
                  .resume = session_.options.resume},
                 std::forward<Callbacks>(callbacks)..., ProgressBar(name));
  }
  void check_cache();

  PhotoSession& session_;
  const Photos& photos_;
  TuneOptions options_;
  data::Normalize normalize_{{0.5, 0.5, 0.5, 0.5}, {0.5, 0.5, 0.5, 0.5}};  // -1 to 1
  Model<Frozen> frozen_;
  Model<Above> above_;
  FeatureCache cache_{{.memory = std::size_t{6} << 30, .disk = std::size_t{40} << 30}};
  data::Features<float> train_, rest_;
};

/// One epoch of the frozen method on the training images as they are, with the trunk in front and on its features.
template <class Whole, Name Last>
void Tuning<Whole, Last>::check_cache() {
  Model<TrainFrom<Whole, Whole::layers>> trunk;
  copy_weights(frozen_, trunk);
  copy_weights(above_, trunk);
  const auto features = cache_.features(trunk, photos_.train, normalize_);
  auto first = classifier(features), second = classifier(features);
  const auto epoch = [&](auto& model, auto&& batches, auto&& forward) {
    AdamW<float> adam({.learning_rate = options_.rate, .weight_decay = options_.decay}, model);
    Tape<float> tape;
    const double start = now();
    for (int i = 0; i < batches.steps_per_epoch(); ++i) {
      const auto batch = batches.next();
      adam.step(backward(cross_entropy(forward(tape, batch), batch.class_labels())));
    }
    return now() - start;
  };
  const double cached = epoch(first, loader(features), [&](auto& tape, auto& batch) { return tape(first, batch); });
  const double uncached = epoch(second,
                                data::Loader<float>(photos_.train, Whole::input,
                                                    {.batch = session_.options.batch,
                                                     .seed = session_.options.seed,
                                                     .normalize = normalize_}),
                                [&](auto& tape, auto& batch) { return tape(second, tape(trunk, batch)); });
  const bool equal = std::equal(first.values().begin(), first.values().end(), second.values().begin());
  std::printf("one epoch on %zu images: %.2f s with the frozen trunk in front, %.4f s on its cached outputs: %.0f times faster, "
              "weights %s\n",
              photos_.train.size(), uncached, cached, uncached / cached, equal ? "equal bit for bit" : "DIFFER");
  if (!equal) fail("training on cached features gave other weights than training with the trunk in front; this is a bug.");
}

/// Each in a file of its own: both methods on a net, frozen up to a place that suits it.
void tune_mobilenet(PhotoSession&, const Photos&, const TuneOptions&, const std::filesystem::path& weights);
void tune_mobilenet_quarter(PhotoSession&, const Photos&, const TuneOptions&, const std::filesystem::path& weights);
void tune_inception(PhotoSession&, const Photos&, const TuneOptions&, const std::filesystem::path& weights);
/// No pretrained weights: MobileNet 0.25 from its random beginning, on images that are mirrored at random.
void from_scratch(PhotoSession&, const Photos&, const TuneOptions&);

}  // namespace example

#pragma once
// Fine-tuning one pretrained net on a folder of images: the layers up to a named one are frozen and their outputs computed
// once; the epochs run on those. The net is a type, so each file beside this one compiles one net.
#include <graft/io/weights.hpp>
#include <graft/train/feature_cache.hpp>

#include "face/supervised.hpp"
#include "methods.hpp"

#include <algorithm>
#include <cmath>

namespace example {

/// Fine-tunes `Whole`, a net that ends with a vector of features, frozen up to the layer `Last`.
template <class Device, class Whole, Name Last>
class Tuning {
 public:
  using Frozen = Cut<Whole, Last>;
  using Above = Behind<Whole, Last>;
  using Head = LinearHead<Whole::output>;

  Tuning(PhotoSession& session, const Photos& photos, const TuneOptions& options)
      : session_(session), photos_(photos), options_(options) {}

  /// Runs the images through the frozen layers, once.
  void prepare(const std::filesystem::path& weights) {
    const io::LoadOptions load{.names = io::names::keras(), .allow_unused = true};
    std::printf("%s\n", io::load(frozen_, weights, load).summary().c_str());
    if constexpr (Above::parameter_count != 0) io::load(above_, weights, load);
    const double start = now();
    const auto train = turned(photos_.train, options_.turns);
    train_ = cache_.features(frozen_, train, normalize_);
    rest_ = cache_.features(frozen_, photos_.rest, normalize_);
    std::printf("outputs of the %d frozen layers, computed once: %zu + %zu images in %.1f s, %.0f MB in memory\n",
                Frozen::layers, train_.size(), rest_.size(), now() - start, static_cast<double>(cache_.memory_used()) / 1e6);
  }

  /// All convolutions frozen, and their outputs at several depths averaged over the image: a linear discriminant on these.
  template <Name... Levels>
  void features(const std::filesystem::path& weights) {
    Model<Whole, Device> whole;
    io::load(whole, weights, {.names = io::names::keras(), .allow_unused = true});
    const double start = now();
    const auto train = at_levels<Levels...>(whole, turned(photos_.train, options_.turns));
    const auto rest = at_levels<Levels...>(whole, photos_.rest);
    auto head = discriminant<LinearHead<Vector<wide<Levels...>>>, Device>(session_, train, options_.shrinkage);
    Row row;
    row.set("epoch", 1);
    row.set("seconds", now() - start);
    row.set("images_per_second", static_cast<double>(train.size() + rest.size()) / (now() - start));
    row.set("target_accuracy", score(rest, head).accuracy());
    History history;
    history.add(row);
    std::printf("features: a discriminant on %d numbers an image, in closed form\n", wide<Levels...>);
    report(session_, "features", history, rest, head, photos_.rest.class_names(), &photos_.rest);
  }

  /// All convolutions frozen: a linear classifier on their features.
  void frozen() {
    const auto train = through(above_, train_), rest = through(above_, rest_);
    auto head = linear_classifier(train);
    auto batches = loader(train);
    Supervised method(
        batches, session_.options.batch, {{options_.rate, options_.decay}}, [&] { return score(rest, head).accuracy(); }, head);
    const History history = train_with(session_, "frozen", method);
    report(session_, "frozen", history, rest, head, photos_.rest.class_names(), &photos_.rest);
    if (options_.check_cache) check_cache();
  }

  /// The first layers frozen; those behind them are tuned at a rate of their own, after the classifier alone has begun.
  void partial(const std::vector<std::string>& also_frozen = {}) {
    auto head = linear_classifier(through(above_, train_));
    Model<Above, Device> body{{.name = "body"}};
    copy_weights(above_, body);
    std::vector<Unfreeze> plan;
    for (const Segment& s : body.segments()) {
      if (std::none_of(also_frozen.begin(), also_frozen.end(), [&](const std::string& p) { return matches(p, s.name); }))
        plan.push_back({options_.head_epochs, s.name});
    }
    freeze(body);
    auto batches = loader(train_);
    Supervised method(
        batches, session_.options.batch, {{options_.body_rate, options_.body_decay}, {options_.head_rate, options_.decay}},
        [&] { return score(rest_, body, head).accuracy(); }, body, head);
    const History history = train_with(session_, "partial", method, GradualUnfreezing(body, plan, false));
    report(session_, "partial", history, through(body, rest_), head, photos_.rest.class_names(), &photos_.rest);
  }

 private:
  template <Name Level>
  static constexpr Shape at_level = FirstLayers<Whole, layer_index<Whole, Level>() + 1>::output;
  template <Name... Levels>
  static constexpr int wide = (at_level<Levels>.c + ...);

  /// The images' outputs at these layers, each channel's mean, one behind the other.
  template <Name... Levels>
  data::Features<float> at_levels(Model<Whole, Device>& whole, const data::Labelled& set) const {
    constexpr std::size_t width = static_cast<std::size_t>(wide<Levels...>), batch = 32;
    std::vector<float> out(set.size() * width);
    std::vector<float> maps[] = {std::vector<float>(batch * at_level<Levels>.size())...};
    constexpr Shape shapes[] = {at_level<Levels>...};
    std::size_t done = 0;
    data::for_each_batch<float>(set, Whole::input, batch, normalize_, [&](const data::Batch<float>& images) {
      [&]<std::size_t... Is>(std::index_sequence<Is...>) {
        predict_at<Levels...>(whole, images.images, images.count, maps[Is].data()...);
      }
      (std::make_index_sequence<sizeof...(Levels)>{});
      for (std::size_t i = 0; i < static_cast<std::size_t>(images.count); ++i, ++done) {
        float* to = out.data() + done * width;
        for (std::size_t level = 0; level < sizeof...(Levels); ++level) {
          const std::size_t channels = static_cast<std::size_t>(shapes[level].c), places = shapes[level].size() / channels;
          const float* from = maps[level].data() + i * shapes[level].size();
          for (std::size_t p = 0; p < places; ++p)
            for (std::size_t c = 0; c < channels; ++c) to[c] += from[p * channels + c] / static_cast<float>(places);
          to += channels;
        }
      }
    });
    return {set.name(), Vector<wide<Levels...>>, std::move(out), set.labels(), set.classes()};
  }

  Model<Head, Device> linear_classifier(const data::Features<float>& features) {
    return example::linear_classifier<Head, Device>(session_, features);
  }
  data::FeatureLoader<float> loader(const data::Features<float>& set) const {
    return {set, {.batch = session_.options.batch, .seed = session_.options.seed}};
  }
  void check_cache();

  PhotoSession& session_;
  const Photos& photos_;
  TuneOptions options_;
  data::Normalize normalize_ = minus_one_to_one();
  Model<Frozen, Device> frozen_;
  Model<Above, Device> above_;
  FeatureCache cache_{{.memory = std::size_t{6} << 30, .disk = std::size_t{40} << 30}};
  data::Features<float> train_, rest_;
};

/// One epoch of the frozen method on the training images as they are, with the trunk in front and on its features.
template <class Device, class Whole, Name Last>
void Tuning<Device, Whole, Last>::check_cache() {
  Model<TrainFrom<Whole, Whole::layers>, Device> trunk;
  copy_weights(frozen_, trunk);
  copy_weights(above_, trunk);
  const auto features = cache_.features(trunk, photos_.train, normalize_);
  auto first = linear_classifier(features), second = linear_classifier(features);
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
  const double uncached =
      epoch(second,
            data::Loader<float>(photos_.train, Whole::input,
                                {.batch = session_.options.batch, .seed = session_.options.seed, .normalize = normalize_},
                                trunk.device()),
            [&](auto& tape, auto& batch) { return tape(second, tape(trunk, batch)); });
  double apart = 0.0, largest = 0.0;
  for (std::size_t i = 0; i < first.values().size(); ++i) {
    apart = std::max(apart, static_cast<double>(std::abs(first.values()[i] - second.values()[i])));
    largest = std::max(largest, static_cast<double>(std::abs(second.values()[i])));
  }
  std::printf(
      "one epoch on %zu images: %.2f s with the frozen trunk in front, %.4f s on its cached outputs: %.0f times faster, ",
      photos_.train.size(), uncached, cached, uncached / cached);
  apart == 0.0 ? std::printf("weights equal bit for bit\n")
               : std::printf("weights apart by %.1e of the largest\n", apart / largest);
  // A GPU may sum a sample's numbers in another order in another batch.
  if (!(apart <= (std::is_same_v<Device, Cpu> ? 0.0 : 1e-3) * largest))
    fail("training on cached features gave other weights than training with the trunk in front; this is a bug.");
}

/// The methods that are wanted; `Levels` are the depths that `features` looks at.
template <class Whole, Name Last, Name... Levels>
void tune(PhotoSession& session, const Photos& photos, const TuneOptions& options, const std::filesystem::path& weights,
          const std::vector<std::string>& also_frozen = {}) {
  on_cpu_or_cuda(session.options.device, [&]<class Device>(Device) {
    Tuning<Device, Whole, Last> tuning(session, photos, options);
    const std::vector<std::string> usual{"frozen", "features"};
    if (session.wants("frozen", usual) || session.wants("partial", usual)) tuning.prepare(weights);
    if (session.wants("frozen", usual)) tuning.frozen();
    if (session.wants("partial", usual)) tuning.partial(also_frozen);
    if (session.wants("features", usual)) tuning.template features<Levels...>(weights);
  });
}

}  // namespace example

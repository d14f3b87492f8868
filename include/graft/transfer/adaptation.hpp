#pragma once
/// \file adaptation.hpp  The loop that every method of this folder runs in. A method says what its loss is, in tape; this file
/// feeds it paired batches, steps the optimiser, scores, and saves everything that a resumed run needs.
#include "graft/config.hpp"
#include "graft/core/tape.hpp"
#include "graft/data/features.hpp"
#include "graft/data/loader.hpp"
#include "graft/train/metrics.hpp"
#include "graft/train/trainer.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

GRAFT_BEGIN

/// How long and on what a method trains. Test sets are only scored, once an epoch; nothing is chosen by them.
struct FitOptions {
  int epochs = 30;
  int batch = 128;  ///< images of each domain in a step
  std::uint64_t seed = 0;
  data::Normalize normalize = data::Normalize::centred();  ///< of all images; the default gives numbers from -0.5 to 0.5
  std::optional<data::Labelled> source_test{};
  std::optional<data::Labelled> target_test{};
  std::filesystem::path checkpoint{};  ///< written after every epoch when given
  bool resume = false;                 ///< go on from the checkpoint if there is one
  data::Augment augment{};             ///< of the source's images in training
  data::Augment target_augment{};      ///< of the target's
  int loader_threads = 1;              ///< that make the batches; the numbers do not depend on it
};

namespace detail {

/// Applies several models in sequence in inference mode.
template <class T, class... Models>
class Pipeline {
 public:
  explicit Pipeline(Models&... models) : models_(models...) {}
  /// n samples through all models; the result is valid until the next call.
  const T* operator()(const T* x, int n) {
    std::apply([&](auto&... model) { ((x = run(model, x, n)), ...); }, models_);
    return x;
  }

 private:
  template <class M>
  const T* run(M& model, const T* x, int n) {
    std::vector<T>& out = buffers_[turn_ ^= 1];
    out.resize(static_cast<std::size_t>(n) * M::output.size());
    model.predict(x, n, out.data());
    return out.data();
  }
  std::tuple<Models&...> models_;
  std::vector<T> buffers_[2];
  int turn_ = 0;
};

}  // namespace detail

/// Scores a chain of models (body, then head) on a labelled set: counts of (label, largest output).
template <class First, class... Rest>
Confusion score(const data::Labelled& set, const data::Normalize& normalize, First& first, Rest&... rest) {
  using T = typename First::Scalar;
  detail::Pipeline<T, First, Rest...> pipeline(first, rest...);
  constexpr int classes = [] {
    const Shape outputs[] = {First::output, Rest::output...};
    return outputs[sizeof...(Rest)].c;
  }();
  if (set.classes() > classes) {
    fail("the set '", set.name(), "' has ", set.classes(), " classes but the classifier has ", classes,
         " outputs; end it with Dense<", set.classes(), ">.");
  }
  Confusion confusion(classes);
  std::size_t next = 0;
  data::for_each_batch<T>(set, First::input, 256, normalize, [&](const data::Batch<T>& batch) {
    const T* logits = pipeline(batch.images, batch.count);
    for (int i = 0; i < batch.count; ++i) {
      confusion.add(set.label(next++), argmax(logits + static_cast<std::ptrdiff_t>(i) * classes, classes));
    }
  });
  return confusion;
}

/// The same on a set of features, by the models behind the network that made them.
template <class T, class First, class... Rest>
Confusion score(const data::Features<T>& set, First& first, Rest&... rest) {
  static_assert(std::is_same_v<T, typename First::Scalar>,
                "graft: score: the features and the models hold numbers of one type.");
  detail::Pipeline<T, First, Rest...> pipeline(first, rest...);
  constexpr int classes = std::tuple_element_t<sizeof...(Rest), std::tuple<First, Rest...>>::output.c;
  if (set.shape().size() != First::input.size() || set.classes() > classes) {
    fail("the features of '", set.name(), "' have ", set.shape().size(), " numbers and ", set.classes(),
         " classes, but the models take ", First::input.size(), " and give ", classes, "; both must agree.");
  }
  Confusion confusion(classes);
  const std::size_t batch = 256;
  for (std::size_t begin = 0; begin < set.size(); begin += batch) {
    const std::size_t count = std::min(batch, set.size() - begin);
    const T* logits = pipeline(set.sample(begin), static_cast<int>(count));
    for (std::size_t i = 0; i < count; ++i) {
      confusion.add(set.label(begin + i), argmax(logits + i * static_cast<std::size_t>(classes), classes));
    }
  }
  return confusion;
}

/// Every array of a model, under the model's name.
template <class Model>
void save_model(CheckpointWriter& file, Model& model) {
  for (const Segment& s : model.segments()) file.add(model.name + "/" + s.name, model.values().data() + s.offset, s.count);
  for (const Segment& s : model.statistic_segments()) {
    file.add(model.name + "/" + s.name, model.statistics().data() + s.offset, s.count);
  }
}
/// Reads what save_model wrote: from a run's checkpoint, or one of BestCheckpoint. Throws Error when the file is of another
/// network.
template <class Model>
void load_model(const CheckpointReader& file, Model& model) {
  for (const Segment& s : model.segments()) file.get(model.name + "/" + s.name, model.values().data() + s.offset, s.count);
  for (const Segment& s : model.statistic_segments()) {
    file.get(model.name + "/" + s.name, model.statistics().data() + s.offset, s.count);
  }
}

/// Runs one method: see Dann for what a method provides. M::models() are saved, M::classifier() is scored.
template <class M>
class Adaptation {
 public:
  using Scalar = typename M::Scalar;

  Adaptation(M& method, const data::Labelled& source, const data::Unlabelled& target, const FitOptions& options)
      : method_(method),
        options_(options),
        loader_(source, target, M::input,
                {.source_batch = options.batch,
                 .target_batch = options.batch,
                 .seed = options.seed,
                 .normalize = options.normalize,
                 .augment = options.augment,
                 .target_augment = options.target_augment,
                 .threads = options.loader_threads}),
        optimizer_(method.optimizer()) {
    if (source.classes() > M::classes) {
      fail("the source '", source.name(), "' has ", source.classes(), " classes but the label head has ", M::classes,
           " outputs; end it with Dense<", source.classes(), ">.");
    }
  }

  [[nodiscard]] int steps_per_epoch() const { return loader_.steps_per_epoch(); }
  [[nodiscard]] int images_per_step() const { return M::uses_target ? 2 * options_.batch : options_.batch; }
  void begin_epoch(std::uint64_t step) {
    loader_.seek(step);
    tape_.set_step(step);
  }

  void step(double progress, std::uint64_t, Means& means) {
    optimizer_.learning_rate = rate_factor_ * method_.learning_rate(progress);
    progress_ = progress;
    const Loss<Scalar> loss = method_.loss(tape_, loader_.next(), progress, means);
    means.add("loss", static_cast<double>(loss.value()));
    optimizer_.step(backward(loss));
  }

  void set_rate_factor(double factor) { rate_factor_ = factor; }

  void evaluate(Row& row) {
    row.set("learning_rate", optimizer_.learning_rate);
    method_.report(progress_, row);
    const auto accuracy = [&](const data::Labelled& set) {
      return std::apply([&](auto&... models) { return score(set, options_.normalize, models...); }, method_.classifier())
          .accuracy();
    };
    if (options_.source_test) row.set("source_accuracy", accuracy(*options_.source_test));
    if (options_.target_test) row.set("target_accuracy", accuracy(*options_.target_test));
  }

  void save(CheckpointWriter& file) {
    std::apply([&](auto&... model) { (save_model(file, model), ...); }, method_.models());
    file.add_number("optimizer/steps", static_cast<double>(optimizer_.steps));
    optimizer_.for_each_state(
        [&](const std::string& name, auto* data, std::size_t size) { file.add("optimizer/" + name, data, size); });
  }
  void load(CheckpointReader& file) {
    std::apply([&](auto&... model) { (load_model(file, model), ...); }, method_.models());
    optimizer_.steps = static_cast<decltype(optimizer_.steps)>(file.number("optimizer/steps"));
    optimizer_.for_each_state(
        [&](const std::string& name, auto* data, std::size_t size) { file.get("optimizer/" + name, data, size); });
  }

 private:
  M& method_;
  FitOptions options_;
  data::PairedLoader<Scalar> loader_;
  decltype(std::declval<M&>().optimizer()) optimizer_;
  Tape<Scalar> tape_;
  double progress_ = 0.0;
  double rate_factor_ = 1.0;
};

/// Trains `method` on a labelled source and an unlabelled target and returns the history: a row an epoch.
template <class M, class... Callbacks>
History adapt(M& method, const data::Labelled& source, const data::Unlabelled& target, const FitOptions& options,
              Callbacks&&... callbacks) {
  Adaptation<M> adaptation(method, source, target, options);
  return train(adaptation, {.epochs = options.epochs, .checkpoint = options.checkpoint, .resume = options.resume},
               std::forward<Callbacks>(callbacks)...);
}

GRAFT_END

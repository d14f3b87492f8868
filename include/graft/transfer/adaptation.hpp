#pragma once
/// \file adaptation.hpp  The loop that every method of this folder runs in. A method says what its loss is, in tape; this file
/// feeds it paired batches, steps the optimiser, scores, and saves everything that a resumed run needs.
#include "graft/config.hpp"
#include "graft/core/tape.hpp"
#include "graft/data/feature_loader.hpp"
#include "graft/data/loader.hpp"
#include "graft/train/domain_classifier.hpp"
#include "graft/train/trainer.hpp"
#include "graft/train/validators.hpp"
#include "graft/transfer/diverged.hpp"
#include "graft/transfer/domain_statistics.hpp"
#include "graft/transfer/score.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

GRAFT_BEGIN

/// How long and on what a method trains. Test sets are only scored, once an epoch; nothing is chosen by them.
template <class Labelled>
struct BasicFitOptions {
  int epochs = 30;
  int batch = 128;       ///< images of each domain in a step
  int target_batch = 0;  ///< of the target, where it differs
  std::uint64_t seed = 0;
  data::Normalize normalize = data::Normalize::centred();  ///< of all images; the default gives numbers from -0.5 to 0.5
  std::optional<Labelled> source_test{};
  std::optional<Labelled> target_test{};
  std::filesystem::path checkpoint{};         ///< written after every epoch when given
  bool resume = false;                        ///< go on from the checkpoint if there is one
  data::Augment augment{};                    ///< of the source's images in training
  data::Augment target_augment{};             ///< of the target's
  int loader_threads = 1;                     ///< that make the batches; the numbers do not depend on it
  DomainNorm batch_norm = DomainNorm::joint;  ///< what BatchNorm does with two domains; see there
  /// How many images of the target, evenly spaced, are looked at after each epoch, without labels, for the columns
  /// `target_entropy` (low is good) and `target_snd` (high is good) and, with `source_test`, of which as many are looked at,
  /// `target_dev` (low is good) and `a_distance` (low: the features do not tell the domains). See train/validators.hpp. 0:
  /// none.
  int validate_on = 0;
};
using FitOptions = BasicFitOptions<data::Labelled>;
/// The same for sets of features; nothing is normalised or augmented.
template <class T = float>
using FeatureFitOptions = BasicFitOptions<data::Features<T>>;

namespace detail {
/// Whether a method, or a part of one, says that it looks at PairedBatch::clean_target().
template <class M>
constexpr bool sees_clean_target() {
  if constexpr (requires { M::sees_clean_target; })
    return M::sees_clean_target;
  else
    return false;
}
/// The unlabelled set and the loader that belong to a labelled set of images, or of features.
template <class Labelled, class T>
struct DomainsOf {
  using Unlabelled = data::Unlabelled;
  using Loader = data::PairedLoader<T>;
  static Loader loader(const Labelled& source, const Unlabelled& target, Shape to, const FitOptions& options, int target_batch,
                       bool clean_target, const Accelerator<T>* device) {
    return Loader(source, target, to,
                  {.source_batch = options.batch,
                   .target_batch = target_batch,
                   .seed = options.seed,
                   .normalize = options.normalize,
                   .augment = options.augment,
                   .target_augment = options.target_augment,
                   .clean_target = clean_target,
                   .threads = options.loader_threads},
                  device);
  }
};
template <class F, class T>
struct DomainsOf<data::Features<F>, T> {
  static_assert(std::is_same_v<F, T>, "graft: the features and the models hold numbers of one type.");
  using Unlabelled = data::UnlabelledFeatures<T>;
  using Loader = data::PairedFeatureLoader<T>;
  static Loader loader(const data::Features<T>& source, const Unlabelled& target, Shape to, const FeatureFitOptions<T>& options,
                       int target_batch, bool, const Accelerator<T>*) {
    if (source.shape().size() != to.size()) {
      fail("the features of '", source.name(), "' are ", source.shape().size(), " numbers but the net takes ", to.size(),
           "; both must agree.");
    }
    return Loader(source, target, {.source_batch = options.batch, .target_batch = target_batch, .seed = options.seed});
  }
};
}  // namespace detail

/// Every array of a model, under the model's name; the target's own running statistics, if it has any, behind "target/".
template <class Model>
void save_model(CheckpointWriter& file, Model& model) {
  for (const Segment& s : model.segments()) file.add(model.name + "/" + s.name, model.values().data() + s.offset, s.count);
  for (const Segment& s : model.statistic_segments()) {
    file.add(model.name + "/" + s.name, model.statistics_of(0).data() + s.offset, s.count);
    if (model.has_target_statistics())
      file.add(model.name + "/target/" + s.name, model.statistics_of(1).data() + s.offset, s.count);
  }
}
/// Reads what save_model wrote: from a run's checkpoint, or one of BestCheckpoint. Throws Error when the file is of another
/// network.
template <class Model>
void load_model(const CheckpointReader& file, Model& model) {
  for (const Segment& s : model.segments()) file.get(model.name + "/" + s.name, model.values().data() + s.offset, s.count);
  for (const Segment& s : model.statistic_segments()) {
    file.get(model.name + "/" + s.name, model.statistics_of(0).data() + s.offset, s.count);
    const std::string target = model.name + "/target/" + s.name;
    if (file.has(target)) file.get(target, model.statistics_of(1).data() + s.offset, s.count);
  }
}

/// Calls f(optimiser, index) for a method's optimiser, or for each of a tuple of them.
template <class O, class F>
void for_each_optimizer(O& optimizers, F&& f) {
  if constexpr (requires { optimizers.learning_rate; }) {
    f(optimizers, std::size_t{0});
  } else {
    std::apply(
        [&](auto&... each) {
          std::size_t index = 0;
          (f(each, index++), ...);
        },
        optimizers);
  }
}

/// Runs one method M, which provides
///   Scalar, input, classes, uses_target
///   Loss<Scalar> loss(Tape<Scalar>&, const data::PairedBatch<Scalar>&, double progress, Means&)   the sum of all its losses
///   auto optimizer()                           one, or a std::tuple of several, each over models of its own
///   double learning_rate(double progress)      of all of them, or a std::array with one for each
///   auto models(), auto classifier()           what is saved; body and head, which are scored
///   void report(double progress, Row&)         columns of its own
/// and may provide
///   Loss<Scalar> loss(tape, batch, progress, means, optimizers)      in training, in place of the one above: it may first
///                                              take steps of its own; `optimizers` is what optimizer() gave
///   static constexpr DomainNorm batch_norm     in place of FitOptions::batch_norm
///   void begin_epoch(double progress, const auto& target, const data::Normalize&)      a look at the whole target
///   void after_step(std::uint64_t step)        after the optimisers; step counts from 0 over the whole run
///   static constexpr bool sees_clean_target    its batches have clean_target(), the target's images before the augmentation
/// on sets of images, or (Labelled: data::Features) of features.
template <class M, class Labelled = data::Labelled>
class Adaptation {
  using Domains = detail::DomainsOf<Labelled, typename M::Scalar>;
  using Unlabelled = typename Domains::Unlabelled;

 public:
  using Scalar = typename M::Scalar;

  Adaptation(M& method, const Labelled& source, const Unlabelled& target, const BasicFitOptions<Labelled>& options)
      : method_(method),
        options_(options),
        target_(target),
        target_batch_(options.target_batch > 0 ? options.target_batch : options.batch),
        loader_(Domains::loader(source, target, M::input, options, target_batch_, detail::sees_clean_target<M>(),
                                std::get<0>(method.models()).device())),
        optimizer_(method.optimizer()) {
    if (source.classes() > M::classes) {
      fail("the source '", source.name(), "' has ", source.classes(), " classes but the label head has ", M::classes,
           " outputs; end it with Dense<", source.classes(), ">.");
    }
    tape_.domain_norm = options.batch_norm;
    if constexpr (requires { M::batch_norm; }) tape_.domain_norm = M::batch_norm;
  }

  [[nodiscard]] int steps_per_epoch() const { return loader_.steps_per_epoch(); }
  [[nodiscard]] int images_per_step() const { return options_.batch + (M::uses_target ? target_batch_ : 0); }
  void begin_epoch(std::uint64_t step) {
    loader_.seek(step);
    tape_.set_step(step);
    if constexpr (requires { method_.begin_epoch(0.0, target_, options_.normalize); }) {
      const double total = static_cast<double>(options_.epochs) * steps_per_epoch();
      method_.begin_epoch(static_cast<double>(step) / total, target_, options_.normalize);
    }
  }

  void step(double progress, std::uint64_t step, Means& means) {
    set_rates(progress);
    progress_ = progress;
    const auto batch = loader_.next();
    const Loss<Scalar> loss = [&] {
      if constexpr (requires { method_.loss(tape_, batch, progress, means, optimizer_); })
        return method_.loss(tape_, batch, progress, means, optimizer_);
      else
        return method_.loss(tape_, batch, progress, means);
    }();
    if (!std::isfinite(loss.value())) detail::name_what_broke(method_, tape_, batch, progress);
    means.add("loss", static_cast<double>(loss.value()));
    const Gradients gradients = backward(loss);
    for_each_optimizer(optimizer_, [&](auto& optimizer, std::size_t) { optimizer.step(gradients); });
    if constexpr (requires { method_.after_step(step); }) method_.after_step(step);
  }

  void set_rate_factor(double factor) { rate_factor_ = factor; }

  void evaluate(Row& row) {
    row.set("learning_rate", learning_rate_);
    method_.report(progress_, row);
    const bool own = tape_.domain_norm == DomainNorm::per_domain || tape_.domain_norm == DomainNorm::adabn;
    const auto accuracy = [&](const Labelled& set, int domain) {
      return std::apply(
                 [&](auto&... models) {
                   ((models.domain = own ? domain : 0), ...);
                   if constexpr (std::is_same_v<Labelled, data::Labelled>)
                     return score(set, options_.normalize, models...);
                   else
                     return score(set, models...);
                 },
                 method_.classifier())
          .accuracy();
    };
    if (tape_.domain_norm == DomainNorm::adabn) {
      std::apply([&](auto&... models) { count_statistics(target_, options_.normalize, 1, 256, models...); },
                 method_.classifier());
    }
    if (options_.source_test) row.set("source_accuracy", accuracy(*options_.source_test, 0));
    if (options_.target_test) row.set("target_accuracy", accuracy(*options_.target_test, 1));
    if (options_.validate_on > 2) validate(row, own ? 1 : 0);
    if (own) std::apply([](auto&... models) { ((models.domain = 1), ...); }, method_.classifier());
  }

  void save(CheckpointWriter& file) {
    std::apply([&](auto&... model) { (save_model(file, model), ...); }, method_.models());
    for_each_optimizer(optimizer_, [&](auto& optimizer, std::size_t index) {
      const std::string prefix = optimizer_name(index);
      file.add_number(prefix + "steps", static_cast<double>(optimizer.steps));
      optimizer.for_each_state(
          [&](const std::string& name, auto* data, std::size_t size) { file.add(prefix + name, data, size); });
    });
    const auto add = [&](const std::string& name, auto* data, std::size_t size) { file.add(name, data, size); };
    if constexpr (requires { method_.for_each_state(add); }) method_.for_each_state(add);
  }
  void load(CheckpointReader& file) {
    std::apply([&](auto&... model) { (load_model(file, model), ...); }, method_.models());
    for_each_optimizer(optimizer_, [&](auto& optimizer, std::size_t index) {
      const std::string prefix = optimizer_name(index);
      optimizer.steps = static_cast<decltype(optimizer.steps)>(file.number(prefix + "steps"));
      optimizer.for_each_state(
          [&](const std::string& name, auto* data, std::size_t size) { file.get(prefix + name, data, size); });
    });
    const auto get = [&](const std::string& name, auto* data, std::size_t size) { file.get(name, data, size); };
    if constexpr (requires { method_.for_each_state(get); }) method_.for_each_state(get);
  }

 private:
  /// Predictions on the unlabelled target, and what validators make of them.
  void validate(Row& row, int domain) {
    const std::size_t n = std::min(static_cast<std::size_t>(options_.validate_on), target_.size());
    if (n < 3) return;
    const std::vector<Scalar> p = std::apply(
        [&](auto&... models) {
          ((models.domain = domain), ...);
          return probabilities_of_some(target_, n, options_.normalize, models...);
        },
        method_.classifier());
    row.set("target_entropy", prediction_entropy(p.data(), static_cast<int>(n), M::classes));
    row.set("target_snd", soft_neighbourhood_density(p.data(), static_cast<int>(n), M::classes));
    if (options_.source_test)
      std::apply([&](auto&... models) { compare_domains(row, n, domain, models...); }, method_.classifier());
  }
  /// The source's losses weighted as the target would have them, by a classifier of domains on the body's features.
  template <class Body, class... Rest>
  void compare_domains(Row& row, std::size_t n, int domain, Body& body, Rest&... rest) {
    const std::size_t of_source = std::min(static_cast<std::size_t>(options_.validate_on), options_.source_test->size());
    if (of_source < 4 || n < 4) return;
    const auto look = [&](int whose, const auto& set, std::size_t count, auto&&... models) {
      ((models.domain = whose), ...);
      return outputs_of_some(set, count, options_.normalize, models...);
    };
    const auto target = look(domain, target_, n, body);
    const auto source = look(0, *options_.source_test, of_source, body);
    auto p = look(0, *options_.source_test, of_source, body, rest...);
    kernel::softmax_forward(Cpu{}, static_cast<int>(of_source), M::classes, p.data(), p.data());
    const DomainsTold told = tell_domains(source.data(), static_cast<int>(of_source), target.data(), static_cast<int>(n),
                                          static_cast<int>(Body::output.size()));
    std::vector<double> losses;
    for (std::size_t i = 1; i < of_source; i += 2) {
      const int label = options_.source_test->label(i * options_.source_test->size() / of_source);
      const auto at = i * static_cast<std::size_t>(M::classes) + static_cast<std::size_t>(label);
      losses.push_back(-std::log(std::max(static_cast<double>(p[at]), 1e-30)));
    }
    row.set("target_dev", deep_embedded_validation(told.weights, losses));
    row.set("a_distance", a_distance(std::min(0.5, told.error)));
  }
  static std::string optimizer_name(std::size_t index) {
    return index == 0 ? "optimizer/" : "optimizer" + std::to_string(index + 1) + "/";
  }
  void set_rates(double progress) {
    const auto rates = method_.learning_rate(progress);
    for_each_optimizer(optimizer_, [&](auto& optimizer, std::size_t index) {
      if constexpr (std::is_same_v<decltype(rates), const double>) {
        optimizer.learning_rate = rate_factor_ * rates;
      } else {
        optimizer.learning_rate = rate_factor_ * rates[index];
      }
      if (index == 0) learning_rate_ = optimizer.learning_rate;
    });
  }

  M& method_;
  BasicFitOptions<Labelled> options_;
  Unlabelled target_;
  int target_batch_;
  typename Domains::Loader loader_;
  decltype(std::declval<M&>().optimizer()) optimizer_;
  Tape<Scalar> tape_;
  double progress_ = 0.0;
  double learning_rate_ = 0.0;
  double rate_factor_ = 1.0;
};

/// Trains `method` on a labelled source and an unlabelled target and returns the history: a row an epoch. The sets are of
/// images, or of features (data::Features, data::UnlabelledFeatures): what a frozen network gave, computed once.
template <class M, class Labelled, class Unlabelled, class... Callbacks>
History adapt(M& method, const Labelled& source, const Unlabelled& target, const BasicFitOptions<Labelled>& options,
              Callbacks&&... callbacks) {
  Adaptation<M, Labelled> adaptation(method, source, target, options);
  return train(adaptation, {.epochs = options.epochs, .checkpoint = options.checkpoint, .resume = options.resume},
               std::forward<Callbacks>(callbacks)...);
}

GRAFT_END

#pragma once
/// \file trainer.hpp  The one fit loop: steps, an evaluation and a checkpoint at the end of each epoch, callbacks in between.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/core/tape.hpp"
#include "graft/train/checkpoint.hpp"
#include "graft/train/history.hpp"

#include <chrono>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

GRAFT_BEGIN

/// Named means over the steps of an epoch. Names must live as long as the means (use literals).
class Means {
 public:
  void add(std::string_view name, double value) {
    for (Entry& entry : entries_) {
      if (entry.name == name) {
        entry.sum += value;
        ++entry.count;
        entry.last = value;
        return;
      }
    }
    entries_.push_back({name, value, 1, value});
  }
  /// The value of a loss, which gets the name on its tape too.
  template <class T>
  void add(const char* name, const Loss<T>& loss) {
    loss.tape->name(*loss.node, name);
    add(name, static_cast<double>(loss.value()));
  }
  void clear() {
    for (Entry& entry : entries_) entry.sum = 0.0, entry.count = 0;
  }
  struct Entry {
    std::string_view name;
    double sum = 0.0;
    std::int64_t count = 0;
    double last = 0.0;
  };
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }

 private:
  std::vector<Entry> entries_;
};

/// What a callback may do to the run that it listens to, between epochs.
class RunControl {
 public:
  /// The run ends after this epoch.
  void stop() { stopped_ = true; }
  [[nodiscard]] bool stopped() const { return stopped_; }
  /// What the method's learning rate is multiplied by. Throws Error for a method that has no set_rate_factor.
  void set_rate_factor(double factor) {
    scale_(factor);
    rate_factor_ = factor;
  }
  [[nodiscard]] double rate_factor() const { return rate_factor_; }
  /// All that the method saves, as the bytes of a checkpoint.
  [[nodiscard]] std::string snapshot() const { return snapshot_(); }
  void restore(const std::string& bytes) const { restore_(bytes); }

 private:
  template <class Method, class... Callbacks>
  friend History train(Method&, const struct TrainOptions&, Callbacks&&...);
  template <class Method>
  explicit RunControl(Method& method)
      : scale_([&method](double factor) {
          if constexpr (requires { method.set_rate_factor(factor); }) {
            method.set_rate_factor(factor);
          } else {
            static_cast<void>(method);
            fail("this method's learning rate cannot be scaled; give it a member set_rate_factor(double).");
          }
        }),
        snapshot_([&method] {
          CheckpointWriter file;
          method.save(file);
          return file.bytes();
        }),
        restore_([&method](const std::string& bytes) {
          CheckpointReader file = CheckpointReader::of_bytes(bytes, "kept in memory");
          method.load(file);
        }) {}
  std::function<void(double)> scale_;
  std::function<std::string()> snapshot_;
  std::function<void(const std::string&)> restore_;
  double rate_factor_ = 1.0;
  bool stopped_ = false;
};

/// What callbacks are told. Every callback is an object with any of the members on_begin(const RunInfo&), on_step(const
/// StepInfo&), on_epoch(const EpochInfo&), on_end(const History&); with save(CheckpointWriter&) and load(const
/// CheckpointReader&) its state is part of the run's checkpoint.
struct RunInfo {
  int epochs = 0;
  int first_epoch = 0;  ///< above 0 when resumed
  int steps_per_epoch = 0;
  int images_per_step = 0;
  RunControl* control = nullptr;
};
struct StepInfo {
  int epoch = 0;
  int step = 0;  ///< within the epoch
  const RunInfo* run = nullptr;
  const Means* means = nullptr;
};
struct EpochInfo {
  int epoch = 0;
  const RunInfo* run = nullptr;
  const Row* row = nullptr;
  const History* history = nullptr;
};

template <class C>
concept Callback = requires(C& c, const RunInfo& run) {
  c.on_begin(run);
}
|| requires(C& c, const StepInfo& info) { c.on_step(info); }
|| requires(C& c, const EpochInfo& info) { c.on_epoch(info); }
|| requires(C& c, const History& history) { c.on_end(history); };

struct TrainOptions {
  int epochs = 1;
  std::filesystem::path checkpoint{};  ///< written after every epoch when given
  bool resume = false;                 ///< go on from it when it exists
};

/// Trains `method`, which provides
///   int steps_per_epoch(), int images_per_step()
///   void begin_epoch(std::uint64_t step)                          set its loaders to this global step
///   void step(double progress, std::uint64_t step, Means&)         one update; progress runs from 0 to 1 over all epochs
///   void evaluate(Row&)                                            adds columns at the end of an epoch
///   void save(CheckpointWriter&), void load(CheckpointReader&)
///   void set_rate_factor(double)                                   if ReduceOnPlateau is to scale its learning rate
/// Each row begins with epoch, seconds (of the steps alone) and images_per_second, then the means of the epoch, then what
/// evaluate adds. The checkpoint is written after the callbacks were told of the epoch. A run that was killed and resumed gives
/// the same weights, bit for bit, as one that was not: everything random is a function of (seed, step). Throws Error when a
/// mean is not a number, and for a checkpoint of another run.
template <class Method, class... Callbacks>
History train(Method& method, const TrainOptions& options, Callbacks&&... callbacks) {
  static_assert((Callback<std::remove_reference_t<Callbacks>> && ...),
                "graft: a callback needs one of on_begin, on_step, on_epoch, on_end; is it const although they are not?");
  if (options.epochs < 1) fail("a run of ", options.epochs, " epochs was asked for; give at least 1.");
  RunInfo run{options.epochs, 0, method.steps_per_epoch(), method.images_per_step()};
  RunControl control(method);
  run.control = &control;
  History history;
  const auto number_callbacks = [&](auto&& call) {
    int number = 0;
    (call(callbacks, "callback/" + std::to_string(number++)), ...);
  };
  if (options.resume && !options.checkpoint.empty() && std::filesystem::exists(options.checkpoint)) {
    CheckpointReader file(options.checkpoint);
    const int planned = static_cast<int>(file.number("run/epochs"));
    const int steps = static_cast<int>(file.number("run/steps_per_epoch"));
    const int images = static_cast<int>(file.number("run/images_per_step"));
    if (planned != run.epochs || steps != run.steps_per_epoch || images != run.images_per_step) {
      fail("the checkpoint '", options.checkpoint.string(), "' belongs to a run of ", planned, " epochs of ", steps,
           " steps of ", images, " images, but this one has ", run.epochs, " of ", run.steps_per_epoch, " of ",
           run.images_per_step, "; schedules depend on that, so resume with the options that the run began with.");
    }
    method.load(file);
    history = History::from_csv(file.text("run/history"));
    run.first_epoch = static_cast<int>(file.number("run/next_epoch"));
    if (file.has("run/stopped") && file.number("run/stopped") != 0.0) control.stop();
    if (file.has("run/rate_factor") && file.number("run/rate_factor") != 1.0)
      control.set_rate_factor(file.number("run/rate_factor"));
    number_callbacks([&](auto& callback, const std::string& name) {
      if constexpr (requires(const CheckpointReader& state) { callback.load(state); }) {
        if (file.has(name)) callback.load(CheckpointReader::of_bytes(file.text(name), file.path() + " (" + name + ")"));
      }
    });
  }
  const auto tell = [&](auto&& call) { (call(callbacks), ...); };
  tell([&](auto& callback) {
    if constexpr (requires { callback.on_begin(run); }) callback.on_begin(run);
  });
  Means means;
  const double total = static_cast<double>(options.epochs) * run.steps_per_epoch;
  for (int epoch = run.first_epoch; epoch < options.epochs && !control.stopped(); ++epoch) {
    means.clear();
    const std::uint64_t first = static_cast<std::uint64_t>(epoch) * static_cast<std::uint64_t>(run.steps_per_epoch);
    method.begin_epoch(first);
    const auto start = std::chrono::steady_clock::now();
    for (int step = 0; step < run.steps_per_epoch; ++step) {
      const std::uint64_t global = first + static_cast<std::uint64_t>(step);
      method.step(static_cast<double>(global) / total, global, means);
      for (const Means::Entry& entry : means.entries()) {
        if (!std::isfinite(entry.last)) {
          fail("training broke down: ", entry.name, " is not a finite number at epoch ", epoch + 1, ", step ", step + 1,
               "; lower the learning rate, or look for bad values in the data.");
        }
      }
      const StepInfo info{epoch, step, &run, &means};
      tell([&](auto& callback) {
        if constexpr (requires { callback.on_step(info); }) callback.on_step(info);
      });
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    Row row;
    row.set("epoch", epoch + 1);
    row.set("seconds", seconds);
    row.set("images_per_second", static_cast<double>(run.steps_per_epoch) * run.images_per_step / seconds);
    for (const Means::Entry& entry : means.entries()) row.set(entry.name, entry.sum / static_cast<double>(entry.count));
    method.evaluate(row);
    history.add(row);
    const EpochInfo info{epoch, &run, &row, &history};
    tell([&](auto& callback) {
      if constexpr (requires { callback.on_epoch(info); }) callback.on_epoch(info);
    });
    if (!options.checkpoint.empty()) {
      CheckpointWriter file;
      file.add_number("run/epochs", run.epochs);
      file.add_number("run/steps_per_epoch", run.steps_per_epoch);
      file.add_number("run/images_per_step", run.images_per_step);
      file.add_number("run/next_epoch", epoch + 1);
      file.add_text("run/history", history.csv());
      file.add_number("run/stopped", control.stopped() ? 1.0 : 0.0);
      file.add_number("run/rate_factor", control.rate_factor());
      method.save(file);
      number_callbacks([&](auto& callback, const std::string& name) {
        if constexpr (requires(CheckpointWriter & state) { callback.save(state); }) {
          CheckpointWriter state;
          callback.save(state);
          file.add_text(name, state.bytes());
        }
      });
      file.write(options.checkpoint);
    }
  }
  tell([&](auto& callback) {
    if constexpr (requires { callback.on_end(history); }) callback.on_end(history);
  });
  return history;
}

GRAFT_END

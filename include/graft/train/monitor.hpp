#pragma once
/// \file monitor.hpp  Callbacks that watch one column of the history: stop early, lower the rate on a plateau, keep the best.
/// Their state is part of the run's checkpoint, so a resumed run decides as one that was never interrupted.
///
/// In domain adaptation nothing may be chosen by the target's labels: a column such as target_accuracy is the score that the
/// run is judged by. Monitoring one is refused unless `target_labels_may_choose` says that this run is an oracle on purpose.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/train/checkpoint.hpp"
#include "graft/train/trainer.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

GRAFT_BEGIN

/// Which values of a column are better.
enum class Goal { smallest, largest };

/// Whether a column says, by its name, that it was measured with the target's labels: all that begin with "target_" but those
/// of label-free measures (entropy, confidence, diversity, density, snd, domain; `target_dev`).
inline bool measured_on_target_labels(std::string_view column) {
  if (column.substr(0, 7) != "target_" || column == "target_dev") return false;
  for (const std::string_view free : {"entropy", "confidence", "diversity", "density", "snd", "domain"}) {
    if (column.find(free) != std::string_view::npos) return false;
  }
  return true;
}

namespace detail {

/// The best value so far and how many epochs have passed without a better one.
struct Watch {
  double best = std::nan("");
  double since = 0.0;

  /// Whether `value` is better by more than `least` than all before; NaN never is.
  bool better(double value, Goal goal, double least) {
    const double gain = goal == Goal::largest ? value - best : best - value;
    const bool good = !std::isnan(value) && (std::isnan(best) || gain > least);
    since = good ? 0.0 : since + 1.0;
    if (good) best = value;
    return good;
  }
};
inline void check_monitor(const char* who, const std::string& column, bool target_labels_may_choose) {
  if (column.empty()) fail(who, ": give the name of a column of the history to monitor.");
  if (measured_on_target_labels(column) && !target_labels_may_choose) {
    fail(who, ": '", column,
         "' is measured with the target's labels, and target labels may not choose: the score would no longer ",
         "be that of an unlabelled target. Monitor a source or label-free column, or, for an oracle that is reported as one, "
         "set ",
         "target_labels_may_choose.");
  }
}
inline double monitored(const char* who, const std::string& column, const Row& row) {
  for (const auto& [name, value] : row.values()) {
    if (name == column) return value;
  }
  std::string names;
  for (const auto& [name, value] : row.values()) names += " " + name;
  fail(who, ": the run records no column '", column, "' to monitor; it has", names, ".");
}
inline RunControl& control_of(const char* who, const RunInfo& run) {
  if (run.control == nullptr) fail(who, " needs a run of graft::train, which lets it stop and restore.");
  return *run.control;
}

}  // namespace detail

struct EarlyStoppingOptions {
  std::string monitor = "loss";
  Goal goal = Goal::smallest;
  int patience = 5;          ///< epochs without improvement after which the run ends
  double min_delta = 0.0;    ///< what is at least an improvement
  bool restore_best = true;  ///< the run ends with the weights of the best epoch, not the last
  bool target_labels_may_choose = false;
};

/// Ends the run when a column has not improved for `patience` epochs. It keeps the best weights in memory. Throws Error, when
/// it is made, for a column measured on target labels (see above).
class EarlyStopping {
 public:
  explicit EarlyStopping(EarlyStoppingOptions options = {}) : options_(std::move(options)) {
    detail::check_monitor("EarlyStopping", options_.monitor, options_.target_labels_may_choose);
    if (options_.patience < 1) fail("EarlyStopping: a patience of ", options_.patience, " epochs; give at least 1.");
  }
  /// The best epoch, from 1, and its value; 0 before any.
  [[nodiscard]] int best_epoch() const { return static_cast<int>(best_epoch_); }
  [[nodiscard]] double best() const { return watch_.best; }

  void on_begin(const RunInfo& run) {
    control_ = &detail::control_of("EarlyStopping", run);
    if (run.first_epoch == 0) watch_ = {}, best_epoch_ = 0.0, weights_.clear();
  }
  void on_epoch(const EpochInfo& info) {
    const double value = detail::monitored("EarlyStopping", options_.monitor, *info.row);
    if (watch_.better(value, options_.goal, options_.min_delta)) {
      best_epoch_ = info.epoch + 1;
      if (options_.restore_best) weights_ = control_->snapshot();
    } else if (watch_.since >= options_.patience) {
      control_->stop();
    }
  }
  void on_end(const History&) {
    if (options_.restore_best && !weights_.empty()) control_->restore(weights_);
  }
  void save(CheckpointWriter& file) const {
    const double state[] = {watch_.best, watch_.since, best_epoch_};
    file.add("early_stopping", state, 3);
    file.add_text("weights", weights_);
  }
  void load(const CheckpointReader& file) {
    double state[3];
    file.get("early_stopping", state, 3);
    watch_ = {state[0], state[1]};
    best_epoch_ = state[2];
    weights_ = file.text("weights");
  }

 private:
  EarlyStoppingOptions options_;
  detail::Watch watch_;
  double best_epoch_ = 0.0;
  std::string weights_;
  RunControl* control_ = nullptr;
};

struct ReduceOnPlateauOptions {
  std::string monitor = "loss";
  Goal goal = Goal::smallest;
  double factor = 0.1;
  int patience = 10;
  double min_delta = 1e-4;
  int cooldown = 0;     ///< epochs after a reduction in which nothing is counted
  double least = 1e-6;  ///< the rate is not scaled below this part of what the schedule gives
  bool target_labels_may_choose = false;
};

/// Multiplies the learning rate, whatever its schedule, by `factor` when a column has not improved for `patience` epochs (as
/// Keras's ReduceLROnPlateau). Throws Error as EarlyStopping, and for a method whose rate cannot be scaled.
class ReduceOnPlateau {
 public:
  explicit ReduceOnPlateau(ReduceOnPlateauOptions options = {}) : options_(std::move(options)) {
    detail::check_monitor("ReduceOnPlateau", options_.monitor, options_.target_labels_may_choose);
    if (!(options_.factor > 0.0 && options_.factor < 1.0))
      fail("ReduceOnPlateau: a factor of ", options_.factor, "; give one between 0 and 1.");
    if (options_.patience < 1) fail("ReduceOnPlateau: a patience of ", options_.patience, " epochs; give at least 1.");
  }
  void on_begin(const RunInfo& run) {
    control_ = &detail::control_of("ReduceOnPlateau", run);
    if (run.first_epoch == 0) watch_ = {}, cooling_ = 0.0;
  }
  void on_epoch(const EpochInfo& info) {
    const double value = detail::monitored("ReduceOnPlateau", options_.monitor, *info.row);
    const bool cooled = cooling_ <= 0.0;
    if (!cooled) cooling_ -= 1.0;
    if (watch_.better(value, options_.goal, options_.min_delta)) return;
    if (!cooled) watch_.since = 0.0;
    if (watch_.since < options_.patience) return;
    control_->set_rate_factor(std::max(options_.least, control_->rate_factor() * options_.factor));
    watch_.since = 0.0;
    cooling_ = options_.cooldown;
  }
  void save(CheckpointWriter& file) const {
    const double state[] = {watch_.best, watch_.since, cooling_};
    file.add("reduce_on_plateau", state, 3);
  }
  void load(const CheckpointReader& file) {
    double state[3];
    file.get("reduce_on_plateau", state, 3);
    watch_ = {state[0], state[1]};
    cooling_ = state[2];
  }

 private:
  ReduceOnPlateauOptions options_;
  detail::Watch watch_;
  double cooling_ = 0.0;
  RunControl* control_ = nullptr;
};

struct BestCheckpointOptions {
  std::string monitor = "loss";
  Goal goal = Goal::smallest;
  bool target_labels_may_choose = false;
};

/// Writes what the method saves (models and optimiser) to `path` whenever a column is better than ever; read it with
/// CheckpointReader and load_model. Throws Error as EarlyStopping.
class BestCheckpoint {
 public:
  explicit BestCheckpoint(std::filesystem::path path, BestCheckpointOptions options = {})
      : path_(std::move(path)), options_(std::move(options)) {
    detail::check_monitor("BestCheckpoint", options_.monitor, options_.target_labels_may_choose);
  }
  [[nodiscard]] int best_epoch() const { return static_cast<int>(best_epoch_); }
  [[nodiscard]] double best() const { return watch_.best; }

  void on_begin(const RunInfo& run) {
    control_ = &detail::control_of("BestCheckpoint", run);
    if (run.first_epoch == 0) watch_ = {}, best_epoch_ = 0.0;
  }
  void on_epoch(const EpochInfo& info) {
    if (!watch_.better(detail::monitored("BestCheckpoint", options_.monitor, *info.row), options_.goal, 0.0)) return;
    best_epoch_ = info.epoch + 1;
    atomic_write(path_, control_->snapshot());
  }
  void save(CheckpointWriter& file) const {
    const double state[] = {watch_.best, watch_.since, best_epoch_};
    file.add("best_checkpoint", state, 3);
  }
  void load(const CheckpointReader& file) {
    double state[3];
    file.get("best_checkpoint", state, 3);
    watch_ = {state[0], state[1]};
    best_epoch_ = state[2];
  }

 private:
  std::filesystem::path path_;
  BestCheckpointOptions options_;
  detail::Watch watch_;
  double best_epoch_ = 0.0;
  RunControl* control_ = nullptr;
};

GRAFT_END

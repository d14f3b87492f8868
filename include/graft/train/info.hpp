#pragma once
/// \file info.hpp  What the training loop tells its method and its callbacks.
#include "graft/config.hpp"
#include "graft/train/history.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

GRAFT_BEGIN

/// Named running means over an epoch. After the first step adding allocates nothing.
class Means {
 public:
  struct Entry {
    std::string name;
    double sum = 0.0;
    double last = 0.0;
    std::uint64_t count = 0;
    [[nodiscard]] double mean() const { return sum / static_cast<double>(count); }
  };

  void add(std::string_view name, double value) {
    Entry* entry = nullptr;
    for (Entry& e : entries_) {
      if (e.name == name) entry = &e;
    }
    if (entry == nullptr) entry = &entries_.emplace_back(Entry{std::string(name)});
    entry->sum += value;
    entry->last = value;
    ++entry->count;
  }
  /// Forgets the numbers and keeps the names.
  void clear() {
    for (Entry& e : entries_) e.sum = e.last = 0.0, e.count = 0;
  }
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
  /// The first mean whose last value was NaN or infinite, or null.
  [[nodiscard]] const Entry* not_finite() const {
    for (const Entry& e : entries_) {
      if (!std::isfinite(e.last)) return &e;
    }
    return nullptr;
  }

 private:
  std::vector<Entry> entries_;
};

/// A run, before its first step.
struct RunInfo {
  int epochs = 0;       ///< planned
  int first_epoch = 1;  ///< above 1 when the run is resumed
  int steps_per_epoch = 0;
  int images_per_step = 0;
  const History& history;  ///< of the epochs before first_epoch
};

/// After a step.
struct StepInfo {
  int epoch = 0;  ///< counted from 1
  int epochs = 0;
  int step = 0;  ///< done in this epoch, from 1 to steps_per_epoch
  int steps_per_epoch = 0;
  int images_per_step = 0;
  std::uint64_t global_step = 0;  ///< of this step, counted from 0
  double progress = 0.0;          ///< p of this step, in [0, 1)
  const Means& means;             ///< of this epoch so far
};

/// After an epoch and its evaluation.
struct EpochInfo {
  int epoch = 0;  ///< counted from 1
  int epochs = 0;
  double seconds = 0.0;  ///< of the epoch's steps
  double images_per_second = 0.0;
  const Row& row;
  const History& history;  ///< this epoch included
};

GRAFT_END

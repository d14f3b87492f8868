#pragma once
/// \file metrics.hpp  Counts of what was right and what was taken for what.
#include "graft/config.hpp"
#include "graft/core/error.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

GRAFT_BEGIN

/// Index of the largest of `count` numbers; the first of equals.
template <class T>
int argmax(const T* values, int count) {
  int best = 0;
  for (int i = 1; i < count; ++i) {
    if (values[i] > values[best]) best = i;
  }
  return best;
}

/// A confusion matrix: how often label `row` was predicted as `column`.
class Confusion {
 public:
  explicit Confusion(int classes)
      : classes_(classes), counts_(static_cast<std::size_t>(classes) * static_cast<std::size_t>(classes)) {}

  /// Throws Error when either is out of range.
  void add(int label, int prediction) {
    if (label < 0 || label >= classes_ || prediction < 0 || prediction >= classes_) {
      fail("Confusion of ", classes_, " classes: label ", label, " or prediction ", prediction, " is out of range.");
    }
    ++counts_[static_cast<std::size_t>(label * classes_ + prediction)];
    ++total_;
  }
  [[nodiscard]] int classes() const { return classes_; }
  [[nodiscard]] std::int64_t total() const { return total_; }
  [[nodiscard]] std::int64_t count(int label, int prediction) const {
    return counts_[static_cast<std::size_t>(label * classes_ + prediction)];
  }
  /// Part of all samples on the diagonal, 0 for none.
  [[nodiscard]] double accuracy() const {
    std::int64_t right = 0;
    for (int c = 0; c < classes_; ++c) right += count(c, c);
    return total_ > 0 ? static_cast<double>(right) / static_cast<double>(total_) : 0.0;
  }
  /// For each class the part of its samples that were recognised (recall); 0 for a class without samples.
  [[nodiscard]] std::vector<double> per_class_accuracy() const {
    std::vector<double> result;
    for (int c = 0; c < classes_; ++c) {
      std::int64_t row = 0;
      for (int p = 0; p < classes_; ++p) row += count(c, p);
      result.push_back(row > 0 ? static_cast<double>(count(c, c)) / static_cast<double>(row) : 0.0);
    }
    return result;
  }

 private:
  int classes_;
  std::int64_t total_ = 0;
  std::vector<std::int64_t> counts_;
};

GRAFT_END

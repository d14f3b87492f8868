#pragma once
/// \file metrics.hpp  Counting right and wrong answers.
#include "graft/config.hpp"
#include "graft/core/error.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

GRAFT_BEGIN

/// Index of the largest of `count` numbers, the first of equals; a NaN is never the largest.
template <class T>
int argmax(const T* values, int count) {
  int best = 0;
  for (int i = 1; i < count; ++i) {
    if (values[i] > values[best] || values[best] != values[best]) best = i;
  }
  return best;
}

/// Counts of (true class, predicted class).
class Confusion {
 public:
  /// Throws Error unless there is at least one class.
  explicit Confusion(int classes) : classes_(classes) {
    if (classes < 1) fail("Confusion: expected at least 1 class, got ", classes, ".");
    counts_.resize(static_cast<std::size_t>(classes) * static_cast<std::size_t>(classes));
  }

  /// Counts one sample. Throws Error when either number is not in [0, classes).
  void add(int label, int prediction) {
    if (label < 0 || label >= classes_ || prediction < 0 || prediction >= classes_) {
      fail("Confusion: label ", label, " or prediction ", prediction, " is not in 0 to ", classes_ - 1,
           "; make it with as many classes as the classifier has outputs.");
    }
    ++counts_[index(label, prediction)];
    ++total_;
  }

  [[nodiscard]] int classes() const { return classes_; }
  [[nodiscard]] std::uint64_t total() const { return total_; }
  [[nodiscard]] std::uint64_t count(int label, int prediction) const { return counts_[index(label, prediction)]; }
  /// Samples of the true class `label`.
  [[nodiscard]] std::uint64_t count(int label) const {
    std::uint64_t sum = 0;
    for (int p = 0; p < classes_; ++p) sum += count(label, p);
    return sum;
  }

  /// Share of right answers in [0, 1]; NaN where nothing was counted.
  [[nodiscard]] double accuracy() const {
    std::uint64_t right = 0;
    for (int c = 0; c < classes_; ++c) right += count(c, c);
    return share(right, total_);
  }
  /// Share of right answers within each true class (recall); NaN for a class without samples.
  [[nodiscard]] std::vector<double> per_class_accuracy() const {
    std::vector<double> shares;
    for (int c = 0; c < classes_; ++c) shares.push_back(share(count(c, c), count(c)));
    return shares;
  }

 private:
  [[nodiscard]] std::size_t index(int label, int prediction) const {
    return static_cast<std::size_t>(label) * static_cast<std::size_t>(classes_) + static_cast<std::size_t>(prediction);
  }
  static double share(std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? std::numeric_limits<double>::quiet_NaN() : static_cast<double>(part) / static_cast<double>(whole);
  }
  int classes_;
  std::uint64_t total_ = 0;
  std::vector<std::uint64_t> counts_;
};

GRAFT_END

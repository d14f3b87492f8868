#pragma once
/// \file distribution_alignment.hpp  Guesses that come out as often as their classes do: Berthelot, Carlini, Cubuk, Kurakin,
/// Sohn, Zhang, Raffel, "ReMixMatch: semi-supervised learning with distribution alignment and augmentation anchoring", ICLR
/// 2020, section 3.1, with the target as the unlabelled part.
#include "graft/config.hpp"

#include <cstddef>
#include <vector>

GRAFT_BEGIN

/// Rows of probabilities, each times the source's share of the class over the running mean of what was guessed, and divided by
/// their sum: no class takes over all. It holds that classes are about as frequent in the target as in the source. Both means
/// begin as uniform and remember about 1 / (1 - keep) steps.
template <class T>
class DistributionAlignment {
 public:
  DistributionAlignment(int classes, double keep)
      : keep_(keep), share_(static_cast<std::size_t>(classes), 1.0 / classes), mean_(share_), aligned_() {}

  /// `labels`: of the source's samples in this step; p: rows x classes. The result is valid until the next call.
  const T* operator()(const int* labels, int labelled, const T* p, int rows) {
    const std::size_t classes = share_.size(), n = static_cast<std::size_t>(rows);
    const double take = 1.0 - keep_;
    for (std::size_t c = 0; c < classes; ++c) {
      share_[c] *= keep_;
      mean_[c] *= keep_;
    }
    for (int i = 0; i < labelled; ++i) {
      const std::size_t label = static_cast<std::size_t>(labels[i]);
      if (label < classes) share_[label] += take / labelled;  // of others cross_entropy tells
    }
    for (std::size_t i = 0; i < n * classes; ++i) mean_[i % classes] += take / rows * static_cast<double>(p[i]);
    aligned_.resize(n * classes);
    for (std::size_t row = 0; row < n; ++row, p += classes) {
      double sum = 0.0;
      for (std::size_t c = 0; c < classes; ++c) sum += static_cast<double>(p[c]) * factor(c);
      for (std::size_t c = 0; c < classes; ++c)
        aligned_[row * classes + c] = static_cast<T>(static_cast<double>(p[c]) * factor(c) / sum);
    }
    return aligned_.data();
  }
  /// For checkpoints: f(name, numbers, count).
  template <class F>
  void for_each_state(F&& f) {
    f("alignment/share", share_.data(), share_.size());
    f("alignment/mean", mean_.data(), mean_.size());
  }

 private:
  /// 1 for a class that neither domain has shown for long.
  [[nodiscard]] double factor(std::size_t c) const { return mean_[c] < 1e-30 ? 1.0 : share_[c] / mean_[c]; }
  double keep_;
  std::vector<double> share_, mean_;
  std::vector<T> aligned_;
};

GRAFT_END

#pragma once
/// \file guesses.hpp  What a classifier takes every image of an unlabelled set for, how sure it is, and which of that is
/// believed.
#include "graft/config.hpp"
#include "graft/core/labels.hpp"
#include "graft/data/feature_loader.hpp"
#include "graft/data/loader.hpp"
#include "graft/loss/supervised.hpp"
#include "graft/transfer/centroids.hpp"
#include "graft/transfer/score.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <vector>

GRAFT_BEGIN

/// Pseudo-labels of a set. A label that is not believed is -1, which cross_entropy is told to ignore.
class Guesses {
 public:
  /// Labels `set` by the models, body and then head, in inference mode; believes nothing yet.
  template <class Set, class First, class... Rest>
  void make(const Set& set, const data::Normalize& normalize, First& first, Rest&... rest) {
    using T = typename First::Scalar;
    detail::Pipeline<T, First, Rest...> pipeline(first, rest...);
    constexpr int classes = std::tuple_element_t<sizeof...(Rest), std::tuple<First, Rest...>>::output.c;
    labels_.clear();
    confidence_.clear();
    data::for_each_batch<T>(set, First::input, 256, normalize, [&](const data::Batch<T>& batch) {
      const T* logits = pipeline(batch.images, batch.count);
      for (std::ptrdiff_t i = 0; i < batch.count; ++i) {
        const T* row = logits + i * classes;
        labels_.push_back(argmax(row, classes));
        double sum = 0.0;
        for (int c = 0; c < classes; ++c) sum += std::exp(static_cast<double>(row[c] - row[labels_.back()]));
        confidence_.push_back(1.0 / sum);
      }
    });
    believed_.assign(labels_.size(), -1);
  }
  /// Labels `set` by the nearest centroid of the body's features (centroids.hpp) and believes it all; confidence() is that of
  /// the head's most probable class. Holds the whole set's features.
  template <class Set, class Body, class Head>
  void make_by_centroids(const Set& set, const data::Normalize& normalize, Body& body, Head& head) {
    using T = typename Body::Scalar;
    constexpr std::size_t classes = static_cast<std::size_t>(Head::output.c), wide = Body::output.size();
    std::vector<T> features(set.size() * wide), p(set.size() * classes);
    std::size_t done = 0;
    data::for_each_batch<T>(set, Body::input, 256, normalize, [&](const data::Batch<T>& batch) {
      body.predict(batch.images, batch.count, features.data() + done * wide);
      head.predict(features.data() + done * wide, batch.count, p.data() + done * classes);
      done += static_cast<std::size_t>(batch.count);
    });
    kernel::softmax_forward(Cpu{}, static_cast<int>(done), Head::output.c, p.data(), p.data());
    labels_ = believed_ = labels_by_centroids(features, p, done);
    confidence_.resize(done);
    for (std::size_t i = 0; i < done; ++i)
      confidence_[i] = static_cast<double>(*std::max_element(p.data() + i * classes, p.data() + (i + 1) * classes));
  }
  /// Believes the guesses of at least this probability.
  void believe_above(double threshold) {
    for (std::size_t i = 0; i < labels_.size(); ++i) believed_[i] = confidence_[i] >= threshold ? labels_[i] : -1;
  }
  /// Believes, of each class, the surest `share` of what was taken for it, so that classes which are easy do not crowd out the
  /// others (Zou et al. 2018).
  void believe_share(double share) {
    std::vector<std::size_t> order(labels_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return labels_[a] != labels_[b] ? labels_[a] < labels_[b] : confidence_[a] > confidence_[b];
    });
    for (std::size_t begin = 0, end = 0; begin < order.size(); begin = end) {
      while (end < order.size() && labels_[order[end]] == labels_[order[begin]]) ++end;
      const double wanted = std::ceil(share * static_cast<double>(end - begin));
      for (std::size_t i = begin; i < end; ++i)
        believed_[order[i]] = static_cast<double>(i - begin) < wanted ? labels_[order[i]] : -1;
    }
  }
  [[nodiscard]] bool empty() const { return labels_.empty(); }
  [[nodiscard]] std::size_t size() const { return labels_.size(); }
  /// What image `i` is believed to be, or -1.
  [[nodiscard]] int label(std::size_t i) const { return believed_[i]; }
  [[nodiscard]] double confidence(std::size_t i) const { return confidence_[i]; }
  /// The part of all images whose label is believed.
  [[nodiscard]] double believed() const {
    const auto none = std::count(believed_.begin(), believed_.end(), -1);
    return empty() ? 0.0 : 1.0 - static_cast<double>(none) / static_cast<double>(believed_.size());
  }
  /// The believed labels of a batch's target rows, valid until the next call.
  template <class T>
  ClassLabels<> of(const data::PairedBatch<T>& batch) {
    batch_.resize(static_cast<std::size_t>(batch.target_count));
    for (std::size_t i = 0; i < batch_.size(); ++i) batch_[i] = believed_[batch.target_index[i]];
    return {batch_.data(), batch.target_count};
  }

 private:
  std::vector<int> labels_, believed_, batch_;
  std::vector<double> confidence_;
};

/// Cross-entropy on believed labels, summed over the batch and divided by all its rows: where little is believed, little is
/// learnt (tllib's confidence-based self-training; FixMatch, Sohn et al. 2020, equation 4).
template <Shape S, Kind K, class T>
Loss<T> believed_cross_entropy(const Var<S, K, T>& logits, ClassLabels<> labels) {
  const auto none = std::count(labels.begin(), labels.end(), -1);
  CrossEntropyOptions<T> options;
  options.ignored = -1;
  return (1.0 - static_cast<double>(none) / labels.count) * cross_entropy(logits, labels, options);
}

GRAFT_END

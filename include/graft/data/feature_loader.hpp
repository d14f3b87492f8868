#pragma once
/// \file feature_loader.hpp  Batches of samples that are numbers already. The order is that of Loader and PairedLoader with the
/// same batch, seed and stream: step s holds the features of the very images that the image loader would have given.
#include "graft/config.hpp"
#include "graft/data/features.hpp"
#include "graft/data/loader.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

GRAFT_BEGIN
namespace data {

struct FeatureLoaderOptions {
  int batch = 128;
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;  ///< as LoaderOptions::stream
  bool shuffle = true;
};

/// Batches of one labelled set of features.
template <class T = float>
class FeatureLoader {
 public:
  FeatureLoader(Features<T> set, FeatureLoaderOptions options)
      : set_(std::move(set)), options_(options), order_(set_.size(), options.seed, options.stream, options.shuffle) {
    detail::check_batch(options_.batch);
    numbers_.resize(static_cast<std::size_t>(options_.batch) * set_.shape().size());
    labels_.resize(static_cast<std::size_t>(options_.batch));
  }
  [[nodiscard]] int steps_per_epoch() const { return detail::steps_for(set_.size(), options_.batch); }
  /// Continues at any step of the run.
  void seek(std::uint64_t step) { step_ = step; }
  /// The next batch, valid until the next call.
  Batch<T> next() {
    const std::size_t n = labels_.size(), row = set_.shape().size();
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t index = order_(step_ * n + i);
      std::copy_n(set_.sample(index), row, numbers_.data() + i * row);
      labels_[i] = set_.label(index);
    }
    ++step_;
    Batch<T> batch;
    batch.images = numbers_.data();
    batch.count = options_.batch;
    batch.labels = labels_.data();
    return batch;
  }

 private:
  Features<T> set_;
  FeatureLoaderOptions options_;
  detail::IndexStream order_;
  std::vector<T> numbers_;
  std::vector<int> labels_;
  std::uint64_t step_ = 0;
};

struct PairedFeatureOptions {
  int source_batch = 128;
  int target_batch = 128;
  std::uint64_t seed = 0;
};

/// Batches of a labelled source and an unlabelled target of features. Throws Error when their shapes differ.
template <class T = float>
class PairedFeatureLoader {
 public:
  PairedFeatureLoader(Features<T> source, UnlabelledFeatures<T> target, PairedFeatureOptions options)
      : source_(std::move(source)),
        target_(std::move(target)),
        options_(options),
        source_order_(source_.size(), options.seed, 1, true),
        target_order_(target_.size(), options.seed, 2, true) {
    detail::check_batch(options_.source_batch);
    detail::check_batch(options_.target_batch);
    if (source_.shape() != target_.shape()) {
      fail("the features of '", source_.name(), "' and '", target_.name(),
           "' differ in shape; one network must have made both.");
    }
    const std::size_t rows = static_cast<std::size_t>(options_.source_batch) + static_cast<std::size_t>(options_.target_batch);
    numbers_.resize(rows * source_.shape().size());
    labels_.resize(static_cast<std::size_t>(options_.source_batch));
    targets_.resize(static_cast<std::size_t>(options_.target_batch));
    domains_.assign(rows, 1);
    std::fill(domains_.begin(), domains_.begin() + options_.source_batch, 0);
  }
  /// Steps until the longer set has been seen once.
  [[nodiscard]] int steps_per_epoch() const {
    return std::max(detail::steps_for(source_.size(), options_.source_batch),
                    detail::steps_for(target_.size(), options_.target_batch));
  }
  /// Continues at any step of the run.
  void seek(std::uint64_t step) { step_ = step; }
  /// The next batch, valid until the next call.
  PairedBatch<T> next() {
    const std::size_t ns = labels_.size(), nt = domains_.size() - ns, row = source_.shape().size();
    for (std::size_t i = 0; i < ns; ++i) {
      const std::size_t index = source_order_(step_ * ns + i);
      std::copy_n(source_.sample(index), row, numbers_.data() + i * row);
      labels_[i] = source_.label(index);
    }
    for (std::size_t i = 0; i < nt; ++i) {
      targets_[i] = target_order_(step_ * nt + i);
      std::copy_n(target_.sample(targets_[i]), row, numbers_.data() + (ns + i) * row);
    }
    ++step_;
    return {numbers_.data(), options_.source_batch, options_.target_batch, row,
            labels_.data(),  domains_.data(),       targets_.data()};
  }

 private:
  Features<T> source_;
  UnlabelledFeatures<T> target_;
  PairedFeatureOptions options_;
  detail::IndexStream source_order_;
  detail::IndexStream target_order_;
  std::vector<T> numbers_;
  std::vector<int> labels_;
  std::vector<int> domains_;
  std::vector<std::size_t> targets_;
  std::uint64_t step_ = 0;
};

/// Calls f(batch) over a set of features in its order, as for_each_batch does over images; nothing is normalised.
template <class T, class Set, class F>
requires requires(const Set& set) { set.sample(0); }
void for_each_batch(const Set& set, Shape to, int batch, const Normalize&, F&& f) {
  detail::check_batch(batch);
  if (set.shape().size() != to.size()) {
    fail("the features of '", set.name(), "' are ", set.shape().size(), " numbers but the net takes ", to.size(),
         "; both must agree.");
  }
  for (std::size_t begin = 0; begin < set.size(); begin += static_cast<std::size_t>(batch)) {
    const std::size_t count = std::min(static_cast<std::size_t>(batch), set.size() - begin);
    Batch<T> part;
    part.images = set.sample(begin);
    part.count = static_cast<int>(count);
    if constexpr (requires { set.labels(); }) part.labels = set.labels().data() + begin;
    f(part);
  }
}

}  // namespace data
GRAFT_END

#pragma once
/// \file feature_cache.hpp  A frozen network in front of what is trained gives the same numbers in every epoch, unless
/// augmentation changes its input: computed once, they are a set of their own on which the epochs run.
///
///   FeatureCache cache{{.memory = std::size_t{2} << 30}};
///   const auto features = cache.features(trunk, train_set, normalize);      // once
///   data::FeatureLoader<float> loader(features, {.batch = 32, .seed = 0});   // in the place of data::Loader
///
/// The trunk runs in inference mode, BatchNorm with its running statistics, as the frozen layers of TrainFrom do. A sample's
/// features do not depend on its batch (each output number is one chain of sums over that sample alone, which
/// tests/ops/batches.cpp holds for every op), so training on them gives the bits of training on the images with the trunk in
/// front.
#include "graft/config.hpp"
#include "graft/core/buffer.hpp"
#include "graft/core/error.hpp"
#include "graft/core/model.hpp"
#include "graft/core/parallel.hpp"
#include "graft/data/dataset.hpp"
#include "graft/data/features.hpp"
#include "graft/data/normalize.hpp"
#include "graft/data/scratch_file.hpp"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <limits>
#include <memory>
#include <vector>

GRAFT_BEGIN

struct FeatureCacheOptions {
  std::size_t memory = std::size_t{1} << 30;  ///< bytes of all sets that may lie in memory
  std::size_t disk = 0;                       ///< bytes of those that did not fit there and may lie on disk, in mapped files
  std::filesystem::path folder{};             ///< of those files, which have no names; empty: the system's temporary folder
  int batch = 64;                             ///< images that the trunk takes at a time
};

/// Makes sets of features within a budget. The sets own their numbers and may outlive it.
class FeatureCache {
 public:
  explicit FeatureCache(FeatureCacheOptions options = {}) : options_(std::move(options)) {
    if (options_.batch < 1) fail("FeatureCache: a batch of ", options_.batch, " images was asked for; give at least 1.");
  }

  /// What `trunk` gives for each image of `set`, in its order. Throws Error when that fits neither budget.
  template <class N, class Device, class T>
  data::UnlabelledFeatures<T> features(Model<N, Device, T>& trunk, const data::Unlabelled& set,
                                       const data::Normalize& normalize) {
    return run(trunk, set, normalize);
  }
  /// The same with the labels of the images.
  template <class N, class Device, class T>
  data::Features<T> features(Model<N, Device, T>& trunk, const data::Labelled& set, const data::Normalize& normalize) {
    return {run(trunk, set, normalize), set.labels(), set.classes()};
  }

  /// Bytes that its sets took.
  [[nodiscard]] std::size_t memory_used() const { return memory_used_; }
  [[nodiscard]] std::size_t disk_used() const { return disk_used_; }

 private:
  template <class N, class Device, class T, class Set>
  data::UnlabelledFeatures<T> run(Model<N, Device, T>& trunk, const Set& set, const data::Normalize& normalize) {
    constexpr std::size_t in = N::input.size(), out = N::output.size();
    const Shape from = set.shape();
    data::Normalize::check(set.name(), from, N::input);
    const std::shared_ptr<T> numbers = take<T>(set.name(), set.size(), out);
    const std::size_t batch = std::min(static_cast<std::size_t>(options_.batch), set.size());
    std::vector<T> images(batch * in);
    for (std::size_t begin = 0; begin < set.size(); begin += batch) {
      const std::size_t count = std::min(batch, set.size() - begin);
      parallel_for(static_cast<int>(count), [&](int i) {
        const std::size_t at = static_cast<std::size_t>(i);
        normalize.write(set.pixels(begin + at), from, N::input, images.data() + at * in);
      });
      trunk.predict(images.data(), static_cast<int>(count), numbers.get() + begin * out);
    }
    return {set.name(), N::output, set.size(), numbers};
  }

  template <class T>
  std::shared_ptr<T> take(const std::string& name, std::size_t samples, std::size_t row) {
    if (samples > std::numeric_limits<std::size_t>::max() / sizeof(T) / row) {
      fail("the features of the set '", name, "' are more than an address can reach.");
    }
    const std::size_t bytes = samples * row * sizeof(T);
    if (bytes <= options_.memory - std::min(memory_used_, options_.memory)) {
      memory_used_ += bytes;
      const auto owner = std::make_shared<Buffer<T>>(samples * row);
      return {owner, owner->data()};
    }
    if (bytes <= options_.disk - std::min(disk_used_, options_.disk)) {
      const auto numbers = data::scratch_on_disk<T>(
          options_.folder.empty() ? std::filesystem::temp_directory_path() : options_.folder, samples * row);
      disk_used_ += bytes;
      return numbers;
    }
    fail("the features of the set '", name, "' take ", bytes, " bytes, but of the cache's budget ",
         options_.memory - std::min(memory_used_, options_.memory), " bytes of memory and ",
         options_.disk - std::min(disk_used_, options_.disk),
         " of disk are left; raise FeatureCacheOptions::memory or ::disk, ",
         "cut the trunk where its output is smaller, or train on the images.");
  }

  FeatureCacheOptions options_;
  std::size_t memory_used_ = 0;
  std::size_t disk_used_ = 0;
};

GRAFT_END

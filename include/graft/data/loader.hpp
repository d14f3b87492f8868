#pragma once
/// \file loader.hpp  Batches. Each domain is an endless stream, the concatenation of freshly shuffled passes over its set; step
/// s takes positions [s b, (s + 1) b). So every batch is full, nothing is dropped, the shorter of two sets reshuffles and goes
/// on, and the order is a function of (seed, step) alone: the same for any number of threads, with or without prefetch, and
/// after a resume.
#include "graft/config.hpp"
#include "graft/core/accelerator.hpp"
#include "graft/core/buffer.hpp"
#include "graft/core/random.hpp"
#include "graft/data/augment.hpp"
#include "graft/data/batch.hpp"
#include "graft/data/dataset.hpp"
#include "graft/data/filler.hpp"
#include "graft/data/normalize.hpp"
#include "graft/data/prefetch.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

GRAFT_BEGIN
namespace data {

struct LoaderOptions {
  int batch = 128;
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;  ///< two loaders of one seed and different streams shuffle independently
  Normalize normalize{};
  bool shuffle = true;
  bool prefetch = true;
  Augment augment{};
  int threads = 1;  ///< that make a batch, besides the training's own; the numbers do not depend on it
};

/// Batches of one labelled set.
template <class T = float>
class Loader {
 public:
  Loader(Labelled set, Shape to, const LoaderOptions& options)
      : to_(to),
        options_(options),
        fill_images_(std::move(set), to, options.batch, options.seed, options.stream, options.shuffle, options.normalize,
                     options.augment, std::max(1, options.threads)),
        crew_(options.threads) {
    for (auto& slot : slots_) {
      slot.images.resize(static_cast<std::size_t>(options_.batch) * to_.size());
      slot.labels.resize(2 * static_cast<std::size_t>(options_.batch));
    }
    spare_.resize(mixes() ? to_.size() : 0);
  }
  [[nodiscard]] int steps_per_epoch() const { return detail::steps_for(fill_images_.set().size(), options_.batch); }
  /// Continues at any step of the run.
  void seek(std::uint64_t step) { step_ = step; }
  /// The next batch, valid until the next call.
  Batch<T> next() {
    const int s = prefetcher_.next(step_, options_.prefetch, [this](int slot, std::uint64_t step) { fill(slot, step); });
    ++step_;
    const Slot& slot = slots_[s];
    Batch<T> batch{slot.images.data(), options_.batch, slot.labels.data()};
    if (mixes()) batch.partner_labels = slot.labels.data() + options_.batch, batch.share = slot.share;
    return batch;
  }

 private:
  struct Slot {
    std::vector<T> images;
    std::vector<int> labels;  ///< own, then the partners'
    double share = 1.0;
  };
  [[nodiscard]] bool mixes() const { return fill_images_.augment().mixup_alpha() > 0.0; }
  void fill(int slot, std::uint64_t step) {
    Slot& to = slots_[slot];
    const std::size_t n = fill_images_.count();
    fill_images_(step, crew_, to.images.data());
    for (std::size_t i = 0; i < n; ++i) to.labels[i] = fill_images_.set().label(fill_images_.index(i));
    if (mixes()) mix_rows(to, step);
  }
  void mix_rows(Slot& to, std::uint64_t step) {
    const std::size_t n = fill_images_.count(), size = to_.size();
    Random random(options_.seed, graft::mix(graft::mix(0x6d6978, options_.stream), step));
    to.share = detail::draw_beta(fill_images_.augment().mixup_alpha(), random);
    const T own = static_cast<T>(to.share), other = T{1} - own;
    std::copy(to.images.begin(), to.images.begin() + static_cast<std::ptrdiff_t>(size), spare_.begin());
    for (std::size_t i = 0; i < n; ++i) {  // the following image is still unmixed; the last takes the first, kept aside
      T* row = to.images.data() + i * size;
      const T* next = i + 1 < n ? row + size : spare_.data();
      for (std::size_t k = 0; k < size; ++k) row[k] = own * row[k] + other * next[k];
      to.labels[n + i] = to.labels[(i + 1) % n];
    }
  }
  Shape to_;
  LoaderOptions options_;
  detail::Filler<Labelled, T> fill_images_;
  std::vector<T> spare_;
  Slot slots_[2];
  std::uint64_t step_ = 0;
  detail::Crew crew_;
  detail::Prefetcher prefetcher_;  // last: its thread uses all of the others
};

struct PairedOptions {
  int source_batch = 128;
  int target_batch = 128;
  std::uint64_t seed = 0;
  Normalize normalize{};
  bool prefetch = true;
  Augment augment{};          ///< of the source's images
  Augment target_augment{};   ///< of the target's
  bool clean_target = false;  ///< the batches have the target's images unchanged, too
  int threads = 1;            ///< that make a batch, besides the training's own; the numbers do not depend on it
};

/// Batches of a labelled source and an unlabelled target of any two sizes. Given a device, and sets that need no augmentation
/// and take at most a quarter of its free memory, it keeps the sets' bytes there and makes the batches there; `images` is then
/// the device's memory.
template <class T = float>
class PairedLoader {
 public:
  PairedLoader(Labelled source, Unlabelled target, Shape to, const PairedOptions& options,
               const Accelerator<T>* device = nullptr)
      : to_(to),
        options_(options),
        source_(std::move(source), to, options.source_batch, options.seed, 1, true, options.normalize, options.augment,
                std::max(1, options.threads)),
        target_(std::move(target), to, options.target_batch, options.seed, 2, true, options.normalize, options.target_augment,
                std::max(1, options.threads)),
        crew_(options.threads) {
    if (options.augment.mixup_alpha() > 0.0 || options.target_augment.mixup_alpha() > 0.0)
      fail("a PairedLoader does not mix images with their labels; leave mixup out of its augmentations.");
    if (options_.target_augment.empty())
      options_.clean_target = false;  // they are the target's images
    else if (options_.clean_target)
      data::Normalize::check(target_.set().name(), target_.set().shape(), to_);
    const std::size_t rows = static_cast<std::size_t>(options_.source_batch + options_.target_batch);
    settle(device, rows);
    for (auto& slot : slots_) {
      if (device_ == nullptr) slot.images.resize(rows * to_.size());
      if (device_ != nullptr) slot.drawn.resize(rows);
      if (options_.clean_target) slot.clean.resize(static_cast<std::size_t>(options_.target_batch) * to_.size());
      slot.labels.resize(static_cast<std::size_t>(options_.source_batch));
      slot.targets.resize(static_cast<std::size_t>(options_.target_batch));
    }
    domains_.assign(rows, 1);
    std::fill(domains_.begin(), domains_.begin() + options_.source_batch, 0);
  }
  /// Steps until the longer set has been seen once.
  [[nodiscard]] int steps_per_epoch() const {
    return std::max(detail::steps_for(source_.set().size(), options_.source_batch),
                    detail::steps_for(target_.set().size(), options_.target_batch));
  }
  /// Continues at any step of the run.
  void seek(std::uint64_t step) { step_ = step; }
  /// The next batch, valid until the next call.
  PairedBatch<T> next() {
    const int slot = prefetcher_.next(step_, options_.prefetch, [this](int s, std::uint64_t step) { fill(s, step); });
    ++step_;
    Slot& made = slots_[slot];
    if (device_ != nullptr) draw(made);
    return {device_ != nullptr ? drawn_.data() : made.images.data(),
            options_.source_batch,
            options_.target_batch,
            to_.size(),
            made.labels.data(),
            domains_.data(),
            made.targets.data(),
            options_.clean_target ? made.clean.data() : nullptr};
  }
  /// Whether batches are made on the device.
  [[nodiscard]] bool settled() const { return device_ != nullptr; }

 private:
  struct Slot {
    std::vector<T> images, clean;
    std::vector<int> labels;
    std::vector<std::size_t> targets;
    std::vector<std::uint32_t> drawn;  ///< which images, for the device
  };
  void settle(const Accelerator<T>* device, std::size_t rows) {
    if (device == nullptr) return;
    const std::size_t source = source_.bytes_to_settle(), target = target_.bytes_to_settle();
    if (source == 0 || target == 0 || source + target > device->spare() / 4) return;
    source_.settle(*device);
    target_.settle(*device);
    which_ = Buffer<std::uint32_t>(rows, device);
    drawn_ = Buffer<T>(rows * to_.size(), device);
    device_ = device;
  }
  /// On the training's thread: what a step asks of the device comes in order, so that one buffer is enough.
  void draw(const Slot& from) {
    device_->upload(from.drawn.size() * sizeof(std::uint32_t), from.drawn.data(), which_.data());
    source_.draw(*device_, which_.data(), drawn_.data());
    target_.draw(*device_, which_.data() + source_.count(), drawn_.data() + source_.count() * to_.size());
  }
  void fill(int slot, std::uint64_t step) {
    Slot& to = slots_[slot];
    if (device_ != nullptr) {
      source_.choose(step);
      target_.choose(step);
      for (std::size_t i = 0; i < source_.count(); ++i) to.drawn[i] = static_cast<std::uint32_t>(source_.index(i));
      for (std::size_t i = 0; i < target_.count(); ++i)
        to.drawn[source_.count() + i] = static_cast<std::uint32_t>(target_.index(i));
    } else {
      source_(step, crew_, to.images.data());
      target_(step, crew_, to.images.data() + source_.count() * to_.size());
    }
    for (std::size_t i = 0; i < source_.count(); ++i) to.labels[i] = source_.set().label(source_.index(i));
    for (std::size_t i = 0; i < target_.count(); ++i) to.targets[i] = target_.index(i);
    if (options_.clean_target) target_.clean(crew_, to.clean.data());
  }
  Shape to_;
  PairedOptions options_;
  detail::Filler<Labelled, T> source_;
  detail::Filler<Unlabelled, T> target_;
  std::vector<int> domains_;
  const Accelerator<T>* device_ = nullptr;  // that makes the batches
  Buffer<std::uint32_t> which_;
  Buffer<T> drawn_;
  Slot slots_[2];
  std::uint64_t step_ = 0;
  detail::Crew crew_;
  detail::Prefetcher prefetcher_;  // last: its thread uses all of the others
};

/// Calls f(batch) over a set in its order; the last batch may be short. Batches of an Unlabelled have no labels.
template <class T, class Set, class F>
void for_each_batch(const Set& set, Shape to, int batch, const Normalize& normalize, F&& f) {
  detail::check_batch(batch);
  Normalize::check(set.name(), set.shape(), to);
  std::vector<T> images(static_cast<std::size_t>(batch) * to.size());
  std::vector<int> labels(static_cast<std::size_t>(batch));
  for (std::size_t begin = 0; begin < set.size(); begin += static_cast<std::size_t>(batch)) {
    const std::size_t count = std::min(static_cast<std::size_t>(batch), set.size() - begin);
    for (std::size_t i = 0; i < count; ++i) {
      normalize.write(set.pixels(begin + i), set.shape(), to, images.data() + i * to.size());
      if constexpr (requires { set.label(begin); }) labels[i] = set.label(begin + i);
    }
    const bool labelled = requires { set.label(begin); };
    f(Batch<T>{images.data(), static_cast<int>(count), labelled ? labels.data() : nullptr});
  }
}

}  // namespace data
GRAFT_END

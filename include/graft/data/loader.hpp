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
#include <initializer_list>
#include <numeric>
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

namespace detail {
/// Whether sets of so many bytes, 0 being one that cannot, are kept on a device: they leave it three quarters of what it has
/// free.
template <class T>
bool settles(const Accelerator<T>* device, std::initializer_list<std::size_t> bytes) {
  if (device == nullptr || std::count(bytes.begin(), bytes.end(), std::size_t{0}) != 0) return false;
  return std::accumulate(bytes.begin(), bytes.end(), std::size_t{0}) <= device->spare() / 4;
}
}  // namespace detail

/// Batches of one labelled set. Given a device, and a set that takes at most a quarter of its free memory and is not changed by
/// a function of the user's, it keeps the set's bytes there and makes the batches there, augmentation and mixup included;
/// `images` is then the device's memory. Which images, and what is drawn for them, is the same on the host and on any device.
template <class T = float>
class Loader {
 public:
  Loader(Labelled set, Shape to, const LoaderOptions& options, const Accelerator<T>* device = nullptr)
      : to_(to),
        options_(options),
        fill_images_(std::move(set), to, options.batch, options.seed, options.stream, options.shuffle, options.normalize,
                     options.augment, std::max(1, options.threads)),
        crew_(options.threads) {
    const std::size_t rows = static_cast<std::size_t>(options_.batch);
    if (detail::settles(device, {fill_images_.bytes_to_settle()})) {
      fill_images_.settle(*device);
      device_ = device;
      made_ = Buffer<T>(rows * to_.size(), device);
      if (mixes()) unmixed_ = Buffer<T>((rows + 1) * to_.size(), device);
    }
    for (auto& slot : slots_) {
      if (device_ == nullptr) slot.images.resize(rows * to_.size());
      slot.labels.resize(2 * rows);
    }
    spare_.resize(mixes() && device_ == nullptr ? to_.size() : 0);
  }
  [[nodiscard]] int steps_per_epoch() const { return detail::steps_for(fill_images_.set().size(), options_.batch); }
  /// Continues at any step of the run.
  void seek(std::uint64_t step) { step_ = step; }
  /// The next batch, valid until the next call.
  Batch<T> next() {
    const int s = prefetcher_.next(step_, options_.prefetch, [this](int slot, std::uint64_t step) { fill(slot, step); });
    ++step_;
    const Slot& slot = slots_[s];
    if (device_ != nullptr) draw(slot);
    Batch<T> batch{device_ != nullptr ? made_.data() : slot.images.data(), options_.batch, slot.labels.data()};
    if (mixes()) batch.partner_labels = slot.labels.data() + options_.batch, batch.share = slot.share;
    return batch;
  }
  /// Whether batches are made on the device.
  [[nodiscard]] bool settled() const { return device_ != nullptr; }

 private:
  struct Slot {
    std::vector<T> images;
    std::vector<int> labels;  ///< own, then the partners'
    double share = 1.0;
    typename detail::Filler<Labelled, T>::Drawn drawn;  ///< for the device
  };
  [[nodiscard]] bool mixes() const { return fill_images_.augment().mixup_alpha() > 0.0; }
  void fill(int slot, std::uint64_t step) {
    Slot& to = slots_[slot];
    const std::size_t n = fill_images_.count();
    if (device_ != nullptr)
      fill_images_.choose(step, to.drawn);
    else
      fill_images_(step, crew_, to.images.data());
    for (std::size_t i = 0; i < n; ++i) to.labels[i] = fill_images_.set().label(fill_images_.index(i));
    if (!mixes()) return;
    Random random(options_.seed, graft::mix(graft::mix(0x6d6978, options_.stream), step));
    to.share = detail::draw_beta(fill_images_.augment().mixup_alpha(), random);
    for (std::size_t i = 0; i < n; ++i) to.labels[n + i] = to.labels[(i + 1) % n];
    if (device_ == nullptr) mix_rows(to);
  }
  void mix_rows(Slot& to) {
    const std::size_t n = fill_images_.count(), size = to_.size();
    const T own = static_cast<T>(to.share), other = T{1} - own;
    std::copy(to.images.begin(), to.images.begin() + static_cast<std::ptrdiff_t>(size), spare_.begin());
    for (std::size_t i = 0; i < n; ++i) {  // the following image is still unmixed; the last takes the first, kept aside
      T* row = to.images.data() + i * size;
      const T* next = i + 1 < n ? row + size : spare_.data();
      for (std::size_t k = 0; k < size; ++k) row[k] = own * row[k] + other * next[k];
    }
  }
  /// On the training's thread: what a step asks of the device comes in order, so that one buffer is enough.
  void draw(const Slot& from) {
    if (!mixes()) return fill_images_.draw(*device_, from.drawn, made_.data());
    const std::size_t size = to_.size(), all = made_.size();
    const T own = static_cast<T>(from.share);
    fill_images_.draw(*device_, from.drawn, unmixed_.data());
    device_->copy(size, unmixed_.data(), unmixed_.data() + all);  // the last row's partner is the first
    device_->copy(all, unmixed_.data(), made_.data());
    device_->blend(all, own, T{1} - own, unmixed_.data() + size, made_.data());
  }
  Shape to_;
  LoaderOptions options_;
  detail::Filler<Labelled, T> fill_images_;
  std::vector<T> spare_;
  const Accelerator<T>* device_ = nullptr;  // that makes the batches
  Buffer<T> made_, unmixed_;
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

/// Batches of a labelled source and an unlabelled target of any two sizes. Given a device they are made there, where Loader
/// would do so; `images` and `clean` are then the device's memory.
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
    const std::size_t clean = options_.clean_target ? static_cast<std::size_t>(options_.target_batch) * to_.size() : 0;
    if (detail::settles(device, {source_.bytes_to_settle(), target_.bytes_to_settle()})) {
      source_.settle(*device);
      target_.settle(*device);
      made_ = Buffer<T>(rows * to_.size(), device);
      clean_ = Buffer<T>(clean, device);
      device_ = device;
    }
    for (auto& slot : slots_) {
      if (device_ == nullptr) slot.images.resize(rows * to_.size());
      if (device_ == nullptr) slot.clean.resize(clean);
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
    const T* clean = device_ != nullptr ? clean_.data() : made.clean.data();
    return {device_ != nullptr ? made_.data() : made.images.data(),
            options_.source_batch,
            options_.target_batch,
            to_.size(),
            made.labels.data(),
            domains_.data(),
            made.targets.data(),
            options_.clean_target ? clean : nullptr};
  }
  /// Whether batches are made on the device.
  [[nodiscard]] bool settled() const { return device_ != nullptr; }

 private:
  struct Slot {
    std::vector<T> images, clean;
    std::vector<int> labels;
    std::vector<std::size_t> targets;
    typename detail::Filler<Labelled, T>::Drawn source_drawn;    ///< for the device
    typename detail::Filler<Unlabelled, T>::Drawn target_drawn;  ///< for the device
  };
  /// As Loader::draw().
  void draw(const Slot& from) {
    source_.draw(*device_, from.source_drawn, made_.data());
    target_.draw(*device_, from.target_drawn, made_.data() + source_.count() * to_.size(), clean_.data());
  }
  void fill(int slot, std::uint64_t step) {
    Slot& to = slots_[slot];
    if (device_ != nullptr) {
      source_.choose(step, to.source_drawn);
      target_.choose(step, to.target_drawn);
    } else {
      source_(step, crew_, to.images.data());
      target_(step, crew_, to.images.data() + source_.count() * to_.size());
      if (options_.clean_target) target_.clean(crew_, to.clean.data());
    }
    for (std::size_t i = 0; i < source_.count(); ++i) to.labels[i] = source_.set().label(source_.index(i));
    for (std::size_t i = 0; i < target_.count(); ++i) to.targets[i] = target_.index(i);
  }
  Shape to_;
  PairedOptions options_;
  detail::Filler<Labelled, T> source_;
  detail::Filler<Unlabelled, T> target_;
  std::vector<int> domains_;
  const Accelerator<T>* device_ = nullptr;  // that makes the batches
  Buffer<T> made_, clean_;
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

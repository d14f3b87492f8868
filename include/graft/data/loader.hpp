#pragma once
/// \file loader.hpp  Batches. Each domain is an endless stream, the concatenation of freshly shuffled passes over its set; step
/// s takes positions [s b, (s + 1) b). So every batch is full, nothing is dropped, the shorter of two sets reshuffles and goes
/// on, and the order is a function of (seed, step) alone: the same for any number of threads, with or without prefetch, and
/// after a resume.
#include "graft/config.hpp"
#include "graft/core/labels.hpp"
#include "graft/core/random.hpp"
#include "graft/core/tape.hpp"
#include "graft/data/dataset.hpp"
#include "graft/data/normalize.hpp"

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <numeric>
#include <thread>
#include <vector>

GRAFT_BEGIN
namespace data {

/// A batch of one set; `labels` is null for an unlabelled one.
template <class T>
struct Batch {
  const T* images = nullptr;
  int count = 0;
  const int* labels = nullptr;
  [[nodiscard]] Rows<T> rows() const { return {images, count, 0}; }
  [[nodiscard]] ClassLabels<> class_labels() const { return {labels, count}; }
};

/// A batch of both domains: source rows first. There are labels for the source only.
template <class T>
struct PairedBatch {
  const T* images = nullptr;
  int source_count = 0;
  int target_count = 0;
  std::size_t row = 0;           ///< numbers of one sample
  const int* labels = nullptr;   ///< source_count of them
  const int* domains = nullptr;  ///< source_count zeros, then target_count ones
  [[nodiscard]] Rows<T> rows() const { return {images, source_count + target_count, source_count}; }
  [[nodiscard]] Rows<T> source() const { return {images, source_count, source_count}; }
  [[nodiscard]] Rows<T> target() const { return {images + static_cast<std::size_t>(source_count) * row, target_count, 0}; }
  [[nodiscard]] ClassLabels<> class_labels() const { return {labels, source_count}; }
  [[nodiscard]] DomainLabels domain_labels() const { return {domains, source_count + target_count}; }
};

namespace detail {

/// The endless stream of indices into a set of `size`.
class IndexStream {
 public:
  IndexStream(std::size_t size, std::uint64_t seed, std::uint64_t stream, bool shuffled)
      : size_(size), seed_(seed), stream_(stream), shuffled_(shuffled), order_(size) {}
  /// The index at a position; cheap when positions go forward.
  std::size_t operator()(std::uint64_t position) {
    const std::uint64_t pass = position / size_;
    if (!ready_ || pass != pass_) {
      std::iota(order_.begin(), order_.end(), std::uint32_t{0});
      if (shuffled_) {
        Random random(seed_, mix(stream_, pass));
        shuffle(order_.data(), order_.size(), random);
      }
      pass_ = pass;
      ready_ = true;
    }
    return order_[static_cast<std::size_t>(position % size_)];
  }

 private:
  std::size_t size_;
  std::uint64_t seed_;
  std::uint64_t stream_;
  bool shuffled_;
  bool ready_ = false;
  std::uint64_t pass_ = 0;
  std::vector<std::uint32_t> order_;
};

/// Fills two buffers in turn, the next one on a thread of its own while the last is in use. `fill(slot, step)` writes a slot.
class Prefetcher {
 public:
  Prefetcher() = default;
  Prefetcher(const Prefetcher&) = delete;
  Prefetcher& operator=(const Prefetcher&) = delete;
  ~Prefetcher() { stop(); }

  /// Returns the slot that holds `step`, filled; starts on the following one.
  template <class Fill>
  int next(std::uint64_t step, bool threaded, Fill&& fill) {
    if (!threaded) {
      fill(0, step);
      return 0;
    }
    if (!thread_.joinable() || expected_ != step) {
      stop();
      expected_ = step;
      wanted_ = step;
      quit_ = false;
      error_ = nullptr;
      filled_ = step;
      thread_ = std::thread([this, fill] { work(fill); });
    }
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return filled_ > step || error_; });
    if (error_) {
      const std::exception_ptr error = error_;
      lock.unlock();
      stop();
      std::rethrow_exception(error);
    }
    wanted_ = step + 1;  // the buffer of step - 1 is free now: the thread may fill step + 1 into it
    expected_ = step + 1;
    changed_.notify_all();
    return static_cast<int>(step % 2);
  }

  void stop() {
    if (!thread_.joinable()) return;
    {
      const std::lock_guard lock(mutex_);
      quit_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

 private:
  template <class Fill>
  void work(const Fill& fill) {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] { return quit_ || filled_ <= wanted_; });
      if (quit_) return;
      const std::uint64_t step = filled_;
      lock.unlock();
      std::exception_ptr error;
      try {
        fill(static_cast<int>(step % 2), step);
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      error_ = error;
      ++filled_;
      changed_.notify_all();
      if (error_) return;
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::thread thread_;
  std::uint64_t expected_ = 0;
  std::uint64_t wanted_ = 0;  ///< the last step that may be filled
  std::uint64_t filled_ = 0;  ///< the next step to fill
  bool quit_ = false;
  std::exception_ptr error_;
};

inline int steps_for(std::size_t size, int batch) {
  return static_cast<int>((size + static_cast<std::size_t>(batch) - 1) / static_cast<std::size_t>(batch));
}
inline void check_batch(int batch) {
  if (batch < 1) fail("a batch of ", batch, " images was asked for; give at least 1.");
}

}  // namespace detail

struct LoaderOptions {
  int batch = 128;
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;  ///< two loaders of one seed and different streams shuffle independently
  Normalize normalize{};
  bool shuffle = true;
  bool prefetch = true;
};

/// Batches of one labelled set.
template <class T = float>
class Loader {
 public:
  Loader(Labelled set, Shape to, LoaderOptions options)
      : set_(std::move(set)), to_(to), options_(options), order_(set_.size(), options.seed, options.stream, options.shuffle) {
    detail::check_batch(options_.batch);
    Normalize::check(set_.name(), set_.shape(), to_);
    for (auto& slot : slots_) {
      slot.images.resize(static_cast<std::size_t>(options_.batch) * to_.size());
      slot.labels.resize(static_cast<std::size_t>(options_.batch));
    }
  }
  [[nodiscard]] int steps_per_epoch() const { return detail::steps_for(set_.size(), options_.batch); }
  /// Continues at any step of the run.
  void seek(std::uint64_t step) { step_ = step; }
  /// The next batch, valid until the next call.
  Batch<T> next() {
    const int slot = prefetcher_.next(step_, options_.prefetch, [this](int s, std::uint64_t step) { fill(s, step); });
    ++step_;
    return {slots_[slot].images.data(), options_.batch, slots_[slot].labels.data()};
  }

 private:
  struct Slot {
    std::vector<T> images;
    std::vector<int> labels;
  };
  void fill(int slot, std::uint64_t step) {
    Slot& to = slots_[slot];
    for (std::size_t i = 0; i < to.labels.size(); ++i) {
      const std::size_t index = order_(step * to.labels.size() + i);
      options_.normalize.write(set_.pixels(index), set_.shape(), to_, to.images.data() + i * to_.size());
      to.labels[i] = set_.label(index);
    }
  }
  Labelled set_;
  Shape to_;
  LoaderOptions options_;
  detail::IndexStream order_;
  Slot slots_[2];
  std::uint64_t step_ = 0;
  detail::Prefetcher prefetcher_;
};

struct PairedOptions {
  int source_batch = 128;
  int target_batch = 128;
  std::uint64_t seed = 0;
  Normalize normalize{};
  bool prefetch = true;
};

/// Batches of a labelled source and an unlabelled target of any two sizes.
template <class T = float>
class PairedLoader {
 public:
  PairedLoader(Labelled source, Unlabelled target, Shape to, PairedOptions options)
      : source_(std::move(source)),
        target_(std::move(target)),
        to_(to),
        options_(options),
        source_order_(source_.size(), options.seed, 1, true),
        target_order_(target_.size(), options.seed, 2, true) {
    detail::check_batch(options_.source_batch);
    detail::check_batch(options_.target_batch);
    Normalize::check(source_.name(), source_.shape(), to_);
    Normalize::check(target_.name(), target_.shape(), to_);
    const std::size_t rows = static_cast<std::size_t>(options_.source_batch + options_.target_batch);
    for (auto& slot : slots_) {
      slot.images.resize(rows * to_.size());
      slot.labels.resize(static_cast<std::size_t>(options_.source_batch));
    }
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
    const int slot = prefetcher_.next(step_, options_.prefetch, [this](int s, std::uint64_t step) { fill(s, step); });
    ++step_;
    return {slots_[slot].images.data(), options_.source_batch, options_.target_batch, to_.size(),
            slots_[slot].labels.data(), domains_.data()};
  }

 private:
  struct Slot {
    std::vector<T> images;
    std::vector<int> labels;
  };
  void fill(int slot, std::uint64_t step) {
    Slot& to = slots_[slot];
    const std::size_t ns = static_cast<std::size_t>(options_.source_batch);
    const std::size_t nt = static_cast<std::size_t>(options_.target_batch);
    for (std::size_t i = 0; i < ns; ++i) {
      const std::size_t index = source_order_(step * ns + i);
      options_.normalize.write(source_.pixels(index), source_.shape(), to_, to.images.data() + i * to_.size());
      to.labels[i] = source_.label(index);
    }
    for (std::size_t i = 0; i < nt; ++i) {
      const std::size_t index = target_order_(step * nt + i);
      options_.normalize.write(target_.pixels(index), target_.shape(), to_, to.images.data() + (ns + i) * to_.size());
    }
  }
  Labelled source_;
  Unlabelled target_;
  Shape to_;
  PairedOptions options_;
  detail::IndexStream source_order_;
  detail::IndexStream target_order_;
  std::vector<int> domains_;
  Slot slots_[2];
  std::uint64_t step_ = 0;
  detail::Prefetcher prefetcher_;
};

/// Calls f(batch) over a set in its order; the last batch may be short.
template <class T, class F>
void for_each_batch(const Labelled& set, Shape to, int batch, const Normalize& normalize, F&& f) {
  detail::check_batch(batch);
  Normalize::check(set.name(), set.shape(), to);
  std::vector<T> images(static_cast<std::size_t>(batch) * to.size());
  std::vector<int> labels(static_cast<std::size_t>(batch));
  for (std::size_t begin = 0; begin < set.size(); begin += static_cast<std::size_t>(batch)) {
    const std::size_t count = std::min(static_cast<std::size_t>(batch), set.size() - begin);
    for (std::size_t i = 0; i < count; ++i) {
      normalize.write(set.pixels(begin + i), set.shape(), to, images.data() + i * to.size());
      labels[i] = set.label(begin + i);
    }
    f(Batch<T>{images.data(), static_cast<int>(count), labels.data()});
  }
}

}  // namespace data
GRAFT_END

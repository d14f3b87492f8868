#pragma once
/// \file prefetch.hpp  The order in which a loader walks its set, and the threads that read ahead for it.
#include "graft/config.hpp"
#include "graft/core/random.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <numeric>
#include <thread>
#include <type_traits>
#include <vector>

GRAFT_BEGIN
namespace data {
namespace detail {

/// The endless stream of indices into a set of `size`.
class IndexStream {
 public:
  IndexStream(std::size_t size, std::uint64_t seed, std::uint64_t stream, bool shuffled)
      : size_(size), seed_(seed), stream_(stream), shuffled_(shuffled), order_(size) {}
  /// Which pass over the set a position belongs to.
  [[nodiscard]] std::uint64_t pass(std::uint64_t position) const { return position / size_; }
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

/// Threads that share the making of a batch: run(count, f) calls f(index, worker) once for each index, worker below size().
/// They wait on a condition, not by spinning, so they leave the cores to the training step; after the first run nothing is
/// allocated.
class Crew {
 public:
  explicit Crew(int size) : size_(std::max(1, size)) {}
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;
  ~Crew() {
    {
      const std::lock_guard lock(mutex_);
      quit_ = true;
    }
    begin_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  [[nodiscard]] int size() const { return size_; }

  template <class F>
  void run(std::size_t count, F&& f) {
    if (size_ == 1) {
      for (std::size_t i = 0; i < count; ++i) f(i, 0);
      return;
    }
    while (static_cast<int>(threads_.size()) < size_ - 1) {
      const int worker = static_cast<int>(threads_.size()) + 1;
      threads_.emplace_back([this, worker] { wait(worker); });
    }
    {
      const std::lock_guard lock(mutex_);
      call_ = [](void* self, std::size_t i, int worker) { (*static_cast<std::remove_reference_t<F>*>(self))(i, worker); };
      user_ = const_cast<void*>(static_cast<const void*>(&f));
      count_ = count;
      next_ = 0;
      busy_ = size_ - 1;
      error_ = nullptr;
      ++turn_;
    }
    begin_.notify_all();
    work(0);
    std::unique_lock lock(mutex_);
    end_.wait(lock, [&] { return busy_ == 0; });
    if (error_) std::rethrow_exception(error_);
  }

 private:
  void wait(int worker) {
    std::uint64_t seen = 0;
    std::unique_lock lock(mutex_);
    while (true) {
      begin_.wait(lock, [&] { return quit_ || turn_ != seen; });
      if (quit_) return;
      seen = turn_;
      lock.unlock();
      work(worker);
      lock.lock();
      if (--busy_ == 0) end_.notify_all();
    }
  }
  void work(int worker) {
    for (std::size_t i = next_++; i < count_; i = next_++) {
      try {
        call_(user_, i, worker);
      } catch (...) {
        const std::lock_guard lock(mutex_);
        if (!error_ || i < failed_) {
          error_ = std::current_exception();
          failed_ = i;
        }
      }
    }
  }

  int size_;
  std::mutex mutex_;
  std::condition_variable begin_, end_;
  std::vector<std::thread> threads_;
  void (*call_)(void*, std::size_t, int) = nullptr;
  void* user_ = nullptr;
  std::size_t count_ = 0;
  std::atomic<std::size_t> next_{0};
  int busy_ = 0;
  std::uint64_t turn_ = 0;
  bool quit_ = false;
  std::exception_ptr error_;
  std::size_t failed_ = 0;
};

}  // namespace detail
}  // namespace data
GRAFT_END

#pragma once
/// \file later.hpp  GRAFT_EMULATE_LATER=1 in the environment: what a thread asks of the emulated device runs only when it waits
/// for it, as late as a real device may. A host that reads too early finds the old numbers, one that overwrites too early
/// spoils what was asked for.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>

namespace emulate {

inline const bool later = std::getenv("GRAFT_EMULATE_LATER") != nullptr;

/// The calling thread's stream.
struct Asked {
  std::deque<std::function<void()>> queue;
  std::uint64_t begun = 0;  ///< that are no longer in the queue
};
/// It outlives all that the thread holds, which is given back through it: kept to the end of the program.
inline Asked& asked() {
  static auto* const all = new std::deque<Asked>;
  static std::mutex mutex;
  thread_local Asked* const stream = [] {
    const std::lock_guard lock(mutex);
    return &all->emplace_back();
  }();
  return *stream;
}
/// Runs the first `count` of all that was ever asked for.
inline void run_until(std::uint64_t count) {
  while (!asked().queue.empty() && asked().begun < count) {
    const std::function<void()> next = std::move(asked().queue.front());
    asked().queue.pop_front();
    ++asked().begun;
    next();
  }
}
inline void run_all() { run_until(~std::uint64_t{0}); }

/// Which memory is the device's.
class Blocks {
 public:
  void add(void* memory, std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    bytes_[static_cast<char*>(memory)] = bytes;
  }
  void remove(void* memory) {
    const std::lock_guard lock(mutex_);
    bytes_.erase(static_cast<char*>(memory));
  }
  [[nodiscard]] bool hold(const void* at) {
    const std::lock_guard lock(mutex_);
    char* const place = const_cast<char*>(static_cast<const char*>(at));
    auto next = bytes_.upper_bound(place);
    if (next == bytes_.begin()) return false;
    --next;
    return place < next->first + next->second;
  }

 private:
  std::mutex mutex_;
  std::map<char*, std::size_t> bytes_;
};
inline Blocks blocks;

/// In stream order: from the host's memory, which is read at once; to it, after which the bytes are there; within the device's.
inline void copy(void* to, const void* from, std::size_t bytes) {
  if (!later) {
    std::memmove(to, from, bytes);
  } else if (!blocks.hold(from)) {
    asked().queue.emplace_back(
        [to, kept = std::string(static_cast<const char*>(from), bytes)] { std::memcpy(to, kept.data(), kept.size()); });
  } else if (!blocks.hold(to)) {
    run_all();
    std::memcpy(to, from, bytes);
  } else {
    asked().queue.emplace_back([=] { std::memmove(to, from, bytes); });
  }
}

}  // namespace emulate

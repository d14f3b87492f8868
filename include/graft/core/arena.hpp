#pragma once
/// \file arena.hpp  A bump allocator. Memory is taken in order, given back all at once by reset() (or to a mark, like a stack),
/// and kept: a step that asks for the same sizes as the one before allocates nothing.
#include "graft/config.hpp"
#include "graft/core/buffer.hpp"

#include <cstddef>
#include <type_traits>
#include <vector>

GRAFT_BEGIN

namespace detail {

/// A place to return to.
struct PoolMark {
  std::size_t block = 0;
  std::size_t used = 0;
};

/// Blocks of one memory, used from the first on.
class Pool {
 public:
  explicit Pool(const DeviceMemory* memory = nullptr) : memory_(memory) {}

  void* take(std::size_t bytes) {
    bytes = (bytes + alignment - 1) / alignment * alignment;
    while (at_.block < blocks_.size() && at_.used + bytes > blocks_[at_.block].size()) {
      ++at_.block;
      at_.used = 0;
    }
    if (at_.block == blocks_.size()) {
      const std::size_t floor = blocks_.empty() ? std::size_t{1} << 16 : 2 * blocks_.back().size();
      const std::size_t ceiling = std::size_t{1} << 26;
      blocks_.emplace_back(std::max(bytes, std::min(floor, ceiling)), memory_);
    }
    std::byte* start = blocks_[at_.block].data() + at_.used;
    at_.used += bytes;
    return start;
  }
  [[nodiscard]] PoolMark mark() const { return at_; }
  void release(PoolMark mark) { at_ = mark; }
  [[nodiscard]] bool untouched() const { return at_.block == 0 && at_.used == 0; }
  [[nodiscard]] const DeviceMemory* memory() const { return memory_; }
  [[nodiscard]] std::size_t capacity() const {
    std::size_t total = 0;
    for (const Buffer<std::byte>& block : blocks_) total += block.size();
    return total;
  }

 private:
  const DeviceMemory* memory_;
  std::vector<Buffer<std::byte>> blocks_;
  PoolMark at_;
};

}  // namespace detail

/// Numbers, which a device may work on, lie apart from the host's own structures, which it never sees.
class Arena {
 public:
  Arena() = default;
  /// Numbers in this memory; null: the host's.
  explicit Arena(const DeviceMemory* memory) : numbers_(memory) {}

  /// A place to return to; everything taken after it is given back by release().
  struct Mark {
    detail::PoolMark numbers, structures;
  };

  /// `count` numbers of T, 64-byte aligned, contents unspecified; valid until reset() or release() of an earlier mark.
  template <class T>
  T* take(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T>);
    return static_cast<T*>(numbers_.take(count * sizeof(T)));
  }
  /// The same of the host's structures, whatever memory numbers lie in.
  template <class T>
  T* take_host(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T>);
    return static_cast<T*>(structures_.take(count * sizeof(T)));
  }
  /// One structure, value-initialised.
  template <class T>
  T* make() {
    return ::new (take_host<T>(1)) T{};
  }

  [[nodiscard]] Mark mark() const { return {numbers_.mark(), structures_.mark()}; }
  void release(Mark mark) {
    numbers_.release(mark.numbers);
    structures_.release(mark.structures);
  }
  void reset() { release({}); }

  [[nodiscard]] const DeviceMemory* memory() const { return numbers_.memory(); }
  /// Takes numbers from another memory from now on; false, and nothing changes, when some have been taken since reset().
  [[nodiscard]] bool move_to(const DeviceMemory* memory) {
    if (memory == numbers_.memory()) return true;
    if (!numbers_.untouched()) return false;
    numbers_ = detail::Pool(memory);
    return true;
  }

  /// Bytes held from the system: the high-water mark of what was asked for, block rounding included.
  [[nodiscard]] std::size_t capacity() const { return numbers_.capacity() + structures_.capacity(); }

 private:
  detail::Pool numbers_, structures_;
};

/// Gives an arena's memory back to where it stood, at the end of a scope.
class ArenaScope {
 public:
  explicit ArenaScope(Arena& arena) : arena_(arena), mark_(arena.mark()) {}
  ArenaScope(const ArenaScope&) = delete;
  ArenaScope& operator=(const ArenaScope&) = delete;
  ~ArenaScope() { arena_.release(mark_); }

 private:
  Arena& arena_;
  Arena::Mark mark_;
};

GRAFT_END

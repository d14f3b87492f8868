#pragma once
/// \file arena.hpp  A bump allocator. Memory is taken in order, given back all at once by reset() (or to a mark, like a stack),
/// and kept: a step that asks for the same sizes as the one before allocates nothing.
#include "graft/config.hpp"
#include "graft/core/buffer.hpp"

#include <cstddef>
#include <type_traits>
#include <vector>

GRAFT_BEGIN

class Arena {
 public:
  /// A place to return to; everything taken after it is given back by release().
  struct Mark {
    std::size_t block = 0;
    std::size_t used = 0;
  };

  /// `count` elements of T, 64-byte aligned, contents unspecified; valid until reset() or release() of an earlier mark.
  template <class T>
  T* take(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T>);
    return static_cast<T*>(take_bytes(count * sizeof(T)));
  }
  /// One T, value-initialised.
  template <class T>
  T* make() {
    return ::new (take<T>(1)) T{};
  }

  [[nodiscard]] Mark mark() const { return {block_, used_}; }
  void release(Mark mark) {
    block_ = mark.block;
    used_ = mark.used;
  }
  void reset() { release({}); }

  /// Bytes held from the system: the high-water mark of what was asked for, block rounding included.
  [[nodiscard]] std::size_t capacity() const {
    std::size_t total = 0;
    for (const Buffer<std::byte>& block : blocks_) total += block.size();
    return total;
  }

 private:
  void* take_bytes(std::size_t bytes) {
    bytes = (bytes + alignment - 1) / alignment * alignment;
    while (block_ < blocks_.size() && used_ + bytes > blocks_[block_].size()) {
      ++block_;
      used_ = 0;
    }
    if (block_ == blocks_.size()) {
      const std::size_t floor = blocks_.empty() ? std::size_t{1} << 16 : 2 * blocks_.back().size();
      const std::size_t ceiling = std::size_t{1} << 26;
      blocks_.emplace_back(std::max(bytes, std::min(floor, ceiling)));
    }
    std::byte* start = blocks_[block_].data() + used_;
    used_ += bytes;
    return start;
  }

  std::vector<Buffer<std::byte>> blocks_;
  std::size_t block_ = 0;
  std::size_t used_ = 0;
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

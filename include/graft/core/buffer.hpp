#pragma once
/// \file buffer.hpp  Memory: 64-byte aligned flat buffers, and a per-thread workspace that grows to the largest request and is
/// kept.
#include "graft/config.hpp"
#include "graft/core/device_memory.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

GRAFT_BEGIN

inline constexpr std::size_t alignment = 64;

/// An owning, 64-byte aligned, zero-initialised array of trivial elements, in the host's memory or a device's. A copy lies
/// where the original does. Before the host reads or writes a device's, see DeviceMemory::synchronise().
template <class T>
class Buffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  Buffer() = default;
  explicit Buffer(std::size_t size, const DeviceMemory* memory = nullptr) : size_(size), memory_(memory) {
    if (size_ == 0) return;
    if (memory_ != nullptr) {
      data_ = static_cast<T*>(memory_->take(size_ * sizeof(T)));
      return;
    }
    data_ = static_cast<T*>(::operator new (size_ * sizeof(T), std::align_val_t{alignment}));
    std::memset(static_cast<void*>(data_), 0, size_ * sizeof(T));
  }
  Buffer(const Buffer& other) : Buffer(other.size_, other.memory_) {
    if (memory_ != nullptr) memory_->synchronise();
    if (size_ != 0) std::memcpy(static_cast<void*>(data_), other.data_, size_ * sizeof(T));
  }
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)), memory_(other.memory_) {}
  Buffer& operator=(Buffer other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(memory_, other.memory_);
    return *this;
  }
  ~Buffer() {
    if (data_ == nullptr) return;
    memory_ != nullptr ? memory_->give(data_) : ::operator delete (data_, std::align_val_t{alignment});
  }
  [[nodiscard]] T* data() { return data_; }
  [[nodiscard]] const T* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  T& operator[](std::size_t i) { return data_[i]; }
  const T& operator[](std::size_t i) const { return data_[i]; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
  const DeviceMemory* memory_ = nullptr;
};

/// What a workspace is used for; two uses that may be alive at once on one thread need two names.
enum class Work : int { pack_a, pack_b, tile, pad, unpool, partial, reduce, image, pairwise, widen, turned, count };

/// The calling thread's workspace for `use`, at least `count` elements, 64-byte aligned, contents unspecified. It grows to the
/// largest request and is then kept, so that a training step allocates nothing after the first.
template <class T>
T* workspace(Work use, std::size_t count) {
  struct Store {
    void* data = nullptr;
    std::size_t bytes = 0;
    ~Store() {
      if (data != nullptr) ::operator delete (data, std::align_val_t{alignment});
    }
  };
  thread_local Store stores[static_cast<int>(Work::count)];
  Store& store = stores[static_cast<int>(use)];
  const std::size_t bytes = std::max<std::size_t>(count, 1) * sizeof(T);
  if (store.bytes < bytes) {
    if (store.data != nullptr) ::operator delete (store.data, std::align_val_t{alignment});
    store.data = nullptr;
    store.bytes = 0;
    store.data = ::operator new (bytes, std::align_val_t{alignment});
    store.bytes = bytes;
  }
  return static_cast<T*>(store.data);
}

GRAFT_END

#pragma once
/// \file tape_memory.hpp  Where a tape's numbers lie and what its step runs on: null for the Cpu, or a model's device.
#include "graft/config.hpp"
#include "graft/core/accelerator.hpp"
#include "graft/core/arena.hpp"
#include "graft/core/error.hpp"
#include "graft/core/var.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

GRAFT_BEGIN

/// Base of Tape. What it offers is for those who write operations.
template <class T>
class TapeMemory {
 public:
  Arena& arena() { return arena_; }
  /// Bytes held.
  [[nodiscard]] std::size_t capacity() const { return arena_.capacity(); }
  /// What the step runs on; null: the Cpu.
  [[nodiscard]] const Accelerator<T>* device() const { return device_; }
  /// Waits for the device, so that the host may read and write numbers of the step.
  void synchronise() const {
    if (device_ != nullptr) device_->synchronise();
  }
  /// Waits for the device, because the host does `what` in its place, and says so once: a literal.
  void on_host(const char* what) const { detail::to_host(device_, what); }
  /// The number that a loss's value points to.
  [[nodiscard]] T read(const T* value) const {
    if (device_ == nullptr) return *value;
    T number;
    device_->fetch(sizeof(T), value, &number);
    return number;
  }
  /// `count` times one number, in the tape's memory.
  T* filled(std::size_t count, T number) {
    T* all = arena_.template take<T>(count);
    device_ != nullptr ? device_->fill(count, number, all) : static_cast<void>(std::fill_n(all, count, number));
    return all;
  }
  /// `count` numbers of the host, where the step's kernels can read them; the device's own stay where they are.
  template <class E>
  const E* brought(const E* from, std::size_t count) {
    if (device_ == nullptr || from == nullptr || device_->holds(from)) return from;
    E* there = arena_.template take<E>(count);
    device_->upload(count * sizeof(E), from, there);
    return there;
  }
  /// Makes a node's numbers such.
  void bring(Node<T>& node) {
    if (!node.outside || device_ == nullptr) return;
    node.value = brought(node.value, node.row * static_cast<std::size_t>(node.rows));
    node.outside = false;
  }

 protected:
  TapeMemory() = default;
  ~TapeMemory() = default;

  /// The step runs on `device`, that of the model `name`.
  void decide(const Accelerator<T>* device, const std::string& name, std::uint64_t step) {
    if (decided_ && device == device_) return;
    if (decided_ || !arena_.move_to(device)) refuse(device, name, step);
    device_ = device;
    decided_ = true;
  }

  Arena arena_;
  const Accelerator<T>* device_ = nullptr;
  bool decided_ = false;  ///< whether a model of this step has said so

 private:
  [[noreturn]] GRAFT_COLD void refuse(const Accelerator<T>* device, const std::string& name, std::uint64_t step) const {
    const auto word = [](const Accelerator<T>* d) { return d != nullptr ? d->name() : "Cpu"; };
    if (decided_)
      fail("step ", step, ": the model '", name, "' is on ", word(device), " but this step began on ", word(device_),
           "; have all models of a step on one device.");
    fail("step ", step, ": the model '", name, "' is on ", word(device), " but this step began with numbers on ", word(device_),
         "; record a model first, then losses without one.");
  }
};

GRAFT_END

#pragma once
/// \file device_memory.hpp  Memory of a device, chosen when the program runs, so that buffers and arenas keep their types and a
/// program for the CPU alone links nothing of any device.
#include "graft/config.hpp"

#include <cstddef>

GRAFT_BEGIN

/// Memory that host and device both reach. A null pointer to one stands for the host's own.
class DeviceMemory {
 public:
  /// What an error or a message calls the device: "CUDA".
  [[nodiscard]] virtual const char* name() const = 0;
  /// `bytes` bytes of zeros, 64-byte aligned. Throws Error when there is too little memory.
  [[nodiscard]] virtual void* take(std::size_t bytes) const = 0;
  virtual void give(void* data) const noexcept = 0;
  /// Whether `at` lies in memory that take() gave.
  [[nodiscard]] virtual bool holds(const void* at) const noexcept = 0;
  /// Bytes that are free.
  [[nodiscard]] virtual std::size_t spare() const = 0;
  /// Waits for all that the device was asked to do; the host may then read and write what it worked on.
  virtual void synchronise() const = 0;

 protected:
  DeviceMemory() = default;
  ~DeviceMemory() = default;
};

GRAFT_END

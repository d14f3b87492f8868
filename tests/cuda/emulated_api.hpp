#pragma once
/// \file emulated_api.hpp  The functions of the CUDA runtime that core/cuda needs, on the processor's memory, and a device
/// whose faults a test can choose.
#include "cuda/later.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInsufficientDriver = 35,
  cudaErrorNoDevice = 100,
  cudaErrorNoKernelImageForDevice = 209,
  cudaErrorIllegalAddress = 700,
  cudaErrorNotSupported = 801
};
using cudaStream_t = struct EmulatedStream*;
enum cudaMemcpyKind { cudaMemcpyDefault = 4 };
enum cudaDeviceAttr { cudaDevAttrComputeCapabilityMajor, cudaDevAttrComputeCapabilityMinor };
inline constexpr unsigned cudaStreamNonBlocking = 1;

namespace emulate {
/// The device that the tests see; `fault` is what the next launch or synchronisation reports.
struct Device {
  cudaError_t count_error = cudaSuccess;
  cudaError_t fault = cudaSuccess;
  int count = 1;
  int major = 9, minor = 0;
  bool makes_graphs = true, captures = true, changes_captures = true;
  std::size_t total = std::size_t{1} << 32, used = 0;
};
inline Device device;
inline cudaError_t take_fault() {
  const cudaError_t fault = device.fault;
  device.fault = cudaSuccess;
  return fault;
}
/// NaN everywhere, and the size ahead, so that what is free is known.
inline cudaError_t take(void** to, std::size_t bytes) {
  void* memory = nullptr;
  if (device.used + bytes > device.total || posix_memalign(&memory, 256, bytes) != 0) return cudaErrorMemoryAllocation;
  std::memset(memory, 0xFF, bytes);
  if (later) blocks.add(memory, bytes);
  *to = memory;
  return cudaSuccess;
}
}  // namespace emulate

inline cudaError_t cudaGetDeviceCount(int* count) {
  *count = emulate::device.count;
  return emulate::device.count_error;
}
inline cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr which, int) {
  *value = which == cudaDevAttrComputeCapabilityMajor ? emulate::device.major : emulate::device.minor;
  return cudaSuccess;
}
inline cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  *free = emulate::device.total - emulate::device.used;
  *total = emulate::device.total;
  return cudaSuccess;
}
inline cudaError_t cudaMallocManaged(void** to, std::size_t bytes) { return emulate::take(to, bytes); }
inline cudaError_t cudaMalloc(void** to, std::size_t bytes) { return emulate::take(to, bytes); }
inline cudaError_t cudaFree(void* memory) {
  if (emulate::later) {
    emulate::run_all();
    emulate::blocks.remove(memory);
  }
  std::free(memory);
  return cudaSuccess;
}
inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = nullptr;
  return cudaSuccess;
}
inline cudaError_t cudaStreamDestroy(cudaStream_t) { return cudaSuccess; }
inline cudaError_t cudaStreamSynchronize(cudaStream_t) {
  emulate::run_all();
  return emulate::take_fault();
}
inline cudaError_t cudaGetLastError() { return emulate::take_fault(); }
inline cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind, cudaStream_t) {
  emulate::copy(to, from, bytes);
  return cudaSuccess;
}

// ---- memory of the host that the device reads, and events, which tell how far a stream has come
// ------------------------------
inline constexpr unsigned cudaHostAllocDefault = 0, cudaEventDisableTiming = 2;
inline cudaError_t cudaHostAlloc(void** to, std::size_t bytes, unsigned) { return emulate::take(to, bytes); }
inline cudaError_t cudaFreeHost(void* memory) { return cudaFree(memory); }
using cudaEvent_t = std::uint64_t*;
inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new std::uint64_t{0};
  return cudaSuccess;
}
inline cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
inline cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t) {
  *event = emulate::asked().begun + emulate::asked().queue.size();
  return cudaSuccess;
}
inline cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  emulate::run_until(*event);
  return cudaSuccess;
}
inline const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaErrorIllegalAddress ? "an illegal memory access was encountered" : "an error of the emulation";
}

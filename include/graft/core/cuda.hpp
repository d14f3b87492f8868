#pragma once
/// \file cuda.hpp  The GPU's runtime as the rest of the library sees it: no CUDA header. The functions are in the library
/// graft::cuda. Every error is one graft::Error with the cure: no driver, no device, too little memory, a GPU for which this
/// build holds no code, a kernel that failed.
#include "graft/core/device.hpp"
#include "graft/core/error.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

/// Opens `namespace graft::cuda`, which is the same in every configuration; GRAFT_CUDA_END closes it.
#define GRAFT_CUDA_BEGIN \
  namespace graft {      \
  namespace cuda {       \
  inline namespace v0_1 {
#define GRAFT_CUDA_END \
  }                    \
  }                    \
  }

GRAFT_CUDA_BEGIN

/// GPUs that the driver offers; 0 without a driver. Throws nothing.
int device_count() noexcept;
/// Why kernels cannot run here, in one sentence; empty where they can.
std::string why_not();
/// Throws Error(why_not()) where kernels cannot run.
void require_device();
/// Throws Error where the GPU cannot multiply in that precision, "Tf32" or "Bf16": it takes compute capability 8.0.
void require_tensor_cores(const char* precision);

/// What is known of the device in use, the driver's first (CUDA_VISIBLE_DEVICES chooses).
struct DeviceInfo {
  std::string name;
  int capability = 0;            ///< 10 * major + minor
  std::size_t total_memory = 0;  ///< bytes
  std::size_t free_memory = 0;   ///< bytes
};
DeviceInfo device_info();
/// The architectures this build holds code for: "75 80 86 90 ptx90"; "emulated" in the tests' build for the CPU.
const char* architectures() noexcept;

/// Managed memory, which host and device both read and write, preferred on the device; at least 256-byte aligned, not zeroed.
/// Throws Error where the device has less than `bytes` free: it is never oversubscribed. 0 bytes: null.
void* allocate(std::size_t bytes);
/// Frees what allocate() gave, after the device has done with it; null is allowed.
void release(void* memory) noexcept;
/// Whether `at` lies in memory that allocate() gave and release() has not taken back.
bool holds(const void* at) noexcept;
/// Starts to move managed memory to the device (or to the host); only a hint.
void prefetch(const void* memory, std::size_t bytes, bool to_device);

/// Kernels are kept back until submit(), synchronize() or a copy to the host asks for them, and are played as one CUDA graph
/// when the same row of kernels has come before: an optimiser's step ends with submit().
void submit();
/// Waits for all that the calling thread asked for, after which the host may read what kernels wrote. Throws Error for a kernel
/// that failed, and for a label out of range that a loss met on the way.
void synchronize();
/// The calling thread's stream (a cudaStream_t), not the default one; made at the first call. What was asked for before is
/// submitted.
void* stream();
/// Kernels that the calling thread has asked for so far: what a test counts to know that the device did the work.
std::uint64_t launches() noexcept;
/// What became of the calling thread's rows of kernels.
struct Replays {
  std::uint64_t graphs = 0;   ///< made
  std::uint64_t replays = 0;  ///< rows that were played as a graph
  std::uint64_t changed = 0;  ///< kernels in them whose arguments were not those of the time before
};
Replays replays() noexcept;
/// What the calling thread has asked of NVIDIA's libraries so far: large products of cuBLASLt, large convolutions of cuDNN,
/// where graft::cuda was built with them. GRAFT_CUDA_LIBRARIES=0 in the environment asks nothing of them.
struct LibraryCalls {
  std::uint64_t products = 0;
  std::uint64_t convolutions = 0;
};
LibraryCalls library_calls() noexcept;
/// The libraries that this build has: "cuBLASLt, cuDNN"; empty without.
const char* libraries() noexcept;

GRAFT_CUDA_END

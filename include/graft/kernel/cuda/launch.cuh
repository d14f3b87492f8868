#pragma once
/// \file launch.cuh  How kernels are launched, and what they need of the runtime. Compiled by nvcc, or as plain C++ by the
/// tests, which include their emulation first.
#include "graft/core/cuda.hpp"

#if defined(__CUDACC__)
#include <cuda_runtime.h>
#define GRAFT_CUDA_UNROLL _Pragma("unroll")
#elif defined(GRAFT_CUDA_EMULATED)
#define GRAFT_CUDA_UNROLL
#else
#error "graft: the .cuh and .cu files are compiled by nvcc: link the target graft::cuda instead of including them."
#endif

#include <cstddef>

GRAFT_CUDA_BEGIN
namespace detail {

/// Temporary memory of a call, by use: two that are alive at once need two names.
enum class Room : int { tile, expand, sums, partial, rows, cloud, matrix, count };

/// The calling thread's device memory for `use`, at least `bytes`, 256-byte aligned. It grows to the largest request and is
/// kept; calls of one thread use it one after the other on its stream.
void* room(Room use, std::size_t bytes);
template <class T>
T* room(Room use, std::size_t count) {
  return static_cast<T*>(room(use, count * sizeof(T)));
}

/// Throws Error when the launch of `kernel` failed, and counts it.
void launched(const char* kernel);
/// Throws Error when the call `what` failed.
void succeeded(const char* what, cudaError_t error);

/// What a kernel has to complain of; synchronize() turns it into an Error. The first row wins.
struct Complaint {
  int row = 0x7FFFFFFF;
  int label = 0;
  int classes = 0;
};
Complaint* complaint();  ///< the calling thread's, in managed memory

/// kernel<<<grid, threads>>>(arguments...) on the calling thread's stream; an empty grid launches nothing. `name` is for
/// errors.
template <class... P, class... A>
void launch(const char* name, void (*kernel)(P...), dim3 grid, int threads, const A&... arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  const dim3 shape(static_cast<unsigned>(threads));
#if defined(__CUDACC__)
  kernel<<<grid, shape, 0, static_cast<cudaStream_t>(stream())>>>(static_cast<P>(arguments)...);
#else
  stream();
  emulate::launch<P...>(kernel, grid, shape, static_cast<P>(arguments)...);
#endif
  launched(name);
}

inline unsigned blocks_for(std::ptrdiff_t count, std::ptrdiff_t each) {
  return static_cast<unsigned>((count + each - 1) / each);
}

}  // namespace detail
GRAFT_CUDA_END

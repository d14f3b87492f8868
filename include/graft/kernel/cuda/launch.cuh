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
#include <type_traits>

GRAFT_CUDA_BEGIN
namespace detail {

/// Temporary memory of a call, by use: two that are alive at once need two names.
enum class Room : int { tile, expand, sums, partial, rows, cloud, matrix, filter, library, canvas, count };

/// The calling thread's device memory for `use`, at least `bytes`, 256-byte aligned. It grows to the largest request and is
/// kept; calls of one thread use it one after the other on its stream.
void* room(Room use, std::size_t bytes);
template <class T>
T* room(Room use, std::size_t count) {
  return static_cast<T*>(room(use, count * sizeof(T)));
}

/// Work that a vendor's library does with kernels of its own. It outlives the rows that it is part of.
class Outside {
 public:
  Outside() = default;
  Outside(const Outside&) = delete;
  Outside& operator=(const Outside&) = delete;
  virtual ~Outside() = default;
  /// Asks the library for the work on `on`, which may be captured; `arguments` point to those of ask_outside(). Null when it
  /// went well, else what the library says.
  virtual const char* run(cudaStream_t on, void* const* arguments) const = 0;
};

/// One launch as it is kept until its turn.
struct Launch {
  const char* name = nullptr;    ///< for errors; a literal
  const void* kernel = nullptr;  ///< or the address of `outside`
  dim3 grid;
  unsigned threads = 0;
  int count = 0;                     ///< of arguments
  const Outside* outside = nullptr;  ///< in a kernel's place
  std::size_t first = 0;             ///< where a Sequence has them
};
/// Asks for a launch on the calling thread's stream; its arguments are copied. Whether it failed shows when it is played:
/// submit(), synchronize().
void ask(const Launch& launch, const void* const* arguments, const std::size_t* sizes);
/// Throws Error when `what`, a kernel's name or a call's, gave an error.
void expect(const char* what, cudaError_t error);

/// What a kernel has to complain of; synchronize() turns it into an Error. The first row wins.
struct Complaint {
  int row = 0x7FFFFFFF;
  int label = 0;
  int classes = 0;
};
Complaint* complaint();  ///< the calling thread's, in managed memory

/// kernel<<<grid, threads>>>(arguments...) on the calling thread's stream; an empty grid launches nothing. `name`, a literal,
/// is for errors.
template <class... P, class... A>
void launch(const char* name, void (*kernel)(P...), dim3 grid, int threads, const A&... arguments) {
  static_assert((std::is_trivially_copyable_v<P> && ...));
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
#if defined(GRAFT_CUDA_EMULATED)
  emulate::introduce<P...>(kernel);
#endif
  [&](const P&... as_taken) {
    const void* at[] = {&as_taken..., nullptr};
    const std::size_t sizes[] = {sizeof(P)..., 0};
    ask({name, reinterpret_cast<const void*>(kernel), grid, static_cast<unsigned>(threads), static_cast<int>(sizeof...(P))}, at,
        sizes);
  }(static_cast<P>(arguments)...);
}

/// The same of a library's work; the arguments are plain pointers and numbers.
template <class... A>
void ask_outside(const char* name, const Outside& work, const A&... arguments) {
  static_assert((std::is_trivially_copyable_v<A> && ...));
  const void* at[] = {&arguments...};
  const std::size_t sizes[] = {sizeof(A)...};
  ask({name, &work, dim3(), 1, static_cast<int>(sizeof...(A)), &work}, at, sizes);
}

inline unsigned blocks_for(std::ptrdiff_t count, std::ptrdiff_t each) {
  return static_cast<unsigned>((count + each - 1) / each);
}

}  // namespace detail
GRAFT_CUDA_END

#pragma once
/// \file libraries.cuh  Large products by cuBLASLt and large convolutions by cuDNN, where the build has them (GRAFT_CUBLASLT,
/// GRAFT_CUDNN) and GRAFT_CUDA_LIBRARIES=0 does not forbid it. The tile of product.cuh takes what they decline. Only algorithms
/// whose reruns give the same bits are taken. docs/decisions/0024 has the reasons.
#include "graft/kernel/cuda/launch.cuh"

#include <algorithm>
#include <cstddef>
#include <cstdint>

GRAFT_CUDA_BEGIN
namespace detail {

/// How numbers of a product are taken: as they are, or rounded as they pass into tensor cores. Sums are float.
enum class Arithmetic : int { full, tf32, bf16 };

/// The extents of op(a) op(b), all stored row after row.
struct LibraryProduct {
  bool ta = false, tb = false;
  int m = 0, n = 0, k = 0;
  std::ptrdiff_t lda = 0, ldb = 0, ldc = 0;
  Arithmetic how = Arithmetic::full;
};
/// c (m x n) = alpha op(a) op(b) + beta c + bias (n of them, or null). False: the library declines, and nothing was asked for.
bool product_by_library(const LibraryProduct& p, float alpha, const float* a, const float* b, float beta, const float* bias,
                        float* c);

enum class Way : int { forward, data, weights };
/// cuDNN's plan for a convolution without bias on arrays of that alignment, which is kept; null: the library declines, or the
/// convolution is too small for it.
const Outside* convolution_of_library(Way way, const ConvExtents& e, Arithmetic how, int alignment);
/// Asks for it. Filters are (out channel, row, column, in channel). forward: y from x and the filter; data: dx from dy and the
/// filter; weights: the filter's gradient from x and dy. `to` is overwritten.
void ask_convolution(const Outside& plan, const float* first, const float* second, float* to);

/// False where the environment says NAME=0.
bool wanted(const char* name);
/// False after GRAFT_CUDA_LIBRARIES=0.
bool libraries_wanted();
/// Counts what the calling thread's rows have of libraries.
void count_library_product();
void count_library_convolution();

/// What a plan may rely on: 4, 8 or 16 bytes.
inline int alignment_of(const void* at) {
  const auto address = reinterpret_cast<std::uintptr_t>(at);
  return address % 16 == 0 ? 16 : address % 8 == 0 ? 8 : 4;
}
template <class... P>
int alignment_of_all(const P*... at) {
  return std::min({alignment_of(at)...});
}

/// Multiplications below which a launch of the library is not worth its plan. Reasoned, not measured: some microseconds of a
/// large GPU's float units.
inline constexpr double least_of_library = 1 << 24;
/// Temporary memory that an algorithm may ask for, bytes: full float's convolutions turn whole images to channels first.
inline constexpr std::size_t most_of_library = std::size_t{256} << 20;

}  // namespace detail
GRAFT_CUDA_END

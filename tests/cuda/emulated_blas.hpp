#pragma once
/// \file emulated_blas.hpp  As much of cuBLASLt as graft asks for, on the processor: columns first, plain sums. What it is
/// given wrongly it refuses, as the real one does.
#include "cuda/emulate.hpp"
#include "graft/core/bf16.hpp"

#include <cstdint>
#include <cstring>
#include <vector>

enum cublasStatus_t { CUBLAS_STATUS_SUCCESS = 0, CUBLAS_STATUS_INVALID_VALUE = 7, CUBLAS_STATUS_NOT_SUPPORTED = 15 };
enum cublasComputeType_t { CUBLAS_COMPUTE_32F = 68, CUBLAS_COMPUTE_32F_FAST_16BF = 75, CUBLAS_COMPUTE_32F_FAST_TF32 = 77 };
enum cudaDataType_t { CUDA_R_32F = 0 };
enum cublasOperation_t { CUBLAS_OP_N = 0, CUBLAS_OP_T = 1 };
enum cublasLtEpilogue_t { CUBLASLT_EPILOGUE_DEFAULT = 1, CUBLASLT_EPILOGUE_BIAS = 4 };
enum cublasLtMatmulDescAttributes_t {
  CUBLASLT_MATMUL_DESC_TRANSA = 3,
  CUBLASLT_MATMUL_DESC_TRANSB = 4,
  CUBLASLT_MATMUL_DESC_EPILOGUE = 7,
  CUBLASLT_MATMUL_DESC_BIAS_POINTER = 8
};
enum cublasLtMatmulPreferenceAttributes_t {
  CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES = 1,
  CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK = 3,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES = 5,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES = 6,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES = 7,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES = 8
};
enum cublasLtReductionScheme_t { CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE = 2 };

struct EmulatedProduct {
  cublasComputeType_t compute;
  cublasOperation_t ta = CUBLAS_OP_N, tb = CUBLAS_OP_N;
  cublasLtEpilogue_t end = CUBLASLT_EPILOGUE_DEFAULT;
  const float* bias = nullptr;
};
struct EmulatedLayout {
  std::uint64_t rows, columns;
  std::int64_t stride;
  [[nodiscard]] float at(const float* data, std::uint64_t row, std::uint64_t column) const {
    return data[row + column * static_cast<std::uint64_t>(stride)];
  }
};
struct EmulatedPreference {
  std::uint32_t schemes = ~0u, alignment = 256;
};
using cublasLtHandle_t = struct EmulatedBlas*;
using cublasLtMatmulDesc_t = EmulatedProduct*;
using cublasLtMatrixLayout_t = EmulatedLayout*;
using cublasLtMatmulPreference_t = EmulatedPreference*;
struct cublasLtMatmulAlgo_t {
  std::uint32_t alignment;
};
struct cublasLtMatmulHeuristicResult_t {
  cublasLtMatmulAlgo_t algo;
  std::size_t workspaceSize;
  cublasStatus_t state;
};

namespace emulate {
/// cuBLASLt as a test wants it.
struct Blas {
  bool declines = false;
  bool fails = false;                 ///< when it is to run
  std::size_t workspace = 4096;       ///< that its algorithms ask for; the last byte is written
  std::uint64_t chosen = 0, ran = 0;  ///< heuristics asked, products run
};
inline Blas blas;
}  // namespace emulate

inline const char* cublasLtGetStatusString(cublasStatus_t) { return "the emulation's own failure"; }
inline cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  *handle = reinterpret_cast<cublasLtHandle_t>(&emulate::blas);
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtDestroy(cublasLtHandle_t) { return CUBLAS_STATUS_SUCCESS; }
inline cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* to, cublasComputeType_t compute, cudaDataType_t) {
  *to = new EmulatedProduct{compute};
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t of) {
  delete of;
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t of, cublasLtMatmulDescAttributes_t which,
                                                     const void* value, std::size_t bytes) {
  const auto take = [&](auto& to) {
    if (bytes != sizeof(to)) return CUBLAS_STATUS_INVALID_VALUE;
    std::memcpy(&to, value, bytes);
    return CUBLAS_STATUS_SUCCESS;
  };
  switch (which) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
      return take(of->ta);
    case CUBLASLT_MATMUL_DESC_TRANSB:
      return take(of->tb);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      return take(of->end);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      return take(of->bias);
  }
  return CUBLAS_STATUS_INVALID_VALUE;
}
inline cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* to, cudaDataType_t, std::uint64_t rows,
                                                 std::uint64_t columns, std::int64_t stride) {
  if (stride < static_cast<std::int64_t>(rows)) return CUBLAS_STATUS_INVALID_VALUE;
  *to = new EmulatedLayout{rows, columns, stride};
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t of) {
  delete of;
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* to) {
  *to = new EmulatedPreference;
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t of) {
  delete of;
  return CUBLAS_STATUS_SUCCESS;
}
inline cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t of,
                                                           cublasLtMatmulPreferenceAttributes_t which, const void* value,
                                                           std::size_t bytes) {
  if (which == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES)
    return bytes == sizeof(std::uint64_t) ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
  if (bytes != sizeof(std::uint32_t)) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(which == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK ? &of->schemes : &of->alignment, value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}
inline bool extents_fit(const EmulatedProduct& p, const EmulatedLayout& a, const EmulatedLayout& b, const EmulatedLayout& c) {
  const bool ta = p.ta == CUBLAS_OP_T, tb = p.tb == CUBLAS_OP_T;
  return (ta ? a.columns : a.rows) == c.rows && (tb ? b.rows : b.columns) == c.columns &&
         (ta ? a.rows : a.columns) == (tb ? b.columns : b.rows);
}
inline cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t p, cublasLtMatrixLayout_t a,
                                                     cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t,
                                                     cublasLtMatmulPreference_t wish, int, cublasLtMatmulHeuristicResult_t* to,
                                                     int* found) {
  const bool bias_missing = p->end == CUBLASLT_EPILOGUE_BIAS && p->bias == nullptr;
  const bool in_place = (wish->schemes & 1u) != 0;  // its sums depend on who comes first
  *found = !emulate::blas.declines && !bias_missing && !in_place && extents_fit(*p, *a, *b, *c) ? 1 : 0;
  *to = {{wish->alignment}, emulate::blas.workspace, CUBLAS_STATUS_SUCCESS};
  ++emulate::blas.chosen;
  return *found == 1 ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
}
/// d = alpha op(a) op(b) + beta c + bias of d's rows.
inline cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t of, const void* alpha, const void* a,
                                     cublasLtMatrixLayout_t a_layout, const void* b, cublasLtMatrixLayout_t b_layout,
                                     const void* beta, const void*, cublasLtMatrixLayout_t, void* d,
                                     cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t* algorithm, void* workspace,
                                     std::size_t bytes, cudaStream_t) {
  if (emulate::blas.fails || bytes < emulate::blas.workspace) return CUBLAS_STATUS_INVALID_VALUE;
  for (const void* at : {a, b, static_cast<const void*>(d)}) {
    if (reinterpret_cast<std::uintptr_t>(at) % algorithm->alignment != 0) return CUBLAS_STATUS_INVALID_VALUE;
  }
  const auto product = [p = *of, la = *a_layout, lb = *b_layout, ld = *d_layout, scale = *static_cast<const float*>(alpha),
                        keep = *static_cast<const float*>(beta), left = static_cast<const float*>(a),
                        right = static_cast<const float*>(b), to = static_cast<float*>(d),
                        memory = static_cast<char*>(workspace), bytes] {
    ++emulate::blas.ran;
    if (bytes > 0) memory[bytes - 1] = 1;
    const auto taken = [&p](float x) {
      return p.compute == CUBLAS_COMPUTE_32F_FAST_16BF ? static_cast<float>(graft::bf16(x)) : x;
    };
    const bool ta = p.ta == CUBLAS_OP_T, tb = p.tb == CUBLAS_OP_T;
    const std::uint64_t depth = ta ? la.rows : la.columns;
    std::vector<float> column(depth);
    for (std::uint64_t j = 0; j < ld.columns; ++j) {
      for (std::uint64_t k = 0; k < depth; ++k) column[k] = taken(tb ? lb.at(right, j, k) : lb.at(right, k, j));
      for (std::uint64_t i = 0; i < ld.rows; ++i) {
        float sum = 0;
        for (std::uint64_t k = 0; k < depth; ++k) sum += taken(ta ? la.at(left, k, i) : la.at(left, i, k)) * column[k];
        float& at = to[i + j * static_cast<std::uint64_t>(ld.stride)];
        at = scale * sum + (keep == 0.0f ? 0.0f : keep * at) + (p.bias != nullptr ? p.bias[i] : 0.0f);
      }
    }
  };
  emulate::of_library(product);
  return CUBLAS_STATUS_SUCCESS;
}

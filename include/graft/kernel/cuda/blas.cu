/// \file blas.cu  Products by cuBLASLt.
#include "graft/kernel/cuda/libraries.cuh"

#if defined(GRAFT_CUBLASLT)
#if defined(__CUDACC__)
#include <cublasLt.h>
#endif

#include <compare>
#include <map>
#include <memory>
#include <type_traits>

GRAFT_CUDA_BEGIN
namespace detail {
namespace {

/// One product of given extents: cuBLASLt counts columns first, so that it is asked for the transposed product, op(b)^T
/// op(a)^T, whose rows are our columns.
class BlasPlan final : public Outside {
 public:
  struct Key {
    bool ta, tb, bias;
    int m, n, k, alignment;
    std::ptrdiff_t lda, ldb, ldc;
    Arithmetic how;
    auto operator<=>(const Key&) const = default;
  };

  BlasPlan(cublasLtHandle_t handle, const Key& key, const float* bias) : handle_(handle) {
    const cublasComputeType_t compute = key.how == Arithmetic::full   ? CUBLAS_COMPUTE_32F
                                        : key.how == Arithmetic::tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32
                                                                      : CUBLAS_COMPUTE_32F_FAST_16BF;
    good_ = cublasLtMatmulDescCreate(&product_, compute, CUDA_R_32F) == CUBLAS_STATUS_SUCCESS;
    set(CUBLASLT_MATMUL_DESC_TRANSA, key.tb ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(CUBLASLT_MATMUL_DESC_TRANSB, key.ta ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(CUBLASLT_MATMUL_DESC_EPILOGUE, key.bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT);
    if (key.bias) set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);  // what algorithms it can have depends on there being one
    lay_out(&first_, key.tb ? key.k : key.n, key.tb ? key.n : key.k, key.ldb);
    lay_out(&second_, key.ta ? key.m : key.k, key.ta ? key.k : key.m, key.lda);
    lay_out(&result_, key.n, key.m, key.ldc);
    if (good_) choose(key.alignment);
  }
  ~BlasPlan() override {
    for (const auto layout : {first_, second_, result_}) {
      if (layout != nullptr) cublasLtMatrixLayoutDestroy(layout);
    }
    if (product_ != nullptr) cublasLtMatmulDescDestroy(product_);
  }
  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] std::size_t workspace() const { return algorithm_.workspaceSize; }

  /// Arguments: alpha, a, b, beta, bias, c, workspace.
  const char* run(cudaStream_t on, void* const* arguments) const override {
    const auto* const alpha = static_cast<const float*>(arguments[0]);
    const auto* const a = *static_cast<const float* const*>(arguments[1]);
    const auto* const b = *static_cast<const float* const*>(arguments[2]);
    const auto* const beta = static_cast<const float*>(arguments[3]);
    const auto* const bias = *static_cast<const float* const*>(arguments[4]);
    auto* const c = *static_cast<float* const*>(arguments[5]);
    auto* const memory = *static_cast<void* const*>(arguments[6]);
    if (bias != nullptr) {
      const cublasStatus_t told =
          cublasLtMatmulDescSetAttribute(product_, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof(bias));
      if (told != CUBLAS_STATUS_SUCCESS) return cublasLtGetStatusString(told);
    }
    const cublasStatus_t told = cublasLtMatmul(handle_, product_, alpha, b, first_, a, second_, beta, c, result_, c, result_,
                                               &algorithm_.algo, memory, workspace(), on);
    return told == CUBLAS_STATUS_SUCCESS ? nullptr : cublasLtGetStatusString(told);
  }

 private:
  template <class V>
  void set(cublasLtMatmulDescAttributes_t which, const V& value) {
    good_ = good_ && cublasLtMatmulDescSetAttribute(product_, which, &value, sizeof(value)) == CUBLAS_STATUS_SUCCESS;
  }
  void lay_out(cublasLtMatrixLayout_t* to, int rows, int columns, std::ptrdiff_t stride) {
    good_ = good_ && cublasLtMatrixLayoutCreate(to, CUDA_R_32F, static_cast<std::uint64_t>(rows),
                                                static_cast<std::uint64_t>(columns), stride) == CUBLAS_STATUS_SUCCESS;
  }
  void choose(int alignment) {
    cublasLtMatmulPreference_t wish = nullptr;
    good_ = cublasLtMatmulPreferenceCreate(&wish) == CUBLAS_STATUS_SUCCESS;
    if (!good_) return;
    const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t which, auto value) {
      good_ = good_ && cublasLtMatmulPreferenceSetAttribute(wish, which, &value, sizeof(value)) == CUBLAS_STATUS_SUCCESS;
    };
    prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, most_of_library);
    // Parts of a sum are added by a second kernel, in order, never in place by whoever comes first.
    prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, static_cast<std::uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
    for (const auto which : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                             CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
      prefer(which, static_cast<std::uint32_t>(alignment));
    int found = 0;
    good_ = good_ &&
            cublasLtMatmulAlgoGetHeuristic(handle_, product_, first_, second_, result_, result_, wish, 1, &algorithm_,
                                           &found) == CUBLAS_STATUS_SUCCESS &&
            found == 1 && algorithm_.state == CUBLAS_STATUS_SUCCESS;
    cublasLtMatmulPreferenceDestroy(wish);
  }

  cublasLtHandle_t handle_;
  cublasLtMatmulDesc_t product_ = nullptr;
  cublasLtMatrixLayout_t first_ = nullptr, second_ = nullptr, result_ = nullptr;
  cublasLtMatmulHeuristicResult_t algorithm_{};
  bool good_ = false;
};

/// A thread's plans; one that the library declined stays null.
struct BlasPlans {
  cublasLtHandle_t handle = nullptr;
  bool refused = false;
  std::map<BlasPlan::Key, std::unique_ptr<BlasPlan>> by_key;
  BlasPlans() = default;
  BlasPlans(const BlasPlans&) = delete;
  BlasPlans& operator=(const BlasPlans&) = delete;
  ~BlasPlans() {
    by_key.clear();
    if (handle != nullptr) cublasLtDestroy(handle);
  }
  const BlasPlan* find(const BlasPlan::Key& key, const float* bias) {
    if (handle == nullptr && !refused) refused = cublasLtCreate(&handle) != CUBLAS_STATUS_SUCCESS;
    if (refused) return nullptr;
    const auto [at, is_new] = by_key.try_emplace(key);
    if (is_new) {
      auto made = std::make_unique<BlasPlan>(handle, key, bias);
      if (made->good()) at->second = std::move(made);
    }
    return at->second.get();
  }
};

}  // namespace

bool product_by_library(const LibraryProduct& p, float alpha, const float* a, const float* b, float beta, const float* bias,
                        float* c) {
  if (static_cast<double>(p.m) * p.n * p.k < least_of_library || std::min({p.m, p.n, p.k}) < 32 || !libraries_wanted())
    return false;
  thread_local BlasPlans plans;
  const BlasPlan::Key key{p.ta, p.tb, bias != nullptr, p.m, p.n, p.k, alignment_of_all(a, b, c), p.lda, p.ldb, p.ldc, p.how};
  const BlasPlan* const plan = plans.find(key, bias);
  if (plan == nullptr) return false;
  void* const memory = plan->workspace() > 0 ? room(Room::library, plan->workspace()) : nullptr;
  ask_outside("a product by cuBLASLt", *plan, alpha, a, b, beta, bias, c, memory);
  count_library_product();
  return true;
}

}  // namespace detail
GRAFT_CUDA_END

#else

GRAFT_CUDA_BEGIN
namespace detail {
bool product_by_library(const LibraryProduct&, float, const float*, const float*, float, const float*, float*) { return false; }
}  // namespace detail
GRAFT_CUDA_END

#endif

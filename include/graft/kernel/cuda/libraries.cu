/// \file libraries.cu  Which of NVIDIA's libraries a build has, whether they are wanted, and what was asked of them.
#include "graft/kernel/cuda/libraries.cuh"

#include <cstdlib>
#include <cstring>

GRAFT_CUDA_BEGIN
namespace detail {
namespace {
thread_local LibraryCalls asked_of_libraries;
}

bool wanted(const char* name) {
  const char* said = std::getenv(name);
  return said == nullptr || std::strcmp(said, "0") != 0;
}
bool libraries_wanted() {
  static const bool are = wanted("GRAFT_CUDA_LIBRARIES");
  return are;
}
void count_library_product() { ++asked_of_libraries.products; }
void count_library_convolution() { ++asked_of_libraries.convolutions; }
}  // namespace detail

LibraryCalls library_calls() noexcept { return detail::asked_of_libraries; }
const char* libraries() noexcept {
#if defined(GRAFT_CUBLASLT) && defined(GRAFT_CUDNN)
  return "cuBLASLt, cuDNN";
#elif defined(GRAFT_CUBLASLT)
  return "cuBLASLt";
#elif defined(GRAFT_CUDNN)
  return "cuDNN";
#else
  return "";
#endif
}

GRAFT_CUDA_END

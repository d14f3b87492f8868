/// \file layers.cu  The layers that are no products, for float and double.
#include "graft/kernel/cuda/activation.cuh"
#include "graft/kernel/cuda/batch_norm.cuh"
#include "graft/kernel/cuda/depthwise.cuh"
#include "graft/kernel/cuda/pool.cuh"
#include "graft/kernel/cuda/softmax.cuh"

GRAFT_CUDA_BEGIN
#define GRAFT_INSTANTIATE(T)                                                                                                  \
  template void depthwise_forward<T>(Cuda, const ConvExtents&, const T*, const T*, const T*, const Epilogue&, T*);            \
  template void depthwise_backward<T>(Cuda, const ConvExtents&, const T*, const T*, const T*, T*, const Epilogue&, T*, T*,    \
                                      T*);                                                                                    \
  template void max_pool_forward<T>(Cuda, const PoolExtents&, const T*, T*, std::int32_t*);                                   \
  template void max_pool_backward<T>(Cuda, const PoolExtents&, const std::int32_t*, const T*, T*);                            \
  template void avg_pool_forward<T>(Cuda, const PoolExtents&, const T*, T*);                                                  \
  template void avg_pool_backward<T>(Cuda, const PoolExtents&, const T*, T*);                                                 \
  template void global_avg_pool_forward<T>(Cuda, int, int, int, const T*, T*);                                                \
  template void global_avg_pool_backward<T>(Cuda, int, int, int, const T*, T*);                                               \
  template void batch_norm_forward_train<T>(Cuda, std::ptrdiff_t, int, const T*, const T*, const T*, T, T*, T*, T*, T*);      \
  template void batch_norm_update_running<T>(Cuda, int, std::ptrdiff_t, T, bool, const T*, const T*, T*, T*);                 \
  template void batch_norm_forward_infer<T>(Cuda, std::ptrdiff_t, int, const T*, const T*, const T*, T, const T*, const T*,   \
                                            T*);                                                                              \
  template void batch_norm_backward_train<T>(Cuda, std::ptrdiff_t, int, const T*, const T*, const T*, const T*, const T*, T*, \
                                             T*, T*);                                                                         \
  template void batch_norm_backward_infer<T>(Cuda, std::ptrdiff_t, int, const T*, const T*, const T*, T, const T*, const T*,  \
                                             T*, T*, T*);                                                                     \
  template void activation_forward<T>(Cuda, Activation, double, std::ptrdiff_t, const T*, T*);                                \
  template void activation_backward<T>(Cuda, Activation, double, std::ptrdiff_t, const T*, const T*, const T*, T*);           \
  template void softmax_forward<T>(Cuda, int, int, const T*, T*);                                                             \
  template void softmax_backward<T>(Cuda, int, int, const T*, const T*, T*);                                                  \
  template void log_softmax_forward<T>(Cuda, int, int, const T*, T*);                                                         \
  template void log_softmax_backward<T>(Cuda, int, int, const T*, const T*, T*);                                              \
  template void dropout_forward<T>(Cuda, std::ptrdiff_t, double, std::uint64_t, std::uint64_t, const T*, T*);                 \
  template void dropout_backward<T>(Cuda, std::ptrdiff_t, double, std::uint64_t, std::uint64_t, const T*, T*);
GRAFT_INSTANTIATE(float)
GRAFT_INSTANTIATE(double)
#undef GRAFT_INSTANTIATE
GRAFT_CUDA_END

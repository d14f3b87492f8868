/// \file domains.cu  Losses that only adaptation knows, for float and double.
#include "graft/kernel/cuda/conditional.cuh"
#include "graft/kernel/cuda/moments.cuh"
#include "graft/kernel/cuda/penalties.cuh"
#include "graft/kernel/cuda/sliced.cuh"
#include "graft/kernel/cuda/weighted_kernels.cuh"

GRAFT_CUDA_BEGIN
#define GRAFT_INSTANTIATE(T)                                                                                                   \
  template void outer<T>(Cuda, int, int, int, const T*, const T*, T*);                                                         \
  template void outer_backward<T>(Cuda, int, int, int, const T*, const T*, T*);                                                \
  template void entropy_weights<T>(Cuda, int, int, int, const T*, T*);                                                         \
  template void domain_cross_entropy<T>(Cuda, int, int, const T*, const T*, T*, T*);                                           \
  template void random_map<T>(Cuda, int, int, int, int, const T*, const T*, const T*, const T*, T, T*, T*);                    \
  template void random_map_backward<T>(Cuda, int, int, int, const T*, const T*, const T*, T*);                                 \
  template void weighted_kernels<T>(Cuda, int, const T*, int, const KernelFactor<T>*, T*);                                     \
  template void mmd_weights<T>(Cuda, int, int, bool, T*);                                                                      \
  template void class_weights<T>(Cuda, int, int, int, const int*, const T*, T*);                                               \
  template void central_moments<T>(Cuda, int, int, int, const T*, const T*, int, double, T*, T*, T*);                          \
  template void sliced_wasserstein<T>(Cuda, int, int, int, const T*, const T*, int, const T*, T*, T*, T*);                     \
  template void mean_gap<T>(Cuda, int, int, const T*, const T*, T*, T*, T*);                                                   \
  template void unit_norms<T>(Cuda, int, int, const T*, T*, T*);                                                               \
  template void activation_curvature<T>(Cuda, Activation, double, std::ptrdiff_t, const T*, const T*, const T*, const T*, T*); \
  template void drawn_to<T>(Cuda, std::ptrdiff_t, double, const T*, const T*, bool, T*);                                       \
  template void drawn_to_backward<T>(Cuda, std::ptrdiff_t, T, const T*, const T*, T*);                                         \
  template void map_distance<T>(Cuda, std::ptrdiff_t, int, const T*, const T*, const double*, T*, T*);
GRAFT_INSTANTIATE(float)
GRAFT_INSTANTIATE(double)
#undef GRAFT_INSTANTIATE
GRAFT_CUDA_END

/// \file losses.cu  Losses, for float and double.
#include "graft/kernel/cuda/classifiers.cuh"
#include "graft/kernel/cuda/cross_entropy.cuh"
#include "graft/kernel/cuda/entropy.cuh"
#include "graft/kernel/cuda/mmd.cuh"
#include "graft/kernel/cuda/statistics.cuh"

GRAFT_CUDA_BEGIN
#define GRAFT_INSTANTIATE(T)                                                                                   \
  template void cross_entropy<T>(Cuda, int, int, const T*, const int*, const CrossEntropyOptions<T>&, T*, T*); \
  template void soft_cross_entropy<T>(Cuda, int, int, const T*, const T*, T*, T*);                             \
  template void binary_cross_entropy<T>(Cuda, int, const T*, const T*, T*, T*);                                \
  template void mean_absolute_error<T>(Cuda, std::ptrdiff_t, const T*, const T*, T*, T*);                      \
  template void mean_squared_error<T>(Cuda, std::ptrdiff_t, const T*, const T*, T*, T*, T*);                   \
  template void entropy<T>(Cuda, int, int, const T*, T*, double, T*);                                          \
  template void mean_entropy<T>(Cuda, int, int, const T*, T*, double, T*);                                     \
  template void mmd<T>(Cuda, int, int, int, const T*, const T*, const MmdOptions&, T*, T*, T*);                \
  template void without_scaling<T>(Cuda, int, int, int, const T*, const T*, T*, T*);                           \
  template void mean_difference<T>(Cuda, int, int, int, const T*, const T*, T*, T*, T*);                       \
  template void classifier_discrepancy<T>(Cuda, int, int, const T*, const T*, T*, T*, T*);                     \
  template void margin_disparity<T>(Cuda, int, int, int, const T*, const T*, double, T*, T*);                  \
  template void consistency<T>(Cuda, int, int, const T*, const T*, double, T*, T*);                            \
  template void mcc<T>(Cuda, int, int, const T*, T, T*, double, T*);                                           \
  template void coral<T>(Cuda, int, int, int, const T*, const T*, T*, T*, T*);
GRAFT_INSTANTIATE(float)
GRAFT_INSTANTIATE(double)
#undef GRAFT_INSTANTIATE
GRAFT_CUDA_END

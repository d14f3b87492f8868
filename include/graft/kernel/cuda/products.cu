/// \file products.cu  Matrix products, dense layers and convolutions, for float and double.
#include "graft/kernel/cuda/conv2d.cuh"

GRAFT_CUDA_BEGIN
#define GRAFT_INSTANTIATE(T)                                                                                                   \
  template void gemm<T>(Cuda, bool, bool, int, int, int, T, const T*, std::ptrdiff_t, const T*, std::ptrdiff_t, T, T*,         \
                        std::ptrdiff_t);                                                                                       \
  template void dense_forward<T>(Cuda, int, int, int, const T*, const T*, const T*, const Epilogue&, T*);                      \
  template void dense_backward<T>(Cuda, int, int, int, const T*, const T*, const T*, T*, const Epilogue&, T*, T*, T*);         \
  template void conv2d_forward<T>(Cuda, const ConvExtents&, const T*, const T*, const T*, const Epilogue&, T*, std::uint8_t*); \
  template void conv2d_backward<T>(Cuda, const ConvExtents&, const T*, const T*, const T*, const std::uint8_t*, T*,            \
                                   const Epilogue&, T*, T*, T*);
GRAFT_INSTANTIATE(float)
GRAFT_INSTANTIATE(double)
#undef GRAFT_INSTANTIATE
GRAFT_CUDA_END

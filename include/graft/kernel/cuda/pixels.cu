/// \file pixels.cu  Batches from images of bytes, for float and double.
#include "graft/kernel/cuda/pixels.cuh"

GRAFT_CUDA_BEGIN
#define GRAFT_INSTANTIATE(T)                                                                           \
  template void draw_pixels<T>(Cuda, const PixelRows&, const std::uint8_t*, const std::uint32_t*, T*); \
  template void change_pixels<T>(Cuda, const ChangedRows&, const std::uint8_t*, const std::uint32_t*, const PixelChange*, T*);
GRAFT_INSTANTIATE(float)
GRAFT_INSTANTIATE(double)
#undef GRAFT_INSTANTIATE
GRAFT_CUDA_END

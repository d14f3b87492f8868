/// \file steps.cu  The tape's elementwise work and optimisers, for float and double.
#include "graft/kernel/cuda/steps.cuh"

GRAFT_CUDA_BEGIN

void clear(Cuda, std::size_t bytes, void* to) { detail::copy_bytes(bytes, nullptr, to); }
void copy(Cuda, std::size_t bytes, const void* from, void* to) { detail::copy_bytes(bytes, from, to); }

#define GRAFT_INSTANTIATE(T)                                                                                              \
  template void add_scaled<T>(Cuda, std::size_t, T, const T*, T*);                                                        \
  template void add_scaled<T>(Cuda, std::size_t, T, const T*, const T*, T*);                                              \
  template void scale_by<T>(Cuda, std::size_t, T, T*);                                                                    \
  template void blend<T>(Cuda, std::size_t, T, T, const T*, T*);                                                          \
  template void fill<T>(Cuda, std::size_t, T, T*);                                                                        \
  template void copy_rows<T>(Cuda, const RowCopy&, const T*, T*);                                                         \
  template void weigh<T>(Cuda, double, const T*, double, const T*, T*);                                                   \
  template void multiply<T>(Cuda, const T*, const T*, T*);                                                                \
  template void sum_gradient_squares<T>(Cuda, const FlatParameters<T>&, bool, double*);                                   \
  template void sgd_step<T>(Cuda, const FlatParameters<T>&, double, double, double, bool, const Clip&, T*);               \
  template void adam_step<T>(Cuda, const FlatParameters<T>&, double, double, double, double, double, bool, std::uint64_t, \
                             const Clip&, T*, T*);                                                                        \
  template void root_step<T>(Cuda, const FlatParameters<T>&, double, double, double, double, double, const Clip&, T*);
GRAFT_INSTANTIATE(float)
GRAFT_INSTANTIATE(double)
#undef GRAFT_INSTANTIATE
GRAFT_CUDA_END

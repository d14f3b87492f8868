// The library graft::cuda for the processor: its very sources on the emulation.
#define GRAFT_CUBLASLT 1
#define GRAFT_CUDNN 1
#include "cuda/emulated_blas.hpp"
#include "cuda/emulated_dnn.hpp"

#include "graft/kernel/cuda/blas.cu"
#include "graft/kernel/cuda/dnn.cu"
#include "graft/kernel/cuda/domains.cu"
#include "graft/kernel/cuda/layers.cu"
#include "graft/kernel/cuda/libraries.cu"
#include "graft/kernel/cuda/losses.cu"
#include "graft/kernel/cuda/pixels.cu"
#include "graft/kernel/cuda/products.cu"
#include "graft/kernel/cuda/rounded.cu"
#include "graft/kernel/cuda/runtime.cu"
#include "graft/kernel/cuda/steps.cu"

#include "cuda/device.hpp"

bool device::set_order(int order) {
  if (order > 2) return false;
  emulate::order = static_cast<emulate::Order>(order);
  return true;
}

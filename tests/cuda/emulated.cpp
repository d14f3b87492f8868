// The library graft::cuda for the processor: its very sources on the emulation.
#include "cuda/emulate.hpp"

#include "graft/kernel/cuda/domains.cu"
#include "graft/kernel/cuda/layers.cu"
#include "graft/kernel/cuda/losses.cu"
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

#pragma once
// --device cpu|cuda and --precision f32|winograd|tf32|bf16: what a program trains on.
#include <graft/core/bf16.hpp>
#include <graft/core/device.hpp>
#include <graft/core/error.hpp>
#include <graft/core/precision.hpp>
#ifdef GRAFT_WITH_CUDA
#include <graft/cuda.hpp>
#endif

#include <string>

namespace example {

/// This program cannot run on the device that was asked for: exit code 2.
struct NoDevice : graft::Error {
  using graft::Error::Error;
};

/// Throws NoDevice, one sentence, where `device` is "cuda" and the program was built without CUDA, does not offer it, or finds
/// no GPU that it can use.
void check_device(const std::string& device, bool offered);

/// f(Cpu{}), f(Winograd<Cpu>{}) or f(Bf16<Cpu>{}); on a GPU f(Cuda{}), f(Tf32<Cuda>{}) or f(Bf16<Cuda>{}), which a program
/// built without CUDA does not compile.
template <class F>
void on_device([[maybe_unused]] const std::string& device, const std::string& precision, F&& f) {
#ifdef GRAFT_WITH_CUDA
  if (device == "cuda") {
    if (precision == "tf32") return f(graft::Tf32<graft::Cuda>{});
    if (precision == "bf16") return f(graft::Bf16<graft::Cuda>{});
    return f(graft::Cuda{});
  }
#endif
  if (precision == "winograd") return f(graft::Winograd<graft::Cpu>{});
  precision == "bf16" ? f(graft::Bf16<graft::Cpu>{}) : f(graft::Cpu{});
}

/// f(Cpu{}) or f(Cuda{}), in full float.
template <class F>
void on_cpu_or_cuda([[maybe_unused]] const std::string& device, F&& f) {
#ifdef GRAFT_WITH_CUDA
  if (device == "cuda") return f(graft::Cuda{});
#endif
  f(graft::Cpu{});
}

}  // namespace example

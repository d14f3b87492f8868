#pragma once
// --device cpu|cuda: what a program trains on.
#include <graft/core/device.hpp>
#include <graft/core/error.hpp>
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

/// f(Cpu{}) or f(Cuda{}). A program built without CUDA compiles the first alone.
template <class F>
void on_device([[maybe_unused]] const std::string& device, F&& f) {
#ifdef GRAFT_WITH_CUDA
  if (device == "cuda") return f(graft::Cuda{});
#endif
  f(graft::Cpu{});
}

}  // namespace example

#include "device.hpp"

namespace example {

void check_device(const std::string& device, [[maybe_unused]] bool offered) {
  if (device != "cuda") return;
#ifdef GRAFT_WITH_CUDA
  if (!offered) throw NoDevice("--device cuda: this program runs on the CPU alone.");
  const std::string reason = graft::cuda::why_not();
  if (!reason.empty()) throw NoDevice("--device cuda: " + reason);
#else
  throw NoDevice(
      "--device cuda: this program has no CUDA backend; configure graft with -DGRAFT_CUDA=ON, where nvcc is, or use --device "
      "cpu.");
#endif
}

}  // namespace example

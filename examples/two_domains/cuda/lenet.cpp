#include "../lenet.hpp"

#include <graft/cuda.hpp>

namespace example {
Outcome lenet_10_cuda(const Pair& pair, const Settings& settings) {
  return run_on_images<TutorialLeNet<10>, graft::Cuda>(pair, settings);
}
}  // namespace example

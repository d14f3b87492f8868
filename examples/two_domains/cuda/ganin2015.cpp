#include "../ganin2015.hpp"

#include <graft/cuda.hpp>

namespace example {
Outcome ganin2015_10_cuda(const Pair& pair, const Settings& settings) {
  return run_on_images<Ganin2015<10>, graft::Cuda>(pair, settings);
}
Outcome ganin2015_100_cuda(const Pair& pair, const Settings& settings) {
  return run_on_images<Ganin2015<100>, graft::Cuda>(pair, settings);
}
}  // namespace example

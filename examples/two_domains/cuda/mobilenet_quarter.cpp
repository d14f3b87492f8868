#include <graft/cuda.hpp>

#include "../frozen_trunk.hpp"
#include "../mobilenet.hpp"

namespace example {
Runner mobilenet_quarter_cuda(const Pair& pair, const std::filesystem::path& weights) {
  using graft::Cuda;
  return behind_trunk<256, Cuda>(pair, weights, run_on_features<256, 10, Cuda>, run_on_features<256, 100, Cuda>);
}
}  // namespace example

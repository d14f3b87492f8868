// Pretrained trunks, frozen.
#include "mobilenet.hpp"

#include "frozen_trunk.hpp"

namespace example {

using graft::fail;

Runner mobilenet_quarter(const Pair& pair, const std::filesystem::path& weights) {
  return behind_trunk<256>(pair, weights, features_256_10, features_256_100);
}
Runner mobilenet_whole(const Pair& pair, const std::filesystem::path& weights) {
  return behind_trunk<1024>(pair, weights, features_1024_10, features_1024_100);
}

std::string mobilenet_in(const std::filesystem::path& weights) {
  const graft::io::TensorFile file(weights);
  const auto first = file.tensors().find("conv1/kernel");
  if (first != file.tensors().end() && first->second.shape.size() == 4) {
    if (first->second.shape[3] == 8 && file.contains("conv_pw_13/kernel")) return "mobilenet_0.25";
    if (first->second.shape[3] == 32 && file.contains("conv_pw_12/kernel")) return "mobilenet_1.0";
  }
  fail("'", weights.string(),
       "' holds no MobileNetV1 of width 0.25 or 1.0 under Keras' names (conv1/kernel, conv_pw_12/kernel, ",
       "...); give such a safetensors file, or another --backbone.");
}

}  // namespace example

// Pretrained trunks, frozen.
#include "mobilenet.hpp"

#include "on_features.hpp"

#include <graft/io/weights.hpp>
#include <graft/train/feature_cache.hpp>

#include <memory>

namespace example {

namespace {

using graft::fail;

template <int Width>
std::shared_ptr<const FeaturePair> features_of(const Pair& pair, const std::filesystem::path& weights) {
  const auto trunk = std::make_shared<graft::Model<Trunk<Width>>>();
  graft::io::load(*trunk, weights, {.names = graft::io::names::keras(), .allow_unused = true});
  graft::FeatureCache cache{{.memory = std::size_t{4} << 30, .batch = 16}};
  std::printf("features of %zu images by the frozen trunk\n",
              pair.source.size() + pair.source_test.size() + pair.target.size() + pair.target_test.size());
  return std::make_shared<FeaturePair>(FeaturePair{
      cache.features(*trunk, pair.source, trunk_normalize), cache.features(*trunk, pair.source_test, trunk_normalize),
      cache.features(*trunk, pair.target, trunk_normalize), cache.features(*trunk, pair.target_test, trunk_normalize),
      static_cast<int>(pair.classes.size()), trunk});
}

template <int Width>
Runner prepare(const Pair& pair, const std::filesystem::path& weights, Outcome (*few)(const FeaturePair&, const Settings&),
               Outcome (*many)(const FeaturePair&, const Settings&)) {
  const auto features = features_of<Width>(pair, weights);
  return [features, run = features->classes <= 10 ? few : many](const Settings& s) { return run(*features, s); };
}

}  // namespace

Runner mobilenet_quarter(const Pair& pair, const std::filesystem::path& weights) {
  return prepare<256>(pair, weights, features_256_10, features_256_100);
}
Runner mobilenet_whole(const Pair& pair, const std::filesystem::path& weights) {
  return prepare<1024>(pair, weights, features_1024_10, features_1024_100);
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

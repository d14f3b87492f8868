// Pretrained MobileNetV1 trunks (Howard et al. 2017), frozen.
#include "mobilenet.hpp"

#include "on_features.hpp"

#include <graft/io/weights.hpp>
#include <graft/models/mobilenet.hpp>
#include <graft/train/feature_cache.hpp>

#include <memory>

namespace example {

namespace {

using graft::fail;
using Quarter = graft::Cut<graft::models::MobileNetV1<0.25>, "global_average_pooling2d">;
using Whole = graft::WithHead<graft::Cut<graft::models::MobileNetV1<1.0>, "conv_pw_12_relu">, graft::GlobalAveragePool>;

template <class Trunk>
std::shared_ptr<const FeaturePair> features_of(const Pair& pair, const std::filesystem::path& weights) {
  graft::Model<Trunk> trunk;
  graft::io::load(trunk, weights, {.names = graft::io::names::keras(), .allow_unused = true});
  const graft::data::Normalize normalize{{0.5, 0.5, 0.5, 0.5}, {0.5, 0.5, 0.5, 0.5}};  // to [-1, 1]
  graft::FeatureCache cache{{.memory = std::size_t{4} << 30, .batch = 16}};
  std::printf("features of %zu images by the frozen trunk\n",
              pair.source.size() + pair.source_test.size() + pair.target.size() + pair.target_test.size());
  return std::make_shared<FeaturePair>(
      FeaturePair{cache.features(trunk, pair.source, normalize), cache.features(trunk, pair.source_test, normalize),
                  cache.features(trunk, pair.target, normalize), cache.features(trunk, pair.target_test, normalize),
                  static_cast<int>(pair.classes.size())});
}

template <class Trunk>
Runner prepare(const Pair& pair, const std::filesystem::path& weights, Outcome (*few)(const FeaturePair&, const Settings&),
               Outcome (*many)(const FeaturePair&, const Settings&)) {
  const auto features = features_of<Trunk>(pair, weights);
  return [features, run = features->classes <= 10 ? few : many](const Settings& s) { return run(*features, s); };
}

}  // namespace

Runner mobilenet_quarter(const Pair& pair, const std::filesystem::path& weights) {
  return prepare<Quarter>(pair, weights, features_256_10, features_256_100);
}
Runner mobilenet_whole(const Pair& pair, const std::filesystem::path& weights) {
  return prepare<Whole>(pair, weights, features_1024_10, features_1024_100);
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

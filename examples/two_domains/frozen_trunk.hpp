#pragma once
// A pretrained trunk, frozen, in front of the nets that adapt.
#include "on_features.hpp"

#include <graft/io/weights.hpp>
#include <graft/train/feature_cache.hpp>

#include <cstdio>
#include <memory>

namespace example {

/// The features of both domains by the frozen trunk.
template <int Width, class Device>
std::shared_ptr<const FeaturePair> features_of(const Pair& pair, const std::filesystem::path& weights) {
  const auto trunk = std::make_shared<graft::Model<Trunk<Width>, Device>>();
  graft::io::load(*trunk, weights, {.names = graft::io::names::keras(), .allow_unused = true});
  graft::FeatureCache cache{{.memory = std::size_t{4} << 30, .batch = 16}};
  std::printf("features of %zu images by the frozen trunk\n",
              pair.source.size() + pair.source_test.size() + pair.target.size() + pair.target_test.size());
  return std::make_shared<FeaturePair>(FeaturePair{
      cache.features(*trunk, pair.source, trunk_normalize), cache.features(*trunk, pair.source_test, trunk_normalize),
      cache.features(*trunk, pair.target, trunk_normalize), cache.features(*trunk, pair.target_test, trunk_normalize),
      static_cast<int>(pair.classes.size()), trunk});
}

/// `few` takes up to ten classes.
template <int Width, class Device = graft::Cpu>
Runner behind_trunk(const Pair& pair, const std::filesystem::path& weights, Outcome (*few)(const FeaturePair&, const Settings&),
                    Outcome (*many)(const FeaturePair&, const Settings&)) {
  const auto features = features_of<Width, Device>(pair, weights);
  return [features, run = features->classes <= 10 ? few : many](const Settings& s) { return run(*features, s); };
}

}  // namespace example

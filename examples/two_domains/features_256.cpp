// Few classes and many, in one file: what both need of the trunk and the kernels is compiled once.
#include "on_features.hpp"

namespace example {
Outcome features_256_10(const FeaturePair& pair, const Settings& settings) { return run_on_features<256, 10>(pair, settings); }
Outcome features_256_100(const FeaturePair& pair, const Settings& settings) {
  return run_on_features<256, 100>(pair, settings);
}
}  // namespace example

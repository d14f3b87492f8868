#include "on_features.hpp"

namespace example {
Outcome features_256_100(const FeaturePair& pair, const Settings& settings) {
  return run_on_features<256, 100>(pair, settings);
}
}  // namespace example

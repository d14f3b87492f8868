#include "on_features.hpp"

namespace example {
Outcome features_1024_10(const FeaturePair& pair, const Settings& settings) {
  return run_on_features<1024, 10>(pair, settings);
}
}  // namespace example

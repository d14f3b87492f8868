#include "on_features.hpp"

namespace example {
Outcome features_256_10(const FeaturePair& pair, const Settings& settings) { return run_on_features<256, 10>(pair, settings); }
}  // namespace example

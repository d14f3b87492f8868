#include "lenet.hpp"

namespace example {
Outcome lenet_10(const Pair& pair, const Settings& settings) { return run_on_images<TutorialLeNet<10>>(pair, settings); }
}  // namespace example

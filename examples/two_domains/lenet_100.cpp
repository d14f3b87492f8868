#include "lenet.hpp"

namespace example {
Outcome lenet_100(const Pair& pair, const Settings& settings) { return run_on_images<TutorialLeNet<100>>(pair, settings); }
}  // namespace example

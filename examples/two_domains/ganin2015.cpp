#include "ganin2015.hpp"

namespace example {
Outcome ganin2015_10(const Pair& pair, const Settings& settings) { return run_on_images<Ganin2015<10>>(pair, settings); }
Outcome ganin2015_100(const Pair& pair, const Settings& settings) { return run_on_images<Ganin2015<100>>(pair, settings); }
}  // namespace example

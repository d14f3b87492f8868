// The same tests on a real device; without one they are skipped in one sentence.
#include "cuda/device.hpp"

#include <cstdio>
#include <cstdlib>

bool device::set_order(int order) { return order < 2; }  // twice: a race is likely to show

namespace {
const bool there_is_one = [] {
  const std::string reason = graft::cuda::why_not();
  if (reason.empty()) return true;
  std::printf("skipped: %s\n", reason.c_str());
  std::fflush(stdout);
  std::_Exit(77);
}();
}  // namespace

// W8: a program that makes one step of W1, says when it was done (seconds of the monotonic clock) and its losses, and waits for
// a line while benchmarks/whole_program.py looks at it.
#include "works/digits.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) {
  if (argc > 1) graft::set_threads(std::atoi(argv[1]));
  works::W1<> work;
  work.step();
  const double now = std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  std::printf("%.9f %.9g %.9g\n", now, work.label(), work.domain());
  std::fflush(stdout);
  std::getchar();
}

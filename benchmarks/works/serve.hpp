#pragma once
// The side of a conversation with benchmarks/compare.py. Commands come line by line: `list`, `numbers W`, `time W SECONDS`,
// `operations W`, `free W`, and what `more` knows; each is answered by one line.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <sstream>

#include "work.hpp"

namespace works {

/// Seconds on the machine's monotonic clock.
inline double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// The median of the steps within `seconds`, three at least, after one that does not count; in milliseconds.
inline double median_step(Work& work, double seconds) {
  const int together = work.together();
  const auto steps = [&] {
    for (int i = 0; i < together; ++i) work.step();
    work.finish();
  };
  steps();
  std::vector<double> times;
  for (const double begin = now(); times.size() < 3 || now() - begin < seconds;) {
    const double before = now();
    steps();
    times.push_back((now() - before) / together);
  }
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return 1e3 * *middle;
}

/// Announces `version` and answers until the input ends. more(command, name) prints its own answer, without the line's end.
inline void serve(const std::string& version, const Makers& makers,
                  const std::function<void(const std::string&, const std::string&)>& more = nullptr) {
  std::map<std::string, std::unique_ptr<Work>> made;
  const auto work = [&](const std::string& name) -> Work& {
    auto& entry = made[name];
    if (!entry) entry = makers.at(name)();
    return *entry;
  };
  std::printf("ready %s\n", version.c_str());
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command, name;
    words >> command >> name;
    if (command == "list") {
      for (const auto& entry : makers) std::printf("%s ", entry.first.c_str());
    } else if (command == "operations") {
      std::printf("%.17g", work(name).operations());
    } else if (command == "numbers") {
      for (const double v : work(name).numbers()) std::printf("%.17g ", v);
    } else if (command == "time") {
      double seconds = 0.3;
      words >> seconds;
      std::printf("%.17g", median_step(work(name), seconds));
    } else if (command == "free") {
      made.erase(name);
    } else if (more) {
      more(command, name);
    }
    std::printf("\n");
    std::fflush(stdout);
  }
}

}  // namespace works

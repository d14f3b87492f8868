// graft's side of benchmarks/compare.py. Commands come line by line: `list`, `peak`, `operations W`, `numbers W`,
// `time W SECONDS`, `free W`; each is answered by one line.
#include <graft/core/parallel.hpp>
#include <graft/kernel/cpu/simd.hpp>
#include <graft/version.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <sstream>

#include "work.hpp"

namespace {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// GFLOP/s of fused multiply-adds that wait for nothing, on all threads.
double peak() {
  using V = graft::kernel::Vec<float>;
  constexpr int chains = 12, rounds = 4000000;
  const int threads = graft::threads();
  std::vector<float> out(static_cast<std::size_t>(threads) * 16 * 16);
  double best = 0;
  for (int attempt = 0; attempt < 5; ++attempt) {
    const double begin = now();
    graft::parallel_for(threads, [&](int t) {
      V sums[chains];
      for (int k = 0; k < chains; ++k) sums[k] = V::all(static_cast<float>(k + t) * 1e-3f);
      const V a = V::all(0.999f), b = V::all(1e-3f);
      for (int i = 0; i < rounds; ++i) {
        for (int k = 0; k < chains; ++k) sums[k] = fused(sums[k], a, b);
      }
      V all = sums[0];
      for (int k = 1; k < chains; ++k) all = all + sums[k];
      all.store(out.data() + static_cast<std::size_t>(t) * 16);
    });
    best = std::max(best, 2.0 * chains * rounds * V::lanes * threads / (now() - begin) * 1e-9);
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) graft::set_threads(std::atoi(argv[1]));
  works::Makers makers;
  works::add_steps(makers);
  works::add_discrepancies(makers);
  works::add_convolutions(makers);
  works::add_inference(makers);
  works::add_finetuning(makers);
  std::map<std::string, std::unique_ptr<works::Work>> made;
  const auto work = [&](const std::string& name) -> works::Work& {
    auto& entry = made[name];
    if (!entry) entry = makers.at(name)();
    return *entry;
  };
  std::printf("ready %s %s\n", GRAFT_VERSION_STRING, graft::isa_name);
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command, name;
    words >> command >> name;
    if (command == "list") {
      for (const auto& [key, maker] : makers) std::printf("%s ", key.c_str());
    } else if (command == "peak") {
      std::printf("%.17g", peak());
    } else if (command == "operations") {
      std::printf("%.17g", work(name).operations());
    } else if (command == "numbers") {
      for (const double v : work(name).numbers()) std::printf("%.17g ", v);
    } else if (command == "time") {
      double seconds = 0.3;
      words >> seconds;
      works::Work& w = work(name);
      w.step();
      std::vector<double> times;
      for (const double begin = now(); times.size() < 3 || now() - begin < seconds;) {
        const double before = now();
        w.step();
        times.push_back(now() - before);
      }
      std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
      std::printf("%.17g", 1e3 * times[times.size() / 2]);
    } else if (command == "free") {
      made.erase(name);
    }
    std::printf("\n");
    std::fflush(stdout);
  }
}

// graft's side of benchmarks/compare.py: serve.hpp's commands, `peak` (GFLOP/s; 0: not known), and `device`, answered by ok or
// a sentence.     bench_works [THREADS [cpu | cuda]]
#include <graft/core/parallel.hpp>
#include <graft/kernel/cpu/simd.hpp>
#include <graft/version.hpp>

#include <cstdlib>

#include "numbers.hpp"
#include "serve.hpp"

namespace {

/// GFLOP/s of fused multiply-adds that wait for nothing, on all threads.
double peak() {
  using V = graft::kernel::Vec<float>;
  constexpr int chains = 12, rounds = 4000000;
  const int threads = graft::threads();
  std::vector<float> out(static_cast<std::size_t>(threads) * 16 * 16);
  double best = 0;
  for (int attempt = 0; attempt < 5; ++attempt) {
    const double begin = works::now();
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
    best = std::max(best, 2.0 * chains * rounds * V::lanes * threads / (works::now() - begin) * 1e-9);
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) graft::set_threads(std::atoi(argv[1]));
  const bool cuda = argc > 2 && std::string(argv[2]) == "cuda";
  works::Makers makers;
  std::string device = "ok";
  if (cuda) {
#ifdef GRAFT_WITH_CUDA
    device = works::add_on_cuda(makers);
#else
    device = "this program was built without CUDA: configure with -DGRAFT_CUDA=ON, where nvcc is.";
#endif
  } else {
    works::add_steps(makers);
    works::add_discrepancies(makers);
    works::add_convolutions(makers);
    works::add_inference(makers);
    works::add_finetuning(makers);
  }
  works::serve(std::string(GRAFT_VERSION_STRING) + " " + graft::isa_name, makers,
               [&](const std::string& command, const std::string&) {
                 if (command == "peak") std::printf("%.17g", cuda ? 0.0 : peak());
                 if (command == "device") std::printf("%s", device.c_str());
               });
}

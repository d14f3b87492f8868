// W1: one step of DANN, 128 + 128 digits of 28 x 28 x 3, with the network of Ganin et al. 2016 and SGD with momentum; and its
// parts.
#include <benchmark/benchmark.h>
#include <graft/graft.hpp>

using namespace graft;

namespace {

struct Features : Net<Image<28, 28, 3>, Conv2D<32, 5>, ReLU, MaxPool2D<2>, Conv2D<48, 5>, ReLU, MaxPool2D<2>, Flatten> {};
struct Labels : Net<Features::output, Dense<100>, ReLU, Dense<100>, ReLU, Dense<10>> {};
struct Domains : Net<Features::output, Dense<100>, ReLU, Dense<2>> {};

struct Batches {
  std::vector<float> images;
  std::vector<int> labels, domains;
  explicit Batches(int n)
      : images(static_cast<std::size_t>(2 * n) * Features::input.size()),
        labels(static_cast<std::size_t>(n)),
        domains(static_cast<std::size_t>(2 * n)) {
    Random random(1);
    for (float& x : images) x = static_cast<float>(random.uniform(-0.5, 0.5));
    for (int& y : labels) y = static_cast<int>(random.below(10));
    for (std::size_t i = labels.size(); i < domains.size(); ++i) domains[i] = 1;
  }
};

/// Multiplications and additions of one forward pass of a net's convolutions and dense layers over n samples, times the passes:
/// forward, weight gradient, and input gradient where one is needed.
constexpr double conv1 = 2.0 * 24 * 24 * 32 * 75, conv2 = 2.0 * 8 * 8 * 48 * 800,
                 dense = 2.0 * (768 * 100 + 100 * 100 + 100 * 10), domain = 2.0 * (768 * 100 + 100 * 2);
constexpr double step_operations(double n) { return 2 * n * (2 * conv1 + 3 * conv2 + 3 * domain) + n * 3 * dense; }

void W1(benchmark::State& state) {
  set_threads(static_cast<int>(state.range(1)));
  const int n = static_cast<int>(state.range(0));
  Batches batch(n);
  Model<Features> features{{.seed = 1}};
  Model<Labels> labels{{.seed = 2}};
  Model<Domains> domains{{.seed = 3}};
  Sgd optimizer{{.learning_rate = 1e-4, .momentum = 0.9}, features, labels, domains};
  Tape tape;
  for (auto _ : state) {
    const auto f = tape(features, Rows<float>{batch.images.data(), 2 * n, n});
    const auto loss = cross_entropy(tape(labels, f.source()), ClassLabels<10>{batch.labels.data(), n}) +
                      cross_entropy(tape(domains, reverse_gradient(f, 0.5)), DomainLabels{batch.domains.data(), 2 * n});
    optimizer.step(backward(loss));
  }
  state.counters["GFLOP/s"] = benchmark::Counter(step_operations(n) * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["tape MB"] = static_cast<double>(tape.capacity()) / 1e6;
}
BENCHMARK(W1)->Args({128, 1})->Args({128, 2})->Unit(benchmark::kMillisecond)->UseRealTime()->MinTime(1.0);

}  // namespace

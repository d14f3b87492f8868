// A row for every op of the list, forward and backward over 64 samples, and the convolutions that matter most.
#include <benchmark/benchmark.h>
#include <graft/loss/record.hpp>
#include <graft/ops/list.hpp>

#include <string>

using namespace graft;

namespace {

template <class Layers>
struct Names;
template <class... Ls>
struct Names<Chain<Ls...>> {
  static std::string text() {
    std::string all;
    ((all += (all.empty() ? "" : "+") + std::string(Ls::name)), ...);
    return all;
  }
};

/// Forward and backward of one net, input gradient included.
template <class N>
void step(benchmark::State& state, int n) {
  Model<N> model;
  std::vector<float> x(static_cast<std::size_t>(n) * N::input.size());
  Random random(1);
  for (float& v : x) v = static_cast<float>(random.normal());
  Tape tape;
  for (auto _ : state) {
    tape.open();
    Node<float>* in = tape.node(x.data(), N::input.size(), n, true);
    Var<N::input, Kind::features, float> var;
    var.tape = &tape;
    var.view = View<float>{in, 0, n, 1.0};
    const auto y = tape(model, var);
    backward(detail::record_loss(y, [&](const float* values, float* gradient) {
      if (gradient != nullptr) std::copy(values, values + y.view.size(), gradient);
      return 0.0f;
    }));
  }
}

template <class Case>
void add_row() {
  using N = typename Case::Net;
  const std::string name = "op/" + Names<typename N::Layers>::text() + "/" + std::to_string(N::input.h) + "x" +
                           std::to_string(N::input.w) + "x" + std::to_string(N::input.c);
  benchmark::RegisterBenchmark(name.c_str(), [](benchmark::State& state) { step<N>(state, 64); })
      ->Unit(benchmark::kMicrosecond)
      ->UseRealTime();
}

template <class... Cases>
bool add_rows(std::tuple<Cases...>*) {
  (add_row<Cases>(), ...);
  return true;
}
const bool added = add_rows(static_cast<OpList*>(nullptr));

template <class N>
bool add_large(const char* name, int n) {
  benchmark::RegisterBenchmark(name, [n](benchmark::State& state) { step<N>(state, n); })
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
  return true;
}
const bool large[] = {
    add_large<Net<Image<28, 28, 3>, Conv2D<32, 5>, ReLU, MaxPool2D<2>>>("conv/3-32 k5 28x28 +ReLU+pool n256", 256),
    add_large<Net<Image<12, 12, 32>, Conv2D<48, 5>, ReLU, MaxPool2D<2>>>("conv/32-48 k5 12x12 +ReLU+pool n256", 256),
    add_large<Net<Image<56, 56, 64>, Conv2D<64, 3, Conv{.padding = same}>>>("conv/64-64 k3 56x56 n16", 16),
    add_large<Net<Vector<768>, Dense<100>, ReLU>>("dense/768-100 +ReLU n256", 256)};

}  // namespace

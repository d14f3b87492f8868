// Models whose convolutions go by Winograd's tiles: the same numbers as the plain ones', whatever stands around them.
#include <graft/graft.hpp>

#include "catch.hpp"
#include "support/allocations.hpp"

namespace test_winograd {
using namespace graft;

namespace {

using Same = Conv2D<16, 3, Conv{.padding = same}>;
struct Body : Net<Image<16, 16, 3>, Conv2D<16, 5, Conv{.padding = same}>, ReLU, MaxPool2D<2>,  // three channels: plain
                  Conv2D<32, 5, Conv{.padding = same}>, BatchNorm<>, LeakyReLU<0.2>, MaxPool2D<2>, Conv2D<16, 1>,
                  Residual<Same, ReLU>, Concat<Branch<Same>, Branch<AvgPool2D<2, 1, same>>>, Flatten> {};
struct Head : Net<Body::output, Dense<10>> {};

template <class Device, class T>
struct Steps {
  static constexpr int n = 12;
  Model<Body, Device, T> body{{.seed = 1}};
  Model<Head, Cpu, T> head{{.seed = 2}};
  Sgd<T> optimizer{{.learning_rate = 2e-3, .momentum = 0.9}, body, head};
  Tape<T> tape;
  std::vector<T> x;
  std::vector<int> labels;
  Steps() : x(n * Body::input.size()) {
    Random random(3, 4);
    for (T& v : x) v = static_cast<T>(random.normal());
    for (int i = 0; i < n; ++i) labels.push_back(i * 7 % 10);
  }
  double step() {
    const auto loss = cross_entropy(tape(head, tape(body, Rows<T>{x.data(), n})), ClassLabels<10>{labels.data(), n});
    const double value = static_cast<double>(loss.value());
    optimizer.step(backward(loss));
    return value;
  }
};

}  // namespace

TEST_CASE("a model by tiles takes the plain model's steps", "[core][winograd]") {
  Steps<Cpu, double> plain;
  Steps<Winograd<Cpu>, double> tiles;
  Steps<Winograd<Cpu>, float> single;
  double first = 0;
  for (int i = 0; i < 10; ++i) {
    const double want = plain.step();
    if (i == 0) first = want;
    CHECK(tiles.step() == Approx(want).epsilon(1e-9));
    CHECK(single.step() == Approx(want).epsilon(1e-3));
  }
  double apart = 0;
  for (std::size_t i = 0; i < plain.body.values().size(); ++i)
    apart = std::max(apart, std::abs(plain.body.values()[i] - tiles.body.values()[i]));
  CHECK(apart > 0);  // they do go by tiles
  CHECK(apart < 1e-9);
  CHECK(plain.step() < 0.5 * first);
}

TEST_CASE("a step by tiles allocates nothing after the first", "[core][winograd]") {
  Steps<Winograd<Cpu>, float> steps;
  for (int i = 0; i < 3; ++i) steps.step();
  const std::size_t before = support::allocations();
  for (int i = 0; i < 3; ++i) steps.step();
  CHECK(support::allocations() == before);
}

TEST_CASE("weights go between models by tiles and plain ones, which predict the same", "[core][winograd]") {
  Steps<Winograd<Cpu>, float> trained;
  for (int i = 0; i < 3; ++i) trained.step();
  auto tiles = deploy(trained.body);
  Model<Deployed<Body>> plain;
  copy_weights(tiles, plain);
  const std::size_t size = Body::output.size();
  std::vector<float> have(trained.n * size), want(have.size());
  tiles.predict(trained.x.data(), trained.n, have.data());
  plain.predict(trained.x.data(), trained.n, want.data());
  float largest = 0;
  for (const float v : want) largest = std::max(largest, std::abs(v));
  for (std::size_t i = 0; i < want.size(); ++i) CHECK(std::abs(have[i] - want[i]) < 1e-4f * largest);
}

}  // namespace test_winograd

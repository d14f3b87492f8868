// Body and head as one net without dropout and BatchNorm.
#include <graft/ops/deploy.hpp>
#include <graft/ops/list.hpp>

#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace test_deploy {
using namespace graft;

namespace {
constexpr Conv bare{.padding = same, .bias = false};
struct Body : Net<Image<8, 7, 3>, Named<"first", Conv2D<6, 3, bare>>, Dropout<0.3>, BatchNorm<torch_norm>, ReLU,
                  DepthwiseConv2D<3, Conv{.padding = same}>, BatchNorm<>, ReLU6, MaxPool2D<2>,
                  Named<"block", Residual<Conv2D<6, 3, bare>, BatchNorm<Norm{.scale = false}>, LeakyReLU<0.1>, Conv2D<6, 1>>>,
                  BatchNorm<>, Concat<Branch<Conv2D<4, 1, bare>, BatchNorm<>, BatchNorm<torch_norm>>, Branch<>>,
                  Conv2D<4, 3, Conv{.stride = 2, .groups = 2}>> {};
struct Head : Net<Body::output, BatchNorm<>, Flatten, Dense<9, false>, BatchNorm<>, Tanh, Dropout<0.5>, Dense<5>> {};

/// Numbers in which no scale, shift or statistic is left at 0 or 1.
template <class M>
void stir(M& model, std::uint64_t seed) {
  Random random(seed, 0x737469u);
  for (double& x : model.values()) x = random.uniform(-0.5, 0.5);
  for (double& x : model.statistics()) x = random.uniform(0.1, 0.9);
}

template <class M>
std::vector<double> predicted(M& model, const std::vector<double>& x, int n) {
  std::vector<double> y(static_cast<std::size_t>(n) * M::output.size());
  model.predict(x.data(), n, y.data());
  return y;
}
std::vector<double> images(int n) {
  std::vector<double> x(static_cast<std::size_t>(n) * Body::input.size());
  Random random(5, 6);
  for (double& value : x) value = random.uniform(-0.4, 0.6);
  return x;
}
template <class D, class B, class H>
double error_of(D& deployed, B& body, H& head) {
  const int n = 3;
  const auto x = images(n);
  const auto whole = predicted(head, predicted(body, x, n), n), folded = predicted(deployed, x, n);
  REQUIRE(whole.size() == folded.size());
  double error = 0.0, most = 0.0;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    error = std::max(error, std::abs(whole[i] - folded[i]));
    most = std::max(most, std::abs(whole[i]));
  }
  REQUIRE(most > 0.01);
  return error / most;
}
}  // namespace

TEST_CASE("A deployed net predicts what body and head do, with neither dropout nor BatchNorm where it folds", "[core]") {
  Model<Body, Cpu, double> body;
  Model<Head, Cpu, double> head;
  stir(body, 1), stir(head, 2);
  auto deployed = deploy(body, head);
  CHECK(error_of(deployed, body, head) < 1e-12);

  std::vector<std::string> names;
  for (const Segment& s : deployed.segments()) names.push_back(s.name);
  for (const Segment& s : deployed.statistic_segments()) names.push_back(s.name);
  CHECK(names ==
        std::vector<std::string>{"first/w",   "first/b", "1/w",    "1/b",   "block/0/w",      "block/0/b",    "block/1/w",
                                 "block/1/b", "3/gamma", "3/beta", "4/0/w", "4/0/b",          "5/w",          "5/b",
                                 "6/w",       "6/b",     "7/w",    "7/b",   "3/running_mean", "3/running_var"});

  stir(body, 3);  // what was deployed is a copy
  CHECK(error_of(deployed, body, head) > 1e-3);
}

TEST_CASE("A deployed net takes the target's statistics where there are two kinds", "[core]") {
  Model<Body, Cpu, double> body;
  Model<Head, Cpu, double> head;
  stir(body, 1), stir(head, 2);
  for (double& x : body.statistics_of(1)) x = 1.5 - x;
  auto deployed = deploy(body, head);
  CHECK(error_of(deployed, body, head) > 1e-3);
  body.domain = 1;
  CHECK(error_of(deployed, body, head) < 1e-12);
}

TEST_CASE("A deployed Lora is the layer that it changes", "[core]") {
  struct Adapted : Net<Image<8, 7, 3>, Lora<Conv2D<5, 1, Conv{.bias = false}>, 2>, BatchNorm<>, ReLU,
                       Lora<Conv2D<4, 1>, 3, 6.0>, Named<"fc", Lora<Dense<6, false>, 2>>, Tanh> {};
  struct Top : Net<Adapted::output, Lora<Dense<5>, 1>> {};
  Model<Adapted, Cpu, double> body;
  Model<Top, Cpu, double> head;
  stir(body, 1), stir(head, 2);
  auto deployed = deploy(body, head);
  CHECK(error_of(deployed, body, head) < 1e-12);
  std::vector<std::string> names;
  for (const Segment& s : deployed.segments()) names.push_back(s.name);
  CHECK(names == std::vector<std::string>{"0/w", "0/b", "1/w", "1/b", "fc/w", "3/w", "3/b"});
}

TEST_CASE("Three nets are deployed as one: a trunk, a body on its features, a head", "[core]") {
  struct Trunk : Net<Image<8, 7, 3>, Conv2D<6, 3, bare>, BatchNorm<>, ReLU, GlobalAveragePool> {};
  struct OnFeatures : Net<Trunk::output, Dense<7, false>, BatchNorm<>, LeakyReLU<0.3>> {};
  struct Classes : Net<OnFeatures::output, Dense<4>> {};
  Model<Trunk, Cpu, double> trunk;
  Model<OnFeatures, Cpu, double> body;
  Model<Classes, Cpu, double> head;
  stir(trunk, 1), stir(body, 2), stir(head, 3);
  auto deployed = deploy(trunk, body, head);
  const auto x = images(3);
  const auto whole = predicted(head, predicted(body, predicted(trunk, x, 3), 3), 3), folded = predicted(deployed, x, 3);
  for (std::size_t i = 0; i < whole.size(); ++i) CHECK(folded[i] == Approx(whole[i]).epsilon(1e-12));
  CHECK(deployed.statistic_segments().empty());
}

TEST_CASE("A net without BatchNorm is deployed as it is", "[core]") {
  struct Plain : Net<Vector<4>, Dense<3, false>, ReLU, Dense<2>> {};
  Model<Plain> model{{.seed = 4}};
  auto deployed = deploy(model);
  CHECK(deployed.segments().size() == 3);
  CHECK(std::equal(deployed.values().begin(), deployed.values().end(), model.values().begin()));
}

}  // namespace test_deploy

// Names of layers, as paths of arrays.
#include <graft/core/model.hpp>
#include <graft/ops/list.hpp>

#include "catch.hpp"

namespace test_named {
using namespace graft;

namespace {

template <class N>
std::vector<std::string> names() {
  Model<N> model;
  std::vector<std::string> all;
  for (const Segment& s : model.segments()) all.push_back(s.name);
  for (const Segment& s : model.statistic_segments()) all.push_back(s.name);
  return all;
}
using Names = std::vector<std::string>;

constexpr Conv kept{.padding = same, .bias = false};
struct Block : Sum<Named<"", Branch<Named<"conv1", Conv2D<4, 3, kept>>, Named<"bn1", BatchNorm<>>, ReLU>>,
                   Named<"downsample", Branch<Conv2D<4, 1, kept>, BatchNorm<>>>> {};

}  // namespace

TEST_CASE("layers without a name are counted, at each level", "[core]") {
  CHECK(names<Net<Image<4, 4, 2>, ReLU, Conv2D<3, 1>, ReLU, BatchNorm<>, Flatten, Dense<2, false>>>() ==
        Names{"0/w", "0/b", "1/gamma", "1/beta", "2/w", "1/running_mean", "1/running_var"});
  CHECK(names<Net<Vector<4>, Dense<4, false>, Residual<Dense<4>, ReLU, Dense<4, false>>>>() ==
        Names{"0/w", "1/0/w", "1/0/b", "1/1/w"});
  CHECK(names<Net<Vector<4>, Concat<Branch<Dense<2, false>>, Branch<>, Branch<ReLU, Dense<3, false>, Dense<2, false>>>>>() ==
        Names{"0/0/0/w", "0/2/0/w", "0/2/1/w"});
}

TEST_CASE("layers with a name are called by it, and nested ones by the path", "[core]") {
  CHECK(names<Net<Vector<4>, Named<"in", Dense<4, false>>, Dense<3, false>, Named<"out", Dense<2, false>>>>() ==
        Names{"in/w", "1/w", "out/w"});
  CHECK(names<Net<Image<4, 4, 2>, Named<"layer1.0", Block>>>() ==
        Names{"layer1.0/conv1/w", "layer1.0/bn1/gamma", "layer1.0/bn1/beta", "layer1.0/downsample/0/w",
              "layer1.0/downsample/1/gamma", "layer1.0/downsample/1/beta", "layer1.0/bn1/running_mean",
              "layer1.0/bn1/running_var", "layer1.0/downsample/1/running_mean", "layer1.0/downsample/1/running_var"});
  CHECK(names<Net<Vector<2>, Named<"block", Residual<Named<"fc", Dense<2, false>>>>>>() == Names{"block/fc/w"});
}

TEST_CASE("two arrays of one name are refused", "[core]") {
  using Twice = Net<Vector<4>, Named<"fc", Dense<4>>, Named<"fc", Dense<4>>>;
  CHECK_THROWS_WITH(Model<Twice>({.name = "m"}),
                    Catch::Matchers::ContainsSubstring("model 'm'") && Catch::Matchers::ContainsSubstring("'fc/b'"));
  using Hidden = Net<Vector<4>, Named<"1", Dense<4, false>>, Dense<4, false>>;
  CHECK_THROWS_WITH(Model<Hidden>(), Catch::Matchers::ContainsSubstring("'1/w'"));
  using TwoEmpty = Net<Vector<4>, Sum<Named<"", Branch<Dense<4>>>, Named<"", Branch<Dense<4>>>>>;
  CHECK_THROWS_WITH(Model<TwoEmpty>(), Catch::Matchers::ContainsSubstring("'0/0/b'"));
}

TEST_CASE("a name changes neither the plan nor the numbers", "[core]") {
  using Plain =
      Net<Image<8, 8, 3>, Conv2D<5, 3>, ReLU, MaxPool2D<2>, Residual<Conv2D<5, 3, kept>, BatchNorm<>, ReLU>, Dense<4>>;
  using Called = Net<Image<8, 8, 3>, Named<"conv", Conv2D<5, 3>>, Named<"relu", ReLU>, Named<"pool", MaxPool2D<2>>,
                     Named<"block", Residual<Conv2D<5, 3, kept>, BatchNorm<>, ReLU>>, Named<"top", Dense<4>>>;
  CHECK(Plain::plan.covered == Called::plan.covered);
  CHECK(Plain::plan.covered[2]);
  CHECK(Plain::kind == Called::kind);
  Model<Plain> plain{{.seed = 3}};
  Model<Called> called{{.seed = 3}};
  std::vector<float> x(2 * Plain::input.size());
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 17) / 17;
  std::vector<float> y(8), z(8, -1);
  plain.predict(x.data(), 2, y.data());
  called.predict(x.data(), 2, z.data());
  CHECK(y == z);
}

}  // namespace test_named

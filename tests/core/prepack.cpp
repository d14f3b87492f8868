// Weights packed once for prediction: the same bits, until something may have changed the weights.
#include <graft/graft.hpp>

#include "catch.hpp"
#include "support/allocations.hpp"

namespace test_prepack {
using namespace graft;

namespace {

using Same = Conv2D<32, 3, Conv{.padding = same}>;
// Among them what is not packed: channels that fill no vector, and what is no convolution.
struct Body : Net<Image<14, 14, 3>, Conv2D<32, 5, Conv{.padding = same}>, ReLU, MaxPool2D<2>, Residual<Same, BatchNorm<>, ReLU>,
                  Sum<Branch<Conv2D<48, 1>>, Branch<Conv2D<48, 3, Conv{.padding = same, .groups = 1}>, ReLU>>,
                  Concat<Branch<Conv2D<32, 3, Conv{.padding = same, .dilation = 2, .groups = 2}>>, Branch<Conv2D<20, 1>>>,
                  DepthwiseConv2D<3>, Conv2D<16, 3, Conv{.stride = 2}>, Dense<10>> {};

struct Images {
  static constexpr int n = 9;
  std::vector<float> x;
  Images() : x(n * Body::input.size()) {
    Random random(5, 6);
    for (float& v : x) v = static_cast<float>(random.normal());
  }
  template <class M>
  [[nodiscard]] std::vector<float> through(M& model, int count = n) const {
    std::vector<float> y(static_cast<std::size_t>(count) * Body::output.size());
    model.predict(x.data(), count, y.data());
    return y;
  }
};

}  // namespace

TEST_CASE("packed once, weights predict the same bits for any number of samples", "[core][prepack]") {
  const Images images;
  Model<Body> model{{.seed = 1}};
  Model<Body, Winograd<Cpu>> tiles{{.seed = 1}};
  for (const int count : {1, 2, 9}) {
    const auto want = images.through(model, count), want_tiles = images.through(tiles, count);
    model.prepack();
    tiles.prepack();
    CHECK(images.through(model, count) == want);
    CHECK(images.through(model, count) == want);
    CHECK(images.through(tiles, count) == want_tiles);
    Model<Body> copied = model;
    CHECK(images.through(copied, count) == want);
    static_cast<void>(model.values());
    CHECK(images.through(model, count) == want);
  }
}

TEST_CASE("what may change the weights ends their packing", "[core][prepack]") {
  const Images images;
  Model<Body> model{{.seed = 1}}, other{{.seed = 2}};
  const auto first = images.through(model), second = images.through(other);
  REQUIRE(first != second);

  model.prepack();
  copy_weights(other, model);
  CHECK(images.through(model) == second);

  model.prepack();
  model.array("0/w")[0] += 1.0f;
  CHECK(images.through(model) != second);
  model.array("0/w")[0] -= 1.0f;

  model.prepack();
  model.reset({.seed = 1});
  CHECK(images.through(model) == first);

  // An optimiser that was there before writes through pointers of its own, after a gradient.
  Sgd<float> optimizer{{.learning_rate = 0.1}, model};
  Tape<float> tape;
  const std::vector<int> labels(Images::n, 3);
  model.prepack();
  CHECK(images.through(model) == first);
  optimizer.step(
      backward(cross_entropy(tape(model, Rows<float>{images.x.data(), Images::n}), ClassLabels<10>{labels.data(), Images::n})));
  const auto trained = images.through(model);
  CHECK(trained != first);
  static_cast<void>(model.values());
  CHECK(images.through(model) == trained);
}

TEST_CASE("who writes through a pointer from before must pack again", "[core][prepack]") {
  const Images images;
  Model<Body> model{{.seed = 1}};
  float* const kernel = model.array("0/w");
  const auto first = images.through(model);
  model.prepack();
  kernel[0] += 1.0f;
  CHECK(images.through(model) == first);  // so it is the packed weights that are used
  model.prepack();
  CHECK(images.through(model) != first);
}

TEST_CASE("predictions of packed weights allocate nothing after the first", "[core][prepack]") {
  const Images images;
  Model<Body> model{{.seed = 1}};
  model.prepack();
  std::vector<float> y(Images::n * Body::output.size());
  model.predict(images.x.data(), Images::n, y.data());
  const std::size_t before = support::allocations();
  for (int i = 0; i < 3; ++i) model.predict(images.x.data(), Images::n, y.data());
  CHECK(support::allocations() == before);
}

}  // namespace test_prepack

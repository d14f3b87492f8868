#include "catch.hpp"
#include "graft/interop/eigen.hpp"
#include "graft/interop/xtensor.hpp"
#include "graft/io/npz.hpp"
#include "graft/ops/list.hpp"
#include "io/fixture.hpp"

#include <xtensor/xrandom.hpp>
#include <xtensor/xview.hpp>

using namespace graft;

namespace {
struct Tiny : Net<Image<4, 3, 2>, Conv2D<5, 3>, BatchNorm<>, Flatten, Dense<3>> {};
struct Line : Net<Vector<4>, Dense<3>> {};
}  // namespace

TEST_CASE("Eigen looks at a model's arrays and predicts", "[interop]") {
  Model<Line> model{{.seed = 3, .bias = 0.25}};
  auto w = interop::eigen(model, "0/w");
  CHECK(w.rows() == 4);
  CHECK(w.cols() == 3);
  w(1, 2) = 7.0f;
  CHECK(model.array("0/w")[5] == 7.0f);
  Eigen::MatrixXf x = Eigen::MatrixXf::Random(5, 4);  // column-major: is turned
  const auto y = interop::predict(model, x);
  const Eigen::MatrixXf expected = (x * w).rowwise() + interop::eigen(model, "0/b").row(0);
  CHECK((y - expected).cwiseAbs().maxCoeff() < 1e-5f);
  CHECK_THROWS_AS(interop::eigen(model, "1/w"), Error);
  CHECK_THROWS_AS(interop::predict(model, Eigen::MatrixXf::Zero(5, 3)), Error);
  Model<Tiny> tiny;
  CHECK(interop::eigen(tiny, "0/w").rows() == 18);
  CHECK(interop::eigen(tiny, "1/running_var")(0, 4) == 1.0f);
  const float numbers[] = {1, 2, 3, 4, 5, 6};
  CHECK(interop::eigen(numbers, 2, 3)(1, 0) == 4.0f);
}

TEST_CASE("xtensor looks at a model's arrays, predicts, and makes sets", "[interop]") {
  Model<Tiny> model{{.seed = 3}};
  auto w = interop::view(model, "0/w");
  REQUIRE(w.dimension() == 4);
  w(2, 1, 0, 3) = 9.0f;
  CHECK(model.array("0/w")[((2 * 3 + 1) * 2 + 0) * 5 + 3] == 9.0f);
  const xt::xarray<float> x = xt::random::rand<float>({6, 4, 3, 2});
  const auto y = interop::predict(model, x);
  CHECK(y.shape(0) == 6);
  CHECK(y.shape(1) == 3);
  const auto part = interop::predict(model, xt::view(x, xt::range(2, 4)));
  CHECK(part(1, 2) == Approx(y(3, 2)));
  CHECK_THROWS_AS(interop::predict(model, xt::xarray<float>(xt::zeros<float>({6, 4, 3, 1}))), Error);

  const xt::xarray<int> images = xt::arange<int>(24).reshape({2, 3, 4});
  const xt::xarray<int> labels{1, 0};
  const auto set = interop::labelled("drawn", images, labels, 2);
  CHECK(set.shape() == image_shape(3, 4, 1));
  CHECK(set.pixels(1)[2] == 14);
  CHECK(set.label(0) == 1);
  CHECK_THROWS_AS(interop::labelled("drawn", labels, labels, 2), Error);
  CHECK_THROWS_AS(interop::labelled("drawn", images, xt::xarray<int>{1}, 2), Error);

  const auto b = interop::array<float>(io::read_npz(fixture("stored.npz")), "b");  // a ramp's transpose
  CHECK(b(3, 2, 1) == Approx(23 * 0.5 - 3));
  CHECK(b(1, 0, 0) == Approx(1 * 0.5 - 3));
}

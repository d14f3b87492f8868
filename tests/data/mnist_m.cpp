// MNIST-M from made-up digits and photographs: each image is a crop's difference, and depends on its seed and place alone.
#include <graft/data/mnist_m.hpp>

#include "catch.hpp"

using namespace graft;
using Catch::Matchers::Contains;

namespace {

constexpr int side = 4;

data::Labelled digits(std::size_t n, std::size_t channels = 1) {
  data::Pixels pixels(std::array<std::size_t, 4>{n, side, side, channels});
  Random random(1);
  for (auto& p : pixels) p = random.below(2) == 0 ? std::uint8_t{0} : static_cast<std::uint8_t>(random.below(256));
  std::vector<std::int32_t> labels(n);
  for (std::size_t i = 0; i < n; ++i) labels[i] = static_cast<std::int32_t>(i % 3);
  return {"d", std::move(pixels), std::move(labels), 3};
}
data::Photograph photograph(int height, int width, std::uint64_t seed) {
  data::Photograph made{height, width, {}};
  Random random(seed);
  for (int i = 0; i < height * width * 3; ++i) made.pixels.push_back(static_cast<std::uint8_t>(random.below(256)));
  return made;
}
std::vector<data::Photograph> album() { return {photograph(6, 9, 2), photograph(4, 5, 3), photograph(11, 4, 4)}; }

/// Whether image i is the difference of digit i and the crop of `p` at (top, left).
bool is_crop(const data::Labelled& m, const data::Labelled& d, std::size_t i, const data::Photograph& p, int top, int left,
             bool binarise) {
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      const int digit = d.pixels(i)[y * side + x];
      const int ink = binarise ? (digit > 0 ? 255 : 0) : digit;
      for (int k = 0; k < 3; ++k) {
        const int under = p.pixels[static_cast<std::size_t>(((top + y) * p.width + left + x) * 3 + k)];
        if (m.pixels(i)[(y * side + x) * 3 + k] != std::abs(under - ink)) return false;
      }
    }
  }
  return true;
}

}  // namespace

TEST_CASE("every image of MNIST-M is |photograph - digit| at some crop, and all crops occur", "[data]") {
  const auto d = digits(400);
  const auto photographs = album();
  for (const bool binarise : {true, false}) {
    const auto m = data::mnist_m(d, photographs, {.seed = 9, .binarise = binarise});
    CHECK(m.shape() == image_shape(side, side, 3));
    CHECK(m.labels() == d.labels());
    CHECK(m.classes() == 3);
    std::vector<int> seen;
    std::size_t explained = 0;
    for (const auto& p : photographs) {
      for (int top = 0; top + side <= p.height; ++top) {
        for (int left = 0; left + side <= p.width; ++left) {
          int found = 0;
          for (std::size_t i = 0; i < m.size(); ++i) found += is_crop(m, d, i, p, top, left, binarise) ? 1 : 0;
          explained += static_cast<std::size_t>(found);
          seen.push_back(found);
        }
      }
    }
    CHECK(explained == m.size());
    CHECK(std::count(seen.begin(), seen.end(), 0) == 0);
  }
}

TEST_CASE("MNIST-M depends on seed and place alone", "[data]") {
  const auto d = digits(700);  // three pieces of work
  const int before = threads();
  set_threads(1);
  const auto one = data::mnist_m(d, album(), {.seed = 5});
  set_threads(2);
  const auto two = data::mnist_m(d, album(), {.seed = 5});
  set_threads(before);
  CHECK(one.all() == two.all());
  const auto part = data::mnist_m(d.take(300), album(), {.seed = 5});
  CHECK(part.all() == one.take(300).all());
  CHECK_FALSE(data::mnist_m(d, album(), {.seed = 6}).all() == one.all());
}

TEST_CASE("MNIST-M says what it cannot use", "[data]") {
  CHECK_THROWS_WITH(data::mnist_m(digits(2, 3), album()), Contains("'d' has 3 channels"));
  CHECK_THROWS_WITH(data::mnist_m(digits(2), std::vector<data::Photograph>{photograph(9, 3, 1)}),
                    Contains("3 x 9 pixels") && Contains("4 x 4"));
}

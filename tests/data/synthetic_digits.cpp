// The library's own digits: a function of seed and place, and drawings of what their labels say.
#include <graft/data/synthetic_digits.hpp>

#include "catch.hpp"

using namespace graft;
using data::Domain;

namespace {

using Means = std::vector<std::vector<double>>;

Means class_means(const data::Labelled& set) {
  Means means(10, std::vector<double>(set.shape().size()));
  for (std::size_t i = 0; i < set.size(); ++i) {
    auto& mean = means[static_cast<std::size_t>(set.label(i))];
    for (std::size_t p = 0; p < mean.size(); ++p) mean[p] += set.pixels(i)[p] * 10.0 / static_cast<double>(set.size());
  }
  return means;
}
int nearest(const Means& means, const std::uint8_t* pixels) {
  int best = 0;
  double least = 1e300;
  for (int k = 0; k < 10; ++k) {
    const auto& mean = means[static_cast<std::size_t>(k)];
    double distance = 0;
    for (std::size_t p = 0; p < mean.size(); ++p) distance += (pixels[p] - mean[p]) * (pixels[p] - mean[p]);
    if (distance < least) {
      least = distance;
      best = k;
    }
  }
  return best;
}

}  // namespace

TEST_CASE("a synthetic digit depends on seed, domain and place alone", "[data]") {
  const int before = threads();
  for (const Domain domain : {Domain::source, Domain::target}) {
    set_threads(1);
    const auto one = data::synthetic_digits(290, 8, domain);
    set_threads(2);
    const auto two = data::synthetic_digits(290, 8, domain);
    set_threads(before);
    CHECK(one.all() == two.all());
    CHECK(data::synthetic_digits(40, 8, domain).all() == one.take(40).all());
    CHECK_FALSE(data::synthetic_digits(40, 9, domain).all() == one.take(40).all());
    for (std::size_t i = 10; i < 290; ++i) {
      REQUIRE_FALSE(std::equal(one.pixels(i), one.pixels(i) + one.shape().size(), one.pixels(i - 10)));
    }
  }
}

TEST_CASE("synthetic digits can be told apart by the mean of their class", "[data]") {
  const Means means = class_means(data::synthetic_digits(1000, 1, Domain::source));
  const auto test = data::synthetic_digits(500, 2, Domain::source);
  int right = 0;
  for (std::size_t i = 0; i < test.size(); ++i) right += nearest(means, test.pixels(i)) == test.label(i) ? 1 : 0;
  CHECK(right > 300);  // 50 by chance
}

TEST_CASE("the two worlds differ: black ground and grey, texture and colour", "[data]") {
  const auto source = data::synthetic_digits(100, 3, Domain::source);
  const auto target = data::synthetic_digits(100, 3, Domain::target);
  const auto black = [](const data::Labelled& set) {
    return static_cast<double>(std::count(set.all().begin(), set.all().end(), 0)) / static_cast<double>(set.all().size());
  };
  CHECK(black(source) > 0.5);
  CHECK(black(target) < 0.2);
  double colour = 0;
  const std::size_t pixels = target.all().size() / 3;
  for (std::size_t p = 0; p < pixels; ++p) colour += std::abs(int{target.pixels(0)[3 * p]} - int{target.pixels(0)[3 * p + 2]});
  CHECK(colour / static_cast<double>(pixels) > 10);
  CHECK(source.label(13) == 3);
  CHECK(target.label(13) == 3);
}

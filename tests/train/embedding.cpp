#include <graft/core/random.hpp>
#include <graft/train/embedding.hpp>
#include <graft/train/scatter.hpp>

#include "catch.hpp"

#include <cmath>

namespace test_embedding {
using namespace graft;

namespace {

/// `n` points around each of three far centres in d dimensions; the label is the centre.
std::vector<double> clusters(std::size_t n, std::size_t d, double spread) {
  Random random(3, 1);
  std::vector<double> x;
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t k = 0; k < d; ++k) x.push_back((k == c ? 10.0 : 0.0) + spread * random.normal());
    }
  }
  return x;
}

double distance(const std::array<double, 2>& a, const std::array<double, 2>& b) { return std::hypot(a[0] - b[0], a[1] - b[1]); }

}  // namespace

TEST_CASE("principal components: the directions and variances of a known cloud", "[train]") {
  // along (3, 4) / 5 with steps of 5, across with steps of 1, and a shift
  const double u[2] = {0.6, 0.8}, v[2] = {-0.8, 0.6};
  std::vector<float> x;
  for (int i = -2; i <= 2; ++i) {
    for (int j = -1; j <= 1; ++j) {
      for (std::size_t k = 0; k < 2; ++k) x.push_back(static_cast<float>(7.0 + 5.0 * i * u[k] + j * v[k]));
    }
  }
  const Plane y = pca(x, 15);
  for (int i = -2; i <= 2; ++i) {
    for (int j = -1; j <= 1; ++j) {
      const auto& point = y[static_cast<std::size_t>((i + 2) * 3 + j + 1)];
      CHECK(std::abs(point[0] - 5.0 * i) < 1e-5);  // (0.6, 0.8): its largest number is positive
      CHECK(std::abs(point[1] + 1.0 * j) < 1e-5);  // (0.8, -0.6)
    }
  }
  CHECK_THROWS_AS(pca(x, 1), Error);
  CHECK_THROWS_AS(pca(x, 14), Error);
  x[3] = std::nanf("");
  CHECK_THROWS_AS(pca(x, 15), Error);
  const Plane flat = pca(std::vector<float>(12, 2.0f), 4);
  CHECK(flat[0] == std::array<double, 2>{0.0, 0.0});
}

TEST_CASE("t-SNE keeps neighbours together and is a function of its input", "[train]") {
  const std::size_t n = 30;
  const auto x = clusters(n, 8, 0.5);
  const Plane y = tsne(x, 3 * n, {.perplexity = 10.0});
  CHECK(y == tsne(x, 3 * n, {.perplexity = 10.0}));
  double within = 0.0, between = 1e300;
  for (std::size_t i = 0; i < 3 * n; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const double far = distance(y[i], y[j]);
      if (i / n == j / n) within = std::max(within, far);
      if (i / n != j / n) between = std::min(between, far);
    }
  }
  INFO("widest cluster " << within << ", closest two clusters " << between);
  CHECK(between > 0.7 * within);
  for (const auto& point : y) CHECK((std::isfinite(point[0]) && std::isfinite(point[1])));
  CHECK_THROWS_AS(tsne(std::vector<float>(4002), 2001), Error);
}

TEST_CASE("t-SNE's similarities have the wanted perplexity", "[train]") {
  std::vector<double> squared, p(20);
  for (int j = 0; j < 20; ++j) squared.push_back(1e6 + j * j);  // far away: only differences count
  squared[4] = 0.0;
  detail::similarities(squared.data(), 20, 4, 5.0, p.data());
  double entropy = 0.0, sum = 0.0;
  for (const double value : p) {
    sum += value;
    if (value > 0.0) entropy -= value * std::log(value);
  }
  CHECK(p[4] == 0.0);
  CHECK(std::abs(sum - 1.0) < 1e-12);
  CHECK(std::abs(std::exp(entropy) - 5.0) < 1e-4);
}

TEST_CASE("a scatter plot has a mark for every point and refuses other counts", "[train]") {
  const Plane points{{0.0, 0.0}, {1.0, 2.0}, {3.0, 1.0}};
  const std::string svg = scatter_plot("a < b", {{"left", points}, {"right", points}}, {0, 1, 0}, {0, 1, 1}, {"x", "y"});
  std::size_t rings = 0, dots = 0;
  for (std::size_t at = 0; (at = svg.find("<circle", at)) != std::string::npos; ++at) {
    (svg.substr(at, 120).find("fill=\"none\"") < svg.substr(at).find("/>") ? rings : dots)++;
  }
  CHECK(rings == 2 + 1);
  CHECK(dots == 4 + 1);
  CHECK(svg.find("a &lt; b") != std::string::npos);
  CHECK_THROWS_AS(scatter_plot("", {{"", points}}, {0, 1}, {0, 1, 1}, {}), Error);
}

}  // namespace test_embedding

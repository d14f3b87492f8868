// Loaders: the order is a function of seed and step, whatever the sizes, threads and prefetch; labels of a target are not to be
// had.
#include <graft/data/loader.hpp>
#include <graft/data/synthetic_digits.hpp>
#include <map>

#include "catch.hpp"

using namespace graft;
using Catch::Matchers::Contains;

namespace {

template <class Set>
concept ShowsLabels = requires(const Set& set) {
  set.label(0);
}
|| requires(const Set& set) { set.labels(); };
static_assert(ShowsLabels<data::Labelled> && !ShowsLabels<data::Unlabelled>);

/// n images of one pixel, the pixel and the label their index.
data::Labelled indexed(std::size_t n) {
  data::Pixels pixels(std::array<std::size_t, 4>{n, 1, 1, 1});
  std::vector<std::int32_t> labels;
  for (std::size_t i = 0; i < n; ++i) {
    pixels(i, 0, 0, 0) = static_cast<std::uint8_t>(i);
    labels.push_back(static_cast<std::int32_t>(i));
  }
  return {"indexed", std::move(pixels), std::move(labels), static_cast<int>(n)};
}

std::vector<int> read(data::PairedLoader<double>& loader, int steps) {
  std::vector<int> seen;
  for (int s = 0; s < steps; ++s) {
    const auto batch = loader.next();
    for (int i = 0; i < batch.source_count + batch.target_count; ++i) {
      const int pixel = static_cast<int>(std::lround(batch.images[i] * 255));
      if (i < batch.source_count) REQUIRE(batch.labels[i] == pixel);
      REQUIRE(batch.domains[i] == (i < batch.source_count ? 0 : 1));
      seen.push_back(pixel);
    }
  }
  return seen;
}

}  // namespace

TEST_CASE("paired batches of unequal sets: full, nothing dropped, the shorter goes on", "[data]") {
  const auto source = indexed(10);
  const auto target = indexed(7).without_labels();
  const auto make = [&](bool prefetch, std::uint64_t seed) {
    return std::make_unique<data::PairedLoader<double>>(
        source, target, Vector<1>,
        data::PairedOptions{.source_batch = 4, .target_batch = 9, .seed = seed, .prefetch = prefetch});
  };
  auto loader = make(true, 3);
  CHECK(loader->steps_per_epoch() == 3);
  const auto order = read(*loader, 35);
  auto plain = make(false, 3);
  CHECK(read(*plain, 35) == order);
  auto other = make(true, 4);
  CHECK(read(*other, 35) != order);
  // each pass over a set shows every sample once
  std::map<int, int> source_seen, target_seen;
  for (std::size_t i = 0; i < order.size(); ++i) ++(i % 13 < 4 ? source_seen : target_seen)[order[i]];
  for (int i = 0; i < 10; ++i) CHECK(source_seen[i] == 14);  // 35 * 4 / 10
  for (int i = 0; i < 7; ++i) CHECK(target_seen[i] == 45);   // 35 * 9 / 7
  auto resumed = make(true, 3);
  resumed->seek(20);
  CHECK(read(*resumed, 15) == std::vector<int>(order.begin() + 20 * 13, order.end()));
  resumed->seek(5);
  CHECK(read(*resumed, 2) == std::vector<int>(order.begin() + 5 * 13, order.begin() + 7 * 13));
}

TEST_CASE("one set in batches, shuffled or in order", "[data]") {
  data::Loader<float> loader(indexed(5), Vector<1>, {.batch = 3, .shuffle = false});
  CHECK(loader.steps_per_epoch() == 2);
  std::vector<int> labels;
  for (int i = 0; i < 3; ++i) {
    const auto batch = loader.next();
    labels.insert(labels.end(), batch.labels, batch.labels + batch.count);
  }
  CHECK(labels == std::vector<int>{0, 1, 2, 3, 4, 0, 1, 2, 3});
  std::vector<int> counts;
  data::for_each_batch<float>(indexed(5), Vector<1>, 3, {},
                              [&](const data::Batch<float>& batch) { counts.push_back(batch.count); });
  CHECK(counts == std::vector<int>{3, 2});
}

TEST_CASE("images are normalised, grey becomes colour, other shapes are a sentence", "[data]") {
  const auto set = indexed(3);
  std::vector<float> out(3);
  data::Normalize::centred().write(set.pixels(2), set.shape(), Image<1, 1, 3>, out.data());
  for (const float v : out) CHECK(v == Approx(2 / 255.0 - 0.5).epsilon(1e-6));
  const auto standard = data::Normalize::standard(3, set, set.without_labels());  // of 0, 1, 2, 0, 1, 2
  CHECK(standard.mean[2] == Approx(1 / 255.0));
  CHECK(standard.deviation[2] == Approx(std::sqrt(2 / 3.0) / 255.0));
  CHECK(standard.deviation[3] == 1.0);
  const auto mean = data::Normalize::mean_of(3, set);
  CHECK(mean.mean == standard.mean);
  CHECK(mean.deviation == data::Normalize{}.deviation);
  CHECK(data::Normalize::standard(1, indexed(1)).deviation[0] == 1.0);
  CHECK_THROWS_WITH((data::Loader<float>(set, Image<2, 1, 1>, {})), Contains("1 x 1 x 1") && Contains("2 x 1 x 1"));
  CHECK_THROWS_WITH((data::Loader<float>(set, Vector<1>, {.batch = 0})), Contains("at least 1"));
  CHECK_THROWS_WITH(set.take(4), Contains("has 3 images"));
}

TEST_CASE("synthetic digits: the same for any number of threads, balanced, two worlds", "[data]") {
  const int before = threads();
  set_threads(1);
  const auto one = data::synthetic_digits(300, 5, data::Domain::target);
  set_threads(2);
  const auto two = data::synthetic_digits(300, 5, data::Domain::target);
  set_threads(before);
  CHECK(one.all() == two.all());
  CHECK(one.shape() == image_shape(28, 28, 3));
  CHECK(data::synthetic_digits(10, 5, data::Domain::source).shape() == image_shape(28, 28, 1));
  CHECK_FALSE(data::synthetic_digits(300, 6, data::Domain::target).all() == one.all());
  std::vector<int> counts(10);
  for (const int label : one.labels()) ++counts[static_cast<std::size_t>(label)];
  CHECK(counts == std::vector<int>(10, 30));
}

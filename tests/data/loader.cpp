// Loaders: the order is a function of seed and step, whatever the sizes, threads and prefetch; labels of a target are not to be
// had.
#include <graft/data/loader.hpp>
#include <graft/data/synthetic_digits.hpp>
#include <map>

#include "catch.hpp"

namespace test_loader {
using namespace graft;
using Catch::Matchers::ContainsSubstring;

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

TEST_CASE("a paired batch has the target's images as they were, too, when it is asked for them", "[data]") {
  const data::Augment changed{data::invert(1.0)};
  for (const bool asked : {true, false}) {
    for (const bool prefetch : {true, false}) {
      data::PairedLoader<float> loader(indexed(6), indexed(9).without_labels(), Vector<1>,
                                       {.source_batch = 2,
                                        .target_batch = 4,
                                        .prefetch = prefetch,
                                        .augment = changed,
                                        .target_augment = changed,
                                        .clean_target = asked,
                                        .threads = 2});
      for (int step = 0; step < 5; ++step) {
        const auto batch = loader.next();
        const auto target = batch.target(), clean = batch.clean_target();
        REQUIRE(clean.count == 4);
        for (int i = 0; i < 4; ++i) {
          const float own = static_cast<float>(batch.target_index[i]) / 255.0f;
          CHECK(target.data[i] == Approx(1.0f - own));
          CHECK(clean.data[i] == Approx(asked ? own : 1.0f - own));
        }
      }
    }
  }
  // without an augmentation they are the target's images, not a copy
  data::PairedLoader<float> plain(indexed(6), indexed(9).without_labels(), Vector<1>,
                                  {.source_batch = 2, .target_batch = 4, .clean_target = true});
  const auto batch = plain.next();
  CHECK(batch.clean_target().data == batch.target().data);
}

TEST_CASE("images normalised one by one: each channel of each has mean 0 and deviation 1, a flat one is 0", "[data]") {
  const std::uint8_t colour[] = {10, 50, 7, 30, 150, 7, 20, 250, 7, 80, 90, 7};  // 2 x 2 x 3
  std::vector<double> out(12);
  data::Normalize::of_each_image().write(colour, Image<2, 2, 3>, Image<2, 2, 3>, out.data());
  for (std::size_t c = 0; c < 2; ++c) {
    double sum = 0.0, squares = 0.0, mean = 0.0, variance = 0.0;
    for (std::size_t i = c; i < 12; i += 3) sum += out[i], squares += out[i] * out[i], mean += colour[i] / 4.0 / 255.0;
    for (std::size_t i = c; i < 12; i += 3) variance += std::pow(colour[i] / 255.0 - mean, 2) / 4.0;
    CHECK(sum == Approx(0.0).margin(1e-12));
    CHECK(squares / 4.0 == Approx(variance / (variance + 1e-5)));
    CHECK(out[c] == Approx((colour[c] / 255.0 - mean) / std::sqrt(variance + 1e-5)));
  }
  for (std::size_t i = 2; i < 12; i += 3) CHECK(std::abs(out[i]) < 1e-12);  // 1 / sqrt(1e-5) times a rounding
  std::vector<float> three(12), one(4);                                     // grey becomes colour
  data::Normalize::of_each_image().write(colour, Image<2, 2, 1>, Image<2, 2, 3>, three.data());
  data::Normalize::of_each_image().write(colour, Image<2, 2, 1>, Image<2, 2, 1>, one.data());
  for (std::size_t i = 0; i < 12; ++i) CHECK(three[i] == one[i / 3]);
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
  CHECK_THROWS_WITH((data::Loader<float>(set, Image<2, 1, 1>, {})),
                    ContainsSubstring("1 x 1 x 1") && ContainsSubstring("2 x 1 x 1"));
  CHECK_THROWS_WITH((data::Loader<float>(set, Vector<1>, {.batch = 0})), ContainsSubstring("at least 1"));
  CHECK_THROWS_WITH(set.take(4), ContainsSubstring("has 3 images"));
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

}  // namespace test_loader

// Loaders beyond the order: the thread that reads ahead, its errors, batches larger than a set, grey beside colour.
#include <graft/data/loader.hpp>

#include "catch.hpp"

namespace test_prefetch {
using namespace graft;
using Catch::Matchers::ContainsSubstring;

namespace {

data::Labelled images(std::size_t n, std::size_t channels, const char* name = "set") {
  data::Pixels pixels(std::array<std::size_t, 4>{n, 2, 2, channels});
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels.data()[i] = static_cast<std::uint8_t>(i % 251);
  std::vector<std::int32_t> labels(n);
  for (std::size_t i = 0; i < n; ++i) labels[i] = static_cast<std::int32_t>(i);
  return {name, std::move(pixels), std::move(labels), static_cast<int>(n)};
}
std::vector<int> labels(data::Loader<float>& loader, int steps) {
  std::vector<int> seen;
  for (int s = 0; s < steps; ++s) {
    const auto batch = loader.next();
    seen.insert(seen.end(), batch.labels, batch.labels + batch.count);
  }
  return seen;
}

}  // namespace

TEST_CASE("an error of the thread that reads ahead reaches the caller, at its step, and the next try works", "[data]") {
  std::uint64_t slots[2] = {};
  bool broken = true;
  const auto fill = [&](int slot, std::uint64_t step) {
    if (step == 3 && broken) fail("step 3 is broken");
    slots[slot] = step;
  };
  data::detail::Prefetcher prefetcher;  // last: its thread writes to the slots until it is gone
  for (std::uint64_t step = 0; step < 3; ++step) CHECK(slots[prefetcher.next(step, true, fill)] == step);
  CHECK_THROWS_WITH(prefetcher.next(3, true, fill), ContainsSubstring("step 3 is broken"));
  CHECK_THROWS_WITH(prefetcher.next(3, true, fill), ContainsSubstring("step 3 is broken"));
  broken = false;
  for (std::uint64_t step = 3; step < 9; ++step) CHECK(slots[prefetcher.next(step, true, fill)] == step);
  CHECK(slots[prefetcher.next(100, true, fill)] == 100);  // a jump
  CHECK(slots[prefetcher.next(0, true, fill)] == 0);
}

TEST_CASE("a loader with a batch larger than its set goes on through several passes", "[data]") {
  for (const bool prefetch : {false, true}) {
    data::Loader<float> loader(images(3, 1), Image<2, 2, 1>, {.batch = 8, .seed = 2, .prefetch = prefetch});
    CHECK(loader.steps_per_epoch() == 1);
    const auto order = labels(loader, 3);
    for (int pass = 0; pass < 8; ++pass) {
      std::vector<int> three(order.begin() + 3 * pass, order.begin() + 3 * pass + 3);
      std::sort(three.begin(), three.end());
      CHECK(three == std::vector<int>{0, 1, 2});
    }
  }
}

TEST_CASE("a loader's order does not depend on reading ahead; seeds and streams change it", "[data]") {
  const auto order = [](data::LoaderOptions options, std::uint64_t from = 0) {
    options.batch = 7;
    data::Loader<float> loader(images(30, 1), Image<2, 2, 1>, options);
    loader.seek(from);
    return labels(loader, 10);
  };
  const auto plain = order({.seed = 1, .prefetch = false});
  CHECK(order({.seed = 1}) == plain);
  CHECK(order({.seed = 2}) != plain);
  CHECK(order({.seed = 1, .stream = 5}) != plain);
  const auto later = order({.seed = 1}, 4);
  CHECK(std::equal(plain.begin() + 28, plain.end(), later.begin()));
}

TEST_CASE("grey sources stand beside colour targets in one batch, source first", "[data]") {
  const auto source = images(5, 1), target = images(6, 3);
  const auto normalize = data::Normalize::centred();
  data::PairedLoader<double> loader(source, target.without_labels(), Image<2, 2, 3>,
                                    {.source_batch = 2, .target_batch = 3, .normalize = normalize});
  const auto batch = loader.next();
  CHECK(batch.rows().count == 5);
  CHECK(batch.rows().split == 2);
  CHECK(batch.target().data == batch.images + 2 * 12);
  for (std::size_t i = 0; i < 2; ++i) {
    const std::uint8_t* grey = source.pixels(static_cast<std::size_t>(batch.labels[i]));
    for (std::size_t p = 0; p < 12; ++p) CHECK(batch.images[i * 12 + p] == Approx(grey[p / 3] / 255.0 - 0.5));
  }
  for (std::size_t i = 0; i < 3; ++i) {  // each target row is one of the target's images
    bool found = false;
    for (std::size_t k = 0; k < target.size(); ++k) {
      bool same = true;
      for (std::size_t p = 0; p < 12; ++p)
        same = same && std::abs(batch.target().data[i * 12 + p] - (target.pixels(k)[p] / 255.0 - 0.5)) < 1e-12;
      found = found || same;
    }
    CHECK(found);
  }
}

TEST_CASE("what a loader cannot use is a sentence with the set's name", "[data]") {
  const auto source = images(5, 1, "mine"), target = images(5, 3, "theirs");
  CHECK_THROWS_WITH((data::PairedLoader<float>(source, target.without_labels(), Image<2, 2, 1>, {})),
                    ContainsSubstring("'theirs'") && ContainsSubstring("2 x 2 x 3"));
  CHECK_THROWS_WITH((data::PairedLoader<float>(source, target.without_labels(), Image<2, 2, 3>, {.target_batch = 0})),
                    ContainsSubstring("at least 1"));
  CHECK_THROWS_AS((data::Loader<float>(target, Image<2, 2, 1>, {})), Error);  // colour does not become grey
  CHECK_THROWS_WITH((data::Loader<float>(data::Labelled(), Image<2, 2, 1>, {})), ContainsSubstring("empty"));
  CHECK_THROWS_WITH((data::PairedLoader<float>(source, data::Unlabelled(), Image<2, 2, 1>, {})), ContainsSubstring("empty"));
  data::Pixels dot(std::array<std::size_t, 4>{1, 1, 1, 1});
  CHECK_THROWS_WITH((data::Loader<float>(data::Labelled("dot", dot, {0}, 1), Vector<3>, {})), ContainsSubstring("'dot'"));
}

}  // namespace test_prefetch

// Features computed once: the epochs run on them as on the images, to the bit.
#include <graft/core/copy_weights.hpp>
#include <graft/data/feature_loader.hpp>
#include <graft/data/synthetic_digits.hpp>
#include <graft/loss/discrepancy.hpp>
#include <graft/loss/supervised.hpp>
#include <graft/ops/list.hpp>
#include <graft/optim/adam.hpp>
#include <graft/train/feature_cache.hpp>
#include <graft/transfer/adaptation.hpp>

#include "catch.hpp"

namespace test_feature_cache {
using namespace graft;

namespace {

constexpr Conv down{.stride = 2, .padding = same, .bias = false};
constexpr Conv keep{.padding = same, .bias = false};
/// The beginning of a MobileNet.
struct Trunk : Net<Image<28, 28, 3>, Conv2D<16, 3, down>, BatchNorm<>, ReLU6, DepthwiseConv2D<3, keep>, BatchNorm<>, ReLU6,
                   Conv2D<40, 1, keep>, BatchNorm<>, ReLU6, DepthwiseConv2D<3, down>, BatchNorm<>, ReLU6, Conv2D<64, 1, keep>,
                   BatchNorm<>, ReLU6, GlobalAveragePool> {};
struct Head : Net<Trunk::output, Named<"hidden", Dense<32>>, ReLU, Dropout<0.3>, Named<"out", Dense<10>>> {};

/// A trunk whose running statistics are not those of a fresh one.
template <class M>
void stir(M& trunk) {
  for (float& v : trunk.statistics()) v = 0.9f * v + 0.05f;
}

}  // namespace

TEST_CASE("a head trained on cached features is the one trained behind the trunk, bit for bit", "[train]") {
  const auto set = data::synthetic_digits(150, 3, data::Domain::source);
  const auto normalize = data::Normalize::mean_of(3, set);
  constexpr int steps = 3 * 5 + 2;  // three passes and more, in batches that do not divide the set

  Model<Trunk> trunk{{.seed = 1}};
  stir(trunk);
  Model<Head> cached{{.seed = 2}};
  FeatureCache cache{{.batch = 17}};
  const auto features = cache.features(trunk, set, normalize);
  CHECK(cache.memory_used() == 150 * 64 * sizeof(float));
  CHECK(features.labels() == set.labels());
  {
    data::FeatureLoader<float> loader(features, {.batch = 32, .seed = 6});
    Adam<float> adam({.learning_rate = 0.01}, cached);
    Tape<float> tape;
    for (int i = 0; i < steps; ++i) {
      const auto batch = loader.next();
      adam.step(backward(cross_entropy(tape(cached, batch), batch.class_labels())));
    }
  }
  Model<Head> uncached{{.seed = 2}};
  {
    data::Loader<float> loader(set, Trunk::input, {.batch = 32, .seed = 6, .normalize = normalize});
    Model<TrainFrom<Trunk, Trunk::layers>> frozen;
    copy_weights(trunk, frozen);
    Adam<float> adam({.learning_rate = 0.01}, uncached);
    Tape<float> tape;
    for (int i = 0; i < steps; ++i) {
      const auto batch = loader.next();
      adam.step(backward(cross_entropy(tape(uncached, tape(frozen, batch)), batch.class_labels())));
    }
  }
  CHECK(std::equal(cached.values().begin(), cached.values().end(), uncached.values().begin()));
  CHECK_FALSE(std::equal(cached.values().begin(), cached.values().end(), Model<Head>({.seed = 2}).values().begin()));

  const Confusion on_features = score(features, cached), on_images = score(set, normalize, trunk, cached);
  CHECK(on_features.total() == 150);
  for (int label = 0; label < 10; ++label) {
    for (int guess = 0; guess < 10; ++guess) CHECK(on_features.count(label, guess) == on_images.count(label, guess));
  }
  CHECK_THROWS_WITH(score(features, trunk),
                    Catch::Matchers::ContainsSubstring("have 64 numbers and 10 classes, but the models take 2352"));
}

TEST_CASE("two domains' features pair as their images do, and nothing of the target's labels is there", "[train]") {
  const auto source = data::synthetic_digits(60, 3, data::Domain::source);
  const auto target = data::synthetic_digits(45, 4, data::Domain::target).without_labels();
  const data::Normalize normalize = data::Normalize::centred();
  Model<Trunk> trunk{{.seed = 1}};
  stir(trunk);
  FeatureCache cache;
  data::PairedFeatureLoader<float> features(cache.features(trunk, source, normalize), cache.features(trunk, target, normalize),
                                            {.source_batch = 8, .target_batch = 12, .seed = 9});
  data::PairedLoader<float> images(source, target, Trunk::input,
                                   {.source_batch = 8, .target_batch = 12, .seed = 9, .normalize = normalize});
  CHECK(features.steps_per_epoch() == images.steps_per_epoch());
  features.seek(3);
  images.seek(3);
  std::vector<float> expected(20 * 64);
  for (int i = 0; i < 9; ++i) {
    const auto f = features.next();
    const auto x = images.next();
    trunk.predict(x.images, 20, expected.data());
    REQUIRE(std::equal(expected.begin(), expected.end(), f.images));
    REQUIRE(std::equal(x.labels, x.labels + 8, f.labels));
    REQUIRE(std::equal(x.domains, x.domains + 20, f.domains));
    REQUIRE(f.rows().split == 8);
  }
}

TEST_CASE("a cache keeps to its budget: memory, then disk, then a sentence", "[train]") {
  const auto set = data::synthetic_digits(40, 3, data::Domain::source);
  const data::Normalize normalize{};
  const auto folder = std::filesystem::temp_directory_path() / ("graft_cache_" + std::to_string(getpid()));
  std::filesystem::create_directory(folder);
  Model<Trunk> trunk{{.seed = 1}};
  constexpr std::size_t bytes = 40 * 64 * sizeof(float);
  FeatureCache cache{{.memory = bytes + 100, .disk = bytes, .folder = folder}};
  const auto in_memory = cache.features(trunk, set, normalize);
  const auto on_disk = cache.features(trunk, set.without_labels(), normalize);
  CHECK(cache.memory_used() == bytes);
  CHECK(cache.disk_used() == bytes);
  CHECK(std::filesystem::is_empty(folder));  // the file has no name: nothing is left behind
  CHECK(std::equal(in_memory.sample(0), in_memory.sample(0) + 40 * 64, on_disk.sample(0)));
  CHECK_THROWS_WITH(cache.features(trunk, set, normalize),
                    Catch::Matchers::ContainsSubstring("take 10240 bytes") &&
                        Catch::Matchers::ContainsSubstring("100 bytes of memory and 0 of disk"));
  std::filesystem::remove(folder);
  FeatureCache elsewhere{{.memory = 0, .disk = bytes, .folder = folder}};
  CHECK_THROWS_WITH(elsewhere.features(trunk, set, normalize), Catch::Matchers::ContainsSubstring("cannot make a file in"));
  CHECK_THROWS_AS(data::scratch_on_disk<float>(std::filesystem::temp_directory_path(), std::size_t{1} << 58), Error);
}

TEST_CASE("sets of features say what does not fit", "[train]") {
  using Catch::Matchers::ContainsSubstring;
  using Set = data::Features<float>;
  const Set set("s", Vector<3>, std::vector<float>{1, 2, 3, 4, 5, 6}, {1, 0}, 2);
  CHECK(set.size() == 2);
  CHECK(set.sample(1)[2] == 6.0f);
  CHECK(set.without_labels().sample(0) == set.sample(0));
  CHECK_THROWS_WITH(Set("s", Vector<4>, std::vector<float>(6), {1, 0}, 2), ContainsSubstring("not a whole number of samples"));
  CHECK_THROWS_WITH(Set("s", Vector<3>, std::vector<float>(6), {1}, 2), ContainsSubstring("has 2 samples but 1 labels"));
  CHECK_THROWS_WITH(Set("s", Vector<3>, std::vector<float>(6), {1, 2}, 2), ContainsSubstring("the label of sample 1 is 2"));
  CHECK_THROWS_WITH(Set("s", Vector<3>, std::vector<float>{}, {}, 2), ContainsSubstring("is empty"));
  const data::UnlabelledFeatures<float> other("t", Vector<2>, std::vector<float>(6));
  CHECK_THROWS_WITH(data::PairedFeatureLoader<float>(set, other, {}), ContainsSubstring("'s' and 't' differ in shape"));
  CHECK_THROWS_WITH(data::FeatureLoader<float>(set, {.batch = 0}), ContainsSubstring("give at least 1"));
}

}  // namespace test_feature_cache

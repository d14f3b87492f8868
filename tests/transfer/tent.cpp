// Tent on two Gaussians that have moved; what it changes, what it gives back.
#include <graft/transfer/tent.hpp>

#include "catch.hpp"
#include "toy.hpp"

namespace test_tent {
using namespace graft;

namespace {
struct NormBody : Net<Vector<2>, BatchNorm<>, Dense<16>, BatchNorm<>, ReLU, Dense<8>, ReLU> {};
struct NormLabels : Net<NormBody::output, Dense<2>> {};

struct Trained {
  toy::Problem problem = toy::moved();
  Model<NormBody> features{{.name = "features", .seed = 1}};
  Model<NormLabels> labels{{.name = "labels", .seed = 2}};
  double source_only = 0.0;
  Trained() {
    source_only = SourceOnly{features, labels}
                      .fit(problem.source, problem.target.without_labels(), problem.options())
                      .last("target_accuracy");
  }
  /// The part of the target's test set that a stream of batches of 64 gets right.
  template <class T>
  double stream(T& tent) {
    double right = 0.0;
    data::for_each_batch<float>(problem.target_test, NormBody::input, 64, problem.normalize,
                                [&](const data::Batch<float>& batch) {
                                  std::vector<float> logits(2 * static_cast<std::size_t>(batch.count));
                                  CHECK(tent.predict(batch.images, batch.count, logits.data()) >= 0.0);
                                  for (int i = 0; i < batch.count; ++i)
                                    right += argmax(logits.data() + 2 * i, 2) == batch.labels[i] ? 1.0 : 0.0;
                                });
    return right / static_cast<double>(problem.target_test.size());
  }
};
}  // namespace

TEST_CASE("Tent improves two Gaussians that have moved, changes scales and shifts alone, and gives all back",
          "[transfer][toy]") {
  Trained t;
  CHECK(t.source_only < 0.6);
  const auto before = t.features.values();
  const auto statistics = t.features.statistics();
  t.labels.set_trainable(false);
  {
    Tent tent{TentOptions{.learning_rate = 0.01}, t.features, t.labels};
    CHECK(t.stream(tent) > 0.95);
    for (const Segment& s : t.features.segments()) {
      const bool norm = s.name.find("gamma") != std::string::npos || s.name.find("beta") != std::string::npos;
      const bool same =
          std::equal(before.begin() + s.offset, before.begin() + s.offset + s.count, t.features.values().begin() + s.offset);
      CHECK(same != norm);
      CHECK(s.trainable == norm);
    }
    tent.reset();
    CHECK(std::equal(before.begin(), before.end(), t.features.values().begin()));
    CHECK(std::equal(statistics.begin(), statistics.end(), t.features.statistics().begin()));
    CHECK(tent.resets() == 1);
  }
  for (const Segment& s : t.features.segments()) CHECK(s.trainable);
  for (const Segment& s : t.labels.segments()) CHECK(!s.trainable);
}

TEST_CASE("Tent: the logits are those from before the step, so the first batch's do not depend on the rate", "[transfer]") {
  Trained t;
  std::vector<float> x(64), slow(32), fast(32);
  Random random(4, 1);
  for (float& v : x) v = static_cast<float>(random.normal());
  for (const double rate : {0.0, 10.0}) {
    Tent tent{TentOptions{.learning_rate = rate}, t.features, t.labels};
    tent.predict(x.data(), 16, (rate == 0.0 ? slow : fast).data());
    tent.reset();
  }
  CHECK(slow == fast);
}

TEST_CASE("Tent goes back to the beginning where numbers end, or where it has collapsed", "[transfer]") {
  Trained t;
  const auto before = t.features.values();
  Tent tent{TentOptions{.learning_rate = 0.01, .reset_below = 10.0}, t.features, t.labels};
  std::vector<float> x(64, 0.5f), y(64);
  Random random(4, 1);
  for (float& v : x) v = static_cast<float>(random.normal());
  tent.predict(x.data(), 32, y.data());
  CHECK(tent.resets() == 1);  // no entropy of two classes is above 10
  x[3] = std::nanf("");
  CHECK(std::isnan(tent.predict(x.data(), 32, y.data())));
  CHECK(tent.resets() == 2);
  CHECK(std::equal(before.begin(), before.end(), t.features.values().begin()));
  CHECK_THROWS_WITH(tent.predict(x.data(), 1, y.data()), Catch::Matchers::ContainsSubstring("at least 2"));
  Model<toy::Body> plain;
  CHECK_THROWS_WITH((Tent{TentOptions{}, plain}), Catch::Matchers::ContainsSubstring("BatchNorm"));
}

TEST_CASE("Tent on the whole body by information maximisation moves all but the label head, and rolls back",
          "[transfer][toy]") {
  Trained t;
  const auto head = t.labels.values();
  const auto before = t.features.values();
  {
    Tent tent{TentOptions{.learning_rate = 0.003, .diversity = 1.0, .whole_body = true}, t.features, t.labels};
    CHECK(t.stream(tent) > 0.95);
    for (const Segment& s : t.features.segments()) {
      INFO(s.name);
      CHECK_FALSE(
          std::equal(before.begin() + s.offset, before.begin() + s.offset + s.count, t.features.values().begin() + s.offset));
    }
    CHECK(std::equal(head.begin(), head.end(), t.labels.values().begin()));
    tent.reset();
  }
  CHECK(std::equal(before.begin(), before.end(), t.features.values().begin()));

  std::vector<float> x(64), y(64);
  Random random(4, 1);
  for (float& v : x) v = static_cast<float>(random.normal());
  Tent picky{TentOptions{.reset_below_diversity = 0.7}, t.features, t.labels};  // log 2 = 0.693 is the most for two classes
  picky.predict(x.data(), 32, y.data());
  CHECK(picky.resets() == 1);
  CHECK_THROWS_WITH((Tent{TentOptions{.whole_body = true}, t.labels}),
                    Catch::Matchers::ContainsSubstring("all models but the last"));
}

TEST_CASE("Tent at rate 0 normalises by the batch and moves nothing", "[transfer][toy]") {
  Trained t;
  const auto before = t.features.values();
  Tent tent{TentOptions{.learning_rate = 0.0}, t.features, t.labels};
  CHECK(t.stream(tent) > 0.9);
  CHECK(std::equal(before.begin(), before.end(), t.features.values().begin()));
}

}  // namespace test_tent

// Models, freezing, and whole DANN steps: the same bits for any number of threads, and no allocation.
#include <graft/graft.hpp>

#include "catch.hpp"
#include "support/allocations.hpp"

namespace test_training {
using namespace graft;

namespace {

struct Body
    : Net<Image<28, 28, 3>, Conv2D<8, 5>, ReLU, MaxPool2D<2>, Conv2D<12, 5>, ReLU, MaxPool2D<2>, Flatten, Dropout<0.2>> {};
struct Labels : Net<Body::output, Dense<20>, BatchNorm<>, ReLU, Dense<10>> {};
struct Domains : Net<Body::output, Dense<20>, ReLU, Dense<2>> {};

/// Models, data and optimiser of a small DANN.
struct Small {
  Model<Body> body{{.name = "body", .seed = 1}};
  Model<Labels> labels{{.name = "labels", .seed = 2}};
  Model<Domains> domains{{.name = "domains", .seed = 3}};
  data::PairedLoader<float> loader{data::synthetic_digits(200, 1, data::Domain::source),
                                   data::synthetic_digits(150, 2, data::Domain::target).without_labels(),
                                   Body::input,
                                   {.source_batch = 20, .target_batch = 12, .normalize = data::Normalize::centred()}};
  Sgd<float> optimizer{{.learning_rate = 0.01, .momentum = 0.9}, body, labels, domains};
  Tape<float> tape;

  void step(double lambda, bool with_domains = true) {
    const auto batch = loader.next();
    const auto f = tape(body, batch);
    const auto label_loss = cross_entropy(tape(labels, f.source()), batch.class_labels());
    if (!with_domains) {
      optimizer.step(backward(label_loss));
      return;
    }
    optimizer.step(backward(label_loss + cross_entropy(tape(domains, reverse_gradient(f, lambda)), batch.domain_labels())));
  }
  std::vector<float> weights() {
    std::vector<float> all(body.values().begin(), body.values().end());
    all.insert(all.end(), labels.values().begin(), labels.values().end());
    all.insert(all.end(), labels.statistics().begin(), labels.statistics().end());
    all.insert(all.end(), domains.values().begin(), domains.values().end());
    return all;
  }
};

}  // namespace

TEST_CASE("50 DANN steps give the same bits on 1 and 2 threads", "[core]") {
  const int before = threads();
  std::vector<float> first;
  for (const int count : {1, 2}) {
    set_threads(count);
    Small small;
    for (int i = 0; i < 50; ++i) small.step(0.5);
    if (first.empty()) first = small.weights();
    CHECK(small.weights() == first);
    for (const float w : first) REQUIRE(std::isfinite(w));
  }
  set_threads(before);
}

TEST_CASE("a DANN step, its loader and optimiser included, allocates nothing after the first", "[core]") {
  Small small;
  small.step(0.5);
  small.step(0.5);  // the loader's thread has filled both of its buffers
  const std::size_t before = support::allocations();
  for (int i = 0; i < 5; ++i) small.step(0.5);
  CHECK(support::allocations() == before);
}

TEST_CASE("lambda 0 leaves the body exactly the source-only run's", "[core]") {
  Small with, without;
  for (int i = 0; i < 5; ++i) {
    with.step(0.0);
    without.step(0.0, false);
  }
  CHECK(std::equal(with.body.values().begin(), with.body.values().end(), without.body.values().begin()));
}

TEST_CASE("a net frozen by type trains its end alone and keeps less", "[core]") {
  Model<Body> whole{{.seed = 1}};
  Model<TrainFrom<Body, 3>> frozen{{.seed = 1}};
  std::vector<float> x(32 * Body::input.size(), 0.3f);
  Random random(1);
  for (float& v : x) v = static_cast<float>(random.normal());
  Tape<float> big, little;
  const auto train = [&](auto& model, Tape<float>& tape) {
    const auto y = tape(model, Rows<float>{x.data(), 32, 0});
    backward(detail::record_loss(y, [&](const float* v, float* g) {
      if (g != nullptr) std::copy(v, v + y.view.size(), g);
      return 1.0f;
    }));
  };
  train(whole, big);
  train(frozen, little);
  const std::size_t first = 5 * 5 * 3 * 8 + 8;
  for (std::size_t i = 0; i < first; ++i) REQUIRE(frozen.gradients()[i] == 0.0f);
  CHECK(std::equal(whole.gradients().begin() + first, whole.gradients().end(), frozen.gradients().begin() + first));
  CHECK(std::any_of(whole.gradients().begin(), whole.gradients().begin() + first, [](float g) { return g != 0.0f; }));
}

TEST_CASE("models name their arrays, freeze by pattern, and say what they do not have", "[core]") {
  Small small;
  CHECK(small.labels.segments()[0].name == "0/w");
  CHECK(small.labels.segments()[2].name == "1/gamma");
  CHECK(small.labels.statistic_segments()[0].name == "1/running_mean");
  CHECK_THROWS_WITH(small.body.array("7/w"), Catch::Matchers::ContainsSubstring("it has 0/w 0/b 1/w 1/b"));
  CHECK_THROWS_WITH(small.body.set_trainable(false, "dense*"),
                    Catch::Matchers::ContainsSubstring("no parameter matches 'dense*'"));
  small.body.set_trainable(false, "0/*");
  small.labels.set_statistics_fixed(true);
  const std::vector<float> kept(small.body.values().begin(), small.body.values().begin() + 608);
  const std::vector<float> mean(small.labels.statistics().begin(), small.labels.statistics().end());
  small.step(0.5);
  CHECK(std::equal(kept.begin(), kept.end(), small.body.values().begin()));
  CHECK(std::equal(mean.begin(), mean.end(), small.labels.statistics().begin()));
  CHECK_FALSE(std::equal(small.body.values().begin() + 608, small.body.values().end(),
                         Model<Body>({.seed = 1}).values().begin() + 608));
}

TEST_CASE("initialisers have the variances of their papers", "[core]") {
  struct Wide : Net<Vector<300>, Dense<200>> {};
  const auto variance = [](Initialiser how) {
    Model<Wide> model{{.seed = 4, .initialiser = how}};
    double sum = 0;
    for (std::size_t i = 0; i < 60000; ++i)
      sum += static_cast<double>(model.values()[i]) * static_cast<double>(model.values()[i]);
    return sum / 60000;
  };
  CHECK(variance(Initialiser::glorot_uniform) == Approx(2.0 / 500).epsilon(0.03));
  CHECK(variance(Initialiser::glorot_normal) == Approx(2.0 / 500).epsilon(0.03));
  CHECK(variance(Initialiser::he_uniform) == Approx(2.0 / 300).epsilon(0.03));
  CHECK(variance(Initialiser::he_normal) == Approx(2.0 / 300).epsilon(0.03));
  CHECK(variance(Initialiser::lecun_uniform) == Approx(1.0 / 300).epsilon(0.03));
  CHECK(variance(Initialiser::lecun_normal) == Approx(1.0 / 300).epsilon(0.03));
  CHECK(variance(Initialiser::torch_uniform) == Approx(1.0 / 900).epsilon(0.03));
}

}  // namespace test_training

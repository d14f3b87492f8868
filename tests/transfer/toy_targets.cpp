// Methods that learn from their own predictions on the target improve problems of two Gaussians that source-only fails.
#include <graft/transfer/curriculum.hpp>
#include <graft/transfer/entropy_minimisation.hpp>
#include <graft/transfer/mcc.hpp>
#include <graft/transfer/pseudo_labels.hpp>
#include <graft/transfer/shot.hpp>

#include "catch.hpp"
#include "toy.hpp"

namespace test_toy_targets {
using namespace graft;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("EntropyMinimisation, Mcc and Curriculum improve two Gaussians that source-only fails", "[transfer][toy]") {
  const toy::Problem problem = toy::nudged(1.0);
  CHECK(toy::source_only(problem) < 0.8);
  CHECK(toy::accuracy(problem, [](auto& features, auto& labels) {
          return EntropyMinimisation{features, labels, {.lambda = {1.0, 10.0}}};
        }) > 0.95);
  CHECK(toy::accuracy(problem, [](auto& features, auto& labels) { return Mcc{features, labels}; }) > 0.95);
  CHECK(toy::accuracy(problem, [](auto& features, auto& labels) { return Curriculum{features, labels}; }) > 0.9);
}

TEST_CASE("PseudoLabels improves two Gaussians of which source-only misjudges some", "[transfer][toy]") {
  const toy::Problem problem = toy::nudged(0.7);
  CHECK(toy::source_only(problem) < 0.95);
  CHECK(toy::accuracy(problem, [](auto& features, auto& labels) { return PseudoLabels{features, labels}; }) > 0.97);
}

TEST_CASE("Shot improves two Gaussians that source-only fails, and looks at no source image in its second part",
          "[transfer][toy]") {
  const toy::Problem problem = toy::nudged(1.0);
  CHECK(toy::source_only(problem) < 0.8);
  CHECK(toy::accuracy(problem, [](auto& features, auto& labels) { return Shot{features, labels}; }) > 0.95);
  // Models that come trained; then it does not matter what the source is.
  const auto second_part = [&](const data::Labelled& source) {
    Model<toy::Body> features{{.seed = 1}};
    Model<toy::Labels> labels{{.seed = 2}};
    SourceOnly{features, labels}.fit(problem.source, problem.target.without_labels(), problem.options(10));
    Shot{features, labels, {.first_part = 0.0}}.fit(source, problem.target.without_labels(), problem.options(5));
    return std::vector<float>(features.values().begin(), features.values().end());
  };
  CHECK(second_part(problem.source) == second_part(problem.target_test));
}

TEST_CASE("Shot smooths labels over the classes there are", "[transfer]") {
  const toy::Problem problem = toy::nudged(1.0);
  data::PairedLoader<double> loader(problem.source, problem.target.without_labels(), Vector<2>,
                                    {.source_batch = 8, .target_batch = 8, .normalize = problem.normalize});
  const auto batch = loader.next();
  struct Five : Net<toy::Body::output, Dense<5>> {};  // three outputs too many
  Model<toy::Body, Cpu, double> features{{.seed = 1}};
  Model<Five, Cpu, double> labels{{.seed = 2}};
  const auto loss = [&](int classes) {
    Tape<double> tape;
    Means means;
    Shot method{features, labels, {.classes = classes}};
    return method.loss(tape, batch, 0.0, means).value();
  };
  Tape<double> tape;
  const auto logits = tape(labels, tape(features, batch.source()));
  CrossEntropyOptions<double> smooth;
  smooth.smoothing = 0.1;
  CHECK(loss(0) == Approx(cross_entropy(logits, batch.class_labels(), smooth).value()).epsilon(1e-12));
  double expected = 0.0;
  for (int i = 0; i < logits.count(); ++i) {
    const double* z = logits.value() + 5 * i;
    double sum = 0.0;
    for (int c = 0; c < 5; ++c) sum += std::exp(z[c]);
    const int label = batch.class_labels().data[i];
    for (int c = 0; c < 2; ++c) expected -= (c == label ? 0.95 : 0.05) * (z[c] - std::log(sum)) / logits.count();
  }
  CHECK(loss(2) == Approx(expected).epsilon(1e-12));
  CHECK_THROWS_WITH(loss(6), ContainsSubstring("the head has 5 outputs"));
}

TEST_CASE("guesses by centroids: nearest by cosine, in two rounds; a class that nothing is taken for has none", "[transfer]") {
  struct Same : Net<Vector<2>, Dense<2, false>> {};
  struct Three : Net<Vector<2>, Dense<3, false>> {};
  Model<Same, Cpu, double> body;
  Model<Three, Cpu, double> head;
  const double eye[] = {1, 0, 0, 1}, third[] = {30, 0, -30, 0, 30, -30};
  std::copy(eye, eye + 4, body.values().begin());
  std::copy(third, third + 6, head.values().begin());
  data::Pixels pixels(std::array<std::size_t, 4>{5, 1, 1, 2});
  // The last is taken for class 0 by the head, by a hair, but lies in the direction of class 1.
  const int values[5][2] = {{250, 5}, {255, 0}, {5, 60}, {0, 65}, {31, 30}};
  for (std::size_t i = 0; i < 5; ++i)
    for (std::size_t k = 0; k < 2; ++k) pixels(i, 0, 0, k) = static_cast<std::uint8_t>(values[i][k]);
  const data::Labelled set("set", pixels, {0, 0, 0, 0, 0}, 3);
  Guesses guesses;
  guesses.make_by_centroids(set.without_labels(), {}, body, head);
  std::vector<int> labels;
  for (std::size_t i = 0; i < 5; ++i) labels.push_back(guesses.label(i));
  CHECK(labels == std::vector<int>{0, 0, 1, 1, 1});
  CHECK(guesses.confidence(1) > 0.99);
}

TEST_CASE("Curriculum teaches nothing of the target at first, then an evenly growing share", "[transfer]") {
  Model<toy::Body> features;
  Model<toy::Labels> labels;
  const Curriculum lessons{features, labels, {.first_part = 0.2, .easiest = 0.1, .hardest = 0.9}};
  CHECK(lessons.share(0.0) == 0.0);
  CHECK(lessons.share(0.19) == 0.0);
  CHECK(lessons.share(0.2) == Approx(0.1));
  CHECK(lessons.share(0.6) == Approx(0.5));
  CHECK(lessons.share(1.0) == Approx(0.9));
}

TEST_CASE("guesses: confidence, threshold, shares by class, labels of a batch", "[transfer]") {
  // a "classifier" whose logits are the pixels: 0.1 apart per step of 25.5
  struct Same : Net<Vector<2>, Dense<2, false>> {};
  Model<Same, Cpu, double> same;
  const double eye[] = {1, 0, 0, 1};
  std::copy(eye, eye + 4, same.values().begin());
  data::Pixels pixels(std::array<std::size_t, 4>{5, 1, 1, 2});
  const int values[5][2] = {{255, 0}, {200, 0}, {0, 51}, {10, 0}, {0, 255}};
  for (std::size_t i = 0; i < 5; ++i)
    for (std::size_t k = 0; k < 2; ++k) pixels(i, 0, 0, k) = static_cast<std::uint8_t>(values[i][k]);
  const data::Labelled set("set", pixels, {0, 0, 0, 0, 0}, 2);
  Guesses guesses;
  CHECK(guesses.empty());
  CHECK(guesses.believed() == 0.0);
  guesses.make(set.without_labels(), {}, same);
  REQUIRE(guesses.size() == 5);
  CHECK(guesses.confidence(0) == Approx(1.0 / (1.0 + std::exp(-1.0))).epsilon(1e-12));
  const auto believed = [&] {
    std::vector<int> labels;
    for (std::size_t i = 0; i < 5; ++i) labels.push_back(guesses.label(i));
    return labels;
  };
  CHECK(believed() == std::vector<int>(5, -1));
  guesses.believe_above(0.6);
  CHECK(believed() == std::vector<int>{0, 0, -1, -1, 1});
  CHECK(guesses.believed() == Approx(0.6));
  guesses.believe_share(0.5);  // class 0 has images 0, 1, 3: the surest two; class 1 has 2, 4: the surest one
  CHECK(believed() == std::vector<int>{0, 0, -1, -1, 1});
  guesses.believe_share(0.0);
  CHECK(guesses.believed() == 0.0);
  guesses.believe_share(1.0);
  CHECK(believed() == std::vector<int>{0, 0, 1, 0, 1});
  guesses.believe_above(0.6);
  data::PairedBatch<double> batch;
  const std::size_t index[] = {4, 3, 0};
  batch.target_count = 3;
  batch.target_index = index;
  const auto labels = guesses.of(batch);
  CHECK(std::vector<int>(labels.begin(), labels.end()) == std::vector<int>{1, -1, 0});
}

}  // namespace test_toy_targets

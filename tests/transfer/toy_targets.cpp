// Methods that learn from their own predictions on the target improve problems of two Gaussians that source-only fails.
#include <graft/transfer/curriculum.hpp>
#include <graft/transfer/entropy_minimisation.hpp>
#include <graft/transfer/mcc.hpp>
#include <graft/transfer/pseudo_labels.hpp>

#include "catch.hpp"
#include "toy.hpp"

using namespace graft;

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

// Maximum classifier discrepancy: its steps are the paper's, each with the models that it moves. That it adapts shows in
// toy_adversarial.cpp.
#include <graft/transfer/mcd.hpp>

#include "catch.hpp"
#include "stopped.hpp"
#include "toy.hpp"

namespace test_mcd {
using namespace graft;

namespace {
struct Head : Net<toy::Body::output, Dense<16>, ReLU, Dense<2>> {};

struct Nets {
  Model<toy::Body> features{{.seed = 1}};
  Model<Head> labels{{.seed = 2}}, second{{.seed = 3}};
  [[nodiscard]] std::vector<std::vector<float>> numbers() const {
    return {toy::numbers(features), toy::numbers(labels), toy::numbers(second)};
  }
};
constexpr double rate = 0.05, lambda = 3.0;

/// Section 3.2 written out: steps A, B, and C `body_steps` times, by plain gradient descent.
void by_hand(Nets& nets, const data::PairedBatch<float>& batch, int body_steps) {
  Sgd<float> body({.learning_rate = rate}, nets.features), heads({.learning_rate = rate}, nets.labels, nets.second);
  Tape<float> tape;
  const auto right = [&](const auto& f) {
    return cross_entropy(tape(nets.labels, f), batch.class_labels()) +
           cross_entropy(tape(nets.second, f), batch.class_labels());
  };
  backward(right(tape(nets.features, batch.source())));
  body.step();
  heads.step();
  const auto forget = [](ModelBase<float>& m) { std::fill(m.gradients().begin(), m.gradients().end(), 0.0f); };
  {
    const auto source = tape(nets.features, batch.source()), target = tape(nets.features, batch.target());
    backward(right(source) - classifier_discrepancy(tape(nets.labels, target), tape(nets.second, target)));
    heads.step();
    forget(nets.features);  // equation (4) has the classifiers alone
  }
  for (int k = 0; k < body_steps; ++k) {
    const auto target = tape(nets.features, batch.target());
    backward(lambda * classifier_discrepancy(tape(nets.labels, target), tape(nets.second, target)));
    body.step();
    forget(nets.labels);  // equation (5) has the body alone
    forget(nets.second);
  }
}
}  // namespace

TEST_CASE("Mcd takes the paper's three steps, the last of them as often as it was told", "[transfer]") {
  const toy::Problem problem = toy::nudged(1.0);
  data::PairedLoader<float> loader(problem.source, problem.target.without_labels(), Vector<2>,
                                   {.source_batch = 48, .target_batch = 16, .normalize = problem.normalize});
  const auto batch = loader.next();
  for (const int body_steps : {1, 4}) {
    Nets nets, expected;
    by_hand(expected, batch, body_steps);
    Mcd method{
        nets.features, nets.labels, nets.second, {.body_steps = body_steps, .lambda = {lambda}, .recipe = {.momentum = 0.0}}};
    auto optimizers = method.optimizer();
    for_each_optimizer(optimizers, [](auto& o, std::size_t) { o.learning_rate = rate; });
    Tape<float> tape;
    Means means;
    const Gradients gradients = backward(method.loss(tape, batch, 0.5, means, optimizers));
    for_each_optimizer(optimizers, [&](auto& o, std::size_t) { o.step(gradients); });
    const auto got = nets.numbers(), wanted = expected.numbers();
    for (std::size_t m = 0; m < 3; ++m) {
      for (std::size_t i = 0; i < got[m].size(); ++i) REQUIRE(got[m][i] == Approx(wanted[m][i]).margin(1e-6));
    }
  }
}

TEST_CASE("Mcd by a reversal moves all models in one step", "[transfer]") {
  const toy::Problem problem = toy::nudged(1.0);
  Nets nets;
  const auto before = nets.numbers();
  Mcd method{nets.features, nets.labels, nets.second, {.body_steps = 0}};
  FitOptions options = problem.options(1);
  method.fit(problem.source, problem.target.without_labels(), options);
  const auto after = nets.numbers();
  for (std::size_t m = 0; m < 3; ++m) CHECK(after[m] != before[m]);
  CHECK_THROWS_WITH((Mcd{nets.features, nets.labels, nets.second, {.body_steps = -1}}),
                    Catch::Matchers::ContainsSubstring("body_steps is -1"));
}

TEST_CASE("Mcd: a run that was stopped goes on to the same bits", "[transfer]") {
  toy::check_stopped<Nets>(toy::nudged(1.0), [](Nets& n) { return Mcd{n.features, n.labels, n.second}; });
}

}  // namespace test_mcd

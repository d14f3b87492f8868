// Wasserstein distance guided representation learning: it adapts, and each model learns from what it should and from nothing
// else.
#include <graft/transfer/audit.hpp>
#include <graft/transfer/wdgrl.hpp>

#include "catch.hpp"
#include "stopped.hpp"
#include "toy.hpp"

namespace test_wdgrl {
using namespace graft;

namespace {
struct Critic : Net<toy::Body::output, Dense<16>, ReLU, Dense<1>> {};

struct Nets {
  Model<toy::Body> features{{.seed = 1}};
  Model<toy::Labels> labels{{.seed = 2}};
  Model<Critic> critic{{.seed = 3}};
  [[nodiscard]] std::vector<std::vector<float>> numbers() const {
    return {toy::numbers(features), toy::numbers(labels), toy::numbers(critic)};
  }
};
bool all_zero(ModelBase<float>& model) {
  return std::all_of(model.gradients().begin(), model.gradients().end(), [](float g) { return g == 0.0f; });
}
double last(const Means& means, const char* name) {
  for (const auto& entry : means.entries()) {
    if (entry.name == name) return entry.last;
  }
  return std::nan("");
}
}  // namespace

TEST_CASE("Wdgrl improves two Gaussians that source-only fails", "[transfer][toy]") {
  for (const toy::Problem& problem : {toy::spurious(), toy::nudged(1.0)}) {
    Model<Critic> critic{{.seed = 3}};
    CHECK(toy::source_only(problem) < 0.8);
    CHECK(toy::accuracy(
              problem,
              [&](auto& features, auto& labels) {
                return Wdgrl{features, labels, critic, {.lambda = {1.0, 10.0}, .critic_rate = 0.01}};
              },
              problem.options(60)) > 0.95);
  }
}

TEST_CASE("Wdgrl: the critic learns alone, then the body and the label head without it", "[transfer]") {
  const toy::Problem problem = toy::nudged(1.0);
  data::PairedLoader<float> loader(problem.source, problem.target.without_labels(), Vector<2>,
                                   {.source_batch = 48, .target_batch = 16, .normalize = problem.normalize});
  const auto batch = loader.next();
  Nets nets;
  Wdgrl method{nets.features, nets.labels, nets.critic, {.critic_steps = 200, .critic_rate = 0.01}};
  auto optimizers = method.optimizer();
  for_each_optimizer(optimizers, [&, index = std::size_t{0}](auto& o, std::size_t) mutable {
    o.learning_rate = method.learning_rate(0.5)[index++];
  });
  const auto features = toy::numbers(nets.features), labels = toy::numbers(nets.labels), critic = toy::numbers(nets.critic);
  Tape<float> tape;
  Means before, after;
  method.loss(tape, batch, 0.5, before);  // without optimisers: nothing moves
  tape.discard();
  CHECK(toy::numbers(nets.critic) == critic);

  const auto loss = method.loss(tape, batch, 0.5, after, optimizers);
  CHECK(toy::numbers(nets.critic) != critic);
  CHECK(toy::numbers(nets.features) == features);
  CHECK(toy::numbers(nets.labels) == labels);
  CHECK(all_zero(nets.features));
  CHECK(all_zero(nets.labels));
  // it has come near to the distance: more than what the means alone tell it, with slopes of about 1
  CHECK(last(after, "wasserstein") > last(before, "wasserstein") + 0.1);
  CHECK(last(after, "wasserstein") > 0.0);
  CHECK(last(after, "gradient_penalty") < 0.1);

  const auto trained = toy::numbers(nets.critic);
  const Gradients gradients = backward(loss);
  CHECK(all_zero(nets.critic));
  CHECK_FALSE(all_zero(nets.features));
  for_each_optimizer(optimizers, [&](auto& o, std::size_t) { o.step(gradients); });
  CHECK(toy::numbers(nets.critic) == trained);
  CHECK(toy::numbers(nets.features) != features);
  CHECK(toy::numbers(nets.labels) != labels);
  CHECK_THROWS_WITH((Wdgrl{nets.features, nets.labels, nets.critic, {.critic_steps = 0}}),
                    Catch::Matchers::ContainsSubstring("critic_steps is 0"));
}

TEST_CASE("Wdgrl: who learns from what, and the audit moves nothing", "[transfer]") {
  const toy::Problem problem = toy::moved();
  Nets nets;
  Wdgrl method{nets.features, nets.labels, nets.critic, {.lambda = {0.5, 10.0}}};
  const auto critic = toy::numbers(nets.critic);
  const Audit audit = graft::audit(method, problem.source, problem.target.without_labels(), problem.options());
  CHECK(audit.at("label_loss", "features").factor == Approx(1.0));
  CHECK(audit.at("label_loss", "labels").factor == Approx(1.0));
  CHECK_FALSE(audit.at("label_loss", "critic").reached);
  CHECK(audit.at("wasserstein", "features").factor == Approx(0.5 * DannLambda{}(0.5)));
  CHECK_FALSE(audit.at("wasserstein", "labels").reached);
  CHECK_FALSE(audit.at("wasserstein", "critic").reached);
  CHECK(toy::numbers(nets.critic) == critic);
}

TEST_CASE("Wdgrl: the distance of two domains that differ by a move is the move, whatever the batches", "[transfer]") {
  // A body that changes nothing: the toy's domains lie 1.5 apart in one number and alike in the other.
  struct Same : Net<Vector<2>, Dense<2, false>> {};
  struct Head : Net<Same::output, Dense<2>> {};
  struct Slope : Net<Same::output, Dense<32>, ReLU, Dense<1>> {};
  const toy::Problem problem = toy::nudged(1.5);
  Model<Same> body;
  Model<Head> head;
  Model<Slope> critic{{.seed = 4}};
  const float eye[] = {1, 0, 0, 1};
  std::copy(eye, eye + 4, body.values().begin());
  Wdgrl method{
      body, head, critic, {.critic_steps = 20, .lambda = {0.0}, .critic_rate = 1e-3, .recipe = {.rate = {.mu0 = 0.0}}}};
  FitOptions options = problem.options(20);
  options.batch = 48;
  options.target_batch = 16;
  const History history = method.fit(problem.source, problem.target.without_labels(), options);
  for (const char* column : {"label_loss", "wasserstein", "gradient_penalty", "lambda"})
    CHECK(std::isfinite(history.last(column)));
  // A slope s earns 1.5 s and costs gamma (s - 1)^2, so the best is s = 1 + 1.5 / (2 gamma). The sets' means are 0.02 off.
  CHECK(history.last("wasserstein") == Approx(1.5 * (1.0 + 1.5 / 20.0)).margin(0.05));
}

TEST_CASE("Wdgrl: a run that was stopped goes on to the same bits", "[transfer]") {
  toy::check_stopped<Nets>(toy::moved(), [](Nets& n) {
    return Wdgrl{n.features, n.labels, n.critic, {.lambda = {1.0, 10.0}, .critic_rate = 0.01}};
  });
}

}  // namespace test_wdgrl

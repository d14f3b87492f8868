// Methods with an adversary improve problems of two Gaussians that source-only fails.
#include <graft/core/copy_weights.hpp>
#include <graft/transfer/adda.hpp>
#include <graft/transfer/adversarial_samples.hpp>
#include <graft/transfer/cdan.hpp>
#include <graft/transfer/cycle_gan.hpp>
#include <graft/transfer/dann.hpp>
#include <graft/transfer/dann_three_adam.hpp>
#include <graft/transfer/mcd.hpp>
#include <graft/transfer/mdd.hpp>

#include "catch.hpp"
#include "stopped.hpp"
#include "toy.hpp"

namespace test_toy_adversarial {
using namespace graft;

namespace {
struct Domains : Net<toy::Body::output, Dense<16, false>, BatchNorm<>, LeakyReLU<0.3>, Dense<1>> {};
struct FeatureMaker : Net<toy::Body::output, Dense<16>, ReLU, Dense<8>> {};
struct ImageMaker : Net<Vector<2>, Residual<Dense<16>, ReLU, Dense<2>>> {};
struct Critic : Net<Vector<2>, Dense<16>, LeakyReLU<0.2>, Dense<16>, LeakyReLU<0.2>, Dense<1>> {};
}  // namespace

TEST_CASE("DannThreeAdam improves two Gaussians that source-only fails", "[transfer][toy]") {
  const toy::Problem problem = toy::spurious();
  Model<Domains> domains{{.seed = 3}};
  CHECK(toy::source_only(problem) < 0.8);
  CHECK(toy::accuracy(problem, [&](auto& features, auto& labels) {
          return DannThreeAdam{features, labels, domains, {.rate = {.mu0 = 0.01}}};
        }) > 0.95);
}

TEST_CASE("Adda improves two Gaussians that source-only fails, and then leaves label head and source body as they are",
          "[transfer][toy]") {
  struct Body : Net<Vector<2>, Dense<16>, ReLU, Dense<8>> {};  // an adversary kills outputs behind a ReLU
  struct Discriminator : Net<Body::output, Dense<32>, ReLU, Dense<32>, ReLU, Dense<1>> {};
  const toy::Problem problem = toy::nudged(1.0);
  Model<Discriminator> domains{{.seed = 3}};
  Model<Body> source_body;
  CHECK(toy::source_only(problem) < 0.8);
  CHECK(toy::accuracy<Body>(
            problem,
            [&](auto& features, auto& labels) {
              return Adda{features, labels, domains, source_body, {.second_rate = 0.001}};
            },
            problem.options(60)) > 0.95);

  Model<Body> features{{.seed = 1}};
  Model<toy::Labels> labels{{.seed = 2}};
  Adda adda{features, labels, domains, source_body, {.first_part = 0.0}};
  copy_weights(features, source_body);
  const std::vector<float> head(labels.values().begin(), labels.values().end());
  const std::vector<float> body(features.values().begin(), features.values().end());
  adda.fit(problem.source, problem.target.without_labels(), problem.options(2));
  CHECK(std::equal(head.begin(), head.end(), labels.values().begin()));
  CHECK(std::equal(body.begin(), body.end(), source_body.values().begin()));
  CHECK_FALSE(std::equal(body.begin(), body.end(), features.values().begin()));
}

TEST_CASE("Adda: a run that was stopped in either part goes on to the same bits", "[transfer]") {
  struct Nets {
    Model<toy::Body> features{{.seed = 1}}, source_features;
    Model<toy::Labels> labels{{.seed = 2}};
    Model<Domains> domains{{.seed = 3}};
    [[nodiscard]] std::vector<std::vector<float>> numbers() const {
      return {toy::numbers(features), toy::numbers(source_features), toy::numbers(labels), toy::numbers(domains)};
    }
  };
  toy::check_stopped<Nets>(toy::nudged(1.0), [](Nets& n) { return Adda{n.features, n.labels, n.domains, n.source_features}; });
}

TEST_CASE("Dann and Cdan, with the multilinear and with the random map, improve two Gaussians that source-only fails",
          "[transfer][toy]") {
  struct Two : Net<toy::Body::output, Dense<16>, ReLU, Dense<2>> {};
  struct Joint : Net<Vector<16>, Dense<16>, ReLU, Dense<1>> {};
  struct Projected : Net<Vector<12>, Dense<16>, ReLU, Dense<1>> {};
  const toy::Problem spurious = toy::spurious(), nudged = toy::nudged(1.0);
  Model<Two> two{{.seed = 3}};
  Model<Joint> joint{{.seed = 3}};
  Model<Projected> projected{{.seed = 3}};
  CHECK(toy::source_only(spurious) < 0.8);
  CHECK(toy::source_only(nudged) < 0.8);
  const DannLambda strong{.high = 3.0};
  const auto with = [&](auto& head) {
    return [&](auto& features, auto& labels) { return Cdan{features, labels, head, {.lambda = strong}}; };
  };
  CHECK(toy::accuracy(
            spurious,
            [&](auto& features, auto& labels) {
              return Dann{features, labels, two, {.lambda = strong}};
            },
            spurious.options(60)) > 0.95);
  CHECK(toy::accuracy(nudged, with(joint), nudged.options(60)) > 0.9);
  CHECK(toy::accuracy(spurious, with(projected), spurious.options(60)) > 0.95);
}

TEST_CASE("Mcd and Mdd improve two Gaussians that source-only fails", "[transfer][toy]") {
  struct Head : Net<toy::Body::output, Dense<16>, ReLU, Dense<2>> {};
  const toy::Problem problem = toy::nudged(1.0);
  Model<Head> second{{.seed = 3}};
  CHECK(toy::source_only<toy::Body, Head>(problem) < 0.8);
  const auto mcd = [&](auto& features, auto& labels) { return Mcd{features, labels, second}; };
  CHECK(toy::accuracy<toy::Body, Head>(problem, mcd, problem.options(60)) > 0.95);
  Model<Head> reversed_second{{.seed = 3}};
  const auto reversed = [&](auto& features, auto& labels) {
    return Mcd{features, labels, reversed_second, {.body_steps = 0, .lambda = {4.0, 10.0}}};
  };
  CHECK(toy::accuracy<toy::Body, Head>(problem, reversed, problem.options(60)) > 0.95);
  // Mdd swings: the same seed gave 0.87 on one processor and 0.99 on another, whose rounding differs.
  double sum = 0.0;
  for (const std::uint64_t seed : {5u, 6u, 7u}) {
    Model<Head> adversary{{.seed = seed}};
    const auto mdd = [&](auto& features, auto& labels) { return Mdd{features, labels, adversary, {.lambda = {1.0, 10.0}}}; };
    sum += toy::accuracy<toy::Body, Head>(problem, mdd, problem.options(60));
  }
  CHECK(sum / 3 > 0.9);
}

TEST_CASE("AdversarialSamples of features and of images improve two Gaussians that source-only fails", "[transfer][toy]") {
  const toy::Problem problem = toy::nudged(1.0);
  Model<FeatureMaker> of_features{{.seed = 4}};
  Model<ImageMaker> of_images{{.seed = 4}};
  CHECK(toy::source_only(problem) < 0.8);
  CHECK(toy::accuracy(
            problem,
            [&](auto& features, auto& labels) {
              return AdversarialSamples{features, labels, of_features};
            },
            problem.options(100)) > 0.95);
  CHECK(toy::accuracy(problem, [&](auto& features, auto& labels) {
          return AdversarialSamples{features, labels, of_images};
        }) > 0.95);
}

TEST_CASE("CycleGan undoes a move of the domain that source-only fails", "[transfer][toy]") {
  const toy::Problem problem = toy::moved();
  Model<ImageMaker> to_target{{.seed = 4}}, to_source{{.seed = 5}};
  Model<Critic> source_critic{{.seed = 6}}, target_critic{{.seed = 7}};
  CHECK(toy::source_only(problem) < 0.6);
  const auto make = [&](auto& features, auto& labels) {
    return CycleGan{features,
                    labels,
                    Translation{to_target, to_source, source_critic, target_critic},
                    {.cycle = 1.0, .on_source = 0.0, .gan_rate = 0.01}};
  };
  CHECK(toy::accuracy(problem, make, problem.options(60)) > 0.95);
}

}  // namespace test_toy_adversarial

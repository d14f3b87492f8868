// Methods put together of parts: what each part does, and that the whole is what the methods of their own files are.
#include <graft/loss/discrepancy.hpp>
#include <graft/loss/unsupervised.hpp>
#include <graft/transfer/best.hpp>
#include <graft/transfer/dann.hpp>
#include <graft/transfer/deep_coral.hpp>
#include <graft/transfer/mean_teacher.hpp>
#include <graft/transfer/vada.hpp>

#include "catch.hpp"
#include "io/scratch.hpp"
#include "toy.hpp"

namespace test_composed {
using namespace graft;
using Catch::Matchers::ContainsSubstring;

namespace {
struct Domains : Net<toy::Body::output, Dense<8>, ReLU, Dense<2>> {};
struct NormBody : Net<Vector<2>, Dense<8>, BatchNorm<>, ReLU> {};
struct NormLabels : Net<NormBody::output, Dense<2>> {};

struct Nets {
  Model<toy::Body> features{{.seed = 1}}, other_features{{.seed = 7}};
  Model<toy::Labels> labels{{.seed = 2}}, other_labels{{.seed = 8}};
  Model<Domains> domains{{.seed = 3}};
};

FitOptions shaken(const toy::Problem& problem, int epochs = 40) {
  FitOptions options = problem.options(epochs);
  options.augment = options.target_augment = {data::noise(0.03)};
  return options;
}
}  // namespace

TEST_CASE("Composed of a domain head is Dann, and of CORAL is DeepCoral, number for number", "[transfer]") {
  const toy::Problem problem = toy::moved();
  const auto weights = [&](auto&& make) {
    Nets nets;
    auto method = make(nets);
    method.fit(problem.source, problem.target.without_labels(), problem.options(3));
    return toy::numbers(nets.features);
  };
  CHECK(weights([](Nets& n) {
          return Composed{n.features, n.labels, Recipe{}, part::Dann{n.domains}};
        }) == weights([](Nets& n) {
          return Dann{n.features, n.labels, n.domains};
        }));
  const auto composed = weights([](Nets& n) {
    return Composed{n.features, n.labels, Recipe{}, part::Penalty{"coral", {5.0, 10.0}, [](const auto& step) {
                                                                    return coral(step.features.source(),
                                                                                 step.features.target());
                                                                  }}};
  });
  CHECK(composed == weights([](Nets& n) {
          return DeepCoral{n.features, n.labels, {.lambda = {5.0, 10.0}, .on_logits = false}};
        }));
}

TEST_CASE("parts add up: each has its column, and its models are trained and saved", "[transfer]") {
  const toy::Problem problem = toy::moved();
  Nets nets;
  Composed method{nets.features,
                  nets.labels,
                  Recipe{},
                  part::Dann{nets.domains, {.high = 0.5}},
                  part::Penalty{"entropy", {0.1}, [](const auto& step) { return entropy(step.logits.target()); }},
                  part::WeightAverage{nets.other_features, nets.other_labels}};
  static_assert(std::tuple_size_v<decltype(method.models())> == 5);
  static_assert(!decltype(method)::sees_clean_target && MeanTeacher<Model<toy::Body>, Model<toy::Labels>>::sees_clean_target);
  CHECK(&std::get<0>(method.classifier()) == &nets.other_features);
  const auto before = toy::numbers(nets.domains);
  const History history = method.fit(problem.source, problem.target.without_labels(), problem.options(2));
  for (const char* column : {"label_loss", "domain_loss", "entropy", "lambda"}) CHECK(std::isfinite(history.last(column)));
  CHECK(before != toy::numbers(nets.domains));
}

TEST_CASE("WeightAverage: the recurrence with its ramp, statistics copied, begins as the model", "[transfer]") {
  Model<NormBody> body{{.seed = 1}}, average{{.seed = 2}};
  Model<NormLabels> head{{.seed = 3}}, average_head{{.seed = 4}};
  part::WeightAverage part{average, average_head, 0.6};
  part.begin(body, head);
  CHECK(toy::numbers(average) == toy::numbers(body));
  std::vector<double> expected;
  for (std::uint64_t step = 0; step < 6; ++step) {
    for (float& w : body.values()) w += 0.5f * static_cast<float>(step + 1);
    for (float& s : body.statistics()) s += 0.25f;
    const double a = std::min(0.6, 1.0 - 1.0 / static_cast<double>(step + 1));
    expected.resize(body.values().size());
    for (std::size_t i = 0; i < expected.size(); ++i)
      expected[i] = a * expected[i] + (1.0 - a) * static_cast<double>(body.values()[i]);
    part.after_step(step, body, head);
  }
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK(average.values()[i] == Approx(expected[i]).epsilon(1e-5));
  for (std::size_t i = 0; i < body.statistics().size(); ++i) CHECK(average.statistics()[i] == body.statistics()[i]);
  CHECK_THROWS_WITH((part::WeightAverage{average, average_head, 1.0}), ContainsSubstring("below 1"));
}

TEST_CASE("FixMatch, MeanTeacher and Best improve two Gaussians of which source-only misjudges some", "[transfer][toy]") {
  const toy::Problem problem = toy::nudged(0.7);
  CHECK(toy::source_only(problem) < 0.95);
  const auto reached = [&](auto&& make) {
    Nets nets;
    auto method = make(nets);
    return method.fit(problem.source, problem.target.without_labels(), shaken(problem)).last("target_accuracy");
  };
  CHECK(reached([](Nets& n) { return FixMatch{n.features, n.labels}; }) > 0.97);
  CHECK(reached([](Nets& n) {
          return MeanTeacher{n.features, n.labels, n.other_features, n.other_labels, {.lambda = {20.0}}};
        }) > 0.97);
  CHECK(reached([](Nets& n) { return Best{n.features, n.labels, n.domains, n.other_features, n.other_labels}; }) > 0.97);
}

TEST_CASE("FixMatch labels by the clean view and believes what is sure", "[transfer]") {
  // The label head gives the first input as the logit of class 0: a clean image of 4 is class 0, surely; of 0 is neither.
  struct Same : Net<Vector<2>, Dense<2, false>> {};
  Model<Same> body, head;
  const float eye[] = {1, 0, 0, 1};
  std::copy(eye, eye + 4, body.values().begin());
  std::copy(eye, eye + 4, head.values().begin());
  const float images[] = {0, 4, /**/ 0, 1, 0, 1}, clean[] = {4, 0, 0.5, 0};
  const int labels[] = {1}, domains[] = {0, 1, 1};
  data::PairedBatch<float> batch{images, 1, 2, 2, labels, domains};
  batch.clean = clean;
  Tape<float> tape;
  Means means;
  const auto f = tape(body, batch);
  const auto logits = tape(head, f);
  const Step<decltype(f), decltype(logits), data::PairedBatch<float>> step{f, logits, batch, 0.5};
  part::SureLabels part{body, head, {.confidence = 0.9, .lambda = {2.0}}};
  const auto loss = part.loss(tape, step, means);
  // -log softmax(0, 1)[0], of one row of two, with weight 2
  CHECK(loss.value() == Approx(2.0 * std::log(1.0 + std::exp(1.0)) / 2.0).epsilon(1e-6));
  // A source of class 1 alone: aligned to it, both rows are surely 1.
  part::SureLabels aligned{body, head, {.confidence = 0.9, .align = 0.01}};
  CHECK(aligned.loss(tape, step, means).value() == Approx(std::log(1.0 + std::exp(-1.0))).epsilon(1e-6));
}

TEST_CASE("alignment multiplies guesses by the source's share over what was guessed before", "[transfer]") {
  DistributionAlignment<double> align(2, 0.5);
  const int labels[] = {0};
  const double p[] = {0.8, 0.2, 0.6, 0.4};
  // shares 1/4 + 1/2 and 1/4; means 1/4 + 0.7 / 2 and 1/4 + 0.3 / 2: factors 5/4 and 5/8
  const double* q = align(labels, 1, p, 2);
  CHECK(q[0] == Approx(8.0 / 9.0));
  CHECK(q[1] == Approx(1.0 / 9.0));
  CHECK(q[2] == Approx(0.75));
  CHECK(q[3] == Approx(0.25));
  // again: shares 3/8 + 1/2 and 1/8; means 0.65 and 0.35
  q = align(labels, 1, p, 2);
  CHECK(q[2] / q[3] == Approx(1.5 * (0.875 / 0.65) / (0.125 / 0.35)));
  // A class without probability stays without, however long.
  const double one[] = {1.0, 0.0};
  for (int i = 0; i < 3000; ++i) q = align(labels, 1, one, 1);
  CHECK(q[0] == 1.0);
  CHECK(q[1] == 0.0);
}

TEST_CASE("a run with averages that was stopped goes on as if it had not been", "[transfer]") {
  const toy::Problem problem = toy::moved();
  const Scratch scratch;
  const auto run = [&](auto&& make, bool stop) {
    std::vector<double> state;
    const auto fit = [&](Nets& nets, bool resume, auto... callbacks) {
      FitOptions options = shaken(problem, 4);
      options.target_test.reset();
      options.checkpoint = scratch / (stop ? "a" : "b");
      options.resume = resume;
      auto method = make(nets);
      method.fit(problem.source, problem.target.without_labels(), options, callbacks...);
      state.assign(nets.other_features.values().begin(), nets.other_features.values().end());
      method.for_each_state([&](const std::string&, const double* x, std::size_t n) { state.insert(state.end(), x, x + n); });
    };
    struct Stop {
      void on_epoch(const EpochInfo& info) {
        if (info.epoch == 1) throw 1;
      }
    };
    Nets first, second;
    if (stop) CHECK_THROWS_AS(fit(first, false, Stop{}), int);
    fit(second, stop);
    return state;
  };
  const auto teacher = [](Nets& n) { return MeanTeacher{n.features, n.labels, n.other_features, n.other_labels}; };
  const auto aligned = [](Nets& n) {
    return Best{n.features, n.labels, n.domains, n.other_features, n.other_labels, {.align = 0.9}};
  };
  CHECK(run(teacher, false) == run(teacher, true));
  const auto whole = run(aligned, false);
  CHECK(whole.size() == toy::Body::parameter_count + 4);
  CHECK(whole == run(aligned, true));
}

TEST_CASE("Vat: the perturbation of a linear classifier is along the difference of its weights, and as long as said",
          "[transfer]") {
  struct Same : Net<Vector<3>, Dense<3, false>> {};
  struct Two : Net<Vector<3>, Dense<2>> {};
  Model<Same, Cpu, double> body;
  Model<Two, Cpu, double> head{{.seed = 5}};
  for (std::size_t i = 0; i < 9; ++i) body.values()[i] = i % 4 == 0 ? 1.0 : 0.0;
  const double images[] = {0.3, -0.2, 0.5, /**/ 1.0, 0.4, -0.3, /**/ -0.6, 0.1, 0.2};
  const int labels[] = {1}, domains[] = {0, 1, 1};
  const data::PairedBatch<double> batch{images, 1, 2, 3, labels, domains};
  Tape<double> tape;
  Means means;
  const auto f = tape(body, batch);
  const auto logits = tape(head, f);
  const Step<decltype(f), decltype(logits), data::PairedBatch<double>> step{f, logits, batch, 0.5};
  part::Vat vat{body, head, {.radius = 0.7, .probe = 1e-4, .on_source = {2.0}, .on_target = {3.0}}};
  const double before = body.gradients()[0];
  const double loss = vat.loss(tape, step, means).value();
  CHECK(body.gradients()[0] == before);  // looking for the direction trains nothing
  const double* w = head.values().data();
  double direction[3], length = 0.0;
  for (int k = 0; k < 3; ++k) direction[k] = w[2 * k] - w[2 * k + 1], length += direction[k] * direction[k];
  double expected = 0.0;
  for (std::size_t i = 0; i < 3; ++i) {
    double along = 0.0, squares = 0.0, z[2] = {w[6], w[7]}, moved[2] = {w[6], w[7]};
    for (std::size_t k = 0; k < 3; ++k) {
      const double r = vat.perturbed()[3 * i + k] - images[3 * i + k];
      along += r * direction[k] / std::sqrt(length), squares += r * r;
      for (std::size_t c = 0; c < 2; ++c)
        z[c] += images[3 * i + k] * w[2 * k + c], moved[c] += vat.perturbed()[3 * i + k] * w[2 * k + c];
    }
    CHECK(std::sqrt(squares) == Approx(0.7).epsilon(1e-9));
    CHECK(std::abs(along) == Approx(0.7).epsilon(1e-9));
    const double p = 1.0 / (1.0 + std::exp(z[1] - z[0])), q = 1.0 / (1.0 + std::exp(moved[1] - moved[0]));
    expected += (i == 0 ? 2.0 : 1.5) * -(p * std::log(q) + (1.0 - p) * std::log(1.0 - q));
  }
  CHECK(loss == Approx(expected).epsilon(1e-9));
}

TEST_CASE("Vada improves two Gaussians that source-only fails", "[transfer][toy]") {
  const toy::Problem problem = toy::nudged(1.0);
  CHECK(toy::source_only(problem) < 0.8);
  Nets nets;
  Vada vada{nets.features,
            nets.labels,
            nets.domains,
            {.lambda = {.high = 1.0}, .entropy = {0.5, 10.0}, .vat = {.radius = 0.3, .on_target = {0.5}}}};
  CHECK(vada.fit(problem.source, problem.target.without_labels(), problem.options()).last("target_accuracy") > 0.95);
}

}  // namespace test_composed

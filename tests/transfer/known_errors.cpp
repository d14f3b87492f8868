// Seventeen silent errors were found in released libraries of this field. Those that concern what is here, each as a test that
// would have caught it. Beside their golden values stand 9 (CDAN: tests/loss/conditional.cpp), 10 and 13 (MDD, MCD, sliced
// distances: joint.cpp and sliced.cpp there), 3 and 17 (gradient penalties: gradient_penalty.cpp there). 7 is a name of NumPy,
// and 11 concerns memory banks, which are not here.
#include <graft/loss/conventions.hpp>
#include <graft/transfer/adversarial_samples.hpp>
#include <graft/transfer/audit.hpp>
#include <graft/transfer/cycle_gan.hpp>
#include <graft/transfer/dan.hpp>
#include <graft/transfer/dann.hpp>
#include <graft/transfer/dann_three_adam.hpp>
#include <graft/transfer/ddc.hpp>
#include <graft/transfer/deep_coral.hpp>
#include <graft/transfer/entropy_minimisation.hpp>
#include <graft/transfer/mcc.hpp>

#include "catch.hpp"
#include "loss/golden.hpp"
#include "toy.hpp"

namespace test_known_errors {
using namespace graft;

namespace {
struct Domains : Net<toy::Body::output, Dense<8>, ReLU, Dense<2>> {};
struct Logit : Net<toy::Body::output, Dense<8>, LeakyReLU<0.3>, Dense<1>> {};
struct ImageMaker : Net<Vector<2>, Residual<Dense<4>, ReLU, Dense<2>>> {};
struct Critic : Net<Vector<2>, Dense<4>, LeakyReLU<0.2>, Dense<1>> {};

struct Nets {
  toy::Problem problem = toy::moved();
  Model<toy::Body> features{{.seed = 1}};
  Model<toy::Labels> labels{{.seed = 2}};
  template <class M>
  Audit audit(M&& method) {
    return graft::audit(method, problem.source, problem.target.without_labels(), problem.options());
  }
};
}  // namespace

TEST_CASE("error 1: a domain head of one output has a gradient, and its output depends on the input", "[transfer]") {
  // Softmax over one unit does not compile: tests/compile_fail/domain_head_of_one_softmax.cpp
  Nets nets;
  Model<Logit> domains{{.seed = 3}};
  const Audit audit = nets.audit(DannThreeAdam{nets.features, nets.labels, domains});
  CHECK(audit.at("domain_loss", "domains").norm > 1e-3);
  CHECK(audit.at("swapped_loss", "features").norm > 1e-3);
}

TEST_CASE("error 2: the body learns from the labels and from the penalty, in every method", "[transfer]") {
  Nets nets;
  const auto both = [&](auto&& method, const char* penalty, double weight) {
    const Audit audit = nets.audit(method);
    INFO(audit.table());
    CHECK(audit.at("label_loss", "features").factor == Approx(1.0));
    CHECK(audit.at("label_loss", "features").norm > 1e-3);
    CHECK(audit.at("label_loss", "labels").factor == Approx(1.0));
    CHECK(audit.at(penalty, "features").factor == Approx(weight));
    CHECK(audit.at(penalty, "features").norm > 1e-5);
  };
  const double grown = DannLambda{}(0.5);
  both(Ddc{nets.features, nets.labels}, "mmd", 0.25);
  both(Dan{nets.features, nets.labels}, "mmd", 2.0 * grown);
  both(DeepCoral{nets.features, nets.labels}, "coral", 10.0 * grown);
  both(EntropyMinimisation{nets.features, nets.labels}, "entropy", 0.1 * grown);
  both(EntropyMinimisation{nets.features, nets.labels}, "spread", -0.1 * grown);
  both(Mcc{nets.features, nets.labels}, "confusion", grown);
  Model<Domains> domains{{.seed = 3}};
  both(Dann{nets.features, nets.labels, domains}, "domain_loss", -grown);
}

TEST_CASE("error 2 b: each covariance is divided by its own number of rows", "[loss]") {
  // three rows against four
  const std::vector<double> x{1, 0, -1, 2, 0, 1}, y{0, 1, 2, -1, 1, 1, 0, 3};
  const auto covariance = [](const std::vector<double>& v, std::size_t i, std::size_t j) {
    const std::size_t n = v.size() / 2;
    double a = 0, b = 0, sum = 0;
    for (std::size_t r = 0; r < n; ++r) a += v[2 * r + i] / double(n), b += v[2 * r + j] / double(n);
    for (std::size_t r = 0; r < n; ++r) sum += (v[2 * r + i] - a) * (v[2 * r + j] - b);
    return sum / double(n - 1);
  };
  double expected = 0.0;
  for (std::size_t i = 0; i < 2; ++i)
    for (std::size_t j = 0; j < 2; ++j) expected += std::pow(covariance(x, i, j) - covariance(y, i, j), 2) / 16.0;
  CHECK(
      golden::is(golden::evaluate<Vector<2>>(x, y, [](const auto& a, const auto& b) { return coral(a, b); }).value, expected));
}

TEST_CASE("error 4: the domains have different labels, whatever lambda is, and lambda does reach the body", "[transfer]") {
  Nets nets;
  data::PairedLoader<float> loader(nets.problem.source, nets.problem.target.without_labels(), Vector<2>,
                                   {.source_batch = 3, .target_batch = 2});
  const auto batch = loader.next();
  const DomainLabels labels = batch.domain_labels();
  CHECK(std::vector<int>(labels.begin(), labels.end()) == std::vector<int>{0, 0, 0, 1, 1});
  Model<Domains> domains{{.seed = 3}};
  for (const double high : {0.0, 0.25, 2.0}) {
    const Audit audit = nets.audit(Dann{nets.features, nets.labels, domains, {.lambda = {.high = high}}});
    CHECK(audit.at("domain_loss", "features").factor == Approx(-high * DannLambda{}(0.5)).margin(1e-9));
    CHECK(audit.at("domain_loss", "domains").factor == Approx(1.0));
  }
}

TEST_CASE("error 5: lambda comes to 1, not to 0.46", "[transfer]") {
  CHECK(DannLambda{}(1.0) > 0.9999);
  CHECK(Growing{1.0, 10.0}(1.0) > 0.9999);
  CHECK(DannOptions{}.lambda(1.0) > 0.9999);
}

TEST_CASE("error 6: the unbiased MMD of points in one place is 0, for any number of kernels", "[loss]") {
  const std::vector<double> x(12, 1.0);
  for (const auto& gamma : {std::array<double, 8>{1.0}, std::array<double, 8>{1.0, 2.0, 3.0}}) {
    const MmdOptions options{.estimator = Estimator::unbiased, .gamma = gamma};
    CHECK(std::abs(golden::evaluate(x, x, [&](const auto& a, const auto& b) { return mmd(a, b, options); }).value) < 1e-15);
  }
}

TEST_CASE("errors 8 and 14: the kernel is Gaussian in the distance, and a given bandwidth is used", "[loss]") {
  const std::vector<double> x{0, 0}, y{2, 0};
  for (const double gamma : {0.1, 0.5}) {
    const MmdOptions options{.gamma = {gamma}};
    const auto value =
        golden::evaluate<Vector<2>>(x, y, [&](const auto& a, const auto& b) { return mmd(a, b, options); }).value;
    CHECK(golden::is(value, 2.0 - 2.0 * std::exp(-gamma * 4.0)));
  }
}

TEST_CASE("error 12: scoring twice gives the same and leaves the models as they are", "[transfer]") {
  Nets nets;
  const auto before = nets.features.values();
  const auto once = [&](const data::Labelled& set) {
    return score(set, nets.problem.normalize, nets.features, nets.labels).accuracy();
  };
  const double first = once(nets.problem.target_test);
  once(nets.problem.source);
  CHECK(once(nets.problem.target_test) == first);
  CHECK(std::equal(before.begin(), before.end(), nets.features.values().begin()));
}

TEST_CASE("error 15: no epoch repeats the order of another", "[transfer]") {
  Nets nets;
  data::PairedLoader<float> loader(nets.problem.source, nets.problem.target.without_labels(), Vector<2>,
                                   {.source_batch = 512, .target_batch = 512});
  const auto order = [&] {
    const auto batch = loader.next();
    return std::vector<std::size_t>(batch.target_index, batch.target_index + batch.target_count);
  };
  auto first = order(), second = order();
  CHECK(first != second);
  std::sort(first.begin(), first.end());
  std::sort(second.begin(), second.end());
  CHECK(first == second);
}

TEST_CASE("error 16: batches of different sizes give a distance, or an error in words, but never a silent 0", "[loss]") {
  const std::vector<double> few(golden::T.begin(), golden::T.begin() + 9);
  const auto value = [&](auto&& make) { return golden::evaluate(golden::S, few, make).value; };
  CHECK(value([](const auto& x, const auto& y) { return mmd(x, y); }) > 0.01);
  CHECK(value([](const auto& x, const auto& y) { return coral(x, y); }) > 0.01);
  CHECK(value([](const auto& x, const auto& y) { return mean_difference(x, y); }) > 0.01);
  CHECK_THROWS_WITH(value([](const auto& x, const auto& y) { return mmd(x, y, Convention::ada); }),
                    Catch::Matchers::ContainsSubstring("two equal batches"));
}

TEST_CASE("who learns from what in AdversarialSamples", "[transfer]") {
  Nets nets;
  Model<Net<toy::Body::output, Dense<8>>> generator{{.seed = 4}};
  const Audit audit = nets.audit(AdversarialSamples{nets.features, nets.labels, generator, {.misjudged = {0.5}, .near = 0.2}});
  CHECK(audit.at("misjudged", "generator").factor == Approx(-0.5));
  CHECK(audit.at("distance", "generator").factor == Approx(0.2));
  CHECK(audit.at("mmd", "generator").factor == Approx(1.0));
  CHECK(audit.at("learnt", "labels").factor == Approx(1.0));
  for (const char* loss : {"misjudged", "distance", "mmd"}) {
    CHECK_FALSE(audit.at(loss, "labels").reached);
    CHECK_FALSE(audit.at(loss, "features").reached);
  }
  CHECK_FALSE(audit.at("learnt", "generator").reached);
}

TEST_CASE("who learns from what in CycleGan", "[transfer]") {
  Nets nets;
  Model<ImageMaker> to_target{{.seed = 4}}, to_source{{.seed = 5}};
  Model<Critic> source_critic{{.seed = 6}}, target_critic{{.seed = 7}};
  const Audit audit =
      nets.audit(CycleGan{nets.features, nets.labels, Translation{to_target, to_source, source_critic, target_critic}});
  CHECK(audit.at("fooling", "to_target").factor == Approx(1.0));
  CHECK_FALSE(audit.at("fooling", "target_critic").reached);
  CHECK_FALSE(audit.at("critics", "to_target").reached);
  CHECK(audit.at("critics", "target_critic").factor == Approx(0.5));
  CHECK(audit.at("cycle", "to_target").factor == Approx(10.0));
  CHECK(audit.at("cycle", "to_source").factor == Approx(10.0));
  CHECK_FALSE(audit.at("label_loss", "to_target").reached);
  CHECK(audit.at("label_loss", "features").factor == Approx(1.0));
}

}  // namespace test_known_errors

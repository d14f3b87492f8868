// Joint and local MMD, and the distances of two classifiers, on the worked inputs.
#include <graft/loss/classifiers.hpp>
#include <graft/loss/joint.hpp>

#include "catch.hpp"
#include "golden.hpp"

namespace test_joint {
using namespace graft;
using namespace golden;

namespace {
std::vector<double> both(const std::vector<double>& a, const std::vector<double>& b) {
  auto all = a;
  all.insert(all.end(), b.begin(), b.end());
  return all;
}
/// x: features of 4 + 4 rows, y: their logits, as one batch of both domains.
template <class Make>
auto domains(Make&& make) {
  return [make](const auto& x, const auto& y) {
    auto f = x;
    f.split = 4;
    const Var<Vector<3>, Kind::logits, double> z{y.tape, y.view, 4};
    return make(f, z);
  };
}
const ClassLabels<3> labels{ys.data(), 4};
}  // namespace

TEST_CASE("JAN: joint MMD as tllib has it", "[loss][golden]") {
  const auto tllib = domains([](const auto& f, const auto& z) { return joint_mmd(f, z, Convention::tllib); });
  CHECK(is(evaluate(both(S, T), both(Ls, Lt), tllib).value, -.22698196277099736));
  CHECK_THROWS_AS(evaluate(both(S, T), both(Ls, Lt),
                           domains([](const auto& f, const auto& z) { return joint_mmd(f, z, Convention::ada); })),
                  Error);
}

TEST_CASE("JAN: a joint kernel that is constant in the classes leaves MMD", "[loss]") {
  const std::vector<double> same(24, 0.3);
  for (const bool unbiased : {false, true}) {
    const auto joint = domains([&](const auto& f, const auto& z) { return joint_mmd(f, z, {.unbiased = unbiased}); });
    const auto plain = [&](const auto& x, const auto& y) {
      return mmd(x, y, {.estimator = unbiased ? Estimator::unbiased : Estimator::biased});
    };
    const Result a = evaluate(both(S, T), same, joint), b = evaluate(S, T, plain);
    CHECK(is(a.value, b.value));
    for (std::size_t i = 0; i < 12; ++i) {
      CHECK(std::abs(a.dx[i] - b.dx[i]) < 1e-12);
      CHECK(std::abs(a.dx[12 + i] - b.dy[i]) < 1e-12);
    }
  }
}

TEST_CASE("DSAN: local MMD as its authors have it; classes that one domain lacks are left out", "[loss][golden]") {
  const auto local = domains([](const auto& f, const auto& z) { return local_mmd(f, z, labels); });
  const Result result = evaluate(both(S, T), both(Ls, Lt), local);
  CHECK(is(result.value, 2.5925732354980195));
  for (const double g : result.dy) CHECK(g == 0.0);  // predictions are constants
  // No row of the target is taken for a class that the source has.
  static const std::vector<int> ones{1, 1, 1, 1};
  const std::vector<double> zero{5, 0, 0, 5, 0, 0, 5, 0, 0, 5, 0, 0};
  const Result none = evaluate(both(S, T), both(Ls, zero), domains([](const auto& f, const auto& z) {
                                 return local_mmd(f, z, ClassLabels<3>{ones.data(), 4});
                               }));
  CHECK(none.value == 0.0);
  for (const double g : none.dx) CHECK(g == 0.0);
  // Source rows of the same class alone count: with one class for all it is the plain MMD.
  const std::vector<double> sure{900, 0, 0, 900, 0, 0, 900, 0, 0, 900, 0, 0};
  static const std::vector<int> zeros{0, 0, 0, 0};
  const double one_class = evaluate(both(S, T), both(Ls, sure), domains([](const auto& f, const auto& z) {
                                      return local_mmd(f, z, ClassLabels<3>{zeros.data(), 4});
                                    }))
                               .value;
  CHECK(is(one_class, evaluate(S, T, [](const auto& x, const auto& y) { return mmd(x, y); }).value));
}

TEST_CASE("errors 10 and 13: MCD and MDD, distances of two classifiers on the worked inputs", "[loss][golden]") {
  const auto discrepancy = [](const auto& a, const auto& b) { return classifier_discrepancy(a, b); };
  CHECK(is(evaluate<Vector<3>, Kind::logits>(Lt, At, discrepancy).value, .12384895619928966));
  const auto disparity = [](const auto& a, const auto& b) {
    auto adversary = a, main = b;
    adversary.split = main.split = 4;
    return margin_disparity(adversary, main, 4.0);
  };
  const Result mdd = evaluate<Vector<3>, Kind::logits>(both(As, At), both(Ls, Lt), disparity);
  CHECK(is(mdd.value, 3.7652472213831105));
  for (const double g : mdd.dy) CHECK(g == 0.0);  // no gradient into the main classifier
}

TEST_CASE("joint and local MMD and the classifiers' distances: gradients agree with central differences", "[loss]") {
  // Bandwidths from the data are constants in the gradient, so these are fixed.
  JointMmdOptions joint;
  joint.features.gamma = {0.05, 0.3};
  MmdOptions local;
  local.gamma = {0.05, 0.3};
  CHECK(off_differences(both(S, T), both(Ls, Lt),
                        domains([&](const auto& f, const auto& z) { return joint_mmd(f, z, joint); })) < 1e-8);
  joint.unbiased = true;
  CHECK(off_differences(both(S, T), both(Ls, Lt),
                        domains([&](const auto& f, const auto& z) { return joint_mmd(f, z, joint); })) < 1e-8);
  const auto local_only = domains([&](const auto& f, const auto& z) { return local_mmd(f, z, labels, local); });
  const auto x = both(S, T), y = both(Ls, Lt);
  const Result own = evaluate(x, y, local_only);
  for (std::size_t i = 0; i < x.size(); ++i) {
    auto moved = x;
    moved[i] += 1e-5;
    const double up = evaluate(moved, y, local_only).value;
    moved[i] -= 2e-5;
    CHECK(std::abs((up - evaluate(moved, y, local_only).value) / 2e-5 - own.dx[i]) < 1e-8);
  }
  CHECK(off_differences<Vector<3>, Kind::logits>(
            Lt, At, [](const auto& a, const auto& b) { return classifier_discrepancy(a, b); }) < 1e-8);
  const auto disparity = [&](const auto& a, const auto&) {
    auto adversary = a;
    const Var<Vector<3>, Kind::logits, double> main{a.tape, {a.tape->node(y.data(), 3, 8, false), 0, 8, 1.0}, 4};
    adversary.split = 4;
    return margin_disparity(adversary, main);
  };
  CHECK(off_differences<Vector<3>, Kind::logits>(both(As, At), both(As, At), disparity) < 1e-8);
}

TEST_CASE("MMD's gradient through the bandwidth is that of the number itself, and scales nothing", "[loss]") {
  MmdOptions through{.through_bandwidth = true};
  for (const Estimator e : {Estimator::biased, Estimator::unbiased, Estimator::linear_time, Estimator::linear_cyclic}) {
    through.estimator = e;
    const auto loss = [&](const auto& a, const auto& b) { return mmd(a, b, through); };
    CHECK(off_differences(S, T, loss) < 1e-8);
    MmdOptions constant = through;
    constant.through_bandwidth = false;
    CHECK(off_differences(S, T, [&](const auto& a, const auto& b) { return mmd(a, b, constant); }) > 1e-4);
  }
  // One side's gradient alone is the same.
  const Result two = evaluate(S, T, [&](const auto& a, const auto& b) { return mmd(a, b, through); });
  const Result one = evaluate(S, T, [&](const auto& a, const auto& b) {
    auto still = b;
    still.view.node = b.tape->node(T.data(), 3, 4, false);
    return mmd(a, still, through);
  });
  for (std::size_t i = 0; i < two.dx.size(); ++i) CHECK(one.dx[i] == Approx(two.dx[i]).margin(1e-15));

  JointMmdOptions joint;
  joint.features.through_bandwidth = true;
  CHECK(off_differences(both(S, T), both(Ls, Lt),
                        domains([&](const auto& f, const auto& z) { return joint_mmd(f, z, joint); })) < 1e-8);
  const auto local = domains([&](const auto& f, const auto& z) { return local_mmd(f, z, labels, through); });
  const auto x = both(S, T);
  const Result own = evaluate(x, both(Ls, Lt), local);
  double along = 0.0, size = 0.0;
  for (std::size_t k = 0; k < 3; ++k) {
    double mean = 0.0;
    for (std::size_t i = k; i < x.size(); i += 3) mean += x[i] / 8.0;
    for (std::size_t i = k; i < x.size(); i += 3) along += (x[i] - mean) * own.dx[i], size += std::abs(own.dx[i]);
  }
  CHECK(std::abs(along) < 1e-12 * size);

  // A bandwidth that is given hangs on nothing.
  MmdOptions given{.gamma = {0.1}, .through_bandwidth = true};
  CHECK(off_differences(S, T, [&](const auto& a, const auto& b) { return mmd(a, b, given); }) < 1e-8);
}

TEST_CASE("joint losses refuse batches without both domains, and rows that do not match, in a sentence", "[loss]") {
  const auto no_target = [](const auto& x, const auto& y) {
    const Var<Vector<3>, Kind::logits, double> z{y.tape, y.view, 4};
    return joint_mmd(x, z);
  };
  CHECK_THROWS_WITH(evaluate(S, Ls, no_target), Catch::Matchers::ContainsSubstring("0 of the target"));
  const auto short_labels = domains([](const auto& f, const auto& z) { return local_mmd(f, z, ClassLabels<3>{ys.data(), 3}); });
  CHECK_THROWS_WITH(evaluate(both(S, T), both(Ls, Lt), short_labels), Catch::Matchers::ContainsSubstring("3 labels"));
}

}  // namespace test_joint

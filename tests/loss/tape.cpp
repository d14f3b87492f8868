// The losses on the tape: they reach the right rows with the right factors. Their values and gradients are held to the
// reference vectors by tests/kernel/losses.cpp.
#include <graft/loss/discrepancy.hpp>
#include <graft/loss/supervised.hpp>
#include <graft/loss/unsupervised.hpp>
#include <graft/ops/list.hpp>
#include <graft/transfer/gradient_reversal.hpp>

#include "catch.hpp"
#include "support/case.hpp"
#include "support/reference.hpp"

namespace test_tape {
using namespace graft;

namespace {

struct Body : Net<Vector<4>, Dense<3>> {};
struct Head : Net<Body::output, Dense<2>> {};

/// A body, a head and six rows, in double.
struct Pair {
  Model<Body, Cpu, double> body{{.seed = 1}};
  Model<Head, Cpu, double> head{{.seed = 2}};
  std::vector<double> x = support::numbers<double>(24, 3);
  std::vector<int> labels{0, 1, 1};
  std::vector<int> domains{0, 0, 0, 1, 1, 1};
  Tape<double> tape;

  template <class Make>
  std::vector<double> gradient(Make&& make) {
    std::fill(body.gradients().begin(), body.gradients().end(), 0.0);
    std::fill(head.gradients().begin(), head.gradients().end(), 0.0);
    const auto f = tape(body, Rows<double>{x.data(), 6, 3});
    backward(make(f));
    return {body.gradients().begin(), body.gradients().end()};
  }
  /// Central differences of value(features) over the body's parameters.
  template <class Make>
  std::vector<double> differences(Make&& make) {
    std::vector<double> result;
    for (double& p : body.values()) {
      const double kept = p;
      const auto at = [&](double v) {
        p = v;
        const double loss = make(tape(body, Rows<double>{x.data(), 6, 3})).value();
        tape.backward(*make(tape(body, Rows<double>{x.data(), 6, 3})).node);
        return loss;
      };
      const double up = at(kept + 1e-6);
      const double down = at(kept - 1e-6);
      p = kept;
      result.push_back((up - down) / 2e-6);
    }
    return result;
  }
};

}  // namespace

TEST_CASE("losses on parts of a batch, summed with weights, agree with central differences", "[loss]") {
  Pair pair;
  const auto make = [&](const auto& f) {
    const auto source = pair.tape(pair.head, f.source());
    const auto target = pair.tape(pair.head, f.target());
    const auto all = pair.tape(pair.head, f);
    return cross_entropy(source, ClassLabels<2>{pair.labels.data(), 3}) + 0.25 * mmd(f.source(), f.target(), {.gamma = {0.3}}) +
           0.5 * coral(f.source(), f.target()) + 0.1 * entropy(target) - 0.2 * mean_squared_error(source, target) +
           2.0 * cross_entropy(all, DomainLabels{pair.domains.data(), 6});
  };
  CHECK(reference::error(pair.gradient(make), pair.differences(make)) < 1e-7);
}

TEST_CASE("two labels a row and distributions: equal where they mean the same, and central differences", "[loss]") {
  Pair pair;
  const std::vector<int> first{0, 1, 1, 0, 1, 0}, second{1, 1, 0, 0, 0, 1};
  const MixedLabels<2> mixed{first.data(), second.data(), 6, 0.3};
  std::vector<double> soft(12, 0.0);
  for (std::size_t i = 0; i < 6; ++i) {
    soft[2 * i + static_cast<std::size_t>(first[i])] += 0.3;
    soft[2 * i + static_cast<std::size_t>(second[i])] += 0.7;
  }
  const auto two = [&](const auto& f) { return cross_entropy(pair.tape(pair.head, f), mixed); };
  const auto spread = [&](const auto& f) {
    return cross_entropy(pair.tape(pair.head, f), SoftLabels<double>{soft.data(), 6, 2});
  };
  CHECK(reference::error(pair.gradient(two), pair.differences(two)) < 1e-7);
  CHECK(reference::error(pair.gradient(spread), pair.gradient(two)) < 1e-12);
  for (std::size_t i = 0; i < 12; ++i) soft[i] = 0.1 * static_cast<double>(i % 5);  // not one in sum, a row with little
  CHECK(reference::error(pair.gradient(spread), pair.differences(spread)) < 1e-7);
  const Rows<double> rows{pair.x.data(), 6, 3};
  const auto value = [&](MixedLabels<2> labels) {
    return cross_entropy(pair.tape(pair.head, pair.tape(pair.body, rows)), labels).value();
  };
  const double a = value({first.data(), first.data(), 6, 1.0}), b = value({second.data(), second.data(), 6, 1.0});
  CHECK(value(mixed) == Approx(0.3 * a + 0.7 * b).epsilon(1e-14));
  CHECK_THROWS_AS(cross_entropy(pair.tape(pair.head, pair.tape(pair.body, rows)), SoftLabels<double>{soft.data(), 6, 3}),
                  Error);
}

TEST_CASE("gradient reversal: identity forward, -lambda backward, the head's own gradient untouched", "[loss]") {
  Pair pair;
  const DomainLabels domains{pair.domains.data(), 6};
  const auto plain = pair.gradient([&](const auto& f) { return cross_entropy(pair.tape(pair.head, f), domains); });
  const std::vector<double> head(pair.head.gradients().begin(), pair.head.gradients().end());
  for (const double lambda : {0.0, 0.5, 4.0}) {
    double value = 0.0;
    const auto reversed = pair.gradient([&](const auto& f) {
      const auto loss = cross_entropy(pair.tape(pair.head, reverse_gradient(f, lambda)), domains);
      value = loss.value();
      return loss;
    });
    for (std::size_t i = 0; i < plain.size(); ++i) CHECK(reversed[i] == -lambda * plain[i]);
    CHECK(std::vector<double>(pair.head.gradients().begin(), pair.head.gradients().end()) == head);
    CHECK(value > 0.0);
  }
  CHECK_THROWS_WITH(
      pair.gradient([&](const auto& f) { return cross_entropy(pair.tape(pair.head, reverse_gradient(f, -1.0)), domains); }),
      Catch::Matchers::ContainsSubstring("0 or more"));
}

TEST_CASE("the golden micro-test of gradient reversal", "[loss]") {
  // f = [1, 2], D = sigmoid(w . f), w = [0.3, -0.4], label 1: METHODS 1.1 of the field's survey, values from the formula
  struct Gate : Net<Vector<2>, Dense<2, false>> {};
  struct Judge : Net<Vector<2>, Dense<1, false>> {};
  Model<Gate, Cpu, double> gate;
  Model<Judge, Cpu, double> judge;
  const double eye[] = {1, 0, 0, 1}, w[] = {0.3, -0.4}, f[] = {1, 2};
  std::copy(eye, eye + 4, gate.values().begin());
  std::copy(w, w + 2, judge.values().begin());
  Tape<double> tape;
  const auto features = tape(gate, Rows<double>{f, 1, 0});
  backward(binary_cross_entropy(tape(judge, reverse_gradient(features, 0.5)), 1.0));
  CHECK(judge.gradients()[0] == Approx(-0.6224593312018546).epsilon(1e-14));
  CHECK(judge.gradients()[1] == Approx(-1.2449186624037092).epsilon(1e-14));
  // the gate is the identity on f = [1, 2]: row 0 of its gradient is dL/df
  CHECK(gate.gradients()[0] == Approx(0.09336889968027819).epsilon(1e-14));
  CHECK(gate.gradients()[1] == Approx(-0.12449186624037092).epsilon(1e-14));
}

TEST_CASE("a detached batch and a fixed model get no gradient", "[loss]") {
  Pair pair;
  const DomainLabels domains{pair.domains.data(), 6};
  const auto cut = pair.gradient([&](const auto& f) { return cross_entropy(pair.tape(pair.head, f.detached()), domains); });
  for (const double g : cut) CHECK(g == 0.0);
  CHECK(pair.head.gradients()[0] != 0.0);
  const auto through = pair.gradient([&](const auto& f) { return cross_entropy(pair.tape(fixed(pair.head), f), domains); });
  CHECK(pair.head.gradients()[0] == 0.0);
  CHECK(through[0] != 0.0);
}

TEST_CASE("domains that BatchNorm keeps apart give the gradient of two passes", "[loss]") {
  struct Norm : Net<Vector<4>, BatchNorm<>, Dense<3>, BatchNorm<>> {};
  const std::vector<double> x = support::numbers<double>(24, 3);
  std::vector<std::vector<double>> gradients;
  for (const bool joined : {true, false}) {
    Model<Norm, Cpu, double> model{{.seed = 1}};
    Tape<double> tape;
    tape.domain_norm = DomainNorm::separate;
    const auto loss = [&] {
      if (joined) return mean_squared_error(tape(model, Rows<double>{x.data(), 6, 2}), 0.3);
      const auto source = mean_squared_error(tape(model, Rows<double>{x.data(), 2, 2}), 0.3);
      return (1.0 / 3.0) * source + (2.0 / 3.0) * mean_squared_error(tape(model, Rows<double>{x.data() + 8, 4, 0}), 0.3);
    }();
    backward(loss);
    gradients.emplace_back(model.gradients().begin(), model.gradients().end());
  }
  CHECK(reference::error(gradients[0], gradients[1]) < 1e-13);
}

TEST_CASE("losses refuse what does not belong together, in a sentence", "[loss]") {
  Pair pair;
  const auto attempt = [&](auto&& make) { pair.gradient(make); };
  CHECK_THROWS_WITH(attempt([&](const auto& f) {
                      return cross_entropy(pair.tape(pair.head, f), ClassLabels<2>{pair.labels.data(), 3});
                    }),
                    Catch::Matchers::ContainsSubstring("6 rows of logits but 3 labels"));
  int wrong[] = {0, 7, 1, 0, 0, 0};
  CHECK_THROWS_WITH(attempt([&](const auto& f) {
                      return cross_entropy(pair.tape(pair.head, f), ClassLabels<>{wrong, 6});
                    }),
                    Catch::Matchers::ContainsSubstring("label of row 1 is 7"));
  CHECK_THROWS_WITH(attempt([&](const auto& f) { return coral(f.rows(0, 1), f.target()); }),
                    Catch::Matchers::ContainsSubstring("at least 2"));
  CHECK_THROWS_WITH(attempt([&](const auto& f) {
                      return mmd(f.source(), f.target(), {.estimator = Estimator::linear_time, .gamma = {1.0}});
                    }),
                    Catch::Matchers::ContainsSubstring("even size"));
}

}  // namespace test_tape

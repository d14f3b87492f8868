// Choosing without labels: validators on the survey's worked logits, and on problems whose answer is known.
#include <graft/core/random.hpp>
#include <graft/kernel/cpu/softmax.hpp>
#include <graft/train/a_distance.hpp>
#include <graft/train/history.hpp>
#include <graft/train/domain_classifier.hpp>
#include <graft/train/validators.hpp>

#include "catch.hpp"
#include "loss/golden.hpp"

namespace test_validators {
using namespace graft;

namespace {
std::vector<double> probabilities(const std::vector<double>& logits) {
  std::vector<double> p(logits.size());
  kernel::softmax_forward(Cpu{}, static_cast<int>(logits.size() / 3), 3, logits.data(), p.data());
  return p;
}
}  // namespace

TEST_CASE("entropy and soft neighbourhood density of the worked logits", "[train][golden]") {
  const auto p = probabilities(golden::Lt);
  CHECK(golden::is(prediction_entropy(p.data(), 4, 3), .7845087390293677));
  CHECK(golden::is(soft_neighbourhood_density(p.data(), 4, 3), .3253643708219586));
  CHECK_THROWS_AS(soft_neighbourhood_density(p.data(), 2, 3), Error);
}

TEST_CASE("soft neighbourhood density is high for dense clusters and low for rows that stand alone", "[train]") {
  std::vector<double> dense, loose;
  for (int i = 0; i < 30; ++i) {
    for (int c = 0; c < 3; ++c) {
      dense.push_back(i % 3 == c ? 1.0 : 0.0);
      loose.push_back(0.3 + 0.4 * std::abs(std::sin(1.0 + 0.1 * i * i + c)));
    }
  }
  CHECK(soft_neighbourhood_density(dense.data(), 30, 3) == Approx(std::log(9.0)).epsilon(1e-6));  // nine equal neighbours
  CHECK(soft_neighbourhood_density(loose.data(), 30, 3) > 0.0);
}

TEST_CASE("the A-distance is 1.6 at an error of 0.1, 2 where domains are apart, and about 0 where they are one", "[train]") {
  CHECK(a_distance(0.1) == Approx(1.6));
  Random random(3, 1);
  std::vector<double> here(4000), there(4000), apart(4000);
  for (std::size_t i = 0; i < 4000; ++i) {
    here[i] = random.normal();
    there[i] = random.normal();
    apart[i] = random.normal() + 8.0;
  }
  CHECK(a_distance(here.data(), 1000, apart.data(), 1000, 4) == 2.0);
  CHECK(a_distance(here.data(), 1000, there.data(), 1000, 4) < 0.2);
  CHECK_THROWS_AS(a_distance(here.data(), 1, there.data(), 1000, 4), Error);
}

TEST_CASE("deep embedded validation: equal weights leave the mean, the control takes variance away", "[train]") {
  const std::vector<double> losses{0.1, 0.9, 0.4, 0.2};
  CHECK(deep_embedded_validation({1, 1, 1, 1}, losses) == Approx(0.4));
  // Where every loss is 1 the risk is 1, whatever the weights' sample mean: without the control it would be 1.25.
  CHECK(deep_embedded_validation({2.0, 1.5, 1.0, 0.5}, {1, 1, 1, 1}) == Approx(1.0));
  CHECK_THROWS_AS(deep_embedded_validation({1, 1}, losses), Error);
}

TEST_CASE("a history tells its best row, the first of equals, and none where the column is missing", "[train]") {
  History history;
  for (const double value : {0.5, 0.9, 0.9, 0.1}) {
    Row row;
    row.set("x", value);
    history.add(row);
  }
  history.add(Row{});
  CHECK(history.best("x") == 1);
  CHECK(history.best("x", false) == 3);
  CHECK(history.best("y") == -1);
}

TEST_CASE("a classifier of domains: weights are the ratio of two normal densities, its error theirs", "[train]") {
  Random random(3, 4);
  const int ns = 4000, nt = 2000;
  std::vector<float> source, target;
  for (int i = 0; i < ns; ++i)
    source.push_back(static_cast<float>(random.normal())), source.push_back(static_cast<float>(random.normal()));
  for (int i = 0; i < nt; ++i)
    target.push_back(static_cast<float>(random.normal() + 1.0)), target.push_back(static_cast<float>(random.normal()));
  const DomainsTold told = tell_domains(source.data(), ns, target.data(), nt, 2);
  REQUIRE(told.weights.size() == ns / 2);
  double apart = 0.0, sum = 0.0;
  for (std::size_t i = 0; i < told.weights.size(); ++i) {
    apart += std::abs(std::log(told.weights[i]) - (static_cast<double>(source[2 * (2 * i + 1)]) - 0.5));  // exp(x - 1/2)
    sum += told.weights[i];
  }
  CHECK(apart / (ns / 2) < 0.15);
  CHECK(sum / (ns / 2) == Approx(1.0).epsilon(0.1));
  CHECK(a_distance(told.error) == Approx(0.766).margin(0.1));  // error Phi(-1/2) = 0.3085
  CHECK(tell_domains(source.data(), ns, source.data(), ns, 2).error == Approx(0.5).margin(0.02));
  CHECK_THROWS_AS(tell_domains(source.data(), 1, target.data(), nt, 2), Error);
}

}  // namespace test_validators

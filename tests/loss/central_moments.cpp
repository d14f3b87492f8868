// Central moment discrepancy on the worked inputs, behind a sigmoid.
#include <graft/loss/central_moments.hpp>

#include "catch.hpp"
#include "golden.hpp"

namespace test_central_moments {
using namespace graft;
using namespace golden;

TEST_CASE("central moment discrepancy: the worked value, and central differences", "[loss][golden]") {
  const auto squashed = [](std::vector<double> v) {
    for (double& x : v) x = 1.0 / (1.0 + std::exp(-x));
    return v;
  };
  const auto make = [](const auto& x, const auto& y) { return central_moment_discrepancy(x, y); };
  const auto x = squashed(S), y = squashed(T);
  CHECK(is(evaluate(x, y, make).value, .18133398509446616));
  CHECK(is(evaluate(y, x, make).value, .18133398509446616));
  CHECK(off_differences(x, y, make) < 1e-8);
  CHECK(off_differences(S, T, [](const auto& a, const auto& b) { return central_moment_discrepancy(a, b, 3, 2.0); }) < 1e-8);
  const Result same = evaluate(x, x, make);
  CHECK(same.value == 0.0);
  for (const double g : same.dx) CHECK(g == 0.0);
  const std::vector<double> fewer(y.begin(), y.begin() + 9);
  CHECK(off_differences(x, fewer, make) < 1e-8);
  CHECK_THROWS_WITH(evaluate(x, y, [](const auto& a, const auto& b) { return central_moment_discrepancy(a, b, 0); }),
                    Catch::Matchers::ContainsSubstring("at least 1"));
}

}  // namespace test_central_moments

// Sliced Wasserstein distance, against what it is in one dimension and against central differences.
#include <graft/loss/sliced.hpp>

#include "catch.hpp"
#include "golden.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace test_sliced {
using namespace graft;
using namespace golden;

namespace {
/// Squared Wasserstein-2 distance of two sets of numbers by their quantiles, at every step of either.
double by_quantiles(std::vector<double> a, std::vector<double> b) {
  std::sort(a.begin(), a.end()), std::sort(b.begin(), b.end());
  const std::size_t steps = a.size() * b.size();
  double sum = 0.0;
  for (std::size_t q = 0; q < steps; ++q) {
    const double apart = a[q / b.size()] - b[q / a.size()];
    sum += apart * apart / static_cast<double>(steps);
  }
  return sum;
}
double sliced(const std::vector<double>& a, const std::vector<double>& b, int projections, std::uint64_t seed) {
  return evaluate(a, b, [=](const auto& x, const auto& y) { return sliced_wasserstein(x, y, projections, seed); }).value;
}
}  // namespace

TEST_CASE("sliced Wasserstein distance: sorted numbers along each direction, batches of two sizes", "[loss]") {
  const std::vector<double> fewer(T.begin(), T.begin() + 9);
  for (const std::vector<double>& other : {T, fewer}) {
    for (const int projections : {1, 5}) {
      const auto theta = graft::detail::directions<double>(3, projections, 11);
      double expected = 0.0;
      for (std::size_t p = 0; p < static_cast<std::size_t>(projections); ++p) {
        const auto along = [&](const std::vector<double>& rows) {
          std::vector<double> out;
          for (std::size_t i = 0; i < rows.size(); i += 3) {
            double sum = 0.0;
            for (std::size_t k = 0; k < 3; ++k) sum += rows[i + k] * theta[k * static_cast<std::size_t>(projections) + p];
            out.push_back(sum);
          }
          return out;
        };
        expected += by_quantiles(along(S), along(other)) / projections;
      }
      CHECK(sliced(S, other, projections, 11) == Approx(expected).epsilon(1e-12));
    }
    const auto make = [](const auto& x, const auto& y) { return sliced_wasserstein(x, y, 7, 3); };
    CHECK(off_differences(S, other, make) < 1e-8);
  }
  CHECK(sliced(S, S, 5, 1) == 0.0);
  CHECK(sliced(S, T, 5, 1) != sliced(S, T, 5, 2));
  CHECK(sliced(S, T, 5, 1) != sliced(S, T, 6, 1));  // error 13: a released library ignores the number
  CHECK_THROWS_WITH(sliced(S, T, 0, 1), Catch::Matchers::ContainsSubstring("at least 1"));
}

TEST_CASE("sliced Wasserstein distance: of a set and the same moved by v it tends to |v|^2 / width", "[loss]") {
  std::vector<double> moved = S;
  for (std::size_t i = 0; i < moved.size(); i += 3) moved[i] += 3.0, moved[i + 1] -= 4.0;
  CHECK(sliced(S, moved, 4000, 5) == Approx(25.0 / 3.0).epsilon(0.03));
}

}  // namespace test_sliced

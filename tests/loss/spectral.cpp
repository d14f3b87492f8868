// Penalties on singular values, and on the distance from pretrained feature maps, on the worked inputs.
#include <graft/loss/delta.hpp>
#include <graft/loss/spectral.hpp>

#include "catch.hpp"
#include "golden.hpp"

namespace test_spectral {
using namespace graft;
using namespace golden;

TEST_CASE("BSS and BSP: values and gradients", "[loss][golden]") {
  const Result shrunk = evaluate(S, [](const auto& f) { return batch_spectral_shrinkage(f); });
  CHECK(is(shrunk.value, 1.0887343469933466));
  auto both = S;
  both.insert(both.end(), T.begin(), T.end());
  const auto penalty = [](const auto& x) {
    auto domains = x;
    domains.split = 4;
    return batch_spectral_penalization(domains);
  };
  const Result penalized = evaluate(both, penalty);
  CHECK(is(penalized.value, 21.341852367511336));
  CHECK(row0_is(penalized.dx, .014486777400604422, -2.701047720287341, 3.456266996119321));
  const auto one = [](auto&& loss) { return [loss](const auto& a, const auto&) { return loss(a); }; };
  for (const int k : {1, 2, 3}) {
    CHECK(off_differences(S, S, one([k](const auto& f) { return batch_spectral_shrinkage(f, k); })) < 1e-7);
    CHECK(off_differences<Vector<6>>(S, S, one([k](const auto& f) {  // wider than long
                                       return k < 3 ? batch_spectral_shrinkage(f, k) : batch_spectral_shrinkage(f);
                                     })) < 1e-7);
  }
  double squares = 0.0;  // all of them are |F|^2
  for (const double s : S) squares += s * s;
  CHECK(is(evaluate(S, [](const auto& f) { return batch_spectral_shrinkage(f, 3); }).value, squares));
  CHECK_THROWS_WITH(evaluate(S, [](const auto& f) { return batch_spectral_shrinkage(f, 4); }),
                    Catch::Matchers::ContainsSubstring("4 x 3 features has 3"));
}

TEST_CASE("DELTA: half the squared distance, and its channels weighted", "[loss][golden]") {
  const auto plain = [](const auto& maps) { return delta(maps, T.data()); };
  CHECK(is(evaluate(S, plain).value, 17.0));
  const std::vector<double> attention{.5, .2, .3};
  const auto attentive = [&](const auto& maps) { return delta(maps, T.data(), attention); };
  double expected = 0.0;  // as one image of 2 x 2 x 3: area 4
  for (std::size_t i = 0; i < 12; ++i) expected += 0.5 * 3.0 * attention[i % 3] * (S[i] - T[i]) * (S[i] - T[i]) / 4.0;
  CHECK(is(evaluate<Image<2, 2, 3>>(S, attentive).value, expected));
  CHECK(off_differences(S, S, [&](const auto& a, const auto&) { return attentive(a); }) < 1e-7);
  const std::vector<double> two(2, 0.5);
  CHECK_THROWS_WITH(evaluate(S, [&](const auto& maps) { return delta(maps, T.data(), two); }),
                    Catch::Matchers::ContainsSubstring("2 attention weights"));
}

}  // namespace test_spectral

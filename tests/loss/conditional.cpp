// CDAN's map and weights on the worked inputs.
#include <graft/loss/conditional.hpp>

#include "catch.hpp"
#include "golden.hpp"

namespace test_conditional {
using namespace graft;
using namespace golden;

namespace {
/// Logits of the domain head whose probabilities are D, source rows first.
std::vector<double> domain_logits() {
  std::vector<double> z;
  for (const double p : {.7, .6, .8, .5, .4, .3, .55, .2}) z.push_back(std::log(p / (1.0 - p)));
  return z;
}
template <class Make>
double domain_loss(Make&& make) {
  std::vector<double> all = Ls;
  all.insert(all.end(), Lt.begin(), Lt.end());
  const std::vector<double> z = domain_logits();
  Tape<double> tape;
  tape.open();
  const Var<Vector<3>, Kind::logits, double> logits{&tape, {tape.node(all.data(), 3, 8, false), 0, 8, 1.0}, 4};
  const Var<Vector<1>, Kind::logits, double> domain{&tape, {tape.node(z.data(), 1, 8, false), 0, 8, 1.0}, 4};
  return domain_cross_entropy(domain, make(logits)).value();
}
}  // namespace

TEST_CASE("CDAN: the multilinear map is class by class", "[loss][golden]") {
  Tape<double> tape;
  tape.open();
  const Var<Vector<3>, Kind::features, double> f{&tape, {tape.node(S.data(), 3, 4, true), 0, 4, 1.0}, 4};
  const Var<Vector<3>, Kind::logits, double> z{&tape, {tape.node(Ls.data(), 3, 4, false), 0, 4, 1.0}, 4};
  const auto map = conditional(f, z);
  const double expected[] = {.3142658596, -.6285317192, 1.2570634384, .0701221916, -.1402443832,
                             .2804887663, .1156119488,  -.2312238976, .4624477952};
  for (int i = 0; i < 9; ++i) CHECK(std::abs(map.value()[i] - expected[i]) < 5e-11);
}

TEST_CASE("CDAN: entropy weights, of the authors and of tllib", "[loss][golden]") {
  CHECK(is(domain_loss([](const auto&) { return static_cast<const double*>(nullptr); }), .4591178893519478));
  CHECK(is(domain_loss([](const auto& z) { return entropy_weights(z, true); }), .4688565012552124));
  CHECK(is(domain_loss([](const auto& z) { return entropy_weights(z, false); }), .46895565498821823));
  Tape<double> tape;
  tape.open();
  const Var<Vector<3>, Kind::logits, double> z{&tape, {tape.node(Lt.data(), 3, 4, false), 0, 4, 1.0}, 0};
  const double* w = entropy_weights(z, true);
  const double official[] = {.25924272, .22506368, .29081717, .22487644};
  for (int i = 0; i < 4; ++i) CHECK(std::abs(w[i] / 4.0 - official[i]) < 5e-9);
}

TEST_CASE("error 9: the random map is the same at every forward, and sees probabilities, not logits", "[loss]") {
  const RandomMap<double> random(3, 3, 5, 1);
  auto shifted = Ls;  // other logits, the same probabilities
  for (double& z : shifted) z += 7.0;
  const auto mapped = [&](const std::vector<double>& z) {
    Tape<double> tape;
    tape.open();
    const Var<Vector<3>, Kind::features, double> f{&tape, {tape.node(S.data(), 3, 4, false), 0, 4, 1.0}, 4};
    const Var<Vector<3>, Kind::logits, double> logits{&tape, {tape.node(z.data(), 3, 4, false), 0, 4, 1.0}, 4};
    const auto map = conditional<5>(f, logits, random);
    return std::vector<double>(map.value(), map.value() + 20);
  };
  const auto first = mapped(Ls), second = mapped(Ls), same = mapped(shifted);
  CHECK(first == second);
  for (std::size_t i = 0; i < 20; ++i) CHECK(first[i] == Approx(same[i]).epsilon(1e-12));
}

TEST_CASE("CDAN: gradients of both maps agree with central differences", "[loss]") {
  const RandomMap<double> random(3, 3, 5, 1);
  const auto outer = [](const auto& f, const auto& z) {
    return mean_squared_error(conditional(f, Var<Vector<3>, Kind::logits, double>{z.tape, z.detached().view, 0}), 0.3);
  };
  const auto projected = [&](const auto& f, const auto& z) {
    return mean_squared_error(conditional<5>(f, Var<Vector<3>, Kind::logits, double>{z.tape, z.detached().view, 0}, random),
                              0.3);
  };
  for (const bool narrow : {false, true}) {
    const auto value = [&](const std::vector<double>& x) {
      return narrow ? evaluate(x, Ls, projected) : evaluate(x, Ls, outer);
    };
    const Result own = value(S);
    for (std::size_t i = 0; i < S.size(); ++i) {
      auto x = S;
      x[i] += 1e-5;
      const double up = value(x).value;
      x[i] -= 2e-5;
      CHECK(std::abs((up - value(x).value) / 2e-5 - own.dx[i]) < 1e-8);
    }
    for (const double g : own.dy) CHECK(g == 0.0);  // the predictions are constants
  }
  const auto weighted = [&](const auto& z, const auto&) {
    Var<Vector<1>, Kind::logits, double> domain{z.tape, z.view, 3};
    static const double w[] = {1.0, 0.5, 1.5, 2.0, 0.1, 0.9, 1.1, 0.7};
    return domain_cross_entropy(domain, w);
  };
  CHECK(off_differences<Vector<1>, Kind::logits>(domain_logits(), domain_logits(), weighted) < 1e-8);
}

}  // namespace test_conditional

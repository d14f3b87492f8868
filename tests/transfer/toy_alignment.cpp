// Methods that align the domains improve problems of two Gaussians that source-only fails.
#include <graft/transfer/adabn.hpp>
#include <graft/transfer/cmd.hpp>
#include <graft/transfer/dan.hpp>
#include <graft/transfer/ddc.hpp>
#include <graft/transfer/deep_coral.hpp>
#include <graft/transfer/dsan.hpp>
#include <graft/transfer/jan.hpp>
#include <graft/transfer/sliced_wasserstein.hpp>

#include "catch.hpp"
#include "toy.hpp"

namespace test_toy_alignment {
using namespace graft;

namespace {
struct NormBody : Net<Vector<2>, BatchNorm<>, Dense<16>, BatchNorm<>, ReLU, Dense<8>, ReLU> {};
struct NormLabels : Net<NormBody::output, Dense<2>> {};
}  // namespace

TEST_CASE("Ddc, Dan and DeepCoral improve two Gaussians that source-only fails", "[transfer][toy]") {
  const toy::Problem problem = toy::spurious();
  CHECK(toy::source_only(problem) < 0.8);
  CHECK(toy::accuracy(problem, [](auto& features, auto& labels) { return Ddc{features, labels}; }) > 0.95);
  CHECK(toy::accuracy(problem, [](auto& features, auto& labels) { return Dan{features, labels}; }) > 0.95);
  CHECK(toy::accuracy(problem, [](auto& features, auto& labels) {
          return DeepCoral{features, labels, {.lambda = {10.0}}};
        }) > 0.95);
}

TEST_CASE("Jan and Dsan improve two Gaussians that source-only fails", "[transfer][toy]") {
  for (const toy::Problem& problem : {toy::spurious(), toy::nudged(1.0)}) {
    CHECK(toy::source_only(problem) < 0.8);
    CHECK(toy::accuracy(problem, [](auto& features, auto& labels) { return Jan{features, labels}; }) > 0.95);
    CHECK(toy::accuracy(problem, [](auto& features, auto& labels) { return Dsan{features, labels}; }) > 0.95);
  }
}

TEST_CASE("SlicedWasserstein improves two Gaussians that source-only fails", "[transfer][toy]") {
  for (const toy::Problem& problem : {toy::spurious(), toy::nudged(1.0)}) {
    CHECK(toy::source_only(problem) < 0.8);
    CHECK(toy::accuracy(problem, [](auto& features, auto& labels) { return SlicedWasserstein{features, labels}; }) > 0.95);
  }
}

TEST_CASE("Cmd improves two Gaussians that source-only fails", "[transfer][toy]") {
  struct Bounded : Net<Vector<2>, Dense<16>, ReLU, Dense<8>, Sigmoid> {};
  struct Labels : Net<Bounded::output, Dense<2>> {};
  const toy::Problem problem = toy::nudged(1.0);
  CHECK(toy::source_only<Bounded, Labels>(problem) < 0.8);
  const auto make = [](auto& features, auto& labels) {
    return Cmd{features, labels, {.lambda = {1.0, 10.0}, .recipe = {.rate = {.mu0 = 0.1}}}};
  };
  CHECK(toy::accuracy<Bounded, Labels>(problem, make, problem.options(60)) > 0.9);
}

TEST_CASE("Adabn undoes a move of the domain that source-only fails", "[transfer][toy]") {
  const toy::Problem problem = toy::moved();
  CHECK(toy::source_only<NormBody, NormLabels>(problem) < 0.6);
  CHECK(toy::accuracy<NormBody, NormLabels>(problem, [](auto& features, auto& labels) {
          return Adabn{features, labels};
        }) > 0.95);
}

}  // namespace test_toy_alignment

// Random numbers: walking a stream, whole numbers, independence, shuffles.
#include <graft/core/random.hpp>
#include <vector>

#include "catch.hpp"

using namespace graft;

TEST_CASE("walking along a stream gives its blocks in turn, each word once", "[core]") {
  constexpr std::uint64_t seed = 0x0123456789abcdefull, stream = 0xfedcba9876543210ull;
  Random random(seed, stream);
  for (std::uint64_t block = 0; block < 5; ++block) {
    const auto words = philox({static_cast<std::uint32_t>(block), 0, 0x76543210u, 0xfedcba98u}, seed);
    CHECK(random.at(block) == words);
    for (const std::uint32_t word : words) CHECK(random.next() == word);
  }
  // positions beyond 32 bits are positions of their own
  CHECK(random.at(1ull << 32) == philox({0, 1, 0x76543210u, 0xfedcba98u}, seed));
}

TEST_CASE("uniform numbers are exact in float and below one", "[core]") {
  CHECK(Random::to_unit(0) == 0.0);
  CHECK(Random::to_unit(~0u) < 1.0);
  CHECK(static_cast<float>(Random::to_unit(~0u)) < 1.0f);
  Random random(3);
  for (int i = 0; i < 1000; ++i) {
    const double u = random.uniform();
    REQUIRE(static_cast<double>(static_cast<float>(u)) == u);
  }
}

TEST_CASE("whole numbers below a bound are all reached, equally often", "[core]") {
  Random random(4);
  std::vector<int> counts(7);
  for (int i = 0; i < 70000; ++i) ++counts[random.below(7)];
  for (const int count : counts) CHECK(std::abs(count - 10000) < 450);  // nearly five deviations
  for (int i = 0; i < 100; ++i) CHECK(random.below(1) == 0);
}

TEST_CASE("streams and seeds are uncorrelated, and the normal has normal tails", "[core]") {
  constexpr int n = 50000;
  const auto correlation = [](Random a, Random b) {
    double sum = 0;
    for (int i = 0; i < n; ++i) sum += (a.uniform() - 0.5) * (b.uniform() - 0.5);
    return 12 * sum / n;
  };
  CHECK(std::abs(correlation(Random(1, 0), Random(1, 1))) < 0.02);
  CHECK(std::abs(correlation(Random(1, 0), Random(2, 0))) < 0.02);
  CHECK(std::abs(correlation(Random(1, mix(9, 0)), Random(1, mix(9, 1)))) < 0.02);
  Random random(5);
  double third = 0, fourth = 0;
  int beyond = 0;
  for (int i = 0; i < n; ++i) {
    const double z = random.normal();
    third += z * z * z / n;
    fourth += z * z * z * z / n;
    beyond += std::abs(z) > 1.959964 ? 1 : 0;
  }
  CHECK(third == Approx(0.0).margin(0.06));
  CHECK(fourth == Approx(3.0).margin(0.25));
  CHECK(beyond / double{n} == Approx(0.05).margin(0.005));
}

TEST_CASE("a shuffle puts each value everywhere equally often", "[core]") {
  Random random(6);
  int places[5][5] = {};
  for (int round = 0; round < 20000; ++round) {
    int values[5] = {0, 1, 2, 3, 4};
    shuffle(values, 5, random);
    for (int i = 0; i < 5; ++i) ++places[values[i]][i];
  }
  for (const auto& row : places) {
    for (const int count : row) CHECK(std::abs(count - 4000) < 290);  // five deviations
  }
  static_assert([] {  // a shuffle can run when the program is compiled
    Random fixed(1);
    int values[3] = {1, 2, 3};
    shuffle(values, 3, fixed);
    return values[0] + values[1] + values[2];
  }() == 6);
}

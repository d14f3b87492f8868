// Chunks and parallel loops at their edges.
#include <graft/core/parallel.hpp>
#include <stdexcept>
#include <thread>
#include <vector>

#include "catch.hpp"

using namespace graft;

namespace {
struct Threads {
  int before = threads();
  explicit Threads(int count) { set_threads(count); }
  ~Threads() { set_threads(before); }
};
}  // namespace

TEST_CASE("chunks cover everything once, in order, and differ by one at most", "[core]") {
  for (std::ptrdiff_t total = 0; total <= 40; ++total) {
    for (int chunks = 1; chunks <= 17; ++chunks) {
      CAPTURE(total, chunks);
      std::ptrdiff_t reached = 0;
      for (int i = 0; i < chunks; ++i) {
        const Range range = chunk(total, chunks, i);
        REQUIRE(range.begin == reached);
        REQUIRE(range.size() >= total / chunks);
        REQUIRE(range.size() <= total / chunks + 1);
        reached = range.end;
      }
      REQUIRE(reached == total);
    }
  }
}

TEST_CASE("loops of nothing, not worth a team, and inside one another", "[core]") {
  const Threads four(4);
  parallel_for(0, [](int) { throw std::logic_error("never called"); });
  std::vector<int> order;
  const auto here = std::this_thread::get_id();
  parallel_for(
      20,
      [&](int i) {
        if (std::this_thread::get_id() == here) order.push_back(i);
      },
      false);
  REQUIRE(order.size() == 20);
  CHECK(std::is_sorted(order.begin(), order.end()));
  std::vector<int> hits(30 * 40);
  parallel_for(30, [&](int i) { parallel_for(40, [&](int k) { ++hits[static_cast<std::size_t>(i * 40 + k)]; }); });
  CHECK(std::count(hits.begin(), hits.end(), 1) == 1200);
}

TEST_CASE("an exception keeps its type and words, and the loop works again after it", "[core]") {
  for (const int count : {1, 3}) {
    const Threads team(count);
    CHECK_THROWS_AS(parallel_for(64, [](int i) { i % 2 == 1 ? throw std::out_of_range("odd") : void(); }), std::out_of_range);
    CHECK_THROWS_WITH(parallel_for(64, [](int i) { i == 63 ? throw std::runtime_error("the last") : void(); }), "the last");
    std::vector<int> hits(64);
    parallel_for(64, [&](int i) { ++hits[static_cast<std::size_t>(i)]; });
    CHECK(std::count(hits.begin(), hits.end(), 1) == 64);
  }
}

TEST_CASE("the number of threads is at least one", "[core]") {
  const Threads none(0);
  CHECK(threads() == 1);
  set_threads(-7);
  CHECK(threads() == 1);
}

#ifdef __SSE2__
TEST_CASE("denormals count as zero inside a loop, on every thread, and outside as before", "[core]") {
  const Threads two(2);
  volatile float small = 1e-30f;
  std::vector<float> inside(8, 1.0f);
  parallel_for(8, [&](int i) { inside[static_cast<std::size_t>(i)] = small * 1e-10f; });
  CHECK(inside == std::vector<float>(8, 0.0f));
  const float outside = small * 1e-10f;
  CHECK(outside > 0.0f);
}
#endif

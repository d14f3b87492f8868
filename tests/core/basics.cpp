// Shapes, random numbers, parallel loops, arenas.
#include <graft/core/arena.hpp>
#include <graft/core/error.hpp>
#include <graft/core/parallel.hpp>
#include <graft/core/random.hpp>
#include <graft/core/shape.hpp>
#include <set>

#include "catch.hpp"

namespace test_basics {
using namespace graft;

TEST_CASE("Philox4x32-10 gives the published known answers", "[core]") {
  using Words = std::array<std::uint32_t, 4>;
  CHECK(philox({0, 0, 0, 0}, 0) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox({~0u, ~0u, ~0u, ~0u}, ~0ull) == Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0x299f31d0a4093822ull) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("random numbers have the right moments, and streams differ", "[core]") {
  Random random(7);
  double sum = 0, squares = 0, normal = 0, normal_squares = 0;
  constexpr int n = 40000;
  for (int i = 0; i < n; ++i) {
    const double u = random.uniform();
    REQUIRE(u >= 0.0);
    REQUIRE(u < 1.0);
    sum += u;
    squares += u * u;
    const double z = random.normal();
    normal += z;
    normal_squares += z * z;
  }
  CHECK(sum / n == Approx(0.5).margin(0.01));
  CHECK(squares / n == Approx(1.0 / 3).margin(0.01));
  CHECK(normal / n == Approx(0.0).margin(0.02));
  CHECK(normal_squares / n == Approx(1.0).margin(0.03));
  CHECK(Random(7, 1).next() != Random(7, 2).next());
  CHECK(Random(7, 1).next() == Random(7, 1).next());
  std::vector<int> order{0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  shuffle(order.data(), order.size(), random);
  CHECK(std::set<int>(order.begin(), order.end()).size() == 10);
}

TEST_CASE("windows slide as TensorFlow's and PyTorch's do", "[core]") {
  const auto is = [](Window w, int oh, int ow, int top, int left) {
    return w.oh == oh && w.ow == ow && w.top == top && w.left == left;
  };
  CHECK(is(slide(28, 28, 5, 1, valid), 24, 24, 0, 0));
  CHECK(is(slide(10, 8, 3, 2, same), 5, 4, 0, 0));  // even size: the one column of padding goes to the right
  CHECK(is(slide(9, 9, 3, 2, same), 5, 5, 1, 1));
  CHECK(is(slide(224, 224, 7, 2, 3), 112, 112, 3, 3));
  CHECK(is(slide(11, 11, 3, 1, same, 2), 11, 11, 2, 2));
  CHECK(is(slide(6, 11, Size{1, 7}, 1, same), 6, 11, 0, 3));
  CHECK(slide(4, 4, 5, 1, valid).oh < 1);
}

TEST_CASE("a parallel loop runs every index once, and hands exceptions on", "[core]") {
  const int before = threads();
  for (const int count : {1, 2, 5, 70}) {  // 70: more than a loop has shares
    set_threads(count);
    std::vector<int> hits(1000);
    parallel_for(1000, [&](int i) { ++hits[static_cast<std::size_t>(i)]; });
    CHECK(std::count(hits.begin(), hits.end(), 1) == 1000);
    CHECK_THROWS_AS(parallel_for(50,
                                 [](int i) {
                                   if (i == 30) fail("stop");
                                 }),
                    Error);
  }
  set_threads(before);
  std::ptrdiff_t reached = 0;
  for (int i = 0; i < 7; ++i) {
    CHECK(chunk(100, 7, i).begin == reached);
    reached = chunk(100, 7, i).end;
  }
  CHECK(reached == 100);
}

TEST_CASE("an arena gives memory back and asks for no more", "[core]") {
  Arena arena;
  const auto use = [&] {
    arena.take<float>(1000);
    const ArenaScope scope(arena);
    arena.take<double>(200000);
  };
  use();
  const std::size_t held = arena.capacity();
  for (int i = 0; i < 10; ++i) {
    arena.reset();
    use();
  }
  CHECK(arena.capacity() == held);
  CHECK(reinterpret_cast<std::uintptr_t>(arena.take<char>(3)) % alignment == 0);
}

}  // namespace test_basics

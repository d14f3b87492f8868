// Rows of launches that are played as graphs: the same numbers as launch by launch, whatever changes between two steps.
#include "cuda/replayed.hpp"

namespace test_replay {
using namespace graft;
using namespace replayed;
using device::Array;

TEST_CASE("cuda graphs: steps whose scalars and rows change give what single launches give", "[late]") {
  on_new_thread([] {
    const Counted counted;
    Steps steps;
    for (int i = 0; i < 12; ++i) steps.step(0.1f * static_cast<float>(i));
    CHECK(steps.y.get() == steps.expected);
    CHECK(counted.graphs() == 1);
    CHECK(counted.replays() == 11);
    // The first replay has nothing to change; then the batch's place, the scale and the count, and nothing else.
    CHECK(counted.changed() == 10 * 3);
  });
}

TEST_CASE("cuda graphs: what does not change is not written again", "[late]") {
  on_new_thread([] {
    Array<float> y(100, 1.0f);
    const Counted counted;
    for (int i = 0; i < 5; ++i) {
      for (int k = 0; k < 6; ++k) cuda::scale_by(Cuda{}, 100, k % 2 == 0 ? 2.0f : 0.5f, y.data());
      cuda::submit();
    }
    CHECK(counted.replays() == 4);
    CHECK(counted.changed() == 0);
    CHECK(y.get() == std::vector<float>(100, 1.0f));
  });
}

TEST_CASE("cuda graphs: each size of a batch has its own, and they may alternate", "[late]") {
  on_new_thread([] {
    const Counted counted;
    Steps steps;
    for (int i = 0; i < 6; ++i) steps.step(0.5f), steps.step(0.5f, 300);
    CHECK(steps.y.get() == steps.expected);
    CHECK(counted.graphs() == 2);
    CHECK(counted.replays() == 10);
  });
}

TEST_CASE("cuda graphs: more kinds of steps than are kept", "[late]") {
  Steps steps;
  for (int round = 0; round < 3; ++round) {
    for (std::size_t size = 1; size <= 25; ++size) steps.step(0.5f, size * 40);  // grids of 1 block and more
  }
  CHECK(steps.y.get() == steps.expected);
}

TEST_CASE("cuda graphs: a few launches and one that comes once are launched as they are") {
  on_new_thread([] {
    const Counted counted;
    Array<float> y(10, 1.0f);
    for (int i = 0; i < 4; ++i) {
      cuda::scale_by(Cuda{}, 10, 2.0f, y.data());
      cuda::submit();
    }
    CHECK(counted.replays() == 0);
    CHECK(y.get() == std::vector<float>(10, 16.0f));
  });
}

TEST_CASE("cuda graphs: memory that was given back and taken again", "[late]") {
  Array<float> y(64, 1.0f);
  for (int i = 0; i < 6; ++i) {
    Array<float> own(64, static_cast<float>(i));
    for (int k = 0; k < 4; ++k) cuda::add_scaled(Cuda{}, 64, 1.0f, own.data(), y.data());
  }  // given back while what reads it is kept
  CHECK(y.get() == std::vector<float>(64, 1.0f + 4.0f * 15.0f));
}

TEST_CASE("cuda graphs: large rows are not staged", "[late]") {
  const std::size_t count = (std::size_t{17} << 20) / sizeof(float);
  std::vector<float> rows(count);
  for (std::size_t i = 0; i < count; ++i) rows[i] = static_cast<float>(i % 1001);
  Array<float> to(count, 0.0f);
  cuda::upload(Cuda{}, count * sizeof(float), rows.data(), to.data());
  CHECK(to.get() == rows);
  std::vector<float> back(count);
  cuda::fetch(Cuda{}, count * sizeof(float), to.data(), back.data());
  CHECK(back == rows);
}

TEST_CASE("cuda graphs: many uploads in flight keep their rows apart", "[late]") {
  Array<float> total(8, 0.0f), last(8, 0.0f);
  for (int step = 0; step < 20; ++step) {
    const std::vector<float> rows(8, static_cast<float>(step));
    cuda::upload(Cuda{}, 8 * sizeof(float), rows.data(), last.data());
    cuda::add_scaled(Cuda{}, 8, 1.0f, last.data(), total.data());
    cuda::submit();
  }
  CHECK(total.get() == std::vector<float>(8, 190.0f));
}

}  // namespace test_replay

// Rows of launches that are played as graphs: the same numbers as launch by launch, whatever changes between two steps.
#include "cuda/device.hpp"
#include "cuda/emulated_api.hpp"
#include "graft/kernel/cuda/optimizers.hpp"
#include "graft/kernel/cuda/vectors.hpp"

#include <thread>

namespace test_replay {
using namespace graft;
using device::Array;

namespace {

/// y = 2 (y + scale x) + count a step, in five launches, x from the host.
struct Steps {
  Array<float> x{1000, 0.0f}, y{1000, 1.0f}, one{1000, 1.0f};
  std::vector<float> expected = std::vector<float>(1000, 1.0f);
  int count = 0;
  void step(float scale, std::size_t size = 1000) {
    ++count;
    std::vector<float> rows(size);
    for (std::size_t i = 0; i < size; ++i) rows[i] = static_cast<float>(i % 7) + static_cast<float>(count);
    cuda::upload(Cuda{}, size * sizeof(float), rows.data(), x.data());
    cuda::add_scaled(Cuda{}, size, scale, x.data(), y.data());
    cuda::scale_by(Cuda{}, size, 2.0f, y.data());
    cuda::add_scaled(Cuda{}, size, static_cast<float>(count), one.data(), y.data());
    cuda::scale_by(Cuda{}, size, 0.25f, y.data());
    cuda::submit();
    for (std::size_t i = 0; i < size; ++i)
      expected[i] = 0.25f * (2.0f * (expected[i] + scale * rows[i]) + static_cast<float>(count));
    std::fill(rows.begin(), rows.end(), 1e30f);  // the host's copy is free again
  }
};

/// What has been counted since this was made.
struct Counted {
  cuda::Replays before = cuda::replays();
  [[nodiscard]] std::uint64_t graphs() const { return cuda::replays().graphs - before.graphs; }
  [[nodiscard]] std::uint64_t replays() const { return cuda::replays().replays - before.replays; }
  [[nodiscard]] std::uint64_t changed() const { return cuda::replays().changed - before.changed; }
};

/// On a stream of its own, which has seen nothing.
template <class F>
void on_new_thread(const F& f) {
  std::thread(f).join();
}

}  // namespace

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

TEST_CASE("cuda graphs: a driver that makes none launches one by one") {
  on_new_thread([] {
    const emulate::Device before = emulate::device;
    emulate::device.makes_graphs = false;
    const Counted counted;
    Steps steps;
    for (int i = 0; i < 4; ++i) steps.step(0.5f);
    CHECK(steps.y.get() == steps.expected);
    CHECK(counted.graphs() == 0);
    emulate::device.makes_graphs = before.makes_graphs;
  });
}

TEST_CASE("cuda graphs: after a failure the next step is whole") {
  const emulate::Device before = emulate::device;
  Steps steps;
  for (int i = 0; i < 3; ++i) steps.step(0.5f);
  steps.y.get();
  emulate::device.fault = cudaErrorIllegalAddress;
  cuda::scale_by(Cuda{}, 1000, 2.0f, steps.y.data());
  CHECK_THROWS_WITH(cuda::submit(), Catch::Matchers::Contains("scale_by failed"));
  for (int i = 0; i < 3; ++i) steps.step(0.5f);
  CHECK(steps.y.get() == steps.expected);
  cuda::scale_by(Cuda{}, 1000, 2.0f, steps.y.data());
  emulate::device.fault = cudaErrorIllegalAddress;
  { Array<float> given_back(8, 1.0f); }  // may not throw
  CHECK_THROWS_WITH(cuda::synchronize(), Catch::Matchers::Contains("scale_by failed"));
  cuda::synchronize();
  emulate::device.fault = before.fault;
}

}  // namespace test_replay

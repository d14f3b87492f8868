#pragma once
/// \file replayed.hpp  Rows of launches whose result is known, for the tests of replays.
#include "cuda/device.hpp"
#include "graft/kernel/cuda/vectors.hpp"

#include <algorithm>
#include <thread>

namespace replayed {
using namespace graft;
using device::Array;

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

}  // namespace replayed

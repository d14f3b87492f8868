#include "graft/core/parameters.hpp"
#include "graft/kernel/cuda/optimizers.hpp"
#include "graft/kernel/cuda/vectors.hpp"
#include "graft/optim/adam.hpp"
#include "graft/optim/rmsprop.hpp"
#include "graft/optim/sgd.hpp"
#include "cuda/device.hpp"

namespace test_steps {
using namespace graft;
using device::Array;
using device::read;

namespace {

/// Three segments with a gap between them: a kernel, a frozen one, and a bias with another rate.
template <class T>
struct Flat {
  static constexpr std::size_t size = 700;
  std::vector<Segment> segments{{.name = "w", .offset = 0, .count = 500},
                                {.name = "frozen", .offset = 512, .count = 40, .trainable = false},
                                {.name = "b", .offset = 560, .count = 140, .decay = false}};
  std::vector<T> value = reference::normal<T>(size, 1), gradient = reference::normal<T>(size, 2);
  static constexpr double rate_of_b = 0.25;
};

/// Three steps of the library's optimiser against three of the kernel's; kernel(parameters, clip, step, state arrays).
template <class Optimiser, class T, class Options, class Kernel>
void compare_steps(const Options& options, int slots, const Kernel& kernel) {
  INFO((std::is_same_v<T, float> ? "32 bits" : "64 bits"));
  Flat<T> cpu, gpu;
  Parameters<T> parameters{"m", cpu.value.data(), cpu.gradient.data(), Flat<T>::size, &cpu.segments};
  Optimiser optimizer(options, parameters);
  optimizer.multiply("m/b", Flat<T>::rate_of_b);
  std::vector<FlatSegment> table;
  for (const Segment& s : gpu.segments) {
    const auto begin = static_cast<std::ptrdiff_t>(s.offset);
    table.push_back(
        {begin, begin + static_cast<std::ptrdiff_t>(s.count), s.name == "b" ? Flat<T>::rate_of_b : 1.0, s.trainable, s.decay});
  }
  Array<FlatSegment> segments(table);
  Array<T> value(gpu.value), gradient(gpu.gradient), first(Flat<T>::size, T{0}), second(Flat<T>::size, T{0});
  Array<double> squares(1);
  const FlatParameters<T> flat{value.data(), gradient.data(), static_cast<std::ptrdiff_t>(Flat<T>::size), segments.data(), 3};
  for (std::uint64_t step = 1; step <= 3; ++step) {
    const auto next = reference::normal<T>(Flat<T>::size, 10 + step);
    std::copy(next.begin(), next.end(), cpu.gradient.begin());
    std::copy(next.begin(), next.end(), gradient.data());
    optimizer.step();
    if (options.clip_norm > 0.0) cuda::sum_gradient_squares(Cuda{}, flat, false, squares.data());
    kernel(flat, Clip{options.clip_norm, squares.data()}, step, first.data(), second.data());
    CHECK(reference::distance(value.get(), cpu.value) < device::near<T>);
    CHECK(reference::distance(gradient.get(), cpu.gradient) < device::near<T>);
  }
  int seen = 0;
  optimizer.for_each_state([&](const std::string&, const T* data, std::size_t count) {
    CHECK(reference::distance((seen == 0 ? first : second).get(), std::vector<T>(data, data + count)) < device::near<T>);
    ++seen;
  });
  CHECK(seen == slots);
}

template <class T>
void all_steps() {
  for (const bool nesterov : {false, true}) {
    const SgdOptions o{
        .learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.01, .nesterov = nesterov, .clip_norm = nesterov ? 3.0 : 0.0};
    compare_steps<Sgd<T>, T>(o, 1, [&](const auto& flat, const auto& clip, std::uint64_t, T* v, T*) {
      cuda::sgd_step(Cuda{}, flat, o.learning_rate, o.momentum, o.weight_decay, o.nesterov, clip, v);
    });
  }
  const AdamOptions adam{.learning_rate = 0.02, .weight_decay = 0.1, .clip_norm = 1000.0};  // above the norm: no clipping
  compare_steps<Adam<T>, T>(adam, 2, [&](const auto& flat, const auto& clip, std::uint64_t step, T* m, T* v) {
    cuda::adam_step(Cuda{}, flat, adam.learning_rate, adam.beta1, adam.beta2, adam.epsilon, adam.weight_decay, false, step,
                    clip, m, v);
  });
  compare_steps<AdamW<T>, T>(adam, 2, [&](const auto& flat, const auto& clip, std::uint64_t step, T* m, T* v) {
    cuda::adam_step(Cuda{}, flat, adam.learning_rate, adam.beta1, adam.beta2, adam.epsilon, adam.weight_decay, true, step, clip,
                    m, v);
  });
  const RmsPropOptions root{.learning_rate = 0.01, .rho = 0.8, .weight_decay = 0.1, .clip_norm = 2.0};
  compare_steps<RmsProp<T>, T>(root, 1, [&](const auto& flat, const auto& clip, std::uint64_t, T* v, T*) {
    cuda::root_step(Cuda{}, flat, root.learning_rate, root.rho, 1.0 - root.rho, root.epsilon, root.weight_decay, clip, v);
  });
  compare_steps<Adagrad<T>, T>(root, 1, [&](const auto& flat, const auto& clip, std::uint64_t, T* v, T*) {
    cuda::root_step(Cuda{}, flat, root.learning_rate, 1.0, 1.0, root.epsilon, root.weight_decay, clip, v);
  });
}

}  // namespace

TEST_CASE("cuda: optimiser steps over segments, with decay, rates, frozen parts and clipping") {
  all_steps<double>();
  all_steps<float>();
}

TEST_CASE("cuda: the gradient's squares add up over models") {
  Array<FlatSegment> segments(std::vector<FlatSegment>{{0, 3}, {5, 8, 1.0, false}});
  Array<float> value(8), gradient(std::vector<float>{1, 2, 3, 50, 50, 50, 50, 50});
  Array<double> squares(1);
  const FlatParameters<float> flat{value.data(), gradient.data(), 8, segments.data(), 2};
  cuda::sum_gradient_squares(Cuda{}, flat, false, squares.data());
  CHECK(squares.get()[0] == 14.0);
  cuda::sum_gradient_squares(Cuda{}, flat, true, squares.data());
  CHECK(squares.get()[0] == 28.0);
}

TEST_CASE("cuda: vectors and single numbers") {
  const auto x = reference::normal<double>(1000, 1), y = reference::normal<double>(1000, 2);
  Array<double> from(x), to(y), factor(1, 3.0), out(1);
  const auto check = [&](auto expected) {
    const auto got = to.get();
    // A product that a compiler fuses into its sum and one that it rounds first differ by half a rounding of numbers up to 4.
    for (std::size_t i = 0; i < got.size(); ++i) REQUIRE(got[i] == Approx(expected(i)).epsilon(1e-13).margin(1e-15));
    std::copy(y.begin(), y.end(), to.data());
  };
  cuda::add_scaled(Cuda{}, 1000, 0.5, read(from), to.data());
  check([&](std::size_t i) { return y[i] + 0.5 * x[i]; });
  cuda::add_scaled(Cuda{}, 1000, 0.5, read(factor), read(from), to.data());
  check([&](std::size_t i) { return y[i] + 1.5 * x[i]; });
  cuda::scale_by(Cuda{}, 1000, -2.0, to.data());
  check([&](std::size_t i) { return -2.0 * y[i]; });
  cuda::blend(Cuda{}, 1000, 0.9, 0.1, read(from), to.data());
  check([&](std::size_t i) { return 0.9 * y[i] + 0.1 * x[i]; });
  cuda::fill(Cuda{}, 1000, 7.0, to.data());
  check([&](std::size_t) { return 7.0; });
  cuda::clear(Cuda{}, 1000 * sizeof(double), to.data());
  check([&](std::size_t) { return 0.0; });
  cuda::copy(Cuda{}, 400 * sizeof(double), from.data(), to.data());
  cuda::upload(Cuda{}, 600 * sizeof(double), y.data(), to.data() + 400);
  check([&](std::size_t i) { return i < 400 ? x[i] : y[i - 400]; });
  Array<double> b(1, 5.0);
  const double* none = nullptr;
  cuda::weigh(Cuda{}, 2.0, read(factor), -1.0, read(b), out.data());
  CHECK(out.get()[0] == 1.0);
  cuda::weigh(Cuda{}, 2.0, read(factor), 0.0, none, out.data());
  CHECK(out.get()[0] == 6.0);
  cuda::multiply(Cuda{}, read(factor), read(b), out.data());
  CHECK(out.get()[0] == 15.0);
}

TEST_CASE("cuda: rows from images of bytes, grey and colour") {
  for (const int from : {1, 3}) {
    for (const int to : {1, 3, 5}) {
      if (from != to && from != 1) continue;
      const int pixels = 35, images = 6;
      std::vector<std::uint8_t> bytes(static_cast<std::size_t>(pixels * from * images));
      for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 37 % 256);
      const std::vector<std::uint32_t> which{5, 0, 3, 3};
      PixelRows how{4, pixels, from, to, {0.5, 2.0, 0.25, 1.0}, {1.0, -3.0, 0.0, 0.125}};
      Array<std::uint8_t> there(bytes);
      Array<std::uint32_t> chosen(which);
      Array<double> rows(static_cast<std::size_t>(4 * pixels * to));
      cuda::draw_pixels(Cuda{}, how, read(there), read(chosen), rows.data());
      std::vector<double> expected;
      for (const std::uint32_t image : which) {
        for (int p = 0; p < pixels; ++p) {
          for (int c = 0; c < to; ++c) {
            const std::size_t at =
                image * static_cast<std::size_t>(pixels * from) + static_cast<std::size_t>(from == 1 ? p : p * from + c);
            expected.push_back(bytes[at] * how.scale[c & 3] + how.shift[c & 3]);
          }
        }
      }
      CHECK(rows.get() == expected);
    }
  }
}

TEST_CASE("cuda: which memory is the device's") {
  int here = 0;
  CHECK_FALSE(cuda::holds(&here));
  CHECK_FALSE(cuda::holds(nullptr));
  auto* there = static_cast<char*>(cuda::allocate(100));
  CHECK(cuda::holds(there));
  CHECK(cuda::holds(there + 99));
  CHECK_FALSE(cuda::holds(there + 100));
  CHECK_FALSE(cuda::holds(there - 1));
  cuda::release(there);
  CHECK_FALSE(cuda::holds(there));
}

}  // namespace test_steps

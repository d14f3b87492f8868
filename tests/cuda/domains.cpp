// The kernels of losses that only adaptation knows, against the CPU's or plain loops.
#include "graft/kernel/cpu/activation.hpp"
#include "graft/kernel/cpu/moments.hpp"
#include "graft/kernel/cpu/weighted_kernels.hpp"
#include "graft/kernel/cuda/losses.hpp"
#include "graft/loss/gradient_penalty.hpp"
#include "graft/loss/sliced.hpp"
#include "cuda/device.hpp"

#include <array>
#include <cmath>

namespace test_domains {
using namespace graft;
using device::Array;
using device::read;
using kernel::KernelFactor;

namespace {

template <class T>
constexpr double close = sizeof(T) == 8 ? 1e-11 : 2e-5;

/// Calls f(order) with every order of threads that there is.
template <class F>
void in_all_orders(F&& f) {
  for (int order = 0; device::set_order(order); ++order) f();
  device::set_order(0);
}
std::size_t sized(int n) { return static_cast<std::size_t>(n); }

template <class T>
void factors(int n, int d, int classes, bool two, bool fixed, bool want) {
  const auto z = reference::normal<T>(sized(n * d), 1), p = reference::normal<T>(sized(n * classes), 2);
  auto w = reference::normal<T>(sized(n * n), 3);
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < i; ++j) w[sized(i * n + j)] = w[sized(j * n + i)];
  }
  const auto list = [&](const T* on_z, const T* on_p, T* dz, T* dp) {
    KernelFactor<T> first{d, on_z, dz}, second{classes, on_p, dp, {0.4, 0.1}};
    if (fixed) first.gamma = {0.05, 0.02};
    return std::array{first, second};
  };
  std::vector<T> dz(z.size()), dp(p.size());
  auto both = list(z.data(), p.data(), dz.data(), dp.data());
  const T loss = two ? kernel::weighted_kernels(Cpu{}, n, w.data(), both)
                     : kernel::weighted_kernels(Cpu{}, n, w.data(), std::array{both[0]});
  in_all_orders([&] {
    Array<T> there_z(z), there_p(p), there_w(w), there_dz(z.size()), there_dp(p.size()), value(1);
    auto both_there = list(there_z.data(), there_p.data(), want ? there_dz.data() : nullptr, there_dp.data());
    cuda::weighted_kernels(Cuda{}, n, read(there_w), two ? 2 : 1, both_there.data(), value.data());
    CHECK(reference::distance(value.get(), std::vector<T>{loss}) < close<T>);
    if (want) CHECK(reference::distance(there_dz.get(), dz) < close<T>);
    if (two) CHECK(reference::distance(there_dp.get(), dp) < close<T>);
  });
}

template <class T>
void classes_of(int ns, int n, int classes, const std::vector<int>& labels) {
  auto p = reference::normal<T>(sized(n * classes), 5);
  for (T& q : p) q = std::abs(q);
  std::vector<T> w(sized(n * n));
  kernel::class_weights(Cpu{}, ns, n, classes, labels.data(), p.data(), w.data());
  in_all_orders([&] {
    Array<T> there_p(p), there_w(w.size());
    Array<int> there_labels(labels);
    cuda::class_weights(Cuda{}, ns, n, classes, read(there_labels), read(there_p), there_w.data());
    CHECK(reference::distance(there_w.get(), w) < close<T>);
  });
}

template <class T>
void central(int nx, int ny, int d, int orders) {
  const auto x = reference::normal<T>(sized(nx * d), 1, 0.3), y = reference::normal<T>(sized(ny * d), 2, 0.4);
  std::vector<T> dx(x.size()), dy(y.size());
  const T loss = kernel::central_moments(Cpu{}, nx, ny, d, x.data(), y.data(), orders, 2.0, dx.data(), dy.data());
  in_all_orders([&] {
    Array<T> there_x(x), there_y(y), there_dx(x.size()), there_dy(y.size()), value(1);
    cuda::central_moments(Cuda{}, nx, ny, d, read(there_x), read(there_y), orders, 2.0, there_dx.data(), there_dy.data(),
                          value.data());
    CHECK(reference::distance(value.get(), std::vector<T>{loss}) < close<T>);
    CHECK(reference::distance(there_dx.get(), dx) < close<T>);
    CHECK(reference::distance(there_dy.get(), dy) < close<T>);
  });
}

template <class T>
void sliced(int n, int m, int width, int projections, bool ties) {
  auto x = reference::normal<T>(sized(n * width), 1), y = reference::normal<T>(sized(m * width), 2);
  for (auto* side : {&x, &y}) {
    for (T& v : *side) v = ties ? std::round(v) : v;
  }
  std::vector<T> directions = detail::directions<T>(width, projections, 7);
  if (ties) {
    for (std::size_t i = 0; i < directions.size(); ++i)
      directions[i] = i / sized(projections) == i % sized(width) ? T{1} : T{0};
  }
  std::vector<T> dx(x.size()), dy(y.size());
  const T loss = detail::sliced_wasserstein(n, m, width, x.data(), y.data(), projections, directions, dx.data(), dy.data());
  in_all_orders([&] {
    Array<T> there_x(x), there_y(y), to(directions), there_dx(x.size()), there_dy(y.size()), value(1);
    cuda::sliced_wasserstein(Cuda{}, n, m, width, read(there_x), read(there_y), projections, read(to), there_dx.data(),
                             there_dy.data(), value.data());
    CHECK(reference::distance(value.get(), std::vector<T>{loss}) < close<T>);
    CHECK(reference::distance(there_dx.get(), dx) < close<T>);
    CHECK(reference::distance(there_dy.get(), dy) < close<T>);
  });
}

}  // namespace

TEST_CASE("cuda: sums of weighted kernels, of one factor and of two") {
  for (const int n : {2, 16, 37}) {
    for (const bool two : {false, true}) {
      factors<double>(n, 19, 4, two, false, true);
      factors<float>(n, 19, 4, two, false, true);
    }
    factors<double>(n, 3, 40, true, true, true);
    factors<double>(n, 3, 2, true, false, false);
  }
}

TEST_CASE("cuda: all points in one place have a bandwidth of 1") {
  Array<double> z(12, 3.0), w(16, 0.25), dz(12), value(1);
  const KernelFactor<double> one{3, z.data(), dz.data()};
  cuda::weighted_kernels(Cuda{}, 4, read(w), 1, &one, value.data());
  CHECK(value.get()[0] == Approx(4.0 * 5.0));
  CHECK(dz.get() == std::vector<double>(12, 0.0));
}

TEST_CASE("cuda: the weights of joint and local MMD") {
  for (const bool unbiased : {false, true}) {
    std::vector<double> w(81);
    kernel::mmd_weights(Cpu{}, 4, 5, unbiased, w.data());
    Array<double> there(81);
    cuda::mmd_weights(Cuda{}, 4, 5, unbiased, there.data());
    CHECK(there.get() == w);
  }
  classes_of<double>(4, 9, 3, {0, 2, 2, 0});
  classes_of<float>(40, 90, 5, [] {
    std::vector<int> labels(40);
    for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int>(i * i % 5);
    return labels;
  }());
  classes_of<double>(3, 6, 70, {0, 69, 33});
  // No class in common: the probabilities' largest is never the first of a hundred in this draw.
  classes_of<double>(2, 5, 100, {0, 0});
}

TEST_CASE("cuda: a label that local MMD does not know is an error of the next synchronisation") {
  Array<float> p(20, 0.2f), w(16);
  Array<int> labels(std::vector<int>{1, 5});
  cuda::class_weights(Cuda{}, 2, 4, 5, read(labels), read(p), w.data());
  CHECK_THROWS_WITH(cuda::synchronize(), Catch::Matchers::ContainsSubstring("the label of row 1 is 5"));
  CHECK(std::isnan(w.get()[0]));
}

TEST_CASE("cuda: central moments") {
  central<double>(7, 9, 40, 5);
  central<float>(33, 20, 5, 3);
  central<double>(4, 4, 3, 1);
  central<double>(4, 5, 3, 2);
}

TEST_CASE("cuda: moments that agree pull at nothing") {
  Array<double> x(reference::normal<double>(12, 1)), dx(12), dy(12), value(1);
  cuda::central_moments(Cuda{}, 4, 4, 3, read(x), read(x), 4, 1.0, dx.data(), dy.data(), value.data());
  CHECK(value.get()[0] == 0.0);
  CHECK(dx.get() == std::vector<double>(12, 0.0));
}

TEST_CASE("cuda: sliced Wasserstein of equal and unequal batches, and of numbers that are equal") {
  sliced<double>(8, 8, 5, 6, false);
  sliced<double>(9, 4, 7, 33, false);
  sliced<float>(10, 31, 12, 8, false);
  sliced<double>(1, 6, 3, 2, false);
  sliced<double>(12, 8, 4, 5, true);
}

TEST_CASE("cuda: an order exists for what is not a number") {
  Array<float> x(std::vector<float>{1.0f, NAN, 0.5f, NAN}), y(std::vector<float>{0.0f, 1.0f, NAN, 2.0f}), one(1, 1.0f), dx(4),
      dy(4), value(1);
  cuda::sliced_wasserstein(Cuda{}, 4, 4, 1, read(x), read(y), 1, read(one), dx.data(), dy.data(), value.data());
  CHECK(std::isnan(value.get()[0]));
}

TEST_CASE("cuda: what a critic, weights and maps are held by") {
  const auto g = reference::normal<double>(7 * 40, 1);
  std::vector<double> along(g.size());
  const double loss = detail::unit_norms(7, std::size_t{40}, g.data(), along.data());
  in_all_orders([&] {
    Array<double> there(g), along_there(g.size()), value(1);
    cuda::unit_norms(Cuda{}, 7, 40, read(there), along_there.data(), value.data());
    CHECK(value.get()[0] == Approx(loss).epsilon(1e-13));
    CHECK(reference::distance(along_there.get(), along) < 1e-13);
  });
  Array<double> nothing(3, 0.0), kept(3), none(1);
  cuda::unit_norms(Cuda{}, 1, 3, read(nothing), kept.data(), none.data());
  CHECK(none.get()[0] == 1.0);
  CHECK(kept.get() == std::vector<double>(3, 0.0));

  Array<float> x(std::vector<float>{1, 2, 6}), y(std::vector<float>{4, 0}), dx(3), dy(2), gap(1);
  cuda::mean_gap(Cuda{}, 3, 2, read(x), read(y), dx.data(), dy.data(), gap.data());
  CHECK(gap.get()[0] == 1.0f);
  CHECK(dy.get() == std::vector<float>{-0.5f, -0.5f});
  CHECK(dx.get()[2] == Approx(1.0f / 3.0f));

  Array<double> v(std::vector<double>{1, 2, 3}), start(std::vector<double>{0, 4, 3}), grown(3, 1.0), value(1, 10.0);
  cuda::drawn_to(Cuda{}, 3, 2.0, read(v), read(start), true, value.data());
  CHECK(value.get()[0] == 10.0 + 5.0);
  cuda::drawn_to(Cuda{}, 3, 1.0, read(v), static_cast<const double*>(nullptr), false, value.data());
  CHECK(value.get()[0] == 7.0);
  cuda::drawn_to_backward(Cuda{}, 3, 0.5, read(v), read(start), grown.data());
  CHECK(grown.get() == std::vector<double>{1.5, 0.0, 1.0});

  Array<double> maps(std::vector<double>{1, 2, 3, 4}), was(4, 1.0), weights(std::vector<double>{2.0, 0.5}), slope(4);
  cuda::map_distance(Cuda{}, 4, 2, read(maps), read(was), read(weights), slope.data(), value.data());
  CHECK(value.get()[0] == 0.5 * (0.5 * 1 + 2 * 4 + 0.5 * 9));
  CHECK(slope.get() == std::vector<double>{0.0, 0.5, 4.0, 1.5});
}

TEST_CASE("cuda: second derivatives of all activations") {
  using kernel::Activation;
  for (const Activation a :
       {Activation::relu, Activation::relu6, Activation::leaky_relu, Activation::elu, Activation::gelu, Activation::silu,
        Activation::hard_swish, Activation::sigmoid, Activation::tanh, Activation::softplus}) {
    INFO(static_cast<int>(a));
    const auto x = reference::normal<double>(50, 1, 3.0), p = reference::normal<double>(50, 2),
               t = reference::normal<double>(50, 3);
    std::vector<double> y(50), q(50, 0.25);
    kernel::activation_forward(Cpu{}, a, 0.3, 50, x.data(), y.data());
    kernel::activation_curvature(Cpu{}, a, 0.3, 50, x.data(), y.data(), p.data(), t.data(), q.data());
    Array<double> there_x(x), there_y(y), there_p(p), there_t(t), there_q(50, 0.25);
    cuda::activation_curvature(Cuda{}, a, 0.3, 50, read(there_x), read(there_y), read(there_p), read(there_t), there_q.data());
    CHECK(reference::distance(there_q.get(), q) < 1e-12);
  }
}

TEST_CASE("cuda: a random map and its gradient") {
  const int n = 5, d = 7, classes = 3, wide = 34;
  const auto f = reference::normal<double>(sized(n * d), 1), g = reference::normal<double>(sized(n * classes), 2);
  const auto a = reference::normal<double>(sized(d * wide), 3), b = reference::normal<double>(sized(classes * wide), 4);
  const auto slope = reference::normal<double>(sized(n * wide), 5);
  std::vector<double> value(sized(n * wide)), df(sized(n * d), 0.0);
  for (int i = 0; i < n; ++i) {
    for (int k = 0; k < wide; ++k) {
      double of_f = 0.0, of_g = 0.0;
      for (int c = 0; c < d; ++c) of_f += f[sized(i * d + c)] * a[sized(c * wide + k)];
      for (int c = 0; c < classes; ++c) of_g += g[sized(i * classes + c)] * b[sized(c * wide + k)];
      value[sized(i * wide + k)] = of_f * of_g * 0.3;
      for (int c = 0; c < d; ++c) df[sized(i * d + c)] += slope[sized(i * wide + k)] * of_g * 0.3 * a[sized(c * wide + k)];
    }
  }
  Array<double> there_f(f), there_g(g), there_a(a), there_b(b), there_slope(slope), other(value.size()), out(value.size()),
      back(df.size());
  cuda::random_map(Cuda{}, n, d, classes, wide, read(there_f), read(there_g), read(there_a), read(there_b), 0.3, other.data(),
                   out.data());
  cuda::random_map_backward(Cuda{}, n, d, wide, read(other), read(there_a), read(there_slope), back.data());
  CHECK(reference::distance(out.get(), value) < 1e-13);
  CHECK(reference::distance(back.get(), df) < 1e-13);
}

}  // namespace test_domains

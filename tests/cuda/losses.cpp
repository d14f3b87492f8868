#include "graft/kernel/cpu/cross_entropy.hpp"
#include "graft/kernel/cpu/pairwise.hpp"
#include "graft/kernel/cpu/soft_cross_entropy.hpp"
#include "graft/kernel/cpu/statistics.hpp"
#include "graft/kernel/cuda/layers.hpp"
#include "graft/kernel/cuda/losses.hpp"
#include "cuda/device.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace test_losses {
using namespace graft;
using device::Array;
using device::read;
using kernel::CrossEntropyOptions;
using kernel::MmdOptions;

namespace {

/// Calls f, whose CPU kernel returns the value and whose GPU kernel writes it.
template <class T, class F>
void value_of(Cpu, device::Results<T>& results, const F& f) {
  results.push_back({f()});
}
template <class T, class F>
void value_of(Cuda, device::Results<T>& results, const F& f) {
  Array<T> value(1);
  f(value.data());
  results.push_back(value.get());
}
/// Both kernels have the same arguments but for the value at the end.
#define BOTH(tag, results, name, ...) \
  value_of(tag, results, [&](auto*... value) { return kernel::name(tag, __VA_ARGS__, value...); })

void labelled(int n, int classes, double smoothing, bool weighted, bool ignoring, bool wanted = true) {
  device::compare_both(
      "cross_entropy of " + std::to_string(n) + " x " + std::to_string(classes), [&](auto zero, auto tag, auto& results) {
        using T = decltype(zero);
        const std::size_t all = static_cast<std::size_t>(n) * static_cast<std::size_t>(classes);
        std::vector<int> numbers(static_cast<std::size_t>(n));
        for (int i = 0; i < n; ++i) numbers[static_cast<std::size_t>(i)] = ignoring && i % 3 == 1 ? -7 : (i * 5) % classes;
        std::vector<T> w(static_cast<std::size_t>(classes));
        for (std::size_t c = 0; c < w.size(); ++c) w[c] = static_cast<T>(0.5 + static_cast<double>(c % 4));
        Array<int> labels(numbers);
        Array<T> x(reference::normal<T>(all, 1, 4.0)), dx(all), weights(w);
        CrossEntropyOptions<T> options{.smoothing = smoothing};
        if (weighted) options.class_weights = weights.data();
        if (ignoring) options.ignored = -7;
        BOTH(tag, results, cross_entropy, n, classes, read(x), read(labels), options, wanted ? dx.data() : nullptr);
        results.push_back(dx.get());
      });
}

template <class T>
void maximum_mean(int nx, int ny, int d, const MmdOptions& options, double scale = 1.0, double apart = 0.5, bool want_x = true,
                  bool want_y = true) {
  device::compare<T>("mmd of " + std::to_string(nx) + " and " + std::to_string(ny) + " x " + std::to_string(d) +
                         ", estimator " + std::to_string(static_cast<int>(options.estimator)) + ", scale " +
                         std::to_string(std::log10(scale)),
                     [&](auto tag, auto& results) {
                       const std::size_t width = static_cast<std::size_t>(d);
                       const auto of_x = reference::normal<double>(static_cast<std::size_t>(nx) * width, 1);
                       const auto of_y = reference::normal<double>(static_cast<std::size_t>(ny) * width, 2);
                       std::vector<T> a, b;
                       for (const double v : of_x) a.push_back(static_cast<T>(scale * v));
                       for (const double v : of_y) b.push_back(static_cast<T>(scale * (1.3 * v + apart)));
                       Array<T> x(a), y(b), dx(a.size()), dy(b.size());
                       BOTH(tag, results, mmd, nx, ny, d, read(x), read(y), options, want_x ? dx.data() : nullptr,
                            want_y ? dy.data() : nullptr);
                       results.push_back(dx.get());
                       results.push_back(dy.get());
                     });
}
void maximum_mean_both(int nx, int ny, int d, const MmdOptions& options, double apart = 0.5, bool want_x = true,
                       bool want_y = true) {
  maximum_mean<double>(nx, ny, d, options, 1.0, apart, want_x, want_y);
  maximum_mean<float>(nx, ny, d, options, 1.0, apart, want_x, want_y);
}

void moments(int nx, int ny, int d, bool wanted = true) {
  device::compare_both("coral and mean_difference", [&](auto zero, auto tag, auto& results) {
    using T = decltype(zero);
    const std::size_t in_x = static_cast<std::size_t>(nx * d), in_y = static_cast<std::size_t>(ny * d);
    Array<T> x(reference::normal<T>(in_x, 1)), y(reference::normal<T>(in_y, 2, 1.5)), dx(in_x), dy(in_y);
    BOTH(tag, results, mean_difference, nx, ny, d, read(x), read(y), dx.data(), wanted ? dy.data() : nullptr);
    results.push_back(dx.get());
    results.push_back(dy.get());
    BOTH(tag, results, coral, nx, ny, d, read(x), read(y), wanted ? dx.data() : nullptr, dy.data());
    results.push_back(dx.get());
    results.push_back(dy.get());
  });
}

}  // namespace

TEST_CASE("cuda: cross-entropy with all its options") {
  labelled(1, 1, 0.0, false, false);
  labelled(5, 3, 0.0, false, false, false);
  labelled(9, 10, 0.1, false, false);
  labelled(40, 33, 0.0, true, true);
  labelled(17, 100, 0.2, true, true);
}

TEST_CASE("cuda: a label out of range is an error of the next synchronisation, by its row, and the next step is free of it") {
  Array<float> x(reference::normal<float>(12, 1)), dx(12), value(1);
  Array<int> labels(std::vector<int>{0, 2, 3, -1});
  kernel::cross_entropy(Cuda{}, 4, 3, read(x), read(labels), CrossEntropyOptions<float>{}, dx.data(), value.data());
  CHECK_THROWS_WITH(cuda::synchronize(), "cross_entropy: the label of row 2 is 3 but the head has 3 classes, 0 to 2.");
  CHECK(std::isnan(value.get()[0]));
  CHECK(std::isnan(dx.get()[0]));
  labels.data()[2] = labels.data()[3] = 1;
  kernel::cross_entropy(Cuda{}, 4, 3, read(x), read(labels), CrossEntropyOptions<float>{}, dx.data(), value.data());
  CHECK(std::isfinite(value.get()[0]));
}

TEST_CASE("cuda: rows that are all ignored give 0") {
  Array<float> x(reference::normal<float>(6, 1)), dx(6), value(1);
  Array<int> labels(std::vector<int>{9, 9});
  kernel::cross_entropy(Cuda{}, 2, 3, read(x), read(labels), CrossEntropyOptions<float>{.ignored = 9}, dx.data(), value.data());
  CHECK(value.get()[0] == 0.0f);
  CHECK(dx.get() == std::vector<float>(6, 0.0f));
}

TEST_CASE("cuda: the other losses on logits and between arrays") {
  for (const auto& [n_, classes_] : {std::pair{1, 1}, std::pair{7, 5}, std::pair{33, 40}}) {
    const int n = n_, classes = classes_;  // Clang 14 does not capture a structured binding
    device::compare_both("losses of " + std::to_string(n) + " x " + std::to_string(classes),
                         [&](auto zero, auto tag, auto& results) {
                           using T = decltype(zero);
                           const std::size_t all = static_cast<std::size_t>(n) * static_cast<std::size_t>(classes);
                           const int count = n * classes;
                           auto shares = reference::normal<T>(all, 2);
                           for (T& t : shares) t = std::abs(t);
                           Array<T> x(reference::normal<T>(all, 1, 3.0)), t(shares), dx(all), dt(all);
                           T* none = nullptr;
                           BOTH(tag, results, soft_cross_entropy, n, classes, read(x), read(t), dx.data());
                           results.push_back(dx.get());
                           BOTH(tag, results, soft_cross_entropy, n, classes, read(x), read(t), none);
                           BOTH(tag, results, binary_cross_entropy, count, read(x), read(t), dx.data());
                           results.push_back(dx.get());
                           BOTH(tag, results, mean_absolute_error, count, read(x), read(t), dx.data());
                           results.push_back(dx.get());
                           BOTH(tag, results, mean_squared_error, count, read(x), read(t), dx.data(), dt.data());
                           results.push_back(dx.get());
                           results.push_back(dt.get());
                           if (classes == 1) return;  // one class has no entropy: its gradient is rounding alone
                           for (const double epsilon : {0.0, 1e-5}) {
                             BOTH(tag, results, entropy, n, classes, read(x), dx.data(), epsilon);
                             results.push_back(dx.get());
                             BOTH(tag, results, mean_entropy, n, classes, read(x), dx.data(), epsilon);
                             results.push_back(dx.get());
                             BOTH(tag, results, entropy, n, classes, read(x), none, epsilon);
                             BOTH(tag, results, mean_entropy, n, classes, read(x), none, epsilon);
                           }
                         });
  }
}

TEST_CASE("cuda: sums longer than one piece") {
  device::compare_both("mean_squared_error of 5000", [&](auto zero, auto tag, auto& results) {
    using T = decltype(zero);
    Array<T> a(reference::normal<T>(5000, 1)), b(reference::normal<T>(5000, 2)), da(5000);
    BOTH(tag, results, mean_squared_error, 5000, read(a), read(b), da.data(), static_cast<T*>(nullptr));
    results.push_back(da.get());
  });
}

TEST_CASE("cuda: mmd, every estimator") {
  using kernel::Estimator;
  for (const auto estimator : {Estimator::biased, Estimator::unbiased}) {
    maximum_mean_both(2, 3, 1, {.estimator = estimator});
    maximum_mean_both(17, 9, 5, {.estimator = estimator});
    maximum_mean_both(40, 33, 70, {.estimator = estimator}, 3.0);
    maximum_mean_both(12, 12, 17, {.estimator = estimator, .gamma = {0.02, 0.1, 3.0}});
  }
  maximum_mean_both(1, 1, 3, {});
  for (const auto estimator : {Estimator::linear_time, Estimator::linear_cyclic}) {
    maximum_mean_both(2, 2, 3, {.estimator = estimator});
    maximum_mean_both(18, 18, 33, {.estimator = estimator});
    maximum_mean_both(8, 8, 5, {.estimator = estimator, .gamma = {0.05}});
  }
  maximum_mean_both(17, 9, 5, {}, 0.5, true, false);
  maximum_mean_both(17, 9, 5, {}, 0.5, false, true);
  maximum_mean_both(17, 9, 5, {}, 0.5, false, false);
}

TEST_CASE("cuda: mmd of numbers whose squares leave the range") {
  using kernel::Estimator;
  for (const int sign : {1, -1}) {
    maximum_mean<double>(9, 7, 5, {}, std::pow(10.0, 140 * sign));
    maximum_mean<double>(8, 8, 5, {.estimator = Estimator::linear_time}, std::pow(10.0, 140 * sign));
    maximum_mean<float>(9, 7, 5, {}, std::pow(10.0, 25 * sign));
    maximum_mean<float>(8, 8, 5, {.estimator = Estimator::linear_time}, std::pow(10.0, 25 * sign));
  }
}

TEST_CASE("cuda: mmd of one place is 0, and of a NaN or an infinity is NaN, as on the CPU") {
  for (const auto estimator : {kernel::Estimator::biased, kernel::Estimator::linear_cyclic}) {
    Array<float> x(std::vector<float>(12, 3.0f)), y(std::vector<float>(12, 3.0f)), dx(12), dy(12), value(1);
    const auto run = [&] {
      kernel::mmd(Cuda{}, 4, 4, 3, read(x), read(y), MmdOptions{.estimator = estimator}, dx.data(), dy.data(), value.data());
    };
    run();
    CHECK(value.get()[0] == 0.0f);
    CHECK(dx.get() == std::vector<float>(12, 0.0f));
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      y.data()[5] = bad;
      run();
      CHECK(std::isnan(value.get()[0]));
      for (const auto* array : {&dx, &dy}) {
        for (const float g : array->get()) CHECK(std::isnan(g));
      }
    }
  }
}

TEST_CASE("cuda: mmd refuses batches that its estimator cannot take") {
  Array<float> x(12), value(1);
  const auto run = [&](int nx, int ny, kernel::Estimator estimator) {
    kernel::mmd(Cuda{}, nx, ny, 3, read(x), read(x), MmdOptions{.estimator = estimator}, x.data(), x.data(), value.data());
  };
  CHECK_THROWS_AS(run(0, 4, kernel::Estimator::biased), Error);
  CHECK_THROWS_AS(run(1, 4, kernel::Estimator::unbiased), Error);
  CHECK_THROWS_AS(run(3, 3, kernel::Estimator::linear_time), Error);
  CHECK_THROWS_AS(run(3, 4, kernel::Estimator::linear_cyclic), Error);
}

TEST_CASE("cuda: coral and the difference of means") {
  moments(2, 3, 1);
  moments(17, 9, 5);
  moments(33, 40, 70, false);
}

TEST_CASE("cuda: minimum class confusion, also of more classes than lanes") {
  for (const auto& [n, classes] : {std::pair{1, 1}, {7, 3}, {33, 10}, {5, 45}, {300, 33}}) {
    device::compare_both("mcc of " + std::to_string(n) + " x " + std::to_string(classes),
                         [&, n = n, classes = classes](auto zero, auto tag, auto& results) {
                           using T = decltype(zero);
                           const std::size_t all = static_cast<std::size_t>(n) * static_cast<std::size_t>(classes);
                           Array<T> x(reference::normal<T>(all, 1, 3.0)), dx(all);
                           if constexpr (std::is_same_v<decltype(tag), Cpu>) {
                             results.push_back({kernel::mcc(tag, n, classes, read(x), T(2.5), dx.data(), 1e-5)});
                           } else {
                             Array<T> value(1);
                             kernel::mcc(tag, n, classes, read(x), T(2.5), dx.data(), 1e-5, value.data());
                             results.push_back(value.get());
                           }
                           results.push_back(dx.get());
                         });
  }
}

TEST_CASE("cuda: margins and discrepancies of more classes than lanes choose and sum as plain loops do") {
  for (const int classes : {1, 2, 31, 32, 33, 100}) {
    const int n = 9, split = 4;
    const std::size_t width = static_cast<std::size_t>(classes), all = static_cast<std::size_t>(n) * width;
    auto logits = reference::normal<double>(all, 2, 2.0);
    if (classes > 40) logits[40] = logits[3] = 50.0;  // equals: the first
    Array<double> a(reference::normal<double>(all, 1)), main(logits), b(reference::normal<double>(all, 3)), p(all), q(all);
    kernel::softmax_forward(Cuda{}, n, classes, read(a), p.data());
    kernel::softmax_forward(Cuda{}, n, classes, read(b), q.data());
    Array<double> value(1), dz(all), da(all), db(all), apart(1);
    cuda::margin_disparity(Cuda{}, n, split, classes, read(p), read(main), 3.0, dz.data(), value.data());
    cuda::classifier_discrepancy(Cuda{}, n, classes, read(p), read(q), da.data(), db.data(), apart.data());
    const auto prob = p.get(), other = q.get();
    double margin = 0.0, distance = 0.0;
    for (int i = 0; i < n; ++i) {
      const std::size_t row = static_cast<std::size_t>(i) * width;
      const auto begin = logits.begin() + static_cast<std::ptrdiff_t>(row);
      const std::size_t k = static_cast<std::size_t>(std::max_element(begin, begin + classes) - begin);
      const double own = prob[row + k];
      margin += i < split ? -3.0 / split * std::log(own) : -std::log(std::min(1.0, 1.0 - own + 1e-6)) / (n - split);
      for (std::size_t c = 0; c < width; ++c) distance += std::abs(prob[row + c] - other[row + c]);
    }
    CHECK(value.get()[0] == Approx(margin).epsilon(1e-11));
    CHECK(apart.get()[0] == Approx(distance / static_cast<double>(all)).epsilon(1e-11));
  }
}

}  // namespace test_losses

#include "graft/core/shape.hpp"
#include "graft/kernel/cpu/activation.hpp"
#include "graft/kernel/cpu/batch_norm.hpp"
#include "graft/kernel/cpu/depthwise.hpp"
#include "graft/kernel/cpu/pool.hpp"
#include "graft/kernel/cpu/softmax.hpp"
#include "graft/kernel/cuda/layers.hpp"
#include "cuda/device.hpp"

namespace test_layers {
using namespace graft;
using device::Array;
using device::read;

namespace {

std::size_t size(int a, int b = 1, int c = 1, int d = 1) {
  return static_cast<std::size_t>(a) * static_cast<std::size_t>(b) * static_cast<std::size_t>(c) * static_cast<std::size_t>(d);
}

void depthwise(int n, int h, int w, int c, Size kernel, Size stride, Size dilation, Padding padding, const Epilogue& epilogue,
               bool bias = true, bool wanted = true) {
  const Window out = slide(h, w, kernel, stride, padding, dilation);
  const ConvExtents e{n,        h,        w,        c,          out.oh,     out.ow,  c,        kernel.h,
                      kernel.w, stride.h, stride.w, dilation.h, dilation.w, out.top, out.left, c};
  device::compare_both(
      "depthwise of " + std::to_string(c) + " channels, stride " + std::to_string(stride.h),
      [&](auto zero, auto tag, auto& results) {
        using T = decltype(zero);
        const std::size_t outputs = size(n, e.oh, e.ow, c), weights = size(kernel.h, kernel.w, c);
        Array<T> x(reference::normal<T>(size(n, h, w, c), 1)), k(reference::normal<T>(weights, 2)),
            b(reference::normal<T>(size(c), 3)), y(outputs), dy(reference::normal<T>(outputs, 4));
        Array<T> dx(size(n, h, w, c)), dw(reference::normal<T>(weights, 5)), db(reference::normal<T>(size(c), 6));
        kernel::depthwise_forward(tag, e, read(x), read(k), bias ? read(b) : nullptr, epilogue, y.data());
        results.push_back(y.get());
        kernel::depthwise_backward(tag, e, read(x), read(k), read(y), dy.data(), epilogue, wanted ? dx.data() : nullptr,
                                   wanted ? dw.data() : nullptr, bias ? db.data() : nullptr);
        for (auto* array : {&dy, &dx, &dw, &db}) results.push_back(array->get());
      });
}

void pools(int n, int h, int w, int c, Size window, Size stride, Padding padding) {
  const Window out = slide(h, w, window, stride, padding);
  const PoolExtents e{n, h, w, c, out.oh, out.ow, window.h, window.w, stride.h, stride.w, out.top, out.left};
  device::compare_both("pools of " + std::to_string(window.h) + ", stride " + std::to_string(stride.h),
                       [&](auto zero, auto tag, auto& results) {
                         using T = decltype(zero);
                         const std::size_t inputs = size(n, h, w, c), outputs = size(n, e.oh, e.ow, c);
                         auto numbers = reference::normal<T>(inputs, 1);
                         for (std::size_t i = 0; i < inputs; i += 3) numbers[i] = T{1};  // ties
                         Array<T> x(numbers), y(outputs), mean(outputs), alone(outputs), dy(reference::normal<T>(outputs, 2)),
                             dx(inputs), dm(inputs);
                         Array<std::int32_t> winners(outputs);
                         kernel::max_pool_forward(tag, e, read(x), y.data(), winners.data());
                         kernel::max_pool_forward(tag, e, read(x), alone.data(), static_cast<std::int32_t*>(nullptr));
                         kernel::max_pool_backward(tag, e, read(winners), read(dy), dx.data());
                         kernel::avg_pool_forward(tag, e, read(x), mean.data());
                         kernel::avg_pool_backward(tag, e, read(dy), dm.data());
                         for (auto* array : {&y, &mean, &alone, &dx, &dm}) results.push_back(array->get());
                         const auto which = winners.get();
                         std::vector<T> as_numbers;
                         for (const std::int32_t k : which) as_numbers.push_back(static_cast<T>(k));
                         results.push_back(as_numbers);
                       });
}

void global_pool(int n, int pixels, int c) {
  device::compare_both("the global pool", [&](auto zero, auto tag, auto& results) {
    using T = decltype(zero);
    Array<T> x(reference::normal<T>(size(n, pixels, c), 1)), dy(reference::normal<T>(size(n, c), 2)), y(size(n, c)),
        dx(size(n, pixels, c));
    kernel::global_avg_pool_forward(tag, n, pixels, c, read(x), y.data());
    kernel::global_avg_pool_backward(tag, n, pixels, c, read(dy), dx.data());
    results.push_back(y.get());
    results.push_back(dx.get());
  });
}

void batch_norm(int rows, int c, bool unbiased, bool wanted = true) {
  device::compare_both(
      "batch_norm of " + std::to_string(rows) + " x " + std::to_string(c), [&](auto zero, auto tag, auto& results) {
        using T = decltype(zero);
        const std::size_t all = size(rows, c), width = size(c);
        Array<T> x(reference::normal<T>(all, 1)), gamma(reference::normal<T>(width, 2)), beta(reference::normal<T>(width, 3)),
            dy(reference::normal<T>(all, 4)), y(all), dx(all), mean(width), inverse(width), variance(width);
        Array<T> running_mean(reference::normal<T>(width, 5)), running_var(width, T{2});
        Array<T> dgamma(reference::normal<T>(width, 6)), dbeta(reference::normal<T>(width, 7));
        T* to_x = wanted ? dx.data() : nullptr;
        const T epsilon = static_cast<T>(1e-3);
        kernel::batch_norm_forward_train(tag, rows, c, read(x), read(gamma), read(beta), epsilon, mean.data(), inverse.data(),
                                         variance.data(), y.data());
        kernel::batch_norm_update_running(tag, c, rows, static_cast<T>(0.9), unbiased, read(mean), read(variance),
                                          running_mean.data(), running_var.data());
        kernel::batch_norm_backward_train(tag, rows, c, read(x), read(mean), read(inverse), read(gamma), read(dy), to_x,
                                          dgamma.data(), wanted ? dbeta.data() : nullptr);
        for (auto* array : {&y, &mean, &inverse, &variance, &running_mean, &running_var, &dx, &dgamma, &dbeta})
          results.push_back(array->get());
        kernel::batch_norm_forward_infer(tag, rows, c, read(x), read(gamma), read(beta), epsilon, read(running_mean),
                                         read(running_var), y.data());
        kernel::batch_norm_backward_infer(tag, rows, c, read(x), read(running_mean), read(running_var), epsilon, read(gamma),
                                          read(dy), to_x, dgamma.data(), wanted ? dbeta.data() : nullptr);
        kernel::batch_norm_backward_infer(tag, rows, c, read(x), read(running_mean), read(running_var), epsilon, read(gamma),
                                          read(dy), to_x, static_cast<T*>(nullptr), static_cast<T*>(nullptr));
        for (auto* array : {&y, &dx, &dgamma, &dbeta}) results.push_back(array->get());
      });
}

}  // namespace

TEST_CASE("cuda: depthwise convolutions") {
  depthwise(1, 5, 5, 1, {3}, {1}, {1}, valid, Epilogue{});
  depthwise(2, 7, 6, 17, {3}, {1}, {1}, same, Epilogue{Act::relu});
  depthwise(3, 9, 8, 5, {3, 2}, {2}, {1}, same, Epilogue{Act::relu6});
  depthwise(2, 9, 9, 3, {3}, {1}, {2}, same, Epilogue{Act::leaky_relu, 0.3}, false);
  depthwise(2, 11, 5, 33, {5}, {3, 1}, {1}, same, Epilogue{Act::relu}, true, false);
}

TEST_CASE("cuda: max and average pools") {
  pools(1, 4, 4, 1, {2}, {2}, valid);
  pools(3, 7, 5, 5, {2}, {2}, valid);
  pools(2, 8, 9, 17, {3}, {2}, same);
  pools(2, 6, 7, 3, {3, 2}, {1, 3}, Padding{1, 1, 1, 0});
  pools(1, 5, 5, 3, {2}, {3}, valid);  // inputs that no window sees
  global_pool(1, 1, 1);
  global_pool(3, 35, 17);
}

TEST_CASE("cuda: a NaN wins a max pool, and the first of them is the winner") {
  const PoolExtents e{1, 2, 2, 1, 1, 1, 2, 2, 2, 2, 0, 0};
  const float nan = std::numeric_limits<float>::quiet_NaN();
  Array<float> x(std::vector<float>{3.0f, nan, nan, 5.0f}), y(1);
  Array<std::int32_t> winner(1);
  kernel::max_pool_forward(Cuda{}, e, read(x), y.data(), winner.data());
  CHECK(std::isnan(y.get()[0]));
  CHECK(winner.get()[0] == 1);
}

TEST_CASE("cuda: batch normalisation in training and inference") {
  batch_norm(1, 1, true);
  batch_norm(37, 5, true);
  batch_norm(300, 33, false);
  batch_norm(70, 3, false, false);
}

TEST_CASE("cuda: activations, forward and backward, in place too") {
  using kernel::Activation;
  for (const auto a : {Activation::relu, Activation::relu6, Activation::leaky_relu, Activation::elu, Activation::gelu,
                       Activation::silu, Activation::hard_swish, Activation::sigmoid, Activation::tanh, Activation::softplus}) {
    device::compare_both("activation " + std::to_string(static_cast<int>(a)), [&](auto zero, auto tag, auto& results) {
      using T = decltype(zero);
      auto numbers = reference::normal<T>(301, 1, 3.0);
      numbers[7] = T{0};
      Array<T> x(numbers), y(301), dy(reference::normal<T>(301, 2)), dx(301);
      kernel::activation_forward(tag, a, 0.4, 301, read(x), y.data());
      kernel::activation_backward(tag, a, 0.4, 301, read(x), read(y), read(dy), dx.data());
      results.push_back(y.get());
      results.push_back(dx.get());
      kernel::activation_forward(tag, a, 0.4, 301, read(x), x.data());
      results.push_back(x.get());
    });
  }
}

TEST_CASE("cuda: softmax and log softmax") {
  for (const auto& [rows_, classes_] : {std::pair{1, 1}, std::pair{5, 3}, std::pair{9, 32}, std::pair{6, 100}}) {
    const int rows = rows_, classes = classes_;  // Clang 14 does not capture a structured binding
    device::compare_both("softmax of " + std::to_string(classes), [&](auto zero, auto tag, auto& results) {
      using T = decltype(zero);
      const std::size_t all = size(rows, classes);
      Array<T> x(reference::normal<T>(all, 1, 5.0)), y(all), dy(reference::normal<T>(all, 2)), dx(all);
      kernel::softmax_forward(tag, rows, classes, read(x), y.data());
      results.push_back(y.get());
      kernel::softmax_backward(tag, rows, classes, read(y), read(dy), dx.data());
      results.push_back(dx.get());
      kernel::softmax_backward(tag, rows, classes, read(y), read(dy), dy.data());
      results.push_back(dy.get());
      kernel::log_softmax_forward(tag, rows, classes, read(x), y.data());
      results.push_back(y.get());
      kernel::log_softmax_backward(tag, rows, classes, read(y), read(dx), dy.data());
      results.push_back(dy.get());
      kernel::softmax_forward(tag, rows, classes, read(x), x.data());
      results.push_back(x.get());
    });
  }
}

TEST_CASE("cuda: dropout keeps what the CPU keeps, bit for bit") {
  for (const std::ptrdiff_t count : {1, 3, 4, 257, 40000}) {
    for (const double rate : {0.0, 0.3, 0.5, 0.999}) {
      const auto x = reference::normal<float>(static_cast<std::size_t>(count), 1);
      std::vector<float> expected(x.size());
      kernel::dropout_forward(Cpu{}, count, rate, 77, 0x123456789ABCull, x.data(), expected.data());
      Array<float> from(x), to(x.size()), back(x.size());
      kernel::dropout_forward(Cuda{}, count, rate, 77, 0x123456789ABCull, read(from), to.data());
      kernel::dropout_backward(Cuda{}, count, rate, 77, 0x123456789ABCull, read(from), back.data());
      CHECK(to.get() == expected);
      CHECK(back.get() == expected);
    }
  }
}

}  // namespace test_layers

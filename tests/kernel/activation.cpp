#include "graft/kernel/cpu/activation.hpp"
#include "graft/kernel/cpu/softmax.hpp"
#include "kernel/reference.hpp"

namespace test_activation {
using namespace graft;
using kernel::Activation;

namespace {

constexpr Activation all[] = {Activation::relu, Activation::relu6,   Activation::leaky_relu, Activation::elu,
                              Activation::gelu, Activation::silu,    Activation::hard_swish, Activation::sigmoid,
                              Activation::tanh, Activation::softplus};

/// The forward pass in one call, and the gradient with the array that is not needed left out.
template <class T>
std::vector<T> forward(Activation a, double alpha, const std::vector<T>& x) {
  std::vector<T> y(x.size());
  kernel::activation_forward(Cpu{}, a, alpha, static_cast<std::ptrdiff_t>(x.size()), x.data(), y.data());
  return y;
}
template <class T>
std::vector<T> backward(Activation a, double alpha, const std::vector<T>& x, const std::vector<T>& y,
                        const std::vector<T>& dy) {
  std::vector<T> dx(x.size());
  kernel::activation_backward(Cpu{}, a, alpha, static_cast<std::ptrdiff_t>(x.size()),
                              kernel::needs_input(a) ? x.data() : nullptr, kernel::needs_output(a) ? y.data() : nullptr,
                              dy.data(), dx.data());
  return dx;
}

template <class T>
void against_reference(const io::TensorFile& file) {
  struct Case {
    const char* name;
    Activation activation;
    double alpha;
  };
  for (const Case& c :
       {Case{"relu", Activation::relu, 0}, Case{"relu6", Activation::relu6, 0},
        Case{"leaky_relu_0p3", Activation::leaky_relu, 0.3}, Case{"leaky_relu_0p01", Activation::leaky_relu, 0.01},
        Case{"elu", Activation::elu, 1}, Case{"sigmoid", Activation::sigmoid, 0}, Case{"tanh", Activation::tanh, 0},
        Case{"gelu", Activation::gelu, 0}, Case{"hard_swish", Activation::hard_swish, 0},
        Case{"softplus", Activation::softplus, 0}}) {
    INFO(c.name << " in " << sizeof(T) * 8 << " bits");
    const std::string name = std::string("activation.") + c.name;
    const auto x = file.get<T>(name + "/x");
    const auto y = forward(c.activation, c.alpha, x);
    const auto dx = backward(c.activation, c.alpha, x, y, file.get<T>(name + "/dy"));
    CHECK(reference::distance(y, file.get<double>(name + "/y")) < reference::tolerance<T>);
    CHECK(reference::distance(dx, file.get<double>(name + "/dx")) < reference::tolerance<T>);
  }
  for (const bool log : {false, true}) {
    const std::string name = log ? "activation.log_softmax" : "activation.softmax";
    INFO(name << " in " << sizeof(T) * 8 << " bits");
    const auto x = file.get<T>(name + "/x");
    const auto dy = file.get<T>(name + "/dy");
    std::vector<T> y(x.size()), dx(x.size());
    if (log) {
      kernel::log_softmax_forward(Cpu{}, 4, 9, x.data(), y.data());
      kernel::log_softmax_backward(Cpu{}, 4, 9, y.data(), dy.data(), dx.data());
    } else {
      kernel::softmax_forward(Cpu{}, 4, 9, x.data(), y.data());
      kernel::softmax_backward(Cpu{}, 4, 9, y.data(), dy.data(), dx.data());
    }
    CHECK(reference::distance(y, file.get<double>(name + "/y")) < reference::tolerance<T>);
    CHECK(reference::distance(dx, file.get<double>(name + "/dx")) < reference::tolerance<T>);
  }
}

}  // namespace

TEST_CASE("activations agree with PyTorch", "[kernel][activation]") {
  const auto file = reference::open("ops.safetensors");
  if (!file) return;
  against_reference<double>(*file);
  against_reference<float>(*file);
}

TEST_CASE("activations: gradient by central differences, in place, extremes", "[kernel][activation]") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const Activation a : all) {
    INFO("activation " << static_cast<int>(a));
    const auto x = reference::normal(60, 5, 3.0);
    const auto dy = reference::normal(60, 6);
    const auto y = forward(a, 0.3, x);
    const auto dx = backward(a, 0.3, x, y, dy);
    const auto numeric =
        reference::differences(x, [&](const std::vector<double>& at) { return reference::dot(forward(a, 0.3, at), dy); });
    CHECK(reference::distance(dx, numeric) < 1e-8);

    auto place = x;
    kernel::activation_forward(Cpu{}, a, 0.3, 60, place.data(), place.data());
    CHECK(place == y);
    auto gradient = dy;
    kernel::activation_backward(Cpu{}, a, 0.3, 60, x.data(), y.data(), gradient.data(), gradient.data());
    CHECK(gradient == dx);

    const std::vector<float> huge{-1e30f, -1e4f, -88.5f, 0.0f, 88.5f, 1e4f, 1e30f};
    const auto far = forward(a, 0.3, huge);
    CHECK(reference::finite(far));
    CHECK(reference::finite(backward(a, 0.3, huge, far, std::vector<float>(huge.size(), 1.0f))));
    CHECK(std::isnan(forward(a, 0.3, std::vector<double>{nan})[0]));
  }
}

TEST_CASE("softmax of huge logits is finite, and works in place", "[kernel][activation]") {
  const std::vector<float> x{1e30f, -1e30f, 0.0f, -3e38f, -3e38f, -3e38f};
  std::vector<float> y(6), log(6);
  kernel::softmax_forward(Cpu{}, 2, 3, x.data(), y.data());
  kernel::log_softmax_forward(Cpu{}, 2, 3, x.data(), log.data());
  CHECK(y[0] == 1.0f);
  CHECK(reference::distance(std::vector<float>(y.begin() + 3, y.end()), std::vector<double>(3, 1.0 / 3.0)) < 1e-6);
  CHECK(reference::finite(log));
  auto place = x;
  kernel::softmax_forward(Cpu{}, 2, 3, place.data(), place.data());
  CHECK(place == y);
}

TEST_CASE("dropout keeps a share, is a function of its counters, and its gradient uses the same mask", "[kernel][activation]") {
  const std::ptrdiff_t count = 200003;
  const std::size_t size = 200003;
  const std::vector<float> ones(size, 1.0f);
  std::vector<float> y(size), dx(size);
  kernel::dropout_forward(Cpu{}, count, 0.3, 11, 5, ones.data(), y.data());
  kernel::dropout_backward(Cpu{}, count, 0.3, 11, 5, ones.data(), dx.data());
  CHECK(y == dx);
  double kept = 0.0;
  bool values = true;
  bool mask = true;
  Random random(11, 5);
  for (std::size_t i = 0; i < size; ++i) {
    kept += y[i] != 0.0f ? 1.0 : 0.0;
    values = values && (y[i] == 0.0f || y[i] == static_cast<float>(1.0 / 0.7));
    mask = mask && (random.uniform() >= 0.3) == (y[i] != 0.0f);  // block i of the stream decides on elements 4 i to 4 i + 3
  }
  CHECK(values);
  CHECK(mask);
  CHECK(std::abs(kept / static_cast<double>(size) - 0.7) < 5.0 * std::sqrt(0.21 / static_cast<double>(size)));
  auto place = ones;
  kernel::dropout_forward(Cpu{}, count, 0.3, 11, 5, place.data(), place.data());
  CHECK(place == y);
  kernel::dropout_forward(Cpu{}, count, 0.3, 11, 6, ones.data(), dx.data());
  CHECK(dx != y);
  kernel::dropout_forward(Cpu{}, count, 0.0, 11, 5, ones.data(), y.data());
  CHECK(y == ones);
}

TEST_CASE("activations, softmax and dropout do not depend on the number of threads", "[kernel][activation]") {
  const std::size_t size = 150001;
  const auto x = reference::normal<float>(size, 7);
  CHECK(reference::same_on_threads([&] {
    auto y = forward(Activation::gelu, 0.0, x);
    auto dx = backward(Activation::gelu, 0.0, x, y, y);
    std::vector<float> p(size), dropped(size);
    kernel::softmax_forward(Cpu{}, 15000, 10, x.data(), p.data());
    kernel::dropout_forward(Cpu{}, static_cast<std::ptrdiff_t>(size), 0.5, 1, 2, x.data(), dropped.data());
    for (const auto* more : {&dx, &p, &dropped}) reference::append(y, *more);
    return y;
  }));
}

}  // namespace test_activation

/// \file conv2d.cpp  Convolution against a plain loop in double: every stride, padding, dilation, group and tail, forward and
/// backward.
#include "graft/kernel/cpu/conv2d.hpp"
#include "kernel/conv_cases.hpp"
#include "kernel/reference.hpp"

#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

namespace test_conv2d {
using namespace graft;
using namespace conv_cases;

namespace {

template <class T>
struct Inputs {
  std::vector<T> x, w, b, dy;
  explicit Inputs(const ConvExtents& e, bool pool)
      : x(reference::normal<T>(input_size(e), 1)),
        w(reference::normal<T>(weight_size(e), 2, 2.0 / std::sqrt(static_cast<double>(e.kh * e.kw * (e.c / e.groups))))),
        b(reference::normal<T>(static_cast<std::size_t>(e.oc), 3)),
        dy(reference::normal<T>(output_size(e, pool), 4)) {}
};

template <class T>
struct Results {
  std::vector<T> y, dx, dw, db;
};

template <class T>
Results<T> run(const Case& k, const Inputs<T>& in) {
  const ConvExtents& e = k.e;
  Results<T> out;
  const T stale = static_cast<T>(77);  // y and dx are overwritten
  out.y.assign(output_size(e, k.epilogue.pool), stale);
  out.dx.assign(in.x.size(), stale);
  out.dw.assign(in.w.size(), T{1});
  out.db.assign(in.b.size(), T{2});
  std::vector<std::uint8_t> argmax(out.y.size());
  const T* bias = k.bias ? in.b.data() : nullptr;
  kernel::conv2d_forward(Cpu{}, e, in.x.data(), in.w.data(), bias, k.epilogue, out.y.data(), argmax.data());
  std::vector<T> dy = in.dy;
  kernel::conv2d_backward(Cpu{}, e, in.x.data(), in.w.data(), out.y.data(), argmax.data(), dy.data(), k.epilogue, out.dx.data(),
                          out.dw.data(), out.db.data());
  return out;
}

template <class T>
void compare(double tolerance) {
  for (const Case& k : cases()) {
    INFO(k.name);
    const Inputs<T> in(k.e, k.epilogue.pool);
    const PlainLoop want = plain_loop(k, in.x, in.w, in.b, in.dy, [](double y) { return y; });
    const Results<T> have = run(k, in);
    if (!want.y.empty()) CHECK(reference::distance(have.y, want.y) < tolerance);
    CHECK(reference::distance(have.dx, want.dx) < tolerance);
    CHECK(reference::distance(have.dw, want.dw) < tolerance);
    CHECK(reference::distance(have.db, want.db) < tolerance);
  }
}

}  // namespace

TEST_CASE("convolution is the plain loop's, in double", "[conv2d]") { compare<double>(1e-12); }
TEST_CASE("convolution is the plain loop's, in float", "[conv2d]") { compare<float>(2e-5); }

TEST_CASE("outputs written past the caches are the same", "[conv2d]") {
  // 26 MB are enough for it on any machine, and where lines are not aligned nothing is. Two vectors of channels; then sums that
  // take several pieces, of which only the last goes past.
  for (const ConvExtents& half : {extents(2, 160, 160, 32, 32, 1, 1), extents(2, 30, 30, 2048, 32, 1, 1)}) {
    ConvExtents whole = half;
    whole.n *= 2;
    INFO(half.c << " channels");
    const std::size_t moved = (input_size(whole) + output_size(whole, false)) * sizeof(float);
    const std::size_t in = input_size(half), out = output_size(half, false);
    const auto x = reference::normal<float>(2 * in, 1), w = reference::normal<float>(weight_size(whole), 2);
    const auto dy = reference::normal<float>(2 * out, 3);
    Buffer<float> y(2 * out), dx(2 * in), gradient(2 * out), room(in + 1);
    REQUIRE(kernel::goes_past_caches<float>(moved, y.data(), 32) == (sizeof(kernel::Vec<float>) == 64));
    kernel::conv2d_forward<float>(Cpu{}, whole, x.data(), w.data(), nullptr, relu, y.data(), nullptr);
    const auto data = [&](const ConvExtents& e, const float* from, float* to) {
      std::copy(from, from + output_size(e, false), gradient.data());
      kernel::conv2d_backward<float>(Cpu{}, e, nullptr, w.data(), nullptr, nullptr, gradient.data(), Epilogue{}, to, nullptr,
                                     nullptr);
    };
    data(whole, dy.data(), dx.data());
    float* const want = room.data() + 1;
    REQUIRE(!kernel::goes_past_caches<float>(moved, want, 32));
    for (std::size_t k = 0; k < 2; ++k) {
      kernel::conv2d_forward<float>(Cpu{}, half, x.data() + k * in, w.data(), nullptr, relu, want, nullptr);
      CHECK(std::equal(want, want + out, y.data() + k * out));
      data(half, dy.data() + k * out, want);
      CHECK(std::equal(want, want + in, dx.data() + k * in));
    }
  }
}

TEST_CASE("convolution gives the same bits on any number of threads", "[conv2d]") {
  for (const Case& k : cases()) {
    INFO(k.name);
    const Inputs<float> in(k.e, k.epilogue.pool);
    CHECK(reference::same_on_threads([&] {
      Results<float> r = run(k, in);
      reference::append(r.y, r.dx);
      reference::append(r.y, r.dw);
      reference::append(r.y, r.db);
      return r.y;
    }));
  }
}

TEST_CASE("what is not wanted of a convolution's gradient may be null, and the rest is the same", "[conv2d]") {
  for (const Case& k : cases()) {
    INFO(k.name);
    const Inputs<float> in(k.e, k.epilogue.pool);
    const Results<float> all = run(k, in);
    std::vector<std::uint8_t> argmax(all.y.size());
    std::vector<float> y(all.y.size());
    const float* bias = k.bias ? in.b.data() : nullptr;
    kernel::conv2d_forward(Cpu{}, k.e, in.x.data(), in.w.data(), bias, k.epilogue, y.data(),
                           static_cast<std::uint8_t*>(nullptr));
    CHECK(y == all.y);  // inference needs no argmax
    kernel::conv2d_forward(Cpu{}, k.e, in.x.data(), in.w.data(), bias, k.epilogue, y.data(), argmax.data());
    for (int wanted = 0; wanted < 8; ++wanted) {
      Results<float> some;
      some.dx.assign(all.dx.size(), 5.0f);
      some.dw.assign(all.dw.size(), 1.0f);
      some.db.assign(all.db.size(), 2.0f);
      std::vector<float> dy = in.dy;
      kernel::conv2d_backward(Cpu{}, k.e, in.x.data(), in.w.data(), y.data(), argmax.data(), dy.data(), k.epilogue,
                              (wanted & 1) != 0 ? some.dx.data() : nullptr, (wanted & 2) != 0 ? some.dw.data() : nullptr,
                              (wanted & 4) != 0 ? some.db.data() : nullptr);
      CHECK(some.dx == ((wanted & 1) != 0 ? all.dx : std::vector<float>(all.dx.size(), 5.0f)));
      CHECK(some.dw == ((wanted & 2) != 0 ? all.dw : std::vector<float>(all.dw.size(), 1.0f)));
      CHECK(some.db == ((wanted & 4) != 0 ? all.db : std::vector<float>(all.db.size(), 2.0f)));
    }
  }
}

TEST_CASE("of equal numbers in a pooling window the first passes the gradient", "[conv2d]") {
  const ConvExtents e = extents(2, 4, 4, 1, 3, 1, 1);
  const std::vector<float> x(input_size(e), 1.0f), w(3, 2.0f);
  std::vector<float> y(output_size(e, true)), dy(y.size(), 1.0f), dx(x.size());
  std::vector<std::uint8_t> argmax(y.size(), 9);
  const float* no_bias = nullptr;
  kernel::conv2d_forward(Cpu{}, e, x.data(), w.data(), no_bias, relu_pool, y.data(), argmax.data());
  CHECK(argmax == std::vector<std::uint8_t>(y.size(), 0));
  float* unwanted = nullptr;
  kernel::conv2d_backward(Cpu{}, e, x.data(), w.data(), y.data(), argmax.data(), dy.data(), relu_pool, dx.data(), unwanted,
                          unwanted);
  for (std::size_t i = 0; i < dx.size(); ++i) CHECK(dx[i] == (i % 2 == 0 && (i / 4) % 2 == 0 ? 6.0f : 0.0f));
}

TEST_CASE("a NaN in the image reaches the output and no other sample", "[conv2d]") {
  for (const Epilogue& epilogue : {none, relu, relu6, leaky, relu_pool, none_pool}) {
    const ConvExtents e = extents(2, 6, 6, 3, 20, 3, 3);
    Inputs<float> in(e, epilogue.pool);
    for (std::size_t i = 0; i < in.x.size() / 2; ++i) in.x[i] = std::numeric_limits<float>::quiet_NaN();
    std::vector<float> y(output_size(e, epilogue.pool));
    std::vector<std::uint8_t> argmax(y.size());
    kernel::conv2d_forward(Cpu{}, e, in.x.data(), in.w.data(), in.b.data(), epilogue, y.data(), argmax.data());
    for (std::size_t i = 0; i < y.size(); ++i) CHECK(std::isnan(y[i]) == (i < y.size() / 2));
  }
}

}  // namespace test_conv2d

/// \file winograd.cpp  Convolution by Winograd's tiles against the register tile's, which tests/kernel/conv2d.cpp holds against
/// a plain loop.
#include "graft/kernel/cpu/winograd.hpp"

#include "kernel/conv_cases.hpp"
#include "kernel/reference.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace test_winograd {
using namespace graft;
using namespace conv_cases;

namespace {

/// `pad` on every side.
ConvExtents square(int n, int h, int w, int c, int oc, int k, int pad = 0) {
  return extents(n, h, w, c, oc, k, k, 1, 1, 1, 1, pad, pad, pad, pad);
}

const std::vector<Case>& tiled_cases() {
  static const std::vector<Case> all{
      {"W1 second layer, small", square(3, 12, 12, 32, 48, 5), relu_pool},
      {"5x5 same, part of a tile at the edges", square(2, 11, 13, 16, 32, 5, 2), relu},
      {"5x5, leaky", square(2, 17, 9, 16, 16, 5), leaky},
      {"3x3 same", square(6, 7, 7, 64, 64, 3, 1), relu},
      {"3x3, no bias", square(4, 9, 10, 16, 48, 3), none, false},
      {"3x3, padded on two sides only", extents(4, 10, 8, 32, 16, 3, 3, 1, 1, 1, 1, 2, 0, 0, 2), relu6},
      {"3x3, padded by more than the kernel", square(4, 5, 6, 16, 16, 3, 4), relu},
      {"pool drops the odd row and column", square(2, 9, 13, 16, 32, 3), relu_pool},
      {"pool of a padded image", square(2, 10, 10, 32, 64, 3, 1), none_pool},
      {"pool, leaky", square(3, 12, 12, 16, 16, 3, 1), leaky_pool},
      {"pool, relu6", square(2, 12, 14, 16, 16, 3), relu6_pool},
      {"pool, negative slope: not monotone", square(2, 12, 12, 16, 16, 3, 1), falling_pool},
      {"more tiles of a sample than of a block", square(2, 34, 37, 16, 16, 3, 1), relu},
      {"many samples", square(35, 8, 8, 16, 32, 3, 1), relu},
      {"large products, one block", square(3, 8, 8, 448, 32, 3, 1), relu},
      {"large products, several blocks", square(9, 32, 32, 448, 16, 3, 1), relu},
      {"many outputs, large products", square(3, 8, 9, 16, 480, 3, 1), relu_pool},
  };
  return all;
}

template <class T>
struct Results {
  std::vector<T> y, dx, dw, db;
  std::vector<std::uint8_t> argmax;
  [[nodiscard]] std::vector<T> all() const {
    std::vector<T> all = y;
    for (const auto* more : {&dx, &dw, &db}) all.insert(all.end(), more->begin(), more->end());
    return all;
  }
};

template <class T>
struct Inputs {
  std::vector<T> x, w, b, dy;
  explicit Inputs(const Case& k)
      : x(reference::normal<T>(input_size(k.e), 1)),
        w(reference::normal<T>(weight_size(k.e), 2, 1.0 / std::sqrt(static_cast<double>(k.e.kh * k.e.kw * k.e.c)))),
        b(reference::normal<T>(static_cast<std::size_t>(k.e.oc), 3)),
        dy(reference::normal<T>(output_size(k.e, k.epilogue.pool), 4)) {}
};

/// wanted: a bit each for dx, dw and db. `kept`: whose output and choices of the pool backward takes, so that numbers beside a
/// kink do not count.
template <class Device, class T>
Results<T> run(const Case& k, const Inputs<T>& in, int wanted = 7, const Results<T>* kept = nullptr) {
  Results<T> out;
  out.y.assign(output_size(k.e, k.epilogue.pool), T{77});
  out.dx.assign(in.x.size(), T{77});
  out.dw.assign(in.w.size(), T{1});
  out.db.assign(in.b.size(), T{2});
  out.argmax.assign(out.y.size(), 9);
  kernel::conv2d_forward(Device{}, k.e, in.x.data(), in.w.data(), k.bias ? in.b.data() : nullptr, k.epilogue, out.y.data(),
                         out.argmax.data());
  std::vector<T> dy = in.dy;
  const Results<T>& of = kept != nullptr ? *kept : out;
  kernel::conv2d_backward(Device{}, k.e, in.x.data(), in.w.data(), of.y.data(), of.argmax.data(), dy.data(), k.epilogue,
                          (wanted & 1) != 0 ? out.dx.data() : nullptr, (wanted & 2) != 0 ? out.dw.data() : nullptr,
                          (wanted & 4) != 0 ? out.db.data() : nullptr);
  return out;
}

template <class T>
void compare(double tolerance) {
  for (const Case& k : tiled_cases()) {
    INFO(k.name);
    CHECK(kernel::winograd_declines<T>(k.e) == nullptr);
    const Inputs<T> in(k);
    const Results<T> want = run<Cpu>(k, in), have = run<Winograd<Cpu>>(k, in, 7, &want);
    CHECK(reference::distance(have.y, want.y) < tolerance);
    CHECK(reference::distance(have.dx, want.dx) < tolerance);
    CHECK(reference::distance(have.dw, want.dw) < tolerance);
    CHECK(have.db == want.db);
    if constexpr (std::is_same_v<T, double>) {
      if (k.epilogue.pool && k.epilogue.act == Act::none) CHECK(have.argmax == want.argmax);
    }
  }
}

}  // namespace

// Rounding: the largest factors of B^T, G and A^T, 5.25, 1 and 8 along a side, multiply what a sum's parts may exceed it by;
// in numbers drawn at random the error is some ten times the plain sum's, which has 2e-5 here in the worst case.
TEST_CASE("convolution by tiles is the plain one, in double", "[winograd]") { compare<double>(1e-13); }
TEST_CASE("convolution by tiles is the plain one, in float, but for ten times its rounding", "[winograd]") {
  compare<float>(5e-5);
}

TEST_CASE("convolution by tiles gives the same bits on any number of threads", "[winograd]") {
  for (const Case& k : tiled_cases()) {
    INFO(k.name);
    const Inputs<float> in(k);
    CHECK(reference::same_on_threads([&] { return run<Winograd<Cpu>>(k, in).all(); }));
  }
}

TEST_CASE("what is not wanted of the gradient by tiles may be null, and the rest is the same", "[winograd]") {
  for (const std::size_t which : {std::size_t{0}, std::size_t{3}, std::size_t{14}}) {
    const Case& k = tiled_cases()[which];
    INFO(k.name);
    const Inputs<float> in(k);
    const Results<float> all = run<Winograd<Cpu>>(k, in);
    for (int wanted = 0; wanted < 8; ++wanted) {
      const Results<float> some = run<Winograd<Cpu>>(k, in, wanted);
      CHECK(some.dx == ((wanted & 1) != 0 ? all.dx : std::vector<float>(all.dx.size(), 77.0f)));
      CHECK(some.dw == ((wanted & 2) != 0 ? all.dw : std::vector<float>(all.dw.size(), 1.0f)));
      CHECK(some.db == ((wanted & 4) != 0 ? all.db : std::vector<float>(all.db.size(), 2.0f)));
    }
    std::vector<float> y(all.y.size());
    kernel::conv2d_forward(Winograd<Cpu>{}, k.e, in.x.data(), in.w.data(), in.b.data(), k.epilogue, y.data(),
                           static_cast<std::uint8_t*>(nullptr));
    CHECK(y == all.y);  // inference needs no argmax
  }
}

TEST_CASE("by tiles a NaN reaches its output and no other sample", "[winograd]") {
  const Case k{"", square(2, 12, 12, 16, 16, 3, 1), relu_pool};
  Inputs<float> in(k);
  in.x[5 * 12 * 16 + 7 * 16 + 3] = std::numeric_limits<float>::quiet_NaN();
  const Results<float> out = run<Winograd<Cpu>>(k, in);
  CHECK(std::isnan(out.y[(2 * 6 + 3) * 16]));
  for (std::size_t i = out.y.size() / 2; i < out.y.size(); ++i) CHECK(std::isfinite(out.y[i]));
}

TEST_CASE("what does not go by tiles is the plain convolution to the bit", "[winograd]") {
  const std::vector<Case> cases{
      {"the kernel is neither 3x3 nor 5x5", square(4, 16, 16, 16, 16, 1), relu},
      {"the kernel is neither 3x3 nor 5x5", extents(4, 16, 16, 16, 16, 3, 5), relu},
      {"strides, dilation or groups", extents(4, 16, 16, 16, 16, 3, 3, 2, 2), relu},
      {"strides, dilation or groups", extents(4, 16, 16, 16, 16, 3, 3, 1, 1, 2, 2), relu},
      {"strides, dilation or groups", extents(4, 16, 16, 32, 32, 3, 3, 1, 1, 1, 1, 0, 0, 0, 0, 2), relu},
      {"fewer than 16 channels", square(4, 16, 16, 3, 16, 3), relu_pool},
      {"too few pixels", square(1, 7, 7, 64, 64, 3, 1), relu}};
  for (const Case& k : cases) {
    INFO(k.name);
    REQUIRE(kernel::winograd_declines<float>(k.e) == std::string(k.name));
    const Inputs<float> in(k);
    CHECK(run<Winograd<Cpu>>(k, in).all() == run<Cpu>(k, in).all());
  }
  if (kernel::lanes < float >> 1)
    CHECK(kernel::winograd_declines<float>(square(4, 16, 16, 17, 16, 3)) == std::string("the channels do not fill a vector"));
}

}  // namespace test_winograd

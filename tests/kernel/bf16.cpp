/// \file bf16.cpp  Numbers in bf16, their products on the register tile, and convolution on them against the plain loop.
#include "graft/core/bf16.hpp"

#include "graft/kernel/cpu/conv_bf16.hpp"
#include "kernel/conv_cases.hpp"
#include "kernel/reference.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace test_bf16 {
using namespace graft;
using namespace conv_cases;

namespace {

std::vector<bf16> narrowed(const std::vector<float>& x) {
  std::vector<bf16> y(x.size());
  graft::detail::narrow(x.size(), x.data(), y.data());
  return y;
}
std::vector<float> widened(const std::vector<bf16>& x) {
  std::vector<float> y(x.size());
  graft::detail::widen(x.size(), x.data(), y.data());
  return y;
}

/// Inputs that bf16 holds as they are.
struct Inputs {
  std::vector<float> x, w, b, dy;
  explicit Inputs(const Case& k)
      : x(held(input_size(k.e), 1, 1.0)),
        w(held(weight_size(k.e), 2, 2.0 / std::sqrt(static_cast<double>(k.e.kh * k.e.kw * (k.e.c / k.e.groups))))),
        b(held(static_cast<std::size_t>(k.e.oc), 3, 1.0)),
        dy(held(output_size(k.e, k.epilogue.pool), 4, 1.0)) {}
  static std::vector<float> held(std::size_t count, std::uint64_t stream, double scale) {
    return widened(narrowed(reference::normal<float>(count, stream, scale)));
  }
};

struct Results {
  std::vector<float> y, dx, dw, db;
  std::vector<std::uint8_t> argmax;
};

/// wanted: a bit each for dx, dw and db.
Results run(const Case& k, const Inputs& in, int wanted = 7) {
  const ConvExtents& e = k.e;
  const auto x = narrowed(in.x);
  auto dy = narrowed(in.dy);
  std::vector<bf16> y(output_size(e, k.epilogue.pool), bf16(77.0f)), dx(in.x.size(), bf16(77.0f));
  Results out;
  out.dw.assign(in.w.size(), 1.0f);
  out.db.assign(in.b.size(), 2.0f);
  out.argmax.resize(y.size());
  const float* bias = k.bias ? in.b.data() : nullptr;
  kernel::conv2d_forward(Bf16<Cpu>{}, e, x.data(), in.w.data(), bias, k.epilogue, y.data(), out.argmax.data());
  kernel::conv2d_backward(Bf16<Cpu>{}, e, x.data(), in.w.data(), y.data(), out.argmax.data(), dy.data(), k.epilogue,
                          (wanted & 1) != 0 ? dx.data() : nullptr, (wanted & 2) != 0 ? out.dw.data() : nullptr,
                          (wanted & 4) != 0 ? out.db.data() : nullptr);
  out.y = widened(y);
  out.dx = widened(dx);
  return out;
}

/// The largest |have - want| in units of what rounding explains: half a unit of a bf16 result (2^-9 of it, twice that for slack
/// where the sum lies near a boundary), and of the sum of magnitudes 2^-23 for each of its `terms`, plus `factors` where the
/// factors themselves were rounded.
double excess(const std::vector<float>& have, const std::vector<double>& want, const std::vector<double>& magnitude,
              double terms, double factors, bool rounded) {
  if (have.size() != want.size()) return std::numeric_limits<double>::infinity();
  double worst = 0.0;
  for (std::size_t i = 0; i < have.size(); ++i) {
    const double allowed =
        (rounded ? 0x1p-8 * std::abs(want[i]) : 0.0) + (terms * 0x1p-23 + factors) * (magnitude[i] + std::abs(want[i])) + 1e-30;
    const double apart = std::abs(static_cast<double>(have[i]) - want[i]) / allowed;
    worst = apart == apart ? std::max(worst, apart) : std::numeric_limits<double>::infinity();
  }
  return worst;
}

}  // namespace

TEST_CASE("a float is rounded to the nearest bf16, ties to even", "[bf16]") {
  const auto bits = [](float x) { return bf16(x).bits; };
  CHECK(bits(1.0f) == 0x3f80);
  CHECK(bits(1.0f + 0x1p-8f) == 0x3f80);  // halfway, to even
  CHECK(bits(1.0f + 0x3p-8f) == 0x3f82);  // halfway, to even
  CHECK(bits(1.0f + 0x1.1p-8f) == 0x3f81);
  CHECK(bits(-2.5f) == 0xc020);
  CHECK(bits(std::numeric_limits<float>::max()) == 0x7f80);  // to infinity, as IEEE 754 has it
  CHECK(bits(std::numeric_limits<float>::infinity()) == 0x7f80);
  CHECK(std::isnan(static_cast<float>(bf16(std::bit_cast<float>(0x7f800001u)))));
  std::vector<float> x = reference::normal<float>(1003, 9);
  x[5] = std::numeric_limits<float>::quiet_NaN();
  const auto whole = narrowed(x);  // by vectors
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (i != 5) CHECK(whole[i].bits == bf16(x[i]).bits);
  }
  CHECK(std::isnan(static_cast<float>(whole[5])));
}

TEST_CASE("a tile's products of pairs are added in float, the odd one first", "[bf16]") {
  using kernel::lanes;
  using Factor = kernel::Operand<float, bf16>;
  constexpr std::size_t count = static_cast<std::size_t>(lanes<float>);
  const auto a = narrowed(reference::normal<float>(2, 1)), b = narrowed(reference::normal<float>(2 * count, 2));
  const auto start = reference::normal<float>(count, 3);
  std::vector<float> sum(count);
  Factor::fused_with(Factor::all(a.data()), Factor::row(b.data()), kernel::Vec<float>::load(start.data())).store(sum.data());
  for (std::size_t l = 0; l < count; ++l) {
    const float first = std::fma(static_cast<float>(a[1]), static_cast<float>(b[2 * l + 1]), start[l]);
    CHECK(sum[l] == std::fma(static_cast<float>(a[0]), static_cast<float>(b[2 * l]), first));
  }
}

TEST_CASE("convolution in bf16 is the plain loop's but for rounding", "[bf16]") {
  for (const Case& k : cases()) {
    INFO(k.name);
    const ConvExtents& e = k.e;
    const Inputs in(k);
    const PlainLoop want = plain_loop(k, in.x, in.w, in.b, in.dy, [](double y) {
      return static_cast<double>(static_cast<float>(bf16(static_cast<float>(y))));
    });
    const Results have = run(k, in);
    std::vector<double> y(want.y.size()), dx(in.x.size()), dw(in.w.size()), db(in.b.size(), 2.0), z(want.dz.size());
    each_product(e, [&](std::size_t i, std::size_t j, std::size_t o) {
      z[o] += std::abs(static_cast<double>(in.x[i]) * static_cast<double>(in.w[j]));
      dx[i] += std::abs(want.dz[o] * static_cast<double>(in.w[j]));
      dw[j] += std::abs(want.dz[o] * static_cast<double>(in.x[i]));
    });
    for (std::size_t i = 0; i < z.size(); ++i) db[i % db.size()] += std::abs(want.dz[i]);
    const double largest = z.empty() ? 0.0 : *std::max_element(z.begin(), z.end());
    std::fill(y.begin(), y.end(), largest);  // a pooled output's own is among four
    const double taps = static_cast<double>(e.kh) * e.kw, pixels = static_cast<double>(e.n) * e.oh * e.ow;
    const double factors = k.epilogue.act == Act::leaky_relu ? 0x1p-8 : 0.0;  // alpha dy is no bf16
    CHECK(excess(have.y, want.y, y, taps * e.c, 0.0, true) < 1.0);
    CHECK(excess(have.dx, want.dx, dx, taps * e.oc, factors, true) < 1.0);
    CHECK(excess(have.dw, want.dw, dw, pixels, factors, false) < 1.0);
    CHECK(excess(have.db, want.db, db, pixels, factors, false) < 1.0);
  }
}

TEST_CASE("convolution in bf16 gives the same bits on any number of threads", "[bf16]") {
  for (const Case& k : cases()) {
    INFO(k.name);
    const Inputs in(k);
    CHECK(reference::same_on_threads([&] {
      Results r = run(k, in);
      reference::append(r.y, r.dx);
      reference::append(r.y, r.dw);
      reference::append(r.y, r.db);
      return r.y;
    }));
  }
}

TEST_CASE("what is not wanted of a bf16 convolution's gradient may be null, and the rest is the same", "[bf16]") {
  for (const Case& k : cases()) {
    INFO(k.name);
    const Inputs in(k);
    const Results all = run(k, in);
    for (int wanted = 0; wanted < 8; ++wanted) {
      const Results some = run(k, in, wanted);
      CHECK(some.dx == ((wanted & 1) != 0 ? all.dx : std::vector<float>(all.dx.size(), 77.0f)));
      CHECK(some.dw == ((wanted & 2) != 0 ? all.dw : std::vector<float>(all.dw.size(), 1.0f)));
      CHECK(some.db == ((wanted & 4) != 0 ? all.db : std::vector<float>(all.db.size(), 2.0f)));
    }
  }
}

}  // namespace test_bf16

/// \file tiles.cpp  run_tiles() on emulated matrix tiles against the plain loop: every cut of rows, columns and steps. All that
/// a product must not read is NaN. The convolutions of kernel/bf16.cpp are compiled with it.
#include "kernel/conv_cases.hpp"
#include "kernel/reference.hpp"
#include "support/allocations.hpp"

#include "graft/kernel/cpu/conv_bf16.hpp"
#include "graft/kernel/cpu/describe.hpp"

#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace test_tiles {
using namespace graft;
using kernel::lanes;
namespace amx = kernel::amx;

namespace {

using Args = kernel::TileArgs<float, bf16>;
const bf16 nan16(std::numeric_limits<float>::quiet_NaN());

/// A product of `count` rows and `vectors` vectors, with its factors where args say and NaN around them.
struct Product {
  int count, vectors, length, segments;
  std::vector<bf16> a, b;
  std::vector<std::ptrdiff_t> offset, b_offset;
  Args t{};

  [[nodiscard]] int width() const { return vectors * lanes<float>; }
  [[nodiscard]] std::ptrdiff_t a_at(int p, int s, int k) const {
    return offset[static_cast<std::size_t>(s)] + p * t.pixel_stride + k * t.step;
  }
  [[nodiscard]] std::ptrdiff_t b_at(int c, int s, int k) const {
    const std::ptrdiff_t first = t.b_offset != nullptr ? b_offset[static_cast<std::size_t>(s)] : s * length * t.b_stride;
    return first + k * t.b_stride + 2 * c;
  }
  /// Fills what is read; distances must be set.
  void fill() {
    a.assign(static_cast<std::size_t>(a_at(count - 1, segments - 1, length - 1) + 2), nan16);
    b.assign(static_cast<std::size_t>(b_at(width() - 1, segments - 1, length - 1) + 2), nan16);
    Random random(2026, static_cast<std::uint64_t>(count * 1000 + length));
    const auto put = [&](std::vector<bf16>& to, std::ptrdiff_t at) {
      for (int i = 0; i < 2; ++i) {
        bf16& x = to[static_cast<std::size_t>(at + i)];
        const auto number = static_cast<float>(random.normal());
        if (x.bits == nan16.bits) x = bf16(number);
      }
    };
    for (int s = 0; s < segments; ++s) {
      for (int k = 0; k < length; ++k) {
        for (int p = 0; p < count; ++p) put(a, a_at(p, s, k));
        for (int c = 0; c < width(); ++c) put(b, b_at(c, s, k));
      }
    }
    t.a = a.data();
    t.b = b.data();
    t.offset = offset.data();
    t.length = length;
    t.segments = segments;
  }
  [[nodiscard]] double sum(int p, int c, double& magnitude) const {
    double sum = 0.0;
    for (int s = 0; s < segments; ++s) {
      for (int k = 0; k < length; ++k) {
        for (int i = 0; i < 2; ++i) {
          const double x = static_cast<double>(static_cast<float>(a[static_cast<std::size_t>(a_at(p, s, k) + i)])) *
                           static_cast<double>(static_cast<float>(b[static_cast<std::size_t>(b_at(c, s, k) + i)]));
          sum += x;
          magnitude += std::abs(x);
        }
      }
    }
    return sum;
  }
  /// Runs it into rows `out_stride` apart and tells whether every number is right and nothing else was written.
  bool right(bool add, bool elsewhere, bool ends) {
    const int stride = width() + 3;
    const std::size_t size = static_cast<std::size_t>(count) * static_cast<std::size_t>(stride);
    const auto before = reference::normal<float>(size, 7),
               bias = reference::normal<float>(static_cast<std::size_t>(width()), 8);
    std::vector<float> out = elsewhere ? std::vector<float>(size, 77.0f) : before;
    t.out = out.data();
    t.out_stride = stride;
    t.add = add;
    t.from = elsewhere ? before.data() : nullptr;
    t.from_stride = stride;
    t.bias = ends ? bias.data() : nullptr;
    t.relu = ends;
    const std::vector<float> start = out;
    {
      const kernel::TilesInUse<bf16> tiles;
      kernel::run_tiles(t, count, vectors);
    }
    for (int p = 0; p < count; ++p) {
      for (int c = 0; c < stride; ++c) {
        const std::size_t at = static_cast<std::size_t>(p * stride + c);
        if (c >= width()) {
          if (out[at] != start[at]) return false;
          continue;
        }
        double magnitude = 1.0;
        double want = sum(p, c, magnitude);
        if (add) want += static_cast<double>(before[at]);
        if (ends) want = std::max(0.0, want + static_cast<double>(bias[static_cast<std::size_t>(c)]));
        if (!(std::abs(static_cast<double>(out[at]) - want) <= 2e-6 * magnitude)) return false;
      }
    }
    return true;
  }
};

/// Pixels as rows: `gap` numbers stand between what two pixels, and two segments, have.
Product pixels(int count, int vectors, int length, int segments, int gap, bool offsets) {
  Product m{count, vectors, length, segments, {}, {}, {}, {}, {}};
  m.t.step = 2;
  m.t.pixel_stride = 2 * length + gap;
  m.t.b_stride = 2 * m.width() + (offsets ? 6 : 0);
  for (int s = 0; s < segments; ++s) {
    m.offset.push_back(s * (count * m.t.pixel_stride + gap));
    m.b_offset.push_back(s * (length + 1) * m.t.b_stride);
  }
  if (offsets) m.t.b_offset = m.b_offset.data();
  m.fill();
  return m;
}

/// Taps as rows, as the weight gradient has them.
Product taps(int count, int vectors, int length, int segments, int gap) {
  Product m{count, vectors, length, segments, {}, {}, {}, {}, {}};
  m.t.step = 2 * count + gap;
  m.t.pixel_stride = 2;
  m.t.b_stride = 2 * m.width();
  for (int s = 0; s < segments; ++s) m.offset.push_back(s * (length * m.t.step + gap));
  m.fill();
  m.t.turned = amx::turn(m.b.data(), m.t.b_stride, segments, length, m.width(), count);
  return m;
}

}  // namespace

TEST_CASE("products of pixels on matrix tiles are the plain loop's", "[amx]") {
  for (int vectors = 1; vectors <= kernel::max_gathered; ++vectors) {
    for (const int count : {1, 2, 7, 15, 16, 17, 31, 33, 49, 50, 70}) {
      for (const int length : {1, 3, 15, 16, 17, 33, 49, 65}) {
        INFO(vectors << " vectors, " << count << " rows, " << length << " steps");
        const int variant = count + length;
        Product m = pixels(count, vectors, length, 1 + variant % 3, variant % 4, variant % 2 == 0);
        const long before = amx::products;
        CHECK(m.right(false, false, false));
        CHECK(amx::products > before);
        CHECK(m.right(true, variant % 3 == 0, variant % 5 == 0));
      }
    }
  }
}

TEST_CASE("products of taps, whose pairs are pixels, on matrix tiles are the plain loop's", "[amx]") {
  for (int vectors = 1; vectors <= kernel::max_vectors; ++vectors) {
    for (const int count : {1, 3, 9, 15, 16, 17, 33, 48, 75}) {
      for (const int length : {1, 4, 7, 14, 16, 17, 37}) {
        INFO(vectors << " vectors, " << count << " rows, " << length << " steps");
        Product m = taps(count, vectors, length, 1 + (count + length) % 4, 2 * (count % 3));
        REQUIRE(m.t.turned != nullptr);
        const long before = amx::products;
        CHECK(m.right(true, false, false));
        CHECK(amx::products > before);
        CHECK(m.right(count % 2 == 0, true, length % 2 == 0));
      }
    }
  }
}

TEST_CASE("an infinity reaches its own sums and makes no NaN, also in a last chunk among zeros", "[amx]") {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const bool of_taps : {false, true}) {
    for (const int length : {16, 17, 33}) {
      for (int k = 0; k < length; ++k) {
        INFO((of_taps ? "taps, " : "pixels, ") << length << " steps, at step " << k);
        Product m = of_taps ? taps(20, 2, length, 1, 0) : pixels(20, 2, length, 1, 0, false);
        m.a[static_cast<std::size_t>(m.a_at(19, 0, k))] = bf16(infinity);
        m.b[static_cast<std::size_t>(m.b_at(3, 0, k))] = bf16(infinity);
        if (of_taps) m.t.turned = amx::turn(m.t.b, m.t.b_stride, 1, length, m.width(), m.count);
        std::vector<float> out(static_cast<std::size_t>(20 * m.width()));
        m.t.out = out.data();
        m.t.out_stride = m.width();
        const kernel::TilesInUse<bf16> tiles;
        kernel::run_tiles(m.t, m.count, m.vectors);
        bool right = true;
        for (int p = 0; p < m.count; ++p) {
          for (int c = 0; c < m.width(); ++c) {
            const float sum = out[static_cast<std::size_t>(p * m.width() + c)];
            right = right && (p == 19 || c == 3 ? std::isinf(sum) : std::isfinite(sum));
          }
        }
        CHECK(right);
      }
    }
  }
}

namespace {
/// A 3x3 convolution's outputs and gradients one after another, and how often it allocated.
std::vector<float> convolve(std::size_t* taken = nullptr) {
  const ConvExtents e = conv_cases::extents(3, 9, 11, 8, 24, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1);
  std::vector<bf16> x(conv_cases::input_size(e)), y(conv_cases::output_size(e, false)), dy(y.size()), dx(x.size());
  const auto numbers = reference::normal<float>(x.size() + y.size(), 5);
  graft::detail::narrow(x.size(), numbers.data(), x.data());
  graft::detail::narrow(y.size(), numbers.data() + x.size(), dy.data());
  const auto w = reference::normal<float>(conv_cases::weight_size(e), 6, 0.1);
  std::vector<float> dw(w.size()), db(24);
  const std::size_t before = support::allocations();
  kernel::conv2d_forward(Bf16<Cpu>{}, e, x.data(), w.data(), nullptr, Epilogue{}, y.data(), nullptr);
  kernel::conv2d_backward(Bf16<Cpu>{}, e, x.data(), w.data(), y.data(), nullptr, dy.data(), Epilogue{}, dx.data(), dw.data(),
                          db.data());
  if (taken != nullptr) *taken = support::allocations() - before;
  std::vector<float> all(y.size() + dx.size());
  graft::detail::widen(y.size(), y.data(), all.data());
  graft::detail::widen(dx.size(), dx.data(), all.data() + y.size());
  all.insert(all.end(), dw.begin(), dw.end());
  all.insert(all.end(), db.begin(), db.end());
  return all;
}
}  // namespace

TEST_CASE("a task gives its tiles back", "[amx]") {
  const long before = amx::products;
  convolve();
  CHECK(amx::products > before);
  CHECK_FALSE(amx::emulated().configured);
  CHECK(amx::current() == amx::Shape{});
}

TEST_CASE("the second of two equal convolutions on matrix tiles allocates nothing", "[amx]") {
  const int before = threads();
  set_threads(1);
  convolve();
  std::size_t taken = 1;
  convolve(&taken);
  set_threads(before);
  CHECK(taken == 0);
}

TEST_CASE("without the system's permission products run in registers", "[amx]") {
  const std::vector<float> with = convolve();
  amx::emulated_permission = false;
  const long before = amx::products;
  const std::vector<float> without = convolve();
  CHECK(amx::products == before);
  CHECK_FALSE(kernel::has_amx());
  amx::emulated_permission = true;
  CHECK(kernel::has_amx());
  CHECK(reference::distance(without, with) < 0.01);
}

TEST_CASE("programs for matrix tiles say so", "[amx]") {
  CHECK(std::string(isa_name) == "amx_emulated");
  const ConvExtents e = conv_cases::extents(2, 8, 8, 4, 16, 3, 3);
  CHECK(kernel::describe_conv2d_bf16(e, Passes{.forward = true}).find("AMX") != std::string::npos);
}

}  // namespace test_tiles

#include "graft/core/shape.hpp"
#include "graft/kernel/cpu/conv2d.hpp"
#include "graft/kernel/cpu/dense.hpp"
#include "graft/kernel/cuda/layers.hpp"
#include "cuda/device.hpp"

#include <algorithm>
#include <cmath>

namespace test_products {
using namespace graft;
using device::Array;
using device::read;

namespace {

std::size_t size(int a, int b = 1, int c = 1, int d = 1) {
  return static_cast<std::size_t>(a) * static_cast<std::size_t>(b) * static_cast<std::size_t>(c) * static_cast<std::size_t>(d);
}

void all_gemms(int m, int n, int k, double alpha, double beta) {
  for (int which = 0; which < 4; ++which) {
    const bool ta = which % 2 == 1, tb = which / 2 == 1;
    const int lda = (ta ? m : k) + 3, ldb = (tb ? k : n) + 1, ldc = n + 2;
    device::compare_all("gemm " + std::to_string(m) + " x " + std::to_string(n) + " x " + std::to_string(k) +
                            (ta ? " T" : " N") + (tb ? "T" : "N"),
                        [&](auto zero, auto tag, auto& results) {
                          using T = decltype(zero);
                          Array<T> a(reference::normal<T>(size(ta ? k : m, lda), 1)),
                              b(reference::normal<T>(size(tb ? n : k, ldb), 2));
                          Array<T> c(reference::normal<T>(size(m, ldc), 3));
                          kernel::gemm(tag, ta, tb, m, n, k, static_cast<T>(alpha), read(a), lda, read(b), ldb,
                                       static_cast<T>(beta), c.data(), ldc);
                          results.push_back(c.get());
                        });
  }
}

/// Double only where it is small: there is no library for it, and the emulation is slow.
template <class F>
void compare(double products, const std::string& what, const F& on) {
  products < (1 << 23) ? device::compare_all(what, on) : device::compare_floats(what, on);
}

void dense(int n, int in, int out, const Epilogue& epilogue, bool bias) {
  compare(static_cast<double>(n) * in * out,
          "dense " + std::to_string(n) + " x " + std::to_string(in) + " -> " + std::to_string(out),
          [&](auto zero, auto tag, auto& results) {
            using T = decltype(zero);
            Array<T> x(reference::normal<T>(size(n, in), 1)), w(reference::normal<T>(size(in, out), 2, 0.3));
            Array<T> b(reference::normal<T>(size(out), 3)), y(size(n, out)), dy(reference::normal<T>(size(n, out), 4));
            Array<T> dx(size(n, in)), dw(reference::normal<T>(size(in, out), 5)), db(reference::normal<T>(size(out), 6));
            const T* shift = bias ? b.data() : nullptr;
            kernel::dense_forward(tag, n, in, out, read(x), read(w), shift, epilogue, y.data());
            results.push_back(y.get());
            kernel::dense_backward(tag, n, in, out, read(x), read(w), read(y), dy.data(), epilogue, dx.data(), dw.data(),
                                   bias ? db.data() : nullptr);
            for (auto* array : {&dy, &dx, &dw, &db}) results.push_back(array->get());
          });
}

ConvExtents conv_extents(int n, int h, int w, int c, int oc, Size kernel, Size stride, Size dilation, Padding padding,
                         int groups) {
  const Window out = slide(h, w, kernel, stride, padding, dilation);
  return {n,        h,        w,        c,          out.oh,     out.ow,  oc,       kernel.h,
          kernel.w, stride.h, stride.w, dilation.h, dilation.w, out.top, out.left, groups};
}

void conv(const ConvExtents& e, const Epilogue& epilogue, bool bias = true, bool wants_dx = true, bool wants_dw = true) {
  const int ph = epilogue.pool ? e.oh / 2 : e.oh, pw = epilogue.pool ? e.ow / 2 : e.ow;
  compare(static_cast<double>(e.n) * e.oh * e.ow * e.oc * e.kh * e.kw * e.c / e.groups,
          "conv " + std::to_string(e.n) + " x " + std::to_string(e.h) + " x " + std::to_string(e.w) + " x " +
              std::to_string(e.c) + " -> " + std::to_string(e.oc) + ", kernel " + std::to_string(e.kh) + " x " +
              std::to_string(e.kw) + ", stride " + std::to_string(e.sh) + ", groups " + std::to_string(e.groups) +
              (epilogue.pool ? ", pooled" : "") + ", activation " + std::to_string(static_cast<int>(epilogue.act)),
          [&](auto zero, auto tag, auto& results) {
            using T = decltype(zero);
            const std::size_t weights = size(e.kh, e.kw, e.c / e.groups, e.oc), outputs = size(e.n, ph, pw, e.oc);
            Array<T> x(reference::normal<T>(size(e.n, e.h, e.w, e.c), 1)), w(reference::normal<T>(weights, 2, 0.3));
            Array<T> b(reference::normal<T>(size(e.oc), 3)), y(outputs), dy(reference::normal<T>(outputs, 4));
            Array<T> dx(size(e.n, e.h, e.w, e.c)), dw(reference::normal<T>(weights, 5)),
                db(reference::normal<T>(size(e.oc), 6));
            Array<std::uint8_t> argmax(outputs);
            kernel::conv2d_forward(tag, e, read(x), read(w), bias ? read(b) : nullptr, epilogue, y.data(),
                                   epilogue.pool ? argmax.data() : nullptr);
            results.push_back(y.get());
            kernel::conv2d_backward(tag, e, read(x), read(w), read(y), read(argmax), dy.data(), epilogue,
                                    wants_dx ? dx.data() : nullptr, wants_dw ? dw.data() : nullptr, bias ? db.data() : nullptr);
            for (auto* array : {&dx, &dw, &db}) results.push_back(array->get());
            if (!epilogue.pool) results.push_back(dy.get());
            const auto bytes = argmax.get();
            results.emplace_back(bytes.begin(), bytes.end());
          });
}

constexpr Epilogue plain{}, relu{Act::relu}, relu6{Act::relu6}, leaky{Act::leaky_relu, 0.25};

}  // namespace

TEST_CASE("cuda: gemm in all four forms, with odd extents, strides, alpha and beta") {
  all_gemms(1, 1, 1, 1.0, 0.0);
  all_gemms(3, 5, 17, 0.5, 2.0);
  all_gemms(67, 35, 9, 1.0, 1.0);
  all_gemms(5, 7, 0, 1.0, 0.5);
  all_gemms(4, 6, 300, -1.0, 0.0);  // in chunks
}

TEST_CASE("cuda: a product large enough for large tiles") {
  device::compare_all("gemm 2200 x 1025 x 3", [&](auto zero, auto tag, auto& results) {
    using T = decltype(zero);
    const int m = 2200, n = 1025, k = 3;
    Array<T> a(reference::normal<T>(size(m, k), 1)), b(reference::normal<T>(size(k, n), 2)), c(size(m, n));
    kernel::gemm(tag, false, false, m, n, k, T{1}, read(a), k, read(b), n, T{0}, c.data(), n);
    results.push_back(c.get());
  });
  const auto deep = [&](auto zero, auto tag, auto& results) {
    using T = decltype(zero);
    const int m = 2040, n = 1100, k = 71;  // more than two steps of the largest tile
    Array<T> a(reference::normal<T>(size(k, m), 1)), b(reference::normal<T>(size(k, n), 2)), c(size(m, n));
    kernel::gemm(tag, true, false, m, n, k, T{1}, read(a), m, read(b), n, T{0}, c.data(), n);
    results.push_back(c.get());
  };
  device::mantissa = 7;
  device::compare<float, Bf16<Cuda>>("gemm 2040 x 1100 x 71, bf16",
                                     [&](auto tag, auto& results) { deep(float{}, tag, results); });
  device::compare<float, Tf32<Cuda>>("gemm 2040 x 1100 x 71, tf32",
                                     [&](auto tag, auto& results) { deep(float{}, tag, results); });
  device::mantissa = 23;
}

TEST_CASE("cuda: products of numbers that need rounding are those of the nearest") {
  const float ulp_tf32 = 0.0009765625f, ulp_bf16 = 0.0078125f;  // of numbers from 1 to 2
  const auto product = [](auto tag, float x, float y) {
    Array<float> a(std::vector<float>{x}), b(std::vector<float>{y}), c(1, 0.0f);
    kernel::gemm(tag, false, false, 1, 1, 1, 1.0f, read(a), 1, read(b), 1, 0.0f, c.data(), 1);
    return c.get()[0];
  };
  CHECK(product(Tf32<Cuda>{}, 1.0f + 0.49f * ulp_tf32, 1.0f) == 1.0f);
  CHECK(product(Tf32<Cuda>{}, 1.0f, -1.0f - 0.51f * ulp_tf32) == -1.0f - ulp_tf32);
  CHECK(product(Tf32<Cuda>{}, 1.0f, 1.0f + 0.5f * ulp_tf32) == 1.0f + ulp_tf32);  // ties go away from 0
  CHECK(product(Bf16<Cuda>{}, 1.0f + 0.49f * ulp_bf16, 1.0f) == 1.0f);
  CHECK(product(Bf16<Cuda>{}, 1.0f, -1.0f - 0.51f * ulp_bf16) == -1.0f - ulp_bf16);
  CHECK(product(Bf16<Cuda>{}, 1.0f, 1.0f + 0.5f * ulp_bf16) == 1.0f);  // ties to even
  CHECK(product(Bf16<Cuda>{}, 1e30f, 1.0f) == static_cast<float>(bf16(1e30f)));
  for (const float odd : {INFINITY, -INFINITY, NAN}) {
    const float by_tf32 = product(Tf32<Cuda>{}, odd, 1.0f), by_bf16 = product(Bf16<Cuda>{}, 1.0f, odd);
    CHECK((odd != odd ? by_tf32 != by_tf32 && by_bf16 != by_bf16 : by_tf32 == odd && by_bf16 == odd));
  }
}

TEST_CASE("cuda: sums of rounded products are within their bound") {
  const int m = 37, n = 41, k = 500;
  const auto a = reference::normal<float>(size(m, k), 1), b = reference::normal<float>(size(k, n), 2);
  const auto worst = [&](auto tag, double u) {  // of the bound that kernel/cuda/layers.hpp gives
    Array<float> from_a(a), from_b(b), to(size(m, n));
    kernel::gemm(tag, false, false, m, n, k, 1.0f, read(from_a), k, read(from_b), n, 0.0f, to.data(), n);
    const auto c = to.get();
    double most = 0.0;
    for (int i = 0; i < m; ++i) {
      for (int j = 0; j < n; ++j) {
        double sum = 0.0, absolute = 0.0;
        for (int l = 0; l < k; ++l) {
          const double term = static_cast<double>(a[size(i, k) + size(l)]) * static_cast<double>(b[size(l, n) + size(j)]);
          sum += term;
          absolute += std::abs(term);
        }
        const double bound = (2.0 * u + k * std::ldexp(1.0, -23)) * absolute;
        most = std::max(most, std::abs(static_cast<double>(c[size(i, n) + size(j)]) - sum) / bound);
      }
    }
    return most;
  };
  const double tf32 = worst(Tf32<Cuda>{}, std::ldexp(1.0, -11)), bf16 = worst(Bf16<Cuda>{}, std::ldexp(1.0, -8));
  CHECK(tf32 < 1.0);
  CHECK(bf16 < 1.0);
  CHECK(tf32 > 1e-3);  // it did round
  CHECK(bf16 > 1e-3);
}

TEST_CASE("cuda: dense layers with every activation") {
  dense(1, 1, 1, plain, true);
  dense(5, 17, 3, relu, true);
  dense(33, 40, 10, relu6, false);
  dense(7, 300, 33, leaky, true);
  dense(130, 5, 65, relu, true);
}

TEST_CASE("cuda: convolutions, forward and backward") {
  conv(conv_extents(1, 5, 5, 1, 1, {3}, {1}, {1}, valid, 1), plain);
  conv(conv_extents(2, 7, 6, 3, 5, {5}, {1}, {1}, valid, 1), relu);
  conv(conv_extents(3, 9, 7, 5, 17, {3}, {2}, {1}, same, 1), relu6);
  conv(conv_extents(1, 8, 11, 17, 3, {1, 3}, {1, 2}, {1}, same, 1), leaky, false);
  conv(conv_extents(2, 10, 9, 4, 6, {3}, {1}, {2}, same, 1), relu);
  conv(conv_extents(2, 6, 6, 6, 9, {3}, {1}, {1}, same, 3), relu);
  conv(conv_extents(2, 7, 7, 8, 8, {3, 2}, {3, 2}, {1}, Padding{1, 0, 2, 1}, 4), leaky);
  conv(conv_extents(2, 6, 5, 17, 33, {1}, {1}, {1}, valid, 1), plain);
}

TEST_CASE("cuda: convolutions with a fused pool") {
  conv(conv_extents(1, 4, 4, 1, 1, {3}, {1}, {1}, valid, 1), Epilogue{Act::none, 0.0, true});
  conv(conv_extents(2, 9, 8, 3, 5, {3}, {1}, {1}, valid, 1), Epilogue{Act::relu, 0.0, true});
  conv(conv_extents(2, 7, 9, 5, 17, {3}, {1}, {1}, same, 1), Epilogue{Act::relu6, 0.0, true});
  conv(conv_extents(3, 5, 7, 4, 6, {3}, {1}, {1}, same, 2), Epilogue{Act::leaky_relu, 0.25, true});
  conv(conv_extents(2, 6, 6, 3, 4, {3}, {2}, {1}, same, 1), Epilogue{Act::leaky_relu, -0.5, true}, false);
  conv(conv_extents(2, 12, 12, 32, 10, {5}, {1}, {1}, valid, 1), Epilogue{Act::relu, 0.0, true});  // in chunks
}

TEST_CASE("cuda: gradients that are not wanted") {
  const ConvExtents e = conv_extents(2, 6, 5, 3, 4, {3}, {1}, {1}, same, 1);
  conv(e, relu, true, false, true);
  conv(e, relu, false, true, false);
  conv(e, Epilogue{Act::relu, 0.0, true}, true, false, false);
}

TEST_CASE("cuda: products and convolutions of a library's size, with every end") {
  const cuda::LibraryCalls before = cuda::library_calls();
  dense(128, 520, 256, relu, true);
  dense(256, 256, 264, leaky, false);
  conv(conv_extents(2, 32, 32, 64, 130, {1}, {1}, {1}, valid, 1), relu6);  // a product
  conv(conv_extents(2, 15, 17, 64, 72, {3}, {1}, {1}, same, 1), relu);
  conv(conv_extents(5, 19, 18, 64, 72, {3}, {2}, {1}, same, 1), plain, false);  // padding on one side only
  conv(conv_extents(2, 16, 19, 65, 64, {3, 5}, {1}, {2, 1}, Padding{1, 0, 2, 2}, 1), leaky);
  conv(conv_extents(2, 15, 17, 64, 72, {3}, {1}, {1}, same, 1), Epilogue{Act::relu, 0.0, true});
  conv(conv_extents(2, 15, 17, 64, 72, {3}, {1}, {1}, same, 1), Epilogue{Act::leaky_relu, -0.5, true}, false, false);
  const cuda::LibraryCalls after = cuda::library_calls();
  const std::string libraries = cuda::libraries();
  if (libraries.find("cuBLASLt") != std::string::npos) CHECK(after.products > before.products);
  if (libraries.find("cuDNN") != std::string::npos) CHECK(after.convolutions > before.convolutions);
}

TEST_CASE("cuda: gemm of a library's size in all four forms, added and scaled") {
  for (int which = 0; which < 4; ++which) {
    const bool ta = which % 2 == 1, tb = which / 2 == 1;
    const int m = 260, n = 256, k = 280;
    const int lda = (ta ? m : k) + 4, ldb = (tb ? k : n) + 8, ldc = n + 4;
    device::compare_floats("gemm", [&](auto zero, auto tag, auto& results) {
      using T = decltype(zero);
      Array<T> a(reference::normal<T>(size(ta ? k : m, lda), 1)), b(reference::normal<T>(size(tb ? n : k, ldb), 2)),
          c(reference::normal<T>(size(m, ldc), 3));
      for (const T beta : {T{0}, T{1}, T{-2}}) {
        kernel::gemm(tag, ta, tb, m, n, k, T{0.5}, read(a), lda, read(b), ldb, beta, c.data(), ldc);
        results.push_back(c.get());
      }
    });
  }
}

}  // namespace test_products

/// \file gemm.cpp  The matrix product and the dense layer against a plain loop in double.
#include "graft/kernel/cpu/gemm.hpp"
#include "graft/kernel/cpu/dense.hpp"
#include "kernel/reference.hpp"

#include <limits>
#include <vector>

namespace test_gemm {
using namespace graft;

namespace {

struct Extents {
  int m, n, k;
};
const Extents products[] = {{1, 1, 1},    {1, 7, 5},    {2, 10, 100},  {3, 2, 17},     {5, 16, 3},
                            {7, 48, 64},  {8, 49, 33},  {13, 15, 200}, {31, 64, 9},    {33, 100, 7},
                            {64, 33, 64}, {65, 96, 50}, {97, 131, 70}, {130, 47, 301}, {200, 17, 1}};

std::size_t size(int a, int b) { return static_cast<std::size_t>(a) * static_cast<std::size_t>(b); }

/// alpha op(A) op(B) + beta C in double.
template <class T>
std::vector<double> naive(bool ta, bool tb, Extents e, double alpha, const std::vector<T>& a, int lda, const std::vector<T>& b,
                          int ldb, double beta, const std::vector<T>& c, int ldc) {
  std::vector<double> out(c.begin(), c.end());
  for (int i = 0; i < e.m; ++i)
    for (int j = 0; j < e.n; ++j) {
      double sum = 0;
      for (int p = 0; p < e.k; ++p)
        sum += static_cast<double>(
                   a[ta ? size(p, lda) + static_cast<std::size_t>(i) : size(i, lda) + static_cast<std::size_t>(p)]) *
               static_cast<double>(
                   b[tb ? size(j, ldb) + static_cast<std::size_t>(p) : size(p, ldb) + static_cast<std::size_t>(j)]);
      double& to = out[size(i, ldc) + static_cast<std::size_t>(j)];
      to = alpha * sum + (beta == 0 ? 0 : beta * to);
    }
  return out;
}

template <class T>
void compare(double tolerance) {
  for (const Extents& e : products)
    for (int which = 0; which < 4; ++which)
      for (int gap : {0, 3}) {  // between the stored rows
        const bool ta = (which & 1) != 0, tb = (which & 2) != 0;
        INFO(e.m << " x " << e.n << " x " << e.k << (ta ? " T" : " N") << (tb ? "T" : "N") << " gap " << gap);
        const int lda = (ta ? e.m : e.k) + gap, ldb = (tb ? e.k : e.n) + gap, ldc = e.n + gap;
        const auto a = reference::normal<T>(size(ta ? e.k : e.m, lda), 1);
        const auto b = reference::normal<T>(size(tb ? e.n : e.k, ldb), 2);
        const auto c = reference::normal<T>(size(e.m, ldc), 3);
        for (const auto& [alpha, beta] :
             {std::pair{1.0, 0.0}, std::pair{-0.5, 1.0}, std::pair{2.0, 0.25}, std::pair{0.0, 0.5}}) {
          std::vector<T> have = c;
          kernel::gemm(Cpu{}, ta, tb, e.m, e.n, e.k, static_cast<T>(alpha), a.data(), lda, b.data(), ldb, static_cast<T>(beta),
                       have.data(), ldc);
          CHECK(reference::distance(have, naive(ta, tb, e, alpha, a, lda, b, ldb, beta, c, ldc)) < tolerance);
        }
      }
}

template <class T>
void compare_dense(double tolerance) {
  const Extents layers[] = {{1, 1, 1}, {1, 200, 33}, {2, 10, 100}, {5, 2, 100}, {19, 100, 77}, {70, 60, 40}, {3, 17, 300}};
  for (const Extents& e : layers)
    for (const Epilogue& epilogue : {Epilogue{}, Epilogue{Act::relu}, Epilogue{Act::relu6}, Epilogue{Act::leaky_relu, 0.2}}) {
      const int n = e.m, out = e.n, in = e.k;
      INFO("dense " << n << " x " << in << " -> " << out << ", activation " << static_cast<int>(epilogue.act));
      const auto x = reference::normal<T>(size(n, in), 1);
      const auto w = reference::normal<T>(size(in, out), 2);
      const auto b = reference::normal<T>(static_cast<std::size_t>(out), 3);
      const auto dy = reference::normal<T>(size(n, out), 4);
      for (bool bias : {true, false}) {
        std::vector<T> y(size(n, out), T{9});
        kernel::dense_forward(Cpu{}, n, in, out, x.data(), w.data(), bias ? b.data() : nullptr, epilogue, y.data());
        std::vector<T> start(y.size());
        for (std::size_t i = 0; i < start.size(); ++i) start[i] = bias ? b[i % b.size()] : T{0};
        auto want = naive(false, false, {n, out, in}, 1.0, x, in, w, out, 1.0, start, out);
        std::vector<T> masked(dy);
        for (std::size_t i = 0; i < want.size(); ++i) {
          const double z = want[i];
          double slope = 1;
          if (epilogue.act == Act::relu) want[i] = std::max(z, 0.0), slope = z > 0;
          if (epilogue.act == Act::relu6) want[i] = std::min(std::max(z, 0.0), 6.0), slope = z > 0 && z < 6;
          if (epilogue.act == Act::leaky_relu) want[i] = z > 0 ? z : 0.2 * z, slope = z > 0 ? 1 : 0.2;
          masked[i] = static_cast<T>(slope) * dy[i];
        }
        CHECK(reference::distance(y, want) < tolerance);
        for (int wanted = 0; wanted < 8; ++wanted) {
          std::vector<T> g = dy, dx(x.size(), T{9}), dw(w.size(), T{1}), db(b.size(), T{2});
          kernel::dense_backward(Cpu{}, n, in, out, x.data(), w.data(), y.data(), g.data(), epilogue,
                                 (wanted & 1) != 0 ? dx.data() : nullptr, (wanted & 2) != 0 ? dw.data() : nullptr,
                                 (wanted & 4) != 0 ? db.data() : nullptr);
          const std::vector<T> nines(x.size(), T{9}), ones(w.size(), T{1}), twos(b.size(), T{2});
          const std::vector<T> column(static_cast<std::size_t>(n), T{1});
          CHECK(reference::distance(dx, (wanted & 1) != 0
                                            ? naive(false, true, {n, in, out}, 1.0, masked, out, w, out, 0.0, nines, in)
                                            : std::vector<double>(nines.begin(), nines.end())) < tolerance);
          CHECK(reference::distance(dw, (wanted & 2) != 0
                                            ? naive(true, false, {in, out, n}, 1.0, x, in, masked, out, 1.0, ones, out)
                                            : std::vector<double>(ones.begin(), ones.end())) < tolerance);
          CHECK(reference::distance(db, (wanted & 4) != 0
                                            ? naive(true, false, {1, out, n}, 1.0, column, 1, masked, out, 1.0, twos, out)
                                            : std::vector<double>(twos.begin(), twos.end())) < tolerance);
        }
      }
    }
}

}  // namespace

TEST_CASE("matrix products are the plain loop's, in double", "[gemm]") { compare<double>(1e-12); }
TEST_CASE("matrix products are the plain loop's, in float", "[gemm]") { compare<float>(2e-5); }
TEST_CASE("dense layers are the plain loop's, in double", "[dense]") { compare_dense<double>(1e-12); }
TEST_CASE("dense layers are the plain loop's, in float", "[dense]") { compare_dense<float>(2e-5); }

TEST_CASE("with beta 0 a product does not read what it overwrites", "[gemm]") {
  for (int k : {0, 5}) {
    const std::vector<float> a(static_cast<std::size_t>(7 * 5), 1.0f), b(static_cast<std::size_t>(5 * 19), 1.0f);
    std::vector<float> c(static_cast<std::size_t>(7 * 19), std::numeric_limits<float>::quiet_NaN());
    kernel::gemm(Cpu{}, false, false, 7, 19, k, 1.0f, a.data(), 5, b.data(), 19, 0.0f, c.data(), 19);
    CHECK(c == std::vector<float>(c.size(), static_cast<float>(k)));
  }
}

TEST_CASE("rows' gaps are left alone by a product", "[gemm]") {
  const std::vector<float> a(static_cast<std::size_t>(9 * 6), 1.0f), b(static_cast<std::size_t>(6 * 50), 1.0f);
  std::vector<float> c(static_cast<std::size_t>(9 * 53), 4.0f);
  kernel::gemm(Cpu{}, false, false, 9, 50, 6, 1.0f, a.data(), 6, b.data(), 50, 0.0f, c.data(), 53);
  for (std::size_t i = 0; i < c.size(); ++i) CHECK(c[i] == (i % 53 < 50 ? 6.0f : 4.0f));
}

TEST_CASE("products and dense layers give the same bits on any number of threads", "[gemm]") {
  for (const Extents& e : {Extents{128, 100, 768}, Extents{260, 70, 1024}, Extents{2, 10, 100}, Extents{1, 1000, 500}}) {
    const auto a = reference::normal<float>(size(e.m, e.k), 1);
    const auto b = reference::normal<float>(size(e.k, e.n), 2);
    CHECK(reference::same_on_threads([&] {
      std::vector<float> c(size(e.m, e.n)), y(c.size()), dx(a.size()), dw(b.size()), db(static_cast<std::size_t>(e.n));
      kernel::gemm(Cpu{}, false, false, e.m, e.n, e.k, 1.0f, a.data(), e.k, b.data(), e.n, 0.0f, c.data(), e.n);
      kernel::dense_forward(Cpu{}, e.m, e.k, e.n, a.data(), b.data(), db.data(), Epilogue{Act::relu}, y.data());
      std::vector<float> dy = c;
      kernel::dense_backward(Cpu{}, e.m, e.k, e.n, a.data(), b.data(), y.data(), dy.data(), Epilogue{Act::relu}, dx.data(),
                             dw.data(), db.data());
      for (const auto* part : {&y, &dx, &dw, &db}) reference::append(c, *part);
      return c;
    }));
  }
}

}  // namespace test_gemm

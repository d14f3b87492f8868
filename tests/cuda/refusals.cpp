// What a driver or a library may refuse, and what graft asks of libraries: on the emulation, which can be told to.
#include "cuda/emulated_blas.hpp"
#include "cuda/emulated_dnn.hpp"
#include "cuda/replayed.hpp"
#include "graft/core/shape.hpp"
#include "graft/kernel/cpu/conv2d.hpp"
#include "graft/kernel/cpu/dense.hpp"
#include "graft/kernel/cuda/layers.hpp"

#include <cmath>

namespace test_refusals {
using namespace graft;
using namespace replayed;
using device::Array;
using device::read;

namespace {

/// Puts the emulation back as it was.
struct Restored {
  emulate::Device device = emulate::device;
  emulate::Blas blas = emulate::blas;
  emulate::Dnn dnn = emulate::dnn;
  ~Restored() {
    emulate::device = device;
    emulate::blas = blas;
    emulate::dnn = dnn;
  }
};

/// A product that is offered to the library: 256 x 256 x 280.
struct LargeProduct {
  static constexpr int m = 256, n = 256, k = 280;
  std::vector<float> from_a = reference::normal<float>(m * k, 1), from_b = reference::normal<float>(k * n, 2);
  Array<float> a{from_a}, b{from_b}, c{std::size_t{m} * n, 0.0f};
  void ask() { kernel::gemm(Cuda{}, false, false, m, n, k, 1.0f, read(a), k, read(b), n, 0.0f, c.data(), n); }
  void check() {
    std::vector<float> expected(std::size_t{m} * n);
    kernel::gemm(Cpu{}, false, false, m, n, k, 1.0f, from_a.data(), k, from_b.data(), n, 0.0f, expected.data(), n);
    CHECK(reference::distance(c.get(), expected) < 1e-5);
  }
};

/// A convolution that is offered: 3 x 16 x 16 x 64 -> 64, kernel 3 x 3.
struct LargeConvolution {
  static constexpr ConvExtents e{3, 16, 16, 64, 14, 14, 64, 3, 3, 1, 1, 1, 1, 0, 0, 1};
  static constexpr std::size_t outputs = 3 * 14 * 14 * 64;
  std::vector<float> from_x = reference::normal<float>(3 * 16 * 16 * 64, 1), from_w = reference::normal<float>(9 * 64 * 64, 2);
  Array<float> x{from_x}, w{from_w}, y{outputs};
  template <class D>
  void ask(D tag) {
    kernel::conv2d_forward(tag, e, read(x), read(w), static_cast<const float*>(nullptr), Epilogue{}, y.data(), nullptr);
  }
  void check() {
    std::vector<float> expected(outputs);
    kernel::conv2d_forward(Cpu{}, e, from_x.data(), from_w.data(), static_cast<const float*>(nullptr), Epilogue{},
                           expected.data(), nullptr);
    CHECK(reference::distance(y.get(), expected) < 1e-5);
  }
};

}  // namespace

TEST_CASE("cuda graphs: a driver that makes none launches one by one") {
  on_new_thread([] {
    const Restored before;
    emulate::device.makes_graphs = false;
    const Counted counted;
    Steps steps;
    for (int i = 0; i < 4; ++i) steps.step(0.5f);
    CHECK(steps.y.get() == steps.expected);
    CHECK(counted.graphs() == 0);
  });
}

TEST_CASE("cuda graphs: after a failure the next step is whole") {
  const Restored before;
  Steps steps;
  for (int i = 0; i < 3; ++i) steps.step(0.5f);
  steps.y.get();
  emulate::device.fault = cudaErrorIllegalAddress;
  cuda::scale_by(Cuda{}, 1000, 2.0f, steps.y.data());
  CHECK_THROWS_WITH(cuda::submit(), Catch::Matchers::ContainsSubstring("scale_by failed"));
  for (int i = 0; i < 3; ++i) steps.step(0.5f);
  CHECK(steps.y.get() == steps.expected);
  cuda::scale_by(Cuda{}, 1000, 2.0f, steps.y.data());
  emulate::device.fault = cudaErrorIllegalAddress;
  { Array<float> given_back(8, 1.0f); }  // may not throw
  CHECK_THROWS_WITH(cuda::synchronize(), Catch::Matchers::ContainsSubstring("scale_by failed"));
  cuda::synchronize();
}

TEST_CASE("cuda libraries: a product's algorithm is chosen once, for its extents and alignment") {
  on_new_thread([] {
    const std::uint64_t chosen = emulate::blas.chosen, ran = emulate::blas.ran;
    LargeProduct product;
    for (int i = 0; i < 3; ++i) product.ask();
    product.check();
    CHECK(emulate::blas.chosen == chosen + 1);
    CHECK(emulate::blas.ran == ran + 3);
    // One float further its rows are no longer 16 bytes apart from a round address.
    Array<float> more(std::size_t{LargeProduct::m} * LargeProduct::k + 1, 0.5f);
    kernel::gemm(Cuda{}, false, false, LargeProduct::m, LargeProduct::n, LargeProduct::k, 1.0f, read(more) + 1, LargeProduct::k,
                 read(product.b), LargeProduct::n, 0.0f, product.c.data(), LargeProduct::n);
    cuda::synchronize();
    CHECK(emulate::blas.chosen == chosen + 2);
    CHECK(emulate::blas.ran == ran + 4);
  });
}

TEST_CASE("cuda libraries: what they decline graft's own kernels do, and it is offered once") {
  on_new_thread([] {
    const Restored before;
    emulate::blas.declines = true;
    emulate::dnn.engines = {{{}, false}};
    const cuda::LibraryCalls calls = cuda::library_calls();
    LargeProduct product;
    LargeConvolution convolution;
    for (int i = 0; i < 2; ++i) {
      product.ask();
      convolution.ask(Cuda{});
    }
    product.check();
    convolution.check();
    CHECK(cuda::library_calls().products == calls.products);
    CHECK(cuda::library_calls().convolutions == calls.convolutions);
    CHECK(emulate::blas.chosen == before.blas.chosen + 1);
    CHECK(emulate::dnn.plans == before.dnn.plans);
  });
}

TEST_CASE("cuda libraries: one that fails when it runs is an Error, and the way around it is named") {
  on_new_thread([] {
    const Restored before;
    LargeProduct product;
    LargeConvolution convolution;
    emulate::blas.fails = true;
    product.ask();
    CHECK_THROWS_WITH(cuda::synchronize(),
                      Catch::Matchers::ContainsSubstring("a product by cuBLASLt failed: the emulation's own") &&
                          Catch::Matchers::ContainsSubstring("GRAFT_CUDA_LIBRARIES=0"));
    emulate::dnn.fails = true;
    convolution.ask(Cuda{});
    CHECK_THROWS_WITH(cuda::synchronize(),
                      Catch::Matchers::ContainsSubstring("a convolution by cuDNN failed: the emulation's own"));
  });
}

TEST_CASE("cuda libraries: full float takes no engine that rounds, and none whose sums come in no order") {
  on_new_thread([] {
    const Restored before;
    LargeConvolution convolution;
    emulate::dnn.engines = {{{CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC}},
                            {{}, true, std::int64_t{1} << 40},  // wants more memory than it may have
                            {{CUDNN_NUMERICAL_NOTE_TENSOR_CORE, CUDNN_NUMERICAL_NOTE_WINOGRAD}},
                            {{CUDNN_NUMERICAL_NOTE_WINOGRAD, CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6}},
                            {{CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS}},
                            {{CUDNN_NUMERICAL_NOTE_FFT}},
                            {{}, false},
                            {{CUDNN_NUMERICAL_NOTE_WINOGRAD, CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4}}};
    convolution.ask(Cuda{});
    CHECK(emulate::dnn.chosen == 7);
    convolution.ask(Tf32<Cuda>{});
    CHECK(emulate::dnn.chosen == 2);
    convolution.check();
    emulate::dnn.engines.pop_back();
    on_new_thread([] {  // it has no plans yet
      LargeConvolution none;
      none.ask(Cuda{});
      none.check();
      CHECK(cuda::library_calls().convolutions == 0);
    });
  });
}

TEST_CASE("cuda libraries: a NaN goes through an activation after them") {
  LargeProduct product;
  std::vector<float> with_nan = product.from_a;
  with_nan[0] = NAN;
  Array<float> x(with_nan);
  kernel::dense_forward(Cuda{}, LargeProduct::m, LargeProduct::k, LargeProduct::n, read(x), read(product.b),
                        static_cast<const float*>(nullptr), Epilogue{Act::relu}, product.c.data());
  const auto y = product.c.get();
  CHECK(std::isnan(y[5]));
  CHECK(y[std::size_t{3} * LargeProduct::n + 1] >= 0.0f);
}

namespace {
/// c = (scale a) b in a row of eight, the scale changing; afterwards c.
std::vector<float> scaled_products(int steps) {
  LargeProduct product;
  Array<float> other(std::size_t{LargeProduct::m} * LargeProduct::n, 0.0f);
  for (int i = 0; i < steps; ++i) {
    product.ask();
    // Into the one array and the other: an argument of the library's part changes.
    Array<float>& to = i % 2 == 0 ? product.c : other;
    kernel::gemm(Cuda{}, false, false, LargeProduct::m, LargeProduct::n, LargeProduct::k, static_cast<float>(i + 1),
                 read(product.a), LargeProduct::k, read(product.b), LargeProduct::n, 1.0f, to.data(), LargeProduct::n);
    for (int k = 0; k < 4; ++k)
      cuda::scale_by(Cuda{}, std::size_t{LargeProduct::m} * LargeProduct::n, k % 2 == 0 ? 2.0f : 0.5f, to.data());
    cuda::submit();
  }
  std::vector<float> both = product.c.get(), rest = other.get();
  both.insert(both.end(), rest.begin(), rest.end());
  return both;
}
}  // namespace

TEST_CASE("cuda libraries: their work is a part of a step's graph, with the arguments of each time", "[late]") {
  on_new_thread([] {
    const Restored before;
    const Counted counted;
    const std::vector<float> as_graph = scaled_products(7);
    CHECK(counted.graphs() == 1);
    CHECK(counted.replays() == 6);
    emulate::device.makes_graphs = false;
    std::vector<float> one_by_one;
    on_new_thread([&] { one_by_one = scaled_products(7); });
    CHECK(as_graph == one_by_one);
  });
}

TEST_CASE("cuda libraries: where they cannot be captured, or not changed, all goes one by one") {
  on_new_thread([] {
    const Restored before;
    const std::vector<float> expected = scaled_products(5);
    for (bool* refused : {&emulate::device.captures, &emulate::device.changes_captures}) {
      *refused = false;
      on_new_thread([&] {
        const Counted counted;
        CHECK(scaled_products(5) == expected);
        CHECK(counted.replays() == (refused == &emulate::device.captures ? 0u : 1u));
      });
      *refused = true;
    }
  });
}

}  // namespace test_refusals

#include "graft/kernel/cpu/pool.hpp"
#include "graft/core/shape.hpp"
#include "kernel/reference.hpp"

namespace test_pool {
using namespace graft;

namespace {

PoolExtents extents(int n, int h, int w, int c, Size size, Size stride, Padding padding) {
  const Window out = slide(h, w, size, stride, padding);
  return {n, h, w, c, out.oh, out.ow, size.h, size.w, stride.h, stride.w, out.top, out.left};
}
std::size_t outputs(const PoolExtents& e) { return kernel::detail::plane(e.oh, e.ow, e.c) * static_cast<std::size_t>(e.n); }

template <class T>
void against_reference(const io::TensorFile& file, const std::string& name, bool max, int size, int stride, Padding padding) {
  INFO(name << " in " << sizeof(T) * 8 << " bits");
  const auto shape = file.info(name + "/x").shape;
  const PoolExtents e = extents(static_cast<int>(shape[0]), static_cast<int>(shape[1]), static_cast<int>(shape[2]),
                                static_cast<int>(shape[3]), size, stride, padding);
  const auto x = file.get<T>(name + "/x");
  const auto dy = file.get<T>(name + "/dy");
  REQUIRE(outputs(e) == dy.size());
  std::vector<T> y(dy.size());
  std::vector<T> dx(x.size(), T{99});
  if (max) {
    std::vector<std::int32_t> winners(dy.size());
    kernel::max_pool_forward(Cpu{}, e, x.data(), y.data(), winners.data());
    kernel::max_pool_backward(Cpu{}, e, winners.data(), dy.data(), dx.data());
    std::vector<T> alone(dy.size());
    kernel::max_pool_forward(Cpu{}, e, x.data(), alone.data(), nullptr);
    CHECK(alone == y);
  } else {
    kernel::avg_pool_forward(Cpu{}, e, x.data(), y.data());
    kernel::avg_pool_backward(Cpu{}, e, dy.data(), dx.data());
  }
  CHECK(reference::distance(y, file.get<double>(name + "/y")) < reference::tolerance<T>);
  CHECK(reference::distance(dx, file.get<double>(name + "/dx")) < reference::tolerance<T>);
}

template <class T>
void all_against_reference(const io::TensorFile& file) {
  against_reference<T>(file, "max_pool.2", true, 2, 2, valid);
  against_reference<T>(file, "max_pool.3s2", true, 3, 2, valid);
  against_reference<T>(file, "max_pool.3s1_same", true, 3, 1, same);
  against_reference<T>(file, "max_pool.odd_input", true, 2, 2, valid);
  against_reference<T>(file, "max_pool.ties", true, 2, 2, valid);
  against_reference<T>(file, "avg_pool.2", false, 2, 2, valid);
  against_reference<T>(file, "avg_pool.3s1_same", false, 3, 1, same);

  const auto x = file.get<T>("global_avg_pool/x");
  const auto dy = file.get<T>("global_avg_pool/dy");
  std::vector<T> y(dy.size());
  std::vector<T> dx(x.size(), T{99});
  kernel::global_avg_pool_forward(Cpu{}, 3, 20, 7, x.data(), y.data());
  kernel::global_avg_pool_backward(Cpu{}, 3, 20, 7, dy.data(), dx.data());
  CHECK(reference::distance(y, file.get<double>("global_avg_pool/y")) < reference::tolerance<T>);
  CHECK(reference::distance(dx, file.get<double>("global_avg_pool/dx")) < reference::tolerance<T>);
}

}  // namespace

TEST_CASE("pooling agrees with PyTorch", "[kernel][pool]") {
  const auto file = reference::open("ops.safetensors");
  if (!file) return;
  all_against_reference<double>(*file);
  all_against_reference<float>(*file);
}

TEST_CASE("max pooling: the first of equals wins, a NaN wins, padding does not", "[kernel][pool]") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> x{5, 5, 5, 5, -1, nan, 3, 2};  // two samples of 2 x 2 x 1
  std::vector<float> y(2);
  std::vector<std::int32_t> winners(2);
  kernel::max_pool_forward(Cpu{}, extents(2, 2, 2, 1, 2, 2, valid), x.data(), y.data(), winners.data());
  CHECK(y[0] == 5.0f);
  CHECK(winners[0] == 0);
  CHECK(std::isnan(y[1]));
  CHECK(winners[1] == 1);

  const std::vector<float> below(9, -7.0f);
  std::vector<float> padded(9);
  kernel::max_pool_forward(Cpu{}, extents(1, 3, 3, 1, 3, 1, same), below.data(), padded.data(), nullptr);
  CHECK(padded == below);
}

TEST_CASE("average pooling leaves padding out of the mean", "[kernel][pool]") {
  const std::vector<double> ones(25, 1.0);
  std::vector<double> y(25);
  kernel::avg_pool_forward(Cpu{}, extents(1, 5, 5, 1, 3, 1, same), ones.data(), y.data());
  CHECK(reference::distance(y, ones) < 1e-15);
}

TEST_CASE("pooling backward is the transpose of forward", "[kernel][pool]") {
  const PoolExtents e = extents(2, 7, 6, 5, Size(3, 2), Size(2, 1), Padding(1, 1, 1, 0));
  const auto x = reference::normal(2 * 7 * 6 * 5, 1);
  const auto dy = reference::normal(outputs(e), 2);
  std::vector<double> y(dy.size());
  std::vector<double> dx(x.size());
  std::vector<std::int32_t> winners(dy.size());
  kernel::max_pool_forward(Cpu{}, e, x.data(), y.data(), winners.data());
  kernel::max_pool_backward(Cpu{}, e, winners.data(), dy.data(), dx.data());
  CHECK(std::abs(reference::dot(y, dy) - reference::dot(x, dx)) < 1e-12);
  kernel::avg_pool_forward(Cpu{}, e, x.data(), y.data());
  kernel::avg_pool_backward(Cpu{}, e, dy.data(), dx.data());
  CHECK(std::abs(reference::dot(y, dy) - reference::dot(x, dx)) < 1e-12);
}

TEST_CASE("pooling does not depend on the number of threads", "[kernel][pool]") {
  const PoolExtents e = extents(3, 33, 31, 37, 3, 2, same);
  const auto x = reference::normal<float>(3 * 33 * 31 * 37, 3);
  CHECK(reference::same_on_threads([&] {
    std::vector<float> y(outputs(e));
    std::vector<float> mean(outputs(e));
    std::vector<float> dx(x.size());
    std::vector<float> dmean(x.size());
    std::vector<float> all(3 * 37);
    std::vector<std::int32_t> winners(y.size());
    kernel::max_pool_forward(Cpu{}, e, x.data(), y.data(), winners.data());
    kernel::max_pool_backward(Cpu{}, e, winners.data(), y.data(), dx.data());
    kernel::avg_pool_forward(Cpu{}, e, x.data(), mean.data());
    kernel::avg_pool_backward(Cpu{}, e, mean.data(), dmean.data());
    kernel::global_avg_pool_forward(Cpu{}, 3, 33 * 31, 37, x.data(), all.data());
    for (const auto* more : {&mean, &dx, &dmean, &all}) reference::append(y, *more);
    return y;
  }));
}

}  // namespace test_pool

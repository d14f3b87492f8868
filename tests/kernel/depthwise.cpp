#include "graft/kernel/cpu/depthwise.hpp"
#include "graft/core/shape.hpp"
#include "kernel/reference.hpp"
#include "support/naive.hpp"

namespace test_depthwise {
using namespace graft;

namespace {

ConvExtents extents(int n, int h, int w, int c, Size size, Size stride, Padding padding, Size dilation = 1) {
  const Window out = slide(h, w, size, stride, padding, dilation);
  return {n, h, w, c, out.oh, out.ow, c, size.h, size.w, stride.h, stride.w, dilation.h, dilation.w, out.top, out.left, c};
}

template <class T>
void against_reference(const io::TensorFile& file, const std::string& name, int stride) {
  INFO(name << " in " << sizeof(T) * 8 << " bits");
  const auto shape = file.info(name + "/x").shape;
  const ConvExtents e = extents(static_cast<int>(shape[0]), static_cast<int>(shape[1]), static_cast<int>(shape[2]),
                                static_cast<int>(shape[3]), 3, stride, same);
  const auto x = file.get<T>(name + "/x");
  const auto w = file.get<T>(name + "/w");
  const auto b = file.get<T>(name + "/b");
  auto dy = file.get<T>(name + "/dy");
  std::vector<T> y(dy.size());
  std::vector<T> dx(x.size(), T{99});
  std::vector<T> dw(w.size(), T{1});
  std::vector<T> db(b.size(), T{1});
  kernel::depthwise_forward(Cpu{}, e, x.data(), w.data(), b.data(), Epilogue{}, y.data());
  kernel::depthwise_backward(Cpu{}, e, x.data(), w.data(), y.data(), dy.data(), Epilogue{}, dx.data(), dw.data(), db.data());
  for (T& v : dw) v -= T{1};  // parameter gradients are added to what is there
  for (T& v : db) v -= T{1};
  CHECK(reference::distance(y, file.get<double>(name + "/y")) < reference::tolerance<T>);
  CHECK(reference::distance(dx, file.get<double>(name + "/dx")) < reference::tolerance<T>);
  CHECK(reference::distance(dw, file.get<double>(name + "/dw")) < reference::tolerance<T>);
  CHECK(reference::distance(db, file.get<double>(name + "/db")) < reference::tolerance<T>);
}

/// Every direction against the definition.
void against_naive(const ConvExtents& e, Epilogue epilogue) {
  INFO("kernel " << e.kh << "x" << e.kw << ", stride " << e.sh << ", dilation " << e.dh << ", channels " << e.c
                 << ", activation " << static_cast<int>(epilogue.act));
  const std::size_t c = static_cast<std::size_t>(e.c);
  const auto x = reference::normal(static_cast<std::size_t>(e.n * e.h * e.w) * c, 1);
  const auto w = reference::normal(static_cast<std::size_t>(e.kh * e.kw) * c, 2);
  const auto b = reference::normal(c, 3);
  auto expected = naive::conv2d(e, x, w, b);
  auto dy = reference::normal(expected.size(), 4);
  auto gated = dy;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double pre = expected[i];
    const bool capped = epilogue.act == Act::relu6 && pre >= 6.0;
    const double below = epilogue.act == Act::none ? 1.0 : epilogue.act == Act::leaky_relu ? epilogue.alpha : 0.0;
    expected[i] = pre > 0.0 ? (capped ? 6.0 : pre) : below * pre;
    gated[i] *= pre > 0.0 ? (capped ? 0.0 : 1.0) : below;
  }
  std::vector<double> dx(x.size());
  std::vector<double> dw(w.size());
  std::vector<double> db(c);
  naive::for_conv(e, [&](std::size_t xi, std::size_t wi, std::size_t yi) {
    dx[xi] += w[wi] * gated[yi];
    dw[wi] += x[xi] * gated[yi];
  });
  for (std::size_t i = 0; i < gated.size(); ++i) db[i % c] += gated[i];

  std::vector<double> y(expected.size(), 99.0);
  std::vector<double> own_dx(x.size(), 99.0);
  std::vector<double> own_dw(w.size());
  std::vector<double> own_db(c);
  kernel::depthwise_forward(Cpu{}, e, x.data(), w.data(), b.data(), epilogue, y.data());
  kernel::depthwise_backward(Cpu{}, e, x.data(), w.data(), y.data(), dy.data(), epilogue, own_dx.data(), own_dw.data(),
                             own_db.data());
  CHECK(reference::distance(y, expected) < 1e-13);
  CHECK(reference::distance(own_dx, dx) < 1e-12);
  CHECK(reference::distance(own_dw, dw) < 1e-12);
  CHECK(reference::distance(own_db, db) < 1e-12);
}

}  // namespace

TEST_CASE("depthwise convolution agrees with PyTorch", "[kernel][depthwise]") {
  const auto file = reference::open("ops.safetensors");
  if (!file) return;
  against_reference<double>(*file, "depthwise.same", 1);
  against_reference<double>(*file, "depthwise.same_s2", 2);
  against_reference<float>(*file, "depthwise.same", 1);
  against_reference<float>(*file, "depthwise.same_s2", 2);
}

TEST_CASE("depthwise convolution agrees with the definition for any stride, padding, dilation, activation",
          "[kernel][depthwise]") {
  for (const Epilogue epilogue : {Epilogue{}, Epilogue{Act::relu}, Epilogue{Act::relu6}, Epilogue{Act::leaky_relu, 0.3}}) {
    against_naive(extents(2, 9, 8, 19, 3, 1, same), epilogue);
    against_naive(extents(2, 9, 8, 33, 3, 2, same), epilogue);
    against_naive(extents(1, 11, 10, 70, 5, 1, 2), epilogue);
    against_naive(extents(1, 12, 11, 5, 3, 1, same, 2), epilogue);
    against_naive(extents(3, 13, 12, 8, Size(1, 7), Size(3, 2), Padding(0, 1, 3, 2), Size(1, 2)), epilogue);
    against_naive(extents(2, 4, 4, 17, 1, 1, 2), epilogue);  // more padding than kernel
    against_naive(extents(1, 2, 2, 3, 5, 1, same), epilogue);
    against_naive(extents(2, 6, 6, 1, 3, 3, valid), epilogue);
  }
}

TEST_CASE("depthwise convolution: unwanted results, no bias", "[kernel][depthwise]") {
  const ConvExtents e = extents(1, 5, 5, 6, 3, 1, same);
  const auto x = reference::normal(150, 1);
  const auto w = reference::normal(54, 2);
  std::vector<double> zero(6);
  std::vector<double> with(150);
  std::vector<double> without(150);
  kernel::depthwise_forward(Cpu{}, e, x.data(), w.data(), zero.data(), Epilogue{}, with.data());
  kernel::depthwise_forward(Cpu{}, e, x.data(), w.data(), static_cast<const double*>(nullptr), Epilogue{}, without.data());
  CHECK(with == without);
  auto dy = reference::normal(150, 3);
  double* none = nullptr;
  CHECK_NOTHROW(kernel::depthwise_backward(Cpu{}, e, x.data(), w.data(), with.data(), dy.data(), Epilogue{}, none, none, none));
}

TEST_CASE("depthwise convolution does not depend on the number of threads", "[kernel][depthwise]") {
  const ConvExtents e = extents(5, 17, 15, 37, 3, 1, same);
  const auto x = reference::normal<float>(5 * 17 * 15 * 37, 1);
  const auto w = reference::normal<float>(9 * 37, 2);
  CHECK(reference::same_on_threads([&] {
    std::vector<float> y(x.size());
    auto dy = reference::normal<float>(x.size(), 3);
    std::vector<float> dx(x.size());
    std::vector<float> dw(w.size());
    std::vector<float> db(37);
    kernel::depthwise_forward(Cpu{}, e, x.data(), w.data(), w.data(), Epilogue{Act::relu}, y.data());
    kernel::depthwise_backward(Cpu{}, e, x.data(), w.data(), y.data(), dy.data(), Epilogue{Act::relu}, dx.data(), dw.data(),
                               db.data());
    for (const auto* more : {&dx, &dw, &db}) reference::append(y, *more);
    return y;
  }));
}

}  // namespace test_depthwise

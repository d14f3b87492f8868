// The ops against vectors that PyTorch computed in float64: forward, and every gradient.
#include <graft/ops/list.hpp>

#include "catch.hpp"
#include "support/case.hpp"
#include "support/reference.hpp"

namespace test_reference {
using namespace graft;
using reference::error;
using reference::tolerance;

namespace {

/// Runs the net on the case's x with its parameters, and compares y, dx and each parameter's gradient ("w" with "dw", ...).
template <class T>
void meet(support::AnyNet<T>& net, const io::TensorFile& file, const std::string& name, bool training) {
  INFO(name << (sizeof(T) == 8 ? " double" : " float") << (training ? "" : " inference"));
  const std::string mode = training ? "" : "_inference";
  for (const Segment& s : net.segments()) {
    const auto values = file.get<T>(name + "/" + s.name.substr(2));
    REQUIRE(values.size() == s.count);
    std::copy(values.begin(), values.end(), net.values().data() + s.offset);
  }
  for (const Segment& s : net.statistic_segments()) {
    const auto values = file.get<T>(name + "/" + s.name.substr(2));
    std::copy(values.begin(), values.end(), net.statistics().data() + s.offset);
  }
  if (!training) net.set_statistics_fixed(true);
  net.run(file.get<T>(name + "/x"), file.get<T>(name + "/dy" + mode));
  CHECK(error(net.y, file.get<double>(name + "/y" + mode)) < tolerance<T>);
  CHECK(error(net.dx, file.get<double>(name + "/dx" + mode)) < tolerance<T>);
  for (const Segment& s : net.segments()) {
    const T* g = net.gradients().data() + s.offset;
    INFO(s.name);
    CHECK(error(std::vector<T>(g, g + s.count), file.get<double>(name + "/d" + s.name.substr(2) + mode)) < tolerance<T>);
  }
  if (training) {
    for (const Segment& s : net.statistic_segments()) {
      const T* now = net.statistics().data() + s.offset;
      CHECK(error(std::vector<T>(now, now + s.count), file.get<double>(name + "/new_" + s.name.substr(2))) < tolerance<T>);
    }
  }
}

void both(const support::NetMaker& net, const io::TensorFile& file, const std::string& name, bool training) {
  meet(*net.in_double(), file, name, training);
  meet(*net.in_float(), file, name, training);
}
template <class N>
void both(const io::TensorFile& file, const std::string& name, bool training = true) {
  both(support::maker<N>(), file, name, training);
}

}  // namespace

TEST_CASE("convolutions meet the reference", "[reference]") {
  const auto file = reference::file("ops.safetensors");
  if (!file) return;
  both<Net<Image<12, 12, 3>, Conv2D<32, 5>>>(*file, "conv2d.first");
  both<Net<Image<8, 8, 32>, Conv2D<48, 5>>>(*file, "conv2d.second");
  both<Net<Image<7, 9, 5>, Conv2D<6, 3, Conv{.padding = same}>>>(*file, "conv2d.same");
  both<Net<Image<9, 9, 3>, Conv2D<8, 3, Conv{.stride = 2, .padding = same}>>>(*file, "conv2d.same_s2_odd");
  both<Net<Image<10, 8, 3>, Conv2D<8, 3, Conv{.stride = 2, .padding = same}>>>(*file, "conv2d.same_s2_even");
  both<Net<Image<15, 15, 3>, Conv2D<16, 7, Conv{.stride = 2, .padding = 3}>>>(*file, "conv2d.k7s2p3");
  both<Net<Image<5, 5, 16>, Conv2D<17, 1>>>(*file, "conv2d.k1");
  both<Net<Image<7, 7, 6>, Conv2D<4, 1, Conv{.stride = 2}>>>(*file, "conv2d.k1s2");
  both<Net<Image<35, 35, 3>, Conv2D<9, 11, Conv{.stride = 4, .padding = 2}>>>(*file, "conv2d.k11s4p2");
  both<Net<Image<6, 11, 4>, Conv2D<5, Size{1, 7}, Conv{.padding = same}>>>(*file, "conv2d.k1x7");
  both<Net<Image<11, 6, 4>, Conv2D<5, Size{7, 1}, Conv{.padding = same}>>>(*file, "conv2d.k7x1");
  both<Net<Image<11, 11, 3>, Conv2D<4, 3, Conv{.padding = same, .dilation = 2}>>>(*file, "conv2d.dilated");
  both<Net<Image<6, 6, 8>, Conv2D<6, 3, Conv{.padding = 1, .groups = 2}>>>(*file, "conv2d.groups2");
  both<Net<Image<5, 5, 1>, Conv2D<1, 5>>>(*file, "conv2d.one_sample");
  both<Net<Image<7, 7, 19>, DepthwiseConv2D<3, Conv{.padding = same}>>>(*file, "depthwise.same");
  both<Net<Image<8, 8, 16>, DepthwiseConv2D<3, Conv{.stride = 2, .padding = same}>>>(*file, "depthwise.same_s2");
  both<Net<Vector<7>, Dense<4>>>(*file, "dense");
}

TEST_CASE("pools meet the reference", "[reference]") {
  const auto file = reference::file("ops.safetensors");
  if (!file) return;
  both<Net<Image<8, 6, 5>, MaxPool2D<2>>>(*file, "max_pool.2");
  both<Net<Image<9, 9, 4>, MaxPool2D<3, 2>>>(*file, "max_pool.3s2");
  both<Net<Image<5, 5, 3>, MaxPool2D<3, 1, same>>>(*file, "max_pool.3s1_same");
  both<Net<Image<7, 5, 3>, MaxPool2D<2>>>(*file, "max_pool.odd_input");
  both<Net<Image<6, 6, 3>, MaxPool2D<2>>>(*file, "max_pool.ties");
  both<Net<Image<6, 6, 5>, AvgPool2D<2>>>(*file, "avg_pool.2");
  both<Net<Image<5, 6, 3>, AvgPool2D<3, 1, same>>>(*file, "avg_pool.3s1_same");
  both<Net<Image<4, 5, 7>, GlobalAveragePool>>(*file, "global_avg_pool");
}

TEST_CASE("batch normalisation meets the reference", "[reference]") {
  const auto file = reference::file("ops.safetensors");
  if (!file) return;
  for (const bool training : {true, false}) {
    both<Net<Image<5, 3, 6>, BatchNorm<>>>(*file, "batch_norm.image", training);
    both<Net<Vector<11>, BatchNorm<>>>(*file, "batch_norm.vector", training);
    both<Net<Vector<7>, BatchNorm<Norm{.momentum = 0.9, .epsilon = 1e-5}>>>(*file, "batch_norm.torch_defaults", training);
  }
}

TEST_CASE("activations meet the reference", "[reference]") {
  const auto file = reference::file("ops.safetensors");
  if (!file) return;
  both<Net<Vector<9>, ReLU>>(*file, "activation.relu");
  both<Net<Vector<9>, ReLU6>>(*file, "activation.relu6");
  both<Net<Vector<9>, LeakyReLU<0.3>>>(*file, "activation.leaky_relu_0p3");
  both<Net<Vector<9>, LeakyReLU<0.01>>>(*file, "activation.leaky_relu_0p01");
  both<Net<Vector<9>, ELU>>(*file, "activation.elu");
  both<Net<Vector<9>, GELU>>(*file, "activation.gelu");
  both<Net<Vector<9>, HardSwish>>(*file, "activation.hard_swish");
  both<Net<Vector<9>, Sigmoid>>(*file, "activation.sigmoid");
  both<Net<Vector<9>, Tanh>>(*file, "activation.tanh");
  both<Net<Vector<9>, Softplus>>(*file, "activation.softplus");
  both<Net<Vector<9>, Softmax>>(*file, "activation.softmax");
}

TEMPLATE_TEST_CASE("log-softmax meets the reference", "[reference]", float, double) {
  const auto file = reference::file("ops.safetensors");
  if (!file) return;
  const auto x = file->get<TestType>("activation.log_softmax/x");
  const auto dy = file->get<TestType>("activation.log_softmax/dy");
  std::vector<TestType> y(x.size()), dx(x.size());
  kernel::log_softmax_forward(Cpu{}, 4, 9, x.data(), y.data());
  kernel::log_softmax_backward(Cpu{}, 4, 9, y.data(), dy.data(), dx.data());
  CHECK(error(y, file->get<double>("activation.log_softmax/y")) < tolerance<TestType>);
  CHECK(error(dx, file->get<double>("activation.log_softmax/dx")) < tolerance<TestType>);
}

}  // namespace test_reference

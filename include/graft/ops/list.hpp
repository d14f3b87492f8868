#pragma once
/// \file list.hpp  All layers, and the list from which the tests and benchmarks are made: for every line a gradient check in
/// double, a check of float against double, of 1 against 2 threads, of allocations, of saving and loading, and a benchmark row.
/// Add an op: its header, one line here.
#include "graft/config.hpp"
#include "graft/core/net.hpp"
#include "graft/ops/activation.hpp"
#include "graft/ops/batch_norm.hpp"
#include "graft/ops/branches.hpp"
#include "graft/ops/conv2d.hpp"
#include "graft/ops/dense.hpp"
#include "graft/ops/depthwise_conv2d.hpp"
#include "graft/ops/dropout.hpp"
#include "graft/ops/flatten.hpp"
#include "graft/ops/lora.hpp"
#include "graft/ops/pool.hpp"

#include <tuple>

GRAFT_BEGIN

/// The layers on an input shape that shows them at work.
template <Shape In, class... Ls>
struct OpCase {
  using Net = graft::Net<In, Ls...>;
};

// clang-format off
using OpList = std::tuple<
    OpCase<Image<7, 6, 3>, Conv2D<5, 3>>,
    OpCase<Image<8, 8, 3>, Conv2D<16, 5>, ReLU, MaxPool2D<2>>,
    OpCase<Image<7, 7, 4>, Conv2D<17, 3, Conv{.padding = same}>, ReLU, MaxPool2D<2>>,
    OpCase<Image<7, 6, 4>, Conv2D<6, 3, Conv{.stride = 2, .padding = same}>, ReLU6>,
    OpCase<Image<8, 6, 4>, Conv2D<6, 3, Conv{.dilation = 2, .groups = 2, .bias = false}>>,
    OpCase<Image<9, 9, 2>, Conv2D<4, Size{1, 7}, Conv{.padding = 3}>, LeakyReLU<0.2>>,
    OpCase<Image<5, 5, 8>, Conv2D<6, 1>>,
    OpCase<Image<7, 6, 5>, DepthwiseConv2D<3, Conv{.padding = same}>, ReLU6>,
    OpCase<Image<7, 6, 5>, DepthwiseConv2D<3, Conv{.stride = 2, .padding = same, .bias = false}>>,
    OpCase<Vector<11>, Dense<7>>,
    OpCase<Vector<11>, Dense<7, false>, ReLU>,
    OpCase<Image<3, 2, 4>, Dense<5>, LeakyReLU<0.3>>,
    OpCase<Image<3, 2, 4>, Lora<Dense<5>, 2>, ReLU>,
    OpCase<Image<4, 3, 6>, Lora<Conv2D<5, 1, Conv{.bias = false}>, 3, 1.5>, BatchNorm<>>,
    OpCase<Image<7, 5, 3>, MaxPool2D<2>>,
    OpCase<Image<7, 7, 3>, MaxPool2D<3, 2, same>>,
    OpCase<Image<8, 7, 3>, MaxPool2D<3, 2, ceil_mode>>,
    OpCase<Image<6, 6, 3>, AvgPool2D<2>>,
    OpCase<Image<7, 6, 3>, AvgPool2D<2, 2, ceil_mode>>,
    OpCase<Image<5, 6, 3>, AvgPool2D<3, 1, same>>,
    OpCase<Image<4, 5, 6>, GlobalAveragePool>,
    OpCase<Image<4, 3, 6>, BatchNorm<>>,
    OpCase<Vector<9>, BatchNorm<torch_norm>>,
    OpCase<Image<4, 3, 6>, BatchNorm<Norm{.scale = false}>>,
    OpCase<Vector<9>, BatchNorm<>, ReLU>,
    OpCase<Vector<24>, Dropout<0.4>>,
    OpCase<Image<3, 4, 2>, Flatten, Dense<3>>,
    OpCase<Image<3, 4, 2>, ZeroPad<1>>,
    OpCase<Image<5, 5, 4>, Residual<Conv2D<4, 3, Conv{.padding = same}>, BatchNorm<>, ReLU>>,
    OpCase<Image<6, 6, 4>, Sum<Branch<Conv2D<6, 3, Conv{.stride = 2, .padding = same}>>, Branch<Conv2D<6, 1, Conv{.stride = 2}>>>, ReLU>,
    OpCase<Image<5, 5, 4>, Concat<Branch<Conv2D<3, 1>, ReLU>, Branch<Conv2D<2, 3, Conv{.padding = same}>>, Branch<>>>,
    OpCase<Vector<13>, ReLU>,
    OpCase<Vector<13>, ReLU6>,
    OpCase<Vector<13>, LeakyReLU<>>,
    OpCase<Vector<13>, ELU>,
    OpCase<Vector<13>, GELU>,
    OpCase<Vector<13>, SiLU>,
    OpCase<Vector<13>, HardSwish>,
    OpCase<Vector<13>, Sigmoid>,
    OpCase<Vector<13>, Tanh>,
    OpCase<Vector<13>, Softplus>,
    OpCase<Vector<13>, Softmax>>;
// clang-format on

GRAFT_END

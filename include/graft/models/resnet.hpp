#pragma once
/// \file resnet.hpp  ResNet-18, 34 and 50 (He, Zhang, Ren & Sun 2016, table 1), as torchvision has them.
#include "graft/config.hpp"
#include "graft/models/parts.hpp"

GRAFT_BEGIN
namespace models {

namespace detail {
template <Name Text, int Filters, int Kernel, int Stride = 1>
using ResConv = Named<Text, Conv2D<Filters, Kernel, Conv{.stride = Stride, .padding = Kernel / 2, .bias = false}>>;
template <Name Text>
using ResNorm = Named<Text, BatchNorm<torch_norm>>;

/// Figure 5, left: two 3x3 convolutions.
template <int Filters, int Stride>
using BasicBranch = Named<"", Branch<ResConv<"conv1", Filters, 3, Stride>, ResNorm<"bn1">, ReLU,  //
                                     ResConv<"conv2", Filters, 3>, ResNorm<"bn2">>>;
/// Figure 5, right: 1x1, 3x3 and a 1x1 of four times as many filters. The stride is the 3x3's, as in torchvision ("v1.5").
template <int Filters, int Stride>
using BottleneckBranch = Named<"", Branch<ResConv<"conv1", Filters, 1>, ResNorm<"bn1">, ReLU,          //
                                          ResConv<"conv2", Filters, 3, Stride>, ResNorm<"bn2">, ReLU,  //
                                          ResConv<"conv3", 4 * Filters, 1>, ResNorm<"bn3">>>;
template <int Filters, int Stride>
using Downsample =
    Named<"downsample", Branch<Conv2D<Filters, 1, Conv{.stride = Stride, .bias = false}>, BatchNorm<torch_norm>>>;

/// Block `I` of a stage; only the first may change the shape (option B: a projection). Blocks differ in their name alone, so a
/// stage is compiled as two blocks at most.
template <int Stage, int I, bool Bottleneck, int Filters, int Stride, bool Project>
struct ResBlock {
  static constexpr int out = Bottleneck ? 4 * Filters : Filters;
  template <int S>
  using Main = std::conditional_t<Bottleneck, BottleneckBranch<Filters, S>, BasicBranch<Filters, S>>;
  using Joint = std::conditional_t<I == 0 && Project, Sum<Main<Stride>, Downsample<out, Stride>>, Sum<Main<1>, Branch<>>>;
  using type = Pack<Named<numbered<numbered<"layer", Stage, ".">, I>, Joint>,
                    Named<numbered<numbered<"layer", Stage, ".">, I, ".relu">, ReLU>>;
};

template <int Stage, bool Bottleneck, int Filters, int Stride, class Indices>
struct ResStage;
template <int Stage, bool Bottleneck, int Filters, int Stride, int... Is>
struct ResStage<Stage, Bottleneck, Filters, Stride, std::integer_sequence<int, Is...>> {
  using type = Joined<typename ResBlock<Stage, Is, Bottleneck, Filters, Stride, (Stride != 1 || Bottleneck)>::type...>;
};
template <int Stage, bool Bottleneck, int Filters, int Blocks>
using ResLayer =
    typename ResStage<Stage, Bottleneck, Filters, Stage == 1 ? 1 : 2, std::make_integer_sequence<int, Blocks>>::type;

template <bool Bottleneck, int B1, int B2, int B3, int B4>
using ResTrunk = Joined<ResConv<"conv1", 64, 7, 2>, ResNorm<"bn1">, ReLU, Named<"maxpool", MaxPool2D<3, 2, Padding{1}>>,  //
                        ResLayer<1, Bottleneck, 64, B1>, ResLayer<2, Bottleneck, 128, B2>,                                //
                        ResLayer<3, Bottleneck, 256, B3>, ResLayer<4, Bottleneck, 512, B4>,                               //
                        Named<"avgpool", GlobalAveragePool>>;
template <int Classes>
using ResHead = Named<"fc", Dense<Classes>>;
}  // namespace detail

// Names and layouts are torchvision's (layer1.0.conv1, layer2.0.downsample.0, fc). Input: RGB in [0, 1] less (0.485, 0.456,
// 0.406), over (0.229, 0.224, 0.225). Networks give logits;
// Cut<ResNet18<>, "avgpool"> gives features. Keras' ResNet50 is
// another network: the stride stands in a block's first 1x1, convolutions have biases, epsilon is 1.001e-5 (25,583,592
// parameters); its weights do not load here.

/// ResNet-18; 512 features before "fc"; 11,689,512 parameters with 1000 classes.
template <int Classes = 1000, Shape Input = Image<224, 224, 3>>
struct ResNet18 : JoinedNet<Input, detail::ResTrunk<false, 2, 2, 2, 2>, detail::ResHead<Classes>> {};

/// ResNet-34; 512 features before "fc"; 21,797,672 parameters with 1000 classes.
template <int Classes = 1000, Shape Input = Image<224, 224, 3>>
struct ResNet34 : JoinedNet<Input, detail::ResTrunk<false, 3, 4, 6, 3>, detail::ResHead<Classes>> {};

/// ResNet-50; 2048 features before "fc"; 25,557,032 parameters with 1000 classes.
template <int Classes = 1000, Shape Input = Image<224, 224, 3>>
struct ResNet50 : JoinedNet<Input, detail::ResTrunk<true, 3, 4, 6, 3>, detail::ResHead<Classes>> {};

}  // namespace models
GRAFT_END

#pragma once
/// \file vgg.hpp  VGG-16 and VGG-19 (Simonyan & Zisserman 2015, table 1, columns D and E).
#include "graft/config.hpp"
#include "graft/models/parts.hpp"

GRAFT_BEGIN
namespace models {

namespace detail {
template <int Block, int I, int Filters>
using VggConv = Pack<Named<numbered<numbered<"block", Block, "_conv">, I>, Conv2D<Filters, 3, Conv{.padding = same}>>,
                     Named<numbered<numbered<"block", Block, "_conv">, I, "_relu">, ReLU>>;

template <int Block, int Filters, class Indices>
struct VggBlock;
template <int Block, int Filters, int... Is>
struct VggBlock<Block, Filters, std::integer_sequence<int, Is...>> {
  using type = Joined<VggConv<Block, Is + 1, Filters>..., Named<numbered<"block", Block, "_pool">, MaxPool2D<2>>>;
};
template <int Block, int Filters, int Convolutions>
using VggStage = typename VggBlock<Block, Filters, std::make_integer_sequence<int, Convolutions>>::type;

template <int Deep>
using VggTrunk =
    Joined<VggStage<1, 64, 2>, VggStage<2, 128, 2>, VggStage<3, 256, Deep>, VggStage<4, 512, Deep>, VggStage<5, 512, Deep>>;
template <int Classes>
using VggHead = Pack<Flatten, Named<"fc1", Dense<4096>>, Named<"fc1_relu", ReLU>, Dropout<0.5>, Named<"fc2", Dense<4096>>,
                     Named<"fc2_relu", ReLU>, Dropout<0.5>, Named<"predictions", Dense<Classes>>>;
}  // namespace detail

/// VGG-16 with Keras' names (block1_conv1, ..., fc1, fc2, predictions) and the paper's dropout; 138,357,544 parameters with
/// 1000 classes. Input for Keras' weights: BGR in [0, 255] less (103.939, 116.779, 123.68). What Keras calls the output of
/// "block5_conv4" is "block5_conv4_relu" here. Gives logits.
template <int Classes = 1000, Shape Input = Image<224, 224, 3>>
struct VGG16 : JoinedNet<Input, detail::VggTrunk<3>, detail::VggHead<Classes>> {};

/// VGG-19, as VGG16; 143,667,240 parameters with 1000 classes.
template <int Classes = 1000, Shape Input = Image<224, 224, 3>>
struct VGG19 : JoinedNet<Input, detail::VggTrunk<4>, detail::VggHead<Classes>> {};

}  // namespace models
GRAFT_END

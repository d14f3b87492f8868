#pragma once
/// \file googlenet.hpp  GoogLeNet (Szegedy et al. 2015), as torchvision has it.
#include "graft/config.hpp"
#include "graft/models/parts.hpp"

GRAFT_BEGIN
namespace models {

namespace detail {
inline constexpr Norm googlenet_norm{.momentum = 0.9, .epsilon = 1e-3, .unbiased = true};

/// Convolution, BatchNorm and ReLU, whose arrays are called `Prefix` + "conv" and "bn".
template <Name Prefix, int Filters, Size Kernel, Conv O>
using GoogleUnit = Pack<Named<concatenated(Prefix, Name("conv")), Conv2D<Filters, Kernel, O>>,
                        Named<concatenated(Prefix, Name("bn")), BatchNorm<googlenet_norm>>, ReLU>;
inline constexpr Conv google_1x1{.bias = false};
inline constexpr Conv google_3x3{.padding = 1, .bias = false};

/// Figure 2 b: 1x1; 1x1 and 3x3; 1x1 and 3x3 (the paper: 5x5); pool and 1x1.
template <int C1, int Reduce3, int C3, int Reduce5, int C5, int Pooled>
struct GoogleBlock
    : Concat<Named<"branch1", JoinedBranch<GoogleUnit<"", C1, 1, google_1x1>>>,
             Named<"branch2", JoinedBranch<GoogleUnit<"0.", Reduce3, 1, google_1x1>, GoogleUnit<"1.", C3, 3, google_3x3>>>,
             Named<"branch3", JoinedBranch<GoogleUnit<"0.", Reduce5, 1, google_1x1>, GoogleUnit<"1.", C5, 3, google_3x3>>>,
             Named<"branch4", JoinedBranch<MaxPool2D<3, 1, Padding{1}>, GoogleUnit<"1.", Pooled, 1, google_1x1>>>> {};

using GoogleTrunk = Joined<                                                                                         //
    Named<"conv1.conv", Conv2D<64, 7, Conv{.stride = 2, .padding = 3, .bias = false}>>,                             //
    Named<"conv1.bn", BatchNorm<googlenet_norm>>, ReLU, Named<"maxpool1", MaxPool2D<3, 2, ceil_mode>>,              //
    GoogleUnit<"conv2.", 64, 1, google_1x1>, GoogleUnit<"conv3.", 192, 3, google_3x3>,                              //
    Named<"maxpool2", MaxPool2D<3, 2, ceil_mode>>,                                                                  //
    Named<"inception3a", GoogleBlock<64, 96, 128, 16, 32, 32>>,                                                     //
    Named<"inception3b", GoogleBlock<128, 128, 192, 32, 96, 64>>, Named<"maxpool3", MaxPool2D<3, 2, ceil_mode>>,    //
    Named<"inception4a", GoogleBlock<192, 96, 208, 16, 48, 64>>,                                                    //
    Named<"inception4b", GoogleBlock<160, 112, 224, 24, 64, 64>>,                                                   //
    Named<"inception4c", GoogleBlock<128, 128, 256, 24, 64, 64>>,                                                   //
    Named<"inception4d", GoogleBlock<112, 144, 288, 32, 64, 64>>,                                                   //
    Named<"inception4e", GoogleBlock<256, 160, 320, 32, 128, 128>>, Named<"maxpool4", MaxPool2D<2, 2, ceil_mode>>,  //
    Named<"inception5a", GoogleBlock<256, 160, 320, 32, 128, 128>>,                                                 //
    Named<"inception5b", GoogleBlock<384, 192, 384, 48, 128, 128>>, Named<"avgpool", GlobalAveragePool>>;
}  // namespace detail

/// GoogLeNet in table 1's layout with torchvision's names and torchvision's departures from the paper, which its weights need:
/// BatchNorm instead of response normalisation, 3x3 where the paper has 5x5. The two auxiliary classifiers, which serve
/// training only, are left out (their arrays in a weight file are unused). 6,624,904 parameters with 1000 classes. Input: RGB
/// in [-1, 1] (torchvision's transform_input does that to images normalised for its other networks). Gives logits.
template <int Classes = 1000, Shape Input = Image<224, 224, 3>>
struct GoogLeNet : JoinedNet<Input, detail::GoogleTrunk, Dropout<0.2>, Named<"fc", Dense<Classes>>> {};

}  // namespace models
GRAFT_END

#pragma once
/// \file lenet.hpp  LeNet-5 (LeCun, Bottou, Bengio & Haffner 1998, section II.B).
#include "graft/config.hpp"
#include "graft/models/parts.hpp"

GRAFT_BEGIN
namespace models {

/// LeNet-5 in the paper's layout and names: tanh, means of 2 x 2, 32 x 32 grey images (28 x 28 digits padded by 2), 61,706
/// parameters. As everywhere today C3 sees all six maps of S2, the subsampling layers have no weights, and the last layer is
/// linear instead of radial. Gives logits.
template <int Classes = 10, Shape Input = Image<32, 32, 1>>
struct LeNet5 : Net<Input,                                                        //
                    Named<"C1", Conv2D<6, 5>>, Tanh, Named<"S2", AvgPool2D<2>>,   //
                    Named<"C3", Conv2D<16, 5>>, Tanh, Named<"S4", AvgPool2D<2>>,  //
                    Named<"C5", Conv2D<120, 5>>, Tanh, Flatten,                   //
                    Named<"F6", Dense<84>>, Tanh, Named<"output", Dense<Classes>>> {};

}  // namespace models
GRAFT_END

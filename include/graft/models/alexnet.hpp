#pragma once
/// \file alexnet.hpp  AlexNet, in the tutorials' and in torchvision's layout.
#include "graft/config.hpp"
#include "graft/models/parts.hpp"

GRAFT_BEGIN
namespace models {

/// AlexNet as the tutorials have it: the five convolutions and three dense layers of Krizhevsky, Sutskever & Hinton 2012 on one
/// device (no groups), without local response normalisation, 227 x 227 images, overlapping pools. 62,378,344 parameters with
/// 1000 classes. Layers are called conv1 to conv5 and fc6 to fc8. Gives logits.
template <int Classes = 1000, Shape Input = Image<227, 227, 3>>
struct AlexNet227
    : Net<Input,                                                                                                         //
          Named<"conv1", Conv2D<96, 11, Conv{.stride = 4}>>, Named<"relu1", ReLU>, Named<"pool1", MaxPool2D<3, 2>>,      //
          Named<"conv2", Conv2D<256, 5, Conv{.padding = same}>>, Named<"relu2", ReLU>, Named<"pool2", MaxPool2D<3, 2>>,  //
          Named<"conv3", Conv2D<384, 3, Conv{.padding = same}>>, Named<"relu3", ReLU>,                                   //
          Named<"conv4", Conv2D<384, 3, Conv{.padding = same}>>, Named<"relu4", ReLU>,                                   //
          Named<"conv5", Conv2D<256, 3, Conv{.padding = same}>>, Named<"relu5", ReLU>, Named<"pool5", MaxPool2D<3, 2>>,  //
          Flatten, Named<"fc6", Dense<4096>>, Named<"relu6", ReLU>, Dropout<0.5>, Named<"fc7", Dense<4096>>,
          Named<"relu7", ReLU>, Dropout<0.5>,  //
          Named<"fc8", Dense<Classes>>> {};

/// AlexNet as torchvision has it (Krizhevsky 2014, "One weird trick"), names included: 224 x 224 images, 61,100,840 parameters
/// with 1000 classes. torchvision pools other image sizes to 6 x 6 before the dense layers; this net takes them as they come,
/// so its weights load at 224 only. Input: RGB in [0, 1] less (0.485, 0.456, 0.406), over (0.229, 0.224, 0.225). Gives logits.
template <int Classes = 1000, Shape Input = Image<224, 224, 3>>
struct AlexNet : Net<Input,  //
                     Named<"features.0", Conv2D<64, 11, Conv{.stride = 4, .padding = 2}>>, Named<"features.1", ReLU>,
                     Named<"features.2", MaxPool2D<3, 2>>,  //
                     Named<"features.3", Conv2D<192, 5, Conv{.padding = 2}>>, Named<"features.4", ReLU>,
                     Named<"features.5", MaxPool2D<3, 2>>,                                                //
                     Named<"features.6", Conv2D<384, 3, Conv{.padding = 1}>>, Named<"features.7", ReLU>,  //
                     Named<"features.8", Conv2D<256, 3, Conv{.padding = 1}>>, Named<"features.9", ReLU>,  //
                     Named<"features.10", Conv2D<256, 3, Conv{.padding = 1}>>, Named<"features.11", ReLU>,
                     Named<"features.12", MaxPool2D<3, 2>>,                                                   //
                     Flatten, Dropout<0.5>, Named<"classifier.1", Dense<4096>>, Named<"classifier.2", ReLU>,  //
                     Dropout<0.5>, Named<"classifier.4", Dense<4096>>, Named<"classifier.5", ReLU>,
                     Named<"classifier.6", Dense<Classes>>> {};

}  // namespace models
GRAFT_END

#pragma once
/// \file mobilenet.hpp  MobileNetV1 (Howard et al. 2017) and MobileNetV2 (Sandler et al. 2018), any width, as Keras has them.
#include "graft/config.hpp"
#include "graft/models/parts.hpp"

GRAFT_BEGIN
namespace models {

namespace detail {
/// Filters at a width, as Keras cuts them for V1.
constexpr int scaled(int filters, Number width) { return static_cast<int>(filters * width.value); }
/// The multiple of 8 nearest to v, at least 8 and at least 0.9 v, as Keras takes for V2.
constexpr int in_eights(double v) {
  int eights = static_cast<int>(v + 4) / 8 * 8;
  if (eights < 8) eights = 8;
  return eights < 0.9 * v ? eights + 8 : eights;
}

// ---- V1
// -----------------------------------------------------------------------------------------------------------------------
/// Keras pads before a stride of 2 by (0, 1) whatever the size; on even sizes that is TensorFlow's `same`.
template <int Stride>
inline constexpr Conv keras_depthwise{.stride = Stride, .padding = Stride == 1 ? same : Padding{0, 1, 0, 1}, .bias = false};

/// Figure 3, right, and table 1: depthwise 3x3, then 1x1, each with BatchNorm and ReLU6.
template <int I, int Filters, int Stride = 1>
using Separable = Pack<Named<numbered<"conv_dw_", I>, DepthwiseConv2D<3, keras_depthwise<Stride>>>,  //
                       Named<numbered<"conv_dw_", I, "_bn">, BatchNorm<>>,                           //
                       Named<numbered<"conv_dw_", I, "_relu">, ReLU6>,                               //
                       Named<numbered<"conv_pw_", I>, Conv2D<Filters, 1, Conv{.bias = false}>>,      //
                       Named<numbered<"conv_pw_", I, "_bn">, BatchNorm<>>,                           //
                       Named<numbered<"conv_pw_", I, "_relu">, ReLU6>>;

/// Table 1's filters and strides of block `i` (1 to 13).
constexpr int v1_filters(int i) { return i == 1 ? 64 : i <= 3 ? 128 : i <= 5 ? 256 : i <= 11 ? 512 : 1024; }
constexpr int v1_stride(int i) { return i == 2 || i == 4 || i == 6 || i == 12 ? 2 : 1; }

template <Number Width, class Indices>
struct V1Blocks;
template <Number Width, int... Is>
struct V1Blocks<Width, std::integer_sequence<int, Is...>> {
  using type = Joined<Separable<Is + 1, scaled(v1_filters(Is + 1), Width), v1_stride(Is + 1)>...>;
};
template <Number Width>
using V1Trunk = Joined<Pack<Named<"conv1", Conv2D<scaled(32, Width), 3, Conv{.stride = 2, .padding = same, .bias = false}>>,
                            Named<"conv1_bn", BatchNorm<>>, Named<"conv1_relu", ReLU6>>,
                       typename V1Blocks<Width, std::make_integer_sequence<int, 13>>::type>;

// ---- V2
// -----------------------------------------------------------------------------------------------------------------------
inline constexpr Norm v2_norm{.momentum = 0.999, .epsilon = 1e-3};
template <int Stride = 1>
inline constexpr Conv v2_same{.stride = Stride, .padding = same, .bias = false};

/// Block 0, which has no expansion.
template <int Filters>
using V2First = Pack<Named<"expanded_conv_depthwise", DepthwiseConv2D<3, v2_same<>>>,  //
                     Named<"expanded_conv_depthwise_BN", BatchNorm<v2_norm>>, ReLU6,   //
                     Named<"expanded_conv_project", Conv2D<Filters, 1, v2_same<>>>,    //
                     Named<"expanded_conv_project_BN", BatchNorm<v2_norm>>>;

/// Table 1 and figure 4 d: 1x1 up to six times the channels, depthwise 3x3, linear 1x1 down; added to its input where shapes
/// agree. Blocks that differ in their number alone are one type.
template <int In, int Filters, int Stride>
struct V2Inverted
    : std::conditional_t<
          In == Filters && Stride == 1,
          Residual<Named<"expand", Conv2D<6 * In, 1, v2_same<>>>, Named<"expand_BN", BatchNorm<v2_norm>>, ReLU6,
                   Named<"depthwise", DepthwiseConv2D<3, v2_same<Stride>>>, Named<"depthwise_BN", BatchNorm<v2_norm>>, ReLU6,
                   Named<"project", Conv2D<Filters, 1, v2_same<>>>, Named<"project_BN", BatchNorm<v2_norm>>>,
          Concat<Named<
              "", Branch<Named<"expand", Conv2D<6 * In, 1, v2_same<>>>, Named<"expand_BN", BatchNorm<v2_norm>>, ReLU6,
                         Named<"depthwise", DepthwiseConv2D<3, v2_same<Stride>>>, Named<"depthwise_BN", BatchNorm<v2_norm>>,
                         ReLU6, Named<"project", Conv2D<Filters, 1, v2_same<>>>, Named<"project_BN", BatchNorm<v2_norm>>>>>> {};

template <int I, int In, int Filters, int Stride>
using V2Block = Prefixed<numbered<"block_", I>, numbered<"block_", I, "_">, V2Inverted<In, Filters, Stride>>;

/// Table 2's filters of block `i` (0 to 16), before the width.
constexpr int v2_filters(int i) {
  return i == 0 ? 16 : i <= 2 ? 24 : i <= 5 ? 32 : i <= 9 ? 64 : i <= 12 ? 96 : i <= 15 ? 160 : 320;
}
constexpr int v2_stride(int i) { return i == 1 || i == 3 || i == 6 || i == 13 ? 2 : 1; }
constexpr int v2_width(int i, Number width) { return in_eights(static_cast<int>(v2_filters(i) * width.value)); }

constexpr int v2_last(Number width) { return width.value > 1.0 ? in_eights(1280 * width.value) : 1280; }

template <Number Width, class Indices>
struct V2Blocks;
template <Number Width, int... Is>
struct V2Blocks<Width, std::integer_sequence<int, Is...>> {
  using type = Joined<V2Block<Is + 1, v2_width(Is, Width), v2_width(Is + 1, Width), v2_stride(Is + 1)>...>;
};
template <Number Width>
using V2Trunk = Joined<
    Pack<Named<"Conv1", Conv2D<in_eights(32 * Width.value), 3, v2_same<2>>>, Named<"bn_Conv1", BatchNorm<v2_norm>>, ReLU6>,
    V2First<v2_width(0, Width)>, typename V2Blocks<Width, std::make_integer_sequence<int, 16>>::type,
    Named<"Conv_1", Conv2D<v2_last(Width), 1, v2_same<>>>, Named<"Conv_1_bn", BatchNorm<v2_norm>>, Named<"out_relu", ReLU6>>;
}  // namespace detail

// Layers bear Keras' names (conv1, conv_dw_3, conv_pw_3_bn, ...; Conv1, block_2_expand, ...). Input: RGB in [-1, 1].

/// MobileNetV1 of any width; 4,231,976 parameters at width 1 with 1000 classes, 470,072 at 0.25. The 1x1 convolution at its
/// end, "conv_preds", is a Dense layer here. Gives logits.
template <Number Width = 1.0, int Classes = 1000, Shape Input = Image<224, 224, 3>>
struct MobileNetV1 : JoinedNet<Input, detail::V1Trunk<Width>, Named<"global_average_pooling2d", GlobalAveragePool>,
                               Dropout<0.001>, Named<"conv_preds", Dense<Classes>>> {};

/// MobileNetV2 of any width; 3,504,872 parameters at width 1 with 1000 classes. An inverted residual block is one layer, called
/// "block_2". Gives logits.
template <Number Width = 1.0, int Classes = 1000, Shape Input = Image<224, 224, 3>>
struct MobileNetV2 : JoinedNet<Input, detail::V2Trunk<Width>, Named<"global_average_pooling2d", GlobalAveragePool>,
                               Named<"predictions", Dense<Classes>>> {};

}  // namespace models
GRAFT_END

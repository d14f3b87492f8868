#pragma once
// The pretrained trunks, MobileNetV1 (Howard et al. 2017), by the numbers of their features.
#include <graft/core/surgery.hpp>
#include <graft/data/normalize.hpp>
#include <graft/models/mobilenet.hpp>

namespace example {

template <int Width>
struct Trunk;
template <>
struct Trunk<256> : graft::Cut<graft::models::MobileNetV1<0.25>, "global_average_pooling2d"> {};
template <>
struct Trunk<1024> : graft::WithHead<graft::Cut<graft::models::MobileNetV1<1.0>, "conv_pw_12_relu">, graft::GlobalAveragePool> {
};
/// What they take: images in [-1, 1].
inline const graft::data::Normalize trunk_normalize{{0.5, 0.5, 0.5, 0.5}, {0.5, 0.5, 0.5, 0.5}};

}  // namespace example

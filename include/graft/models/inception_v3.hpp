#pragma once
/// \file inception_v3.hpp  Inception-v3 (Szegedy et al. 2016), as Keras has it: 94 convolutions.
#include "graft/config.hpp"
#include "graft/models/parts.hpp"

GRAFT_BEGIN
namespace models {

namespace detail {
/// Keras' BatchNorm here has no gamma.
inline constexpr Norm inception_norm{.scale = false};

/// Keras numbers layers of a kind in the order in which they are made: "conv2d", "conv2d_1", ...
inline std::string keras_name(const char* kind, int number) {
  std::string name = kind;
  if (number > 0) name.append("_").append(std::to_string(number));
  return name;
}

/// Names a block's arrays by the ordinal of their convolution, `first` that of the first.
inline void name_by_number(const LayerRules& layer, Shape in, const std::string& parent, int first, NameVisitor& visitor) {
  struct Numbers final : WeightVisitor {
    Numbers(const std::string& p, int number, NameVisitor& v) : before(p), convolution(number), norm(number), to(v) {}
    void operator()(const Weight& weight) override {
      const std::string name =
          weight.role == Role::kernel ? keras_name("conv2d", convolution++) : keras_name("batch_normalization", norm);
      if (weight.role == Role::running_var) ++norm;
      to(before + name + "/" + weight.name, weight);
    }
    const std::string& before;
    int convolution, norm;
    NameVisitor& to;
  };
  Numbers numbers(parent, first, visitor);
  layer.visit(in, numbers);
}

/// The block L, called `Label`, whose convolutions and BatchNorms bear Keras' numbers from `First` on. The number stands in
/// this wrapper alone, so that equal blocks are compiled once.
template <Name Label, int First, class L>
struct Numbered : L {
  static constexpr Name label = Label;
  static void visit_names(const LayerRules& layer, Shape in, const std::string& path, NameVisitor& visitor) {
    name_by_number(layer, in, before(path, label.view()), First, visitor);
  }
};

/// Convolution, BatchNorm, ReLU: `conv2d_bn` in Keras' source.
template <int Filters, Size Kernel, Padding P = same, int Stride = 1>
using InceptionUnit =
    Pack<Conv2D<Filters, Kernel, Conv{.stride = Stride, .padding = P, .bias = false}>, BatchNorm<inception_norm>, ReLU>;
template <int Filters, int H, int W>
using Unit = InceptionUnit<Filters, Size{H, W}>;
using Mean3 = AvgPool2D<3, 1, same>;

/// The paper's figure 5: mixed0 to mixed2, 7 convolutions.
template <int Pooled>
using Figure5 = Concat<JoinedBranch<Unit<64, 1, 1>>, JoinedBranch<Unit<48, 1, 1>, Unit<64, 5, 5>>,
                       JoinedBranch<Unit<64, 1, 1>, Unit<96, 3, 3>, Unit<96, 3, 3>>, JoinedBranch<Mean3, Unit<Pooled, 1, 1>>>;
/// Figure 10: mixed3 halves the image, 4 convolutions.
using Figure10 = Concat<JoinedBranch<InceptionUnit<384, 3, valid, 2>>,
                        JoinedBranch<Unit<64, 1, 1>, Unit<96, 3, 3>, InceptionUnit<96, 3, valid, 2>>, Branch<MaxPool2D<3, 2>>>;
/// Figure 6 with n = 7: mixed4 to mixed7, 10 convolutions.
template <int C>
using Figure6 = Concat<JoinedBranch<Unit<192, 1, 1>>, JoinedBranch<Unit<C, 1, 1>, Unit<C, 1, 7>, Unit<192, 7, 1>>,
                       JoinedBranch<Unit<C, 1, 1>, Unit<C, 7, 1>, Unit<C, 1, 7>, Unit<C, 7, 1>, Unit<192, 1, 7>>,
                       JoinedBranch<Mean3, Unit<192, 1, 1>>>;
/// mixed8 halves the image, 6 convolutions.
using Mixed8 = Concat<JoinedBranch<Unit<192, 1, 1>, InceptionUnit<320, 3, valid, 2>>,
                      JoinedBranch<Unit<192, 1, 1>, Unit<192, 1, 7>, Unit<192, 7, 1>, InceptionUnit<192, 3, valid, 2>>,
                      Branch<MaxPool2D<3, 2>>>;
/// Figure 7: mixed9 and mixed10, 9 convolutions.
using Fork = Concat<JoinedBranch<Unit<384, 1, 3>>, JoinedBranch<Unit<384, 3, 1>>>;
using Figure7 = Concat<JoinedBranch<Unit<320, 1, 1>>, JoinedBranch<Unit<384, 1, 1>, Fork>,
                       JoinedBranch<Unit<448, 1, 1>, Unit<384, 3, 3>, Fork>, JoinedBranch<Mean3, Unit<192, 1, 1>>>;

/// The first five convolutions stand in the net one by one.
template <int I, int Filters, Size Kernel, Padding P, int Stride = 1>
using StemUnit =
    Pack<Numbered<numbered<"conv2d_", I>, I, Conv2D<Filters, Kernel, Conv{.stride = Stride, .padding = P, .bias = false}>>,
         Numbered<numbered<"batch_normalization_", I>, I, BatchNorm<inception_norm>>, ReLU>;

using InceptionTrunk = Joined<                                                                       //
    StemUnit<0, 32, 3, valid, 2>, StemUnit<1, 32, 3, valid>, StemUnit<2, 64, 3, same>,               //
    Named<"max_pooling2d", MaxPool2D<3, 2>>, StemUnit<3, 80, 1, valid>, StemUnit<4, 192, 3, valid>,  //
    Named<"max_pooling2d_1", MaxPool2D<3, 2>>,                                                       //
    Numbered<"mixed0", 5, Figure5<32>>, Numbered<"mixed1", 12, Figure5<64>>,                         //
    Numbered<"mixed2", 19, Figure5<64>>, Numbered<"mixed3", 26, Figure10>,                           //
    Numbered<"mixed4", 30, Figure6<128>>, Numbered<"mixed5", 40, Figure6<160>>,                      //
    Numbered<"mixed6", 50, Figure6<160>>, Numbered<"mixed7", 60, Figure6<192>>,                      //
    Numbered<"mixed8", 70, Mixed8>, Numbered<"mixed9", 76, Figure7>, Numbered<"mixed10", 85, Figure7>>;
}  // namespace detail

// Arrays bear Keras' names in the order of construction: conv2d/w, batch_normalization/beta, ..., conv2d_93/w (a model built in
// a session that had made other layers before has higher numbers), predictions/w; blocks are called mixed0 to mixed10. Input:
// RGB in [-1, 1]; 75 x 75 is the least.

/// Inception-v3; 23,817,352 parameters and 34,432 running statistics with 1000 classes. Gives logits.
template <int Classes = 1000, Shape Input = Image<299, 299, 3>>
struct InceptionV3
    : JoinedNet<Input, detail::InceptionTrunk, Named<"avg_pool", GlobalAveragePool>, Named<"predictions", Dense<Classes>>> {};

}  // namespace models
GRAFT_END

#pragma once
// The LeNet of the tutorials on domain adaptation: 5x5 convolutions that keep the size, dropout, 100 features.
#include "on_images.hpp"

namespace example {

template <int Classes>
struct TutorialLeNet : SmallTranslation, NormNets<Classes>, CaffeLeNet<Classes> {
  static constexpr graft::Conv five{.padding = graft::same};
  struct Features
      : graft::Net<graft::Image<28, 28, 3>,  //
                   graft::Conv2D<32, 5, five>, graft::ReLU, graft::MaxPool2D<2>, graft::Conv2D<48, 5, five>, graft::ReLU,
                   graft::MaxPool2D<2>, graft::Flatten, graft::Dropout<0.5>, graft::Dense<100>, graft::ReLU> {};
  struct BoundedFeatures
      : graft::Net<graft::Image<28, 28, 3>,  //
                   graft::Conv2D<32, 5, five>, graft::ReLU, graft::MaxPool2D<2>, graft::Conv2D<48, 5, five>, graft::ReLU,
                   graft::MaxPool2D<2>, graft::Flatten, graft::Dropout<0.5>, graft::Dense<100>, graft::Tanh> {};
  struct Labels : graft::Net<Features::output, graft::Dense<128>, graft::ReLU, graft::Dense<Classes>> {};
  struct Domains : graft::Net<Features::output, graft::Dense<128>, graft::ReLU, graft::Dense<2>> {};
  struct MapDomains : graft::Net<graft::Vector<1024>, graft::Dense<100>, graft::ReLU, graft::Dense<1>> {};
  struct Generator : graft::Net<Features::output, graft::Dense<128>, graft::ReLU, graft::Dense<100>> {};
  static constexpr bool reads_images = true;
  static constexpr graft::Initialiser initialiser = graft::Initialiser::glorot_uniform;
};

Outcome lenet_10(const Pair&, const Settings&);
/// On Cuda.
Outcome lenet_10_cuda(const Pair&, const Settings&);

}  // namespace example

#pragma once
// The MNIST-M network of Ganin & Lempitsky 2015 (figure 4 a), as dann_mnist has it.
#include "on_images.hpp"

namespace example {

template <int Classes>
struct Ganin2015 : SmallTranslation, NormNets<Classes>, CaffeLeNet<Classes> {
  struct Features : graft::Net<graft::Image<28, 28, 3>,  //
                               graft::Conv2D<32, 5>, graft::ReLU, graft::MaxPool2D<2>, graft::Conv2D<48, 5>, graft::ReLU,
                               graft::MaxPool2D<2>, graft::Flatten> {};
  struct BoundedFeatures : graft::Net<graft::Image<28, 28, 3>,  //
                                      graft::Conv2D<32, 5>, graft::ReLU, graft::MaxPool2D<2>, graft::Conv2D<48, 5>, graft::Tanh,
                                      graft::MaxPool2D<2>, graft::Flatten> {};
  struct Labels
      : graft::Net<Features::output, graft::Dense<100>, graft::ReLU, graft::Dense<100>, graft::ReLU, graft::Dense<Classes>> {};
  struct Domains : graft::Net<Features::output, graft::Dense<100>, graft::ReLU, graft::Dense<2>> {};
  struct MapDomains : graft::Net<graft::Vector<1024>, graft::Dense<100>, graft::ReLU, graft::Dense<1>> {};
  struct Generator : graft::Net<Features::output, graft::Dense<128>, graft::ReLU, graft::Dense<768>> {};
  static constexpr bool reads_images = true;
  static constexpr graft::Initialiser initialiser = graft::Initialiser::torch_uniform;
};

Outcome ganin2015_10(const Pair&, const Settings&);
Outcome ganin2015_100(const Pair&, const Settings&);
/// On Cuda.
Outcome ganin2015_10_cuda(const Pair&, const Settings&);
Outcome ganin2015_100_cuda(const Pair&, const Settings&);

}  // namespace example

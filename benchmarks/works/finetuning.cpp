// W3: DDC on AlexNet, 32 + 32 images, an adaptation layer of 256 (Tzeng et al. 2014): seven layers frozen, all trained, and the
// frozen layers' output computed before. W4: Inception-v3 frozen through mixed5 (torchvision's Mixed_6c), the rest
// trained. /winograd: with convolutions by tiles.
#include <graft/models/alexnet.hpp>
#include <graft/models/inception_v3.hpp>

#include "networks.hpp"

using namespace graft;

namespace works {
namespace {

constexpr int half = 32;

/// models::AlexNet up to its last hidden layer, without dropout, whose random numbers no peer shares.
using Trunk = Net<Image<224, 224, 3>, Conv2D<64, 11, Conv{.stride = 4, .padding = 2}>, ReLU, MaxPool2D<3, 2>,
                  Conv2D<192, 5, Conv{.padding = 2}>, ReLU, MaxPool2D<3, 2>, Conv2D<384, 3, Conv{.padding = 1}>, ReLU,
                  Conv2D<256, 3, Conv{.padding = 1}>, ReLU, Conv2D<256, 3, Conv{.padding = 1}>, ReLU, MaxPool2D<3, 2>, Flatten,
                  Dense<4096>, ReLU, Dense<4096>, ReLU>;
struct All : Trunk {};
struct Frozen : TrainFrom<Trunk, Trunk::layers> {};
struct Adapt : Net<Trunk::output, Dense<256>, ReLU> {};
struct Labels : Net<Adapt::output, Dense<12>> {};

/// One step: cross-entropy on the source's half, 0.25 MMD^2 between both halves' adaptation layers.
template <class Body, bool cached, class Device = Cpu>
class W3 final : public Work {
  Numbers images_{2 * half * Trunk::input.size(), 1};
  std::vector<int> classes_ = cyclic_labels(half, 12);
  Model<Body, Device> body_;
  Model<Adapt> adapt_;
  Model<Labels> labels_;
  Sgd<float> optimizer_{{.learning_rate = 1e-4, .momentum = 0.9}, body_, adapt_, labels_};
  Tape<float> tape_;
  std::vector<float> features_;
  double label_ = 0, distance_ = 0;

  template <class F>
  void rest(const F& features) {
    const auto a = tape_(adapt_, features);
    const auto label = cross_entropy(tape_(labels_, a.source()), ClassLabels<12>{classes_.data(), half});
    kernel::MmdOptions options;
    options.gamma[0] = 1.0 / 256;
    const auto distance = mmd(a.source(), a.target(), options);
    label_ = static_cast<double>(label.value());
    distance_ = static_cast<double>(distance.value());
    optimizer_.step(backward(label + 0.25 * distance));
  }

 public:
  W3() {
    start_deep(body_);
    start_deep(adapt_);
    start_deep(labels_);
    if constexpr (cached) {
      features_.resize(2 * half * Trunk::output.size());
      body_.predict(images_.data(), 2 * half, features_.data());
    }
  }
  void step() override {
    if constexpr (cached) {
      rest(Rows<float>{features_.data(), 2 * half, half});
    } else {
      rest(tape_(body_, Rows<float>{images_.data(), 2 * half, half}));
    }
  }
  std::vector<double> numbers() override {
    std::vector<double> all;
    for (int i = 0; i < 3; ++i) {
      step();
      all.push_back(label_);
      all.push_back(distance_);
    }
    return all;
  }
};

using Inception = models::InceptionV3<>;
using Tuned = TrainFromNamed<WithHead<Cut<Inception, "avg_pool">, Named<"head", Dense<12>>>, "mixed6">;

}  // namespace

void add_finetuning(Makers& makers) {
  makers["W3/frozen"] = [] { return std::make_unique<W3<Frozen, false>>(); };
  makers["W3/all"] = [] { return std::make_unique<W3<All, false>>(); };
  makers["W3/frozen/winograd"] = [] { return std::make_unique<W3<Frozen, false, Winograd<Cpu>>>(); };
  makers["W3/all/winograd"] = [] { return std::make_unique<W3<All, false, Winograd<Cpu>>>(); };
  makers["W3/cached"] = [] { return std::make_unique<W3<Frozen, true>>(); };
  makers["W4"] = [] { return std::make_unique<Training<Tuned>>(16); };
  makers["W4/winograd"] = [] { return std::make_unique<Training<Tuned, Winograd<Cpu>>>(16); };
}

}  // namespace works

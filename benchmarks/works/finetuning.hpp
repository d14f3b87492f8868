#pragma once
// DDC on AlexNet, and fine-tuning of Inception-v3, on any device.
#include <graft/models/alexnet.hpp>
#include <graft/models/inception_v3.hpp>

#include <utility>

#include "networks.hpp"

namespace works {

using namespace graft;

namespace ddc {

inline constexpr int half = 32;  // images of each domain

/// models::AlexNet up to its last hidden layer, without dropout, whose random numbers no peer shares.
using Trunk = Net<Image<224, 224, 3>, Conv2D<64, 11, Conv{.stride = 4, .padding = 2}>, ReLU, MaxPool2D<3, 2>,
                  Conv2D<192, 5, Conv{.padding = 2}>, ReLU, MaxPool2D<3, 2>, Conv2D<384, 3, Conv{.padding = 1}>, ReLU,
                  Conv2D<256, 3, Conv{.padding = 1}>, ReLU, Conv2D<256, 3, Conv{.padding = 1}>, ReLU, MaxPool2D<3, 2>, Flatten,
                  Dense<4096>, ReLU, Dense<4096>, ReLU>;
struct All : Trunk {};
struct Frozen : TrainFrom<Trunk, Trunk::layers> {};
struct Adapt : Net<Trunk::output, Dense<256>, ReLU> {};
struct Labels : Net<Adapt::output, Dense<12>> {};

}  // namespace ddc

/// One step: cross-entropy on the source's half, 0.25 MMD^2 between both halves' adaptation layers.
template <class Body, bool cached, class Device = Cpu>
class W3 final : public OnDevice<Device> {
  using OnDevice<Device>::asks_;
  static constexpr int half = ddc::half, all = 2 * half;
  Numbers images_{all * ddc::Trunk::input.size(), 1};
  std::vector<int> classes_ = cyclic_labels(half, 12);
  Model<Body, Device> body_;
  Model<ddc::Adapt, Device> adapt_;
  Model<ddc::Labels, Device> labels_;
  Sgd<float> optimizer_{{.learning_rate = 1e-4, .momentum = 0.9}, body_, adapt_, labels_};
  Tape<float> tape_;
  std::vector<float> features_;
  const float* rows_ = nullptr;
  double label_ = 0, distance_ = 0;

  template <class F>
  void rest(const F& features) {
    const auto a = tape_(adapt_, features);
    const auto label = cross_entropy(tape_(labels_, a.source()), ClassLabels<12>{classes_.data(), half});
    kernel::MmdOptions options;
    options.gamma[0] = 1.0 / 256;
    const auto distance = mmd(a.source(), a.target(), options);
    if (asks_) {
      label_ = static_cast<double>(label.value());
      distance_ = static_cast<double>(distance.value());
    }
    optimizer_.step(backward(label + 0.25 * distance));
  }

 public:
  W3() {
    start_deep(body_);
    start_deep(adapt_);
    start_deep(labels_);
    if constexpr (cached) {
      features_.resize(all * ddc::Trunk::output.size());
      body_.predict(images_.data(), all, features_.data());
      rows_ = features_.data();
    } else {
      rows_ = this->placed(body_, images_);
    }
  }
  void step() override {
    if constexpr (cached) {
      rest(Rows<float>{rows_, all, half});
    } else {
      rest(tape_(body_, Rows<float>{rows_, all, half}));
    }
  }
  [[nodiscard]] int together() const override { return this->elsewhere ? 10 : 1; }
  std::vector<double> numbers() override {
    std::vector<double> told;
    const bool asked = std::exchange(asks_, true);
    for (int i = 0; i < 3; ++i) {
      step();
      told.push_back(label_);
      told.push_back(distance_);
    }
    asks_ = asked;
    return told;
  }
};

using Inception = models::InceptionV3<>;
using TunedInception = TrainFromNamed<WithHead<Cut<Inception, "avg_pool">, Named<"head", Dense<12>>>, "mixed6">;

}  // namespace works

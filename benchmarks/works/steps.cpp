// W1: one step of DANN on 128 + 128 digits of 28 x 28 x 3, the network of Ganin et al. 2016, SGD with momentum. W1/bf16: with
// activations in bf16; /winograd: with convolutions by tiles. W1/lenet: its extractor and label head alone on 256 digits.
#include "digits.hpp"

namespace works {
namespace {

/// One step of SGD with momentum. Its numbers are taken as W1's.
class Lenet final : public Work {
  static constexpr int count = 2 * half;
  Batch batch_;
  std::vector<int> classes_;
  Model<Features> features_;
  Model<Labels> labels_;
  Sgd<float> optimizer_{{.learning_rate = 1e-3, .momentum = 0.9}, features_, labels_};
  Tape<float> tape_;
  double loss_ = 0;

 public:
  Lenet() {
    for (int i = 0; i < count; ++i) classes_.push_back(i * 7 % 10);
    start(features_, 10);
    start(labels_, 20);
  }
  void step() override {
    const auto f = tape_(features_, Rows<float>{batch_.images.data(), count});
    const auto loss = cross_entropy(tape_(labels_, f), ClassLabels<10>{classes_.data(), count});
    loss_ = static_cast<double>(loss.value());
    optimizer_.step(backward(loss));
  }
  std::vector<double> numbers() override {
    std::vector<double> all;
    optimizer_.learning_rate = 0.1;
    for (int i = 0; i < 5; ++i) {
      step();
      all.push_back(loss_ - std::log(10.0));
    }
    optimizer_.learning_rate = 1e-3;
    return all;
  }
  [[nodiscard]] double operations() const override { return count * (2 * conv1 + 3 * conv2 + 3 * label_head); }
};

}  // namespace

void add_steps(Makers& makers) {
  makers["W1"] = [] { return std::make_unique<W1<>>(); };
  makers["W1/bf16"] = [] { return std::make_unique<W1<Bf16<Cpu>>>(); };
  makers["W1/winograd"] = [] { return std::make_unique<W1<Winograd<Cpu>>>(); };
  makers["W1/lenet"] = [] { return std::make_unique<Lenet>(); };
  makers["W2"] = [] { return std::make_unique<W2<>>(); };
  makers["W2/winograd"] = [] { return std::make_unique<W2<Winograd<Cpu>>>(); };
}

}  // namespace works

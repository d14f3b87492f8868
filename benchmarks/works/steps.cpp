// W1: one step of DANN on 128 + 128 digits of 28 x 28 x 3, the network of Ganin et al. 2016, SGD with momentum. W1/bf16: with
// activations in bf16. W1/lenet: its extractor and label head alone on 256 digits.
// W2: the variant with batch normalisation, a swapped-label adversary and three Adam optimisers.
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

class W2 final : public Work {
  struct Labels : Net<Features::output, Dense<100, false>, BatchNorm<>, LeakyReLU<0.3>, Dense<100, false>, BatchNorm<>,
                      LeakyReLU<0.3>, Dense<10>> {};
  struct Domains
      : Net<Features::output, Dense<256, false>, BatchNorm<>, LeakyReLU<0.3>, Dense<128, false>, BatchNorm<>, LeakyReLU<0.3>,
            Dense<64, false>, BatchNorm<>, LeakyReLU<0.3>, Dense<32, false>, BatchNorm<>, LeakyReLU<0.3>, Dense<1, false>> {};
  Batch batch_;
  Model<Features> features_;
  Model<Labels> labels_;
  Model<Domains> domains_;
  AdamOptions options_{.learning_rate = 7e-5, .epsilon = 1e-7};
  Adam<float> for_features_{options_, features_}, for_labels_{options_, labels_}, for_domains_{options_, domains_};
  Tape<float> tape_;
  double label_ = 0, domain_ = 0, swapped_ = 0;

 public:
  W2() {
    start(features_, 10);
    start(labels_, 20);
    start(domains_, 30);
  }
  void step() override {
    const auto fs = tape_(features_, Rows<float>{batch_.images.data(), half, 0});
    const auto ft = tape_(features_, Rows<float>{batch_.images.data() + half * Features::input.size(), half, 0});
    const auto label = cross_entropy(tape_(labels_, fs), ClassLabels<10>{batch_.labels.data(), half});
    const auto domain =
        binary_cross_entropy(tape_(domains_, fs.detached()), 1.0f) + binary_cross_entropy(tape_(domains_, ft.detached()), 0.0f);
    const auto swapped =
        binary_cross_entropy(tape_(fixed(domains_), fs), 0.0f) + binary_cross_entropy(tape_(fixed(domains_), ft), 1.0f);
    label_ = static_cast<double>(label.value());
    domain_ = static_cast<double>(domain.value());
    swapped_ = static_cast<double>(swapped.value());
    const Gradients done = backward(0.8 * (label + 0.5 * swapped + domain));
    for_features_.step(done);
    for_labels_.step(done);
    for_domains_.step(done);
  }
  std::vector<double> numbers() override {
    std::vector<double> all;
    for (int i = 0; i < 3; ++i) {
      step();
      for (const double loss : {label_, domain_, swapped_}) all.push_back(loss);
    }
    return all;
  }
  [[nodiscard]] double operations() const override {
    constexpr double domain = 2.0 * (768 * 256 + 256 * 128 + 128 * 64 + 64 * 32 + 32);
    return 2 * half * (2 * conv1 + 3 * conv2 + 5 * domain) + half * 3 * label_head;
  }
};

}  // namespace

void add_steps(Makers& makers) {
  makers["W1"] = [] { return std::make_unique<W1<>>(); };
  makers["W1/bf16"] = [] { return std::make_unique<W1<Bf16<Cpu>>>(); };
  makers["W1/lenet"] = [] { return std::make_unique<Lenet>(); };
  makers["W2"] = [] { return std::make_unique<W2>(); };
}

}  // namespace works

#pragma once
// The digits' network of Ganin et al. 2016 on 28 x 28 x 3, its inputs and weights from streams; W1: a step of DANN with it, and
// W2: the variant with batch normalisation, a swapped-label adversary and three Adam optimisers.
#include <graft/graft.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

#include "placed.hpp"

namespace works {

using namespace graft;

struct Features : Net<Image<28, 28, 3>, Conv2D<32, 5>, ReLU, MaxPool2D<2>, Conv2D<48, 5>, ReLU, MaxPool2D<2>, Flatten> {};
struct Labels : Net<Features::output, Dense<100>, ReLU, Dense<100>, ReLU, Dense<10>> {};
struct Domains : Net<Features::output, Dense<100>, ReLU, Dense<2>> {};
inline constexpr double conv1 = 2.0 * 24 * 24 * 32 * 75, conv2 = 2.0 * 8 * 8 * 48 * 800;
inline constexpr int half = 128;
/// Additions and multiplications of the label head for one sample, forward.
inline constexpr double label_head = 2.0 * (768 * 100 + 100 * 100 + 100 * 10);

/// Weights in [-6, 6) / sqrt(count), the k-th array from stream `stream` + k; biases 0.
template <class M>
void start(M& model, std::uint32_t stream) {
  std::uint32_t k = 0;
  for (const Segment& s : model.segments()) {
    float* at = model.values().data() + s.offset;
    if (s.name.ends_with("/w")) {
      const float scale = 6.0f / std::sqrt(static_cast<float>(s.count));
      for (std::size_t i = 0; i < s.count; ++i) at[i] = scale * hashed(static_cast<std::uint32_t>(i), stream + k);
    } else if (s.name.ends_with("/b")) {
      std::fill(at, at + s.count, 0.0f);
    }
    ++k;
  }
}

struct Batch {
  Numbers images{2 * half * Features::input.size(), 1, 0.5f};
  std::vector<int> labels, domains;
  Batch() {
    for (int i = 0; i < half; ++i) labels.push_back(i * 7 % 10);
    for (int i = 0; i < 2 * half; ++i) domains.push_back(i < half ? 0 : 1);
  }
};

template <class Device>
class DigitsWork : public OnDevice<Device> {
 protected:
  Batch batch_;
  Model<Features, Device> features_;
  Tape<float> tape_;
  const float* images_ = this->placed(features_, batch_.images);

  DigitsWork() { start(features_, 10); }
  [[nodiscard]] int together() const override { return this->elsewhere ? 50 : 1; }
};

/// One step of DANN (Ganin et al. 2016), SGD with momentum. A step at the rate that is timed hardly moves the losses: its
/// numbers are how far five steps at rate 0.1 move them from those of chance.
template <class Device = Cpu>
class W1 final : public DigitsWork<Device> {
  using Base = DigitsWork<Device>;
  using Base::batch_, Base::features_, Base::tape_, Base::images_, Base::asks_;
  Model<Labels, Device> labels_;
  Model<Domains, Device> domains_;
  Sgd<float> optimizer_{{.learning_rate = 1e-3, .momentum = 0.9}, features_, labels_, domains_};
  double label_ = 0, domain_ = 0;

 public:
  W1() {
    start(labels_, 20);
    start(domains_, 30);
  }
  void step() override {
    const auto f = tape_(features_, Rows<float>{images_, 2 * half, half});
    const auto label = cross_entropy(tape_(labels_, f.source()), ClassLabels<10>{batch_.labels.data(), half});
    const auto domain = cross_entropy(tape_(domains_, reverse_gradient(f, 0.5)), DomainLabels{batch_.domains.data(), 2 * half});
    if (asks_) {
      label_ = static_cast<double>(label.value());
      domain_ = static_cast<double>(domain.value());
    }
    optimizer_.step(backward(label + domain));
  }
  [[nodiscard]] double label() const { return label_; }
  [[nodiscard]] double domain() const { return domain_; }
  std::vector<double> numbers() override {
    std::vector<double> all;
    const bool asked = std::exchange(asks_, true);
    optimizer_.learning_rate = 0.1;
    for (int i = 0; i < 5; ++i) {
      step();
      all.push_back(label_ - std::log(10.0));
      all.push_back(domain_ - std::log(2.0));
    }
    optimizer_.learning_rate = 1e-3;
    asks_ = asked;
    return all;
  }
  [[nodiscard]] double operations() const override {
    constexpr double domain = 2.0 * (768 * 100 + 100 * 2);
    return 2 * half * (2 * conv1 + 3 * conv2 + 3 * domain) + half * 3 * label_head;
  }
};

struct NormLabels : Net<Features::output, Dense<100, false>, BatchNorm<>, LeakyReLU<0.3>, Dense<100, false>, BatchNorm<>,
                        LeakyReLU<0.3>, Dense<10>> {};
struct NormDomains
    : Net<Features::output, Dense<256, false>, BatchNorm<>, LeakyReLU<0.3>, Dense<128, false>, BatchNorm<>, LeakyReLU<0.3>,
          Dense<64, false>, BatchNorm<>, LeakyReLU<0.3>, Dense<32, false>, BatchNorm<>, LeakyReLU<0.3>, Dense<1, false>> {};
template <class Device = Cpu>
class W2 final : public DigitsWork<Device> {
  using Base = DigitsWork<Device>;
  using Base::batch_, Base::features_, Base::tape_, Base::images_, Base::asks_;
  Model<NormLabels, Device> labels_;
  Model<NormDomains, Device> domains_;
  AdamOptions options_{.learning_rate = 7e-5, .epsilon = 1e-7};
  Adam<float> for_features_{options_, features_}, for_labels_{options_, labels_}, for_domains_{options_, domains_};
  double label_ = 0, domain_ = 0, swapped_ = 0;

 public:
  W2() {
    start(labels_, 20);
    start(domains_, 30);
  }
  void step() override {
    const auto fs = tape_(features_, Rows<float>{images_, half, 0});
    const auto ft = tape_(features_, Rows<float>{images_ + half * Features::input.size(), half, 0});
    const auto label = cross_entropy(tape_(labels_, fs), ClassLabels<10>{batch_.labels.data(), half});
    const auto domain =
        binary_cross_entropy(tape_(domains_, fs.detached()), 1.0f) + binary_cross_entropy(tape_(domains_, ft.detached()), 0.0f);
    const auto swapped =
        binary_cross_entropy(tape_(fixed(domains_), fs), 0.0f) + binary_cross_entropy(tape_(fixed(domains_), ft), 1.0f);
    if (asks_) {
      label_ = static_cast<double>(label.value());
      domain_ = static_cast<double>(domain.value());
      swapped_ = static_cast<double>(swapped.value());
    }
    const Gradients done = backward(0.8 * (label + 0.5 * swapped + domain));
    for_features_.step(done);
    for_labels_.step(done);
    for_domains_.step(done);
  }
  std::vector<double> numbers() override {
    std::vector<double> all;
    const bool asked = std::exchange(asks_, true);
    for (int i = 0; i < 3; ++i) {
      step();
      for (const double loss : {label_, domain_, swapped_}) all.push_back(loss);
    }
    asks_ = asked;
    return all;
  }
  [[nodiscard]] double operations() const override {
    constexpr double domain = 2.0 * (768 * 256 + 256 * 128 + 128 * 64 + 64 * 32 + 32);
    return 2 * half * (2 * conv1 + 3 * conv2 + 5 * domain) + half * 3 * label_head;
  }
};

}  // namespace works

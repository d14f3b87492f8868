#pragma once
// The digits' network of Ganin et al. 2016 on 28 x 28 x 3, its inputs and weights from streams, and W1: a step of DANN with it.
#include <graft/graft.hpp>

#include <algorithm>
#include <cmath>

#include "numbers.hpp"

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

/// One step of DANN (Ganin et al. 2016), SGD with momentum. A step at the rate that is timed hardly moves the losses: its
/// numbers are how far five steps at rate 0.1 move them from those of chance.
template <class Device = Cpu>
class W1 final : public Work {
  Batch batch_;
  Model<Features, Device> features_;
  Model<Labels, Device> labels_;
  Model<Domains, Device> domains_;
  Sgd<float> optimizer_{{.learning_rate = 1e-3, .momentum = 0.9}, features_, labels_, domains_};
  Tape<float> tape_;
  double label_ = 0, domain_ = 0;

 public:
  W1() {
    start(features_, 10);
    start(labels_, 20);
    start(domains_, 30);
  }
  void step() override {
    const auto f = tape_(features_, Rows<float>{batch_.images.data(), 2 * half, half});
    const auto label = cross_entropy(tape_(labels_, f.source()), ClassLabels<10>{batch_.labels.data(), half});
    const auto domain = cross_entropy(tape_(domains_, reverse_gradient(f, 0.5)), DomainLabels{batch_.domains.data(), 2 * half});
    label_ = static_cast<double>(label.value());
    domain_ = static_cast<double>(domain.value());
    optimizer_.step(backward(label + domain));
  }
  [[nodiscard]] double label() const { return label_; }
  [[nodiscard]] double domain() const { return domain_; }
  std::vector<double> numbers() override {
    std::vector<double> all;
    optimizer_.learning_rate = 0.1;
    for (int i = 0; i < 5; ++i) {
      step();
      all.push_back(label_ - std::log(10.0));
      all.push_back(domain_ - std::log(2.0));
    }
    optimizer_.learning_rate = 1e-3;
    return all;
  }
  [[nodiscard]] double operations() const override {
    constexpr double domain = 2.0 * (768 * 100 + 100 * 2);
    return 2 * half * (2 * conv1 + 3 * conv2 + 3 * domain) + half * 3 * label_head;
  }
};

}  // namespace works

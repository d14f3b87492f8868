#pragma once
// What the rows of whole networks share: weights that every peer can make, and labels.
#include <graft/graft.hpp>
#include <graft/ops/deploy.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

#include "placed.hpp"

namespace works {

/// Weights in [-s, s), s = sqrt(6 / fan-in), the k-th array from stream 100 + k; all else as a new model has it.
template <class M>
void start_deep(M& model) {
  std::uint32_t stream = 100;
  for (const graft::Segment& s : model.segments()) {
    if (!s.name.ends_with("/w")) continue;
    const std::size_t out = static_cast<std::size_t>(s.dims[static_cast<std::size_t>(s.rank - 1)]);
    const bool depthwise = s.rank == 4 ? out == 1 : s.rank == 3;
    const std::size_t fan_in =
        depthwise ? static_cast<std::size_t>(s.dims[0]) * static_cast<std::size_t>(s.dims[1]) : s.count / out;
    const float scale = std::sqrt(6.0f / static_cast<float>(fan_in));
    float* at = model.values().data() + s.offset;
    for (std::size_t i = 0; i < s.count; ++i) at[i] = scale * hashed(static_cast<std::uint32_t>(i), stream);
    ++stream;
  }
}

inline std::vector<int> cyclic_labels(int count, int classes) {
  std::vector<int> labels;
  for (int i = 0; i < count; ++i) labels.push_back(i * 7 % classes);
  return labels;
}

/// A network in inference, as it is deployed: BatchNorm folded, weights packed. The numbers are its logits'.
template <class N, class Device = graft::Cpu>
class Inference final : public Work {
  int batch_;
  Numbers images_;
  graft::Model<graft::Deployed<N>, Device> deployed_;
  std::vector<float> logits_;

  static auto started() {
    graft::Model<N, Device> model;
    start_deep(model);
    return graft::deploy(model);
  }

 public:
  explicit Inference(int batch)
      : batch_(batch),
        images_(static_cast<std::size_t>(batch) * N::input.size(), 1),
        deployed_(started()),
        logits_(static_cast<std::size_t>(batch) * N::output.size()) {
    deployed_.prepack();
  }
  void step() override { deployed_.predict(images_.data(), batch_, logits_.data()); }
  std::vector<double> numbers() override {
    step();
    return summary(logits_.data(), logits_.size());
  }
};

/// Steps of SGD with momentum on a whole network, cross-entropy; the numbers are the losses of the first three.
template <class N, class Device = graft::Cpu>
class Training final : public OnDevice<Device> {
  using OnDevice<Device>::asks_;
  int batch_;
  Numbers images_;
  std::vector<int> labels_;
  graft::Model<N, Device> model_;
  graft::Sgd<float> optimizer_;
  graft::Tape<float> tape_;
  const float* rows_;
  double loss_ = 0;

 public:
  explicit Training(int batch)
      : batch_(batch),
        images_(static_cast<std::size_t>(batch) * N::input.size(), 1),
        labels_(cyclic_labels(batch, N::output.c)),
        optimizer_({.learning_rate = 1e-3, .momentum = 0.9}, model_),
        rows_(this->placed(model_, images_)) {
    start_deep(model_);
  }
  void step() override {
    const auto logits = tape_(model_, graft::Rows<float>{rows_, batch_});
    const auto loss = cross_entropy(logits, graft::ClassLabels<N::output.c>{labels_.data(), batch_});
    if (asks_) loss_ = static_cast<double>(loss.value());
    optimizer_.step(backward(loss));
  }
  [[nodiscard]] int together() const override { return this->elsewhere ? 10 : 1; }
  std::vector<double> numbers() override {
    std::vector<double> all;
    const bool asked = std::exchange(asks_, true);
    for (int i = 0; i < 3; ++i) {
      step();
      all.push_back(loss_);
    }
    asks_ = asked;
    return all;
  }
};

}  // namespace works

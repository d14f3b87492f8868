#pragma once
/// \file wdgrl.hpp  Wasserstein distance guided representation learning: Shen, Qu, Zhang, Yu, AAAI 2018.
#include "graft/config.hpp"
#include "graft/loss/gradient_penalty.hpp"
#include "graft/optim/adam.hpp"
#include "graft/transfer/method.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <vector>

GRAFT_BEGIN

struct WdgrlOptions {
  int critic_steps = 5;       ///< on each batch, before the body's
  double gamma = 10.0;        ///< weight of the critic's gradient penalty
  Growing lambda{0.1, 10.0};  ///< of the distance, in the body's loss
  double critic_rate = 1e-4;  ///< of the critic's Adam
  std::uint64_t seed = 0;     ///< of the points between source and target
  Recipe recipe{};            ///< of body and label head
};

/// `Wdgrl{features, labels, critic}`: the critic, of Dense and activations and one output, learns the Wasserstein-1 distance of
/// both domains' features, and the body makes it small. Batches may differ in size. Throws Error for critic_steps below 1.
template <class Body, class LabelHead, class Critic>
class Wdgrl : public Method<Wdgrl<Body, LabelHead, Critic>, Body, LabelHead> {
  static_assert(HeadDoesNotFitBody<Body::output, Critic::input>::ok);

 public:
  using Scalar = typename Body::Scalar;
  /// Steps in learn(), that is in loss(), and not again with the body's.
  struct CriticOptimizer : Adam<Scalar> {
    using Adam<Scalar>::Adam;
    void learn() { Adam<Scalar>::step(); }
    void step(Gradients) {}
  };

  Wdgrl(Body& features, LabelHead& labels, Critic& critic, const WdgrlOptions& options = {})
      : Method<Wdgrl, Body, LabelHead>(features, labels, options.recipe), critic_(critic), options_(options) {
    if (options.critic_steps < 1) fail("Wdgrl: critic_steps is ", options.critic_steps, "; give 1 or more.");
    name_models("critic", critic);
  }

  /// Algorithm 1: the critic's steps on the batch's features, if its optimiser is given, then L_c + lambda L_wd.
  template <class... Optimizers>
  Loss<Scalar> loss(Tape<Scalar>& tape, const data::PairedBatch<Scalar>& batch, double progress, Means& means,
                    Optimizers&... optimizers) {
    const auto f = tape(this->features_, batch);
    (learn(f, std::get<1>(optimizers), means), ...);
    const auto label_loss = cross_entropy(tape(this->labels_, f.source()), batch.class_labels());
    const auto distance = critic_distance(tape(fixed(critic_), f));
    means.add("label_loss", label_loss);
    means.add("wasserstein", distance);
    return label_loss + options_.lambda(progress) * distance;
  }

  [[nodiscard]] std::array<double, 2> learning_rate(double progress) const {
    return {this->recipe_.rate(progress), options_.critic_rate};
  }
  auto optimizer() {
    return std::tuple(recipe_optimizer(this->recipe_, this->features_, this->labels_), CriticOptimizer({}, critic_));
  }
  auto models() { return std::tie(this->features_, this->labels_, critic_); }
  void report(double progress, Row& row) const { row.set("lambda", options_.lambda(progress)); }

 private:
  /// The critic maximises L_wd - gamma L_grad: slopes of 1 at the features and at a point on a line between each pair of them.
  template <class V>
  void learn(const V& f, CriticOptimizer& optimizer, Means& means) {
    const int n = f.count(), ns = f.split, nt = n - ns, pairs = std::max(ns, nt);
    const std::size_t width = Body::output.size();
    const auto row = [&](int i) { return points_.data() + static_cast<std::size_t>(i) * width; };
    points_.resize(static_cast<std::size_t>(n + pairs) * width);
    std::copy_n(f.value(), f.view.size(), row(0));
    for (int k = 0; k < options_.critic_steps; ++k) {
      Random random(options_.seed, mix(0x776467726c + static_cast<std::uint64_t>(k), f.tape->step()));
      for (int i = 0; i < pairs; ++i) {
        const Scalar a = static_cast<Scalar>(random.uniform()), *s = row(i % ns), *t = row(ns + i % nt);
        for (std::size_t j = 0; j < width; ++j) row(n + i)[j] = t[j] + a * (s[j] - t[j]);
      }
      const auto distance = critic_distance(critic_tape_(critic_, Rows<Scalar>{points_.data(), n, ns}));
      const auto penalty = gradient_penalty(critic_tape_, critic_, Rows<Scalar>{points_.data(), n + pairs, 0});
      means.add("gradient_penalty", static_cast<double>(penalty.value()));
      backward(options_.gamma * penalty - distance);
      optimizer.learn();
    }
  }

  Critic& critic_;
  WdgrlOptions options_;
  Tape<Scalar> critic_tape_;
  std::vector<Scalar> points_;  // both domains' features, then those between
};

GRAFT_END

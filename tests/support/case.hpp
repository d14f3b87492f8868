#pragma once
/// \file case.hpp  One run of a net with a given weighting of its outputs, from which the tests of the op list are made.
#include <graft/core/tape.hpp>
#include <graft/loss/record.hpp>
#include <vector>

namespace support {

using namespace graft;

/// Numbers in general position: no two equal, none near a kink at 0 or 6.
template <class T>
std::vector<T> numbers(std::size_t count, std::uint64_t seed) {
  Random random(seed, 77);
  std::vector<T> result(count);
  for (T& x : result) {
    double v = random.normal();
    if (std::abs(v) < 0.02) v = v < 0 ? v - 0.03 : v + 0.03;
    x = static_cast<T>(static_cast<float>(v));
  }
  return result;
}

/// The sum of weights * outputs as a loss, whose gradient with respect to the outputs is the weights.
template <class V, class T>
Loss<T> weighted(const V& outputs, const std::vector<T>& weights) {
  return detail::record_loss(outputs, [&](const T* y, T* dy) {
    double sum = 0.0;
    for (std::size_t i = 0; i < outputs.view.size(); ++i) {
      sum += static_cast<double>(y[i]) * static_cast<double>(weights[i]);
      if (dy != nullptr) dy[i] = weights[i];
    }
    return static_cast<T>(sum);
  });
}

/// A net, an input, and the gradients of weighted(net(x)) with respect to parameters and input.
template <class N, class T>
struct Bench {
  static constexpr int n = 3;
  Model<N, Cpu, T> model{{.seed = 5, .bias = 0.1}};
  std::vector<T> x = numbers<T>(n * N::input.size(), 11);
  std::vector<T> weights = numbers<T>(n * N::output.size(), 12);
  std::vector<T> y, dx, gradients;
  Tape<T> tape;

  Bench() {
    auto fresh = numbers<T>(model.values().size(), 13);
    for (std::size_t i = 0; i < fresh.size(); ++i) model.values()[i] += fresh[i] * T(0.3);
  }

  double run() {
    std::fill(model.gradients().begin(), model.gradients().end(), T{0});
    const auto statistics = model.statistics();
    tape.open();
    tape.set_step(3);
    Node<T>* in = tape.node(x.data(), N::input.size(), n, true);
    Var<N::input, Kind::features, T> var;
    var.tape = &tape;
    var.view = View<T>{in, 0, n, 1.0};
    const auto out = tape(model, var);
    const Loss<T> loss = weighted(out, weights);
    const double value = static_cast<double>(loss.value());
    y.assign(out.value(), out.value() + out.view.size());
    backward(loss);
    dx.assign(x.size(), T{0});
    if (in->gradient != nullptr) dx.assign(in->gradient, in->gradient + x.size());
    gradients.assign(model.gradients().begin(), model.gradients().end());
    model.statistics() = statistics;
    return value;
  }
};

}  // namespace support

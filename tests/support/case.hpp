#pragma once
/// \file case.hpp  One run of a net with a given weighting of its outputs, from which the tests of the op list are made.
#include <graft/core/tape.hpp>
#include <graft/loss/record.hpp>
#include <memory>
#include <string>
#include <tuple>
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

/// A net behind one interface, so that what a test says of every op is compiled once and not once for each op.
template <class T>
class AnyNet {
 public:
  virtual ~AnyNet() = default;
  std::string name;
  std::size_t input_size = 0, output_size = 0, parameter_count = 0, statistic_count = 0;
  Tape<T> tape;
  std::vector<T> y, dx;

  virtual Buffer<T>& values() = 0;
  virtual Buffer<T>& gradients() = 0;
  virtual Buffer<T>& statistics() = 0;
  virtual const std::vector<Segment>& segments() = 0;
  virtual const std::vector<Segment>& statistic_segments() = 0;
  virtual void set_statistics_fixed(bool fixed) = 0;
  /// y = net(x) on the tape for n samples, then the gradients of the sum of weights * y: dx, and those of the parameters, which
  /// are added up. Returns the sum.
  virtual double run(const std::vector<T>& x, const std::vector<T>& weights) = 0;
  /// The same without a copy of anything, as a training step does it.
  virtual void step(const std::vector<T>& x, const std::vector<T>& weights) = 0;
  /// y = net(x) on the tape, no gradients.
  virtual void forward(const std::vector<T>& x) = 0;
  virtual void predict(const T* x, int n, T* y) = 0;
};

template <class N, class T, class Device = Cpu>
class NetAs final : public AnyNet<T> {
  using Base = AnyNet<T>;
  Model<N, Device, T> model_{{.seed = 5, .bias = 0.1}};

 public:
  NetAs() {
    this->name = __PRETTY_FUNCTION__;
    this->input_size = N::input.size();
    this->output_size = N::output.size();
    this->parameter_count = N::parameter_count;
    this->statistic_count = N::statistic_count;
  }
  Buffer<T>& values() override { return model_.values(); }
  Buffer<T>& gradients() override { return model_.gradients(); }
  Buffer<T>& statistics() override { return model_.statistics(); }
  const std::vector<Segment>& segments() override { return model_.segments(); }
  const std::vector<Segment>& statistic_segments() override { return model_.statistic_segments(); }
  void set_statistics_fixed(bool fixed) override { model_.set_statistics_fixed(fixed); }
  double run(const std::vector<T>& x, const std::vector<T>& weights) override {
    const int n = static_cast<int>(x.size() / N::input.size());
    this->tape.open();
    this->tape.set_step(3);
    Var<N::input, Kind::features, T> var;
    var.tape = &this->tape;
    var.view = this->tape.input({x.data(), n}, N::input.size());
    Node<T>* in = var.view.node;
    in->wanted = true;
    const auto out = this->tape(model_, var);
    const Loss<T> loss = weighted(out, weights);
    const double value = static_cast<double>(loss.value());
    this->y.assign(out.value(), out.value() + out.view.size());
    backward(loss);
    this->tape.synchronise();
    this->dx.assign(x.size(), T{0});
    if (in->gradient != nullptr) this->dx.assign(in->gradient, in->gradient + x.size());
    return value;
  }
  void step(const std::vector<T>& x, const std::vector<T>& weights) override {
    backward(weighted(this->tape(model_, rows(x)), weights));
  }
  void forward(const std::vector<T>& x) override {
    const auto out = this->tape(model_, rows(x));
    this->y.assign(out.value(), out.value() + out.view.size());
  }
  void predict(const T* x, int n, T* y) override { model_.predict(x, n, y); }

 private:
  static Rows<T> rows(const std::vector<T>& x) { return {x.data(), static_cast<int>(x.size() / N::input.size())}; }
};

/// How to make a net with numbers of either type.
struct NetMaker {
  std::unique_ptr<AnyNet<float>> (*in_float)();
  std::unique_ptr<AnyNet<double>> (*in_double)();
  template <class T>
  [[nodiscard]] std::unique_ptr<AnyNet<T>> make() const {
    if constexpr (std::is_same_v<T, float>) {
      return in_float();
    } else {
      return in_double();
    }
  }
};
template <class N, class Device = Cpu>
constexpr NetMaker maker() {
  return {[]() -> std::unique_ptr<AnyNet<float>> { return std::make_unique<NetAs<N, float, Device>>(); },
          []() -> std::unique_ptr<AnyNet<double>> { return std::make_unique<NetAs<N, double, Device>>(); }};
}
template <class Device = Cpu, class... Cases>
std::vector<NetMaker> makers(const std::tuple<Cases...>*) {
  return {maker<typename Cases::Net, Device>()...};
}

/// The same for nets with activations in bf16, which have numbers of float alone.
template <class... Cases>
std::vector<NetMaker> bf16_makers(const std::tuple<Cases...>*) {
  return {NetMaker{
      []() -> std::unique_ptr<AnyNet<float>> { return std::make_unique<NetAs<typename Cases::Net, float, Bf16<Cpu>>>(); },
      nullptr}...};
}

/// A net of the list, an input, and the gradients of weighted(net(x)) with respect to parameters and input.
template <class T>
struct Bench {
  static constexpr int n = 3;
  std::unique_ptr<AnyNet<T>> net;
  std::vector<T> x, weights, gradients;

  explicit Bench(const NetMaker& op)
      : net(op.make<T>()), x(numbers<T>(n * net->input_size, 11)), weights(numbers<T>(n * net->output_size, 12)) {
    const auto fresh = numbers<T>(net->values().size(), 13);
    for (std::size_t i = 0; i < fresh.size(); ++i) net->values()[i] += fresh[i] * T(0.3);
  }
  /// Leaves the running statistics as they were.
  double run() {
    std::fill(net->gradients().begin(), net->gradients().end(), T{0});
    const auto statistics = net->statistics();
    const double value = net->run(x, weights);
    gradients.assign(net->gradients().begin(), net->gradients().end());
    net->statistics() = statistics;
    return value;
  }
};

}  // namespace support

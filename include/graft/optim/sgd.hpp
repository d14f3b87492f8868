#pragma once
/// \file sgd.hpp  Stochastic gradient descent with momentum.
#include "graft/optim/optimizer.hpp"

GRAFT_BEGIN

struct SgdOptions {
  double learning_rate = 0.01;
  double momentum = 0.0;
  double weight_decay =
      0.0;  ///< added to the gradient as weight_decay * p, for kernels only (not for biases, scales and shifts)
  bool nesterov = false;
  double clip_norm = 0.0;
};

/// v = momentum v + g, p -= rate v (as PyTorch; Nesterov: p -= rate (g + momentum v)).
/// `Sgd optimizer{{.learning_rate = 0.01, .momentum = 0.9}, features, labels};`
template <class T>
class Sgd : public Optimizer<Sgd<T>, T> {
 public:
  template <class... Models>
  explicit Sgd(SgdOptions options, Models&&... models)
      : Optimizer<Sgd<T>, T>(options.learning_rate, options.clip_norm, models...), options_(options) {}

  static constexpr int slots = 1;
  struct Factors {
    T rate, momentum, decay;
    bool nesterov;
  };
  void prepare() {}
  Factors factors(double rate, bool decays) const {
    return {static_cast<T>(rate), static_cast<T>(options_.momentum), static_cast<T>(decays ? options_.weight_decay : 0.0),
            options_.nesterov};
  }
  static void apply(const Factors& f, std::ptrdiff_t begin, std::ptrdiff_t end, T* p, const T* gradient, T scale,
                    const std::array<T*, 3>& state) {
    T* v = state[0];
    for (std::ptrdiff_t i = begin; i < end; ++i) {
      const T g = scale * gradient[i] + f.decay * p[i];
      v[i] = f.momentum * v[i] + g;
      p[i] -= f.rate * (f.nesterov ? g + f.momentum * v[i] : v[i]);
    }
  }

  void apply_on(const Accelerator<T>& device, const FlatParameters<T>& p, const Clip& clip,
                std::vector<Buffer<T>>& state) const {
    device.sgd(p, this->learning_rate, options_.momentum, options_.weight_decay, options_.nesterov, clip, state[0].data());
  }

 private:
  SgdOptions options_;
};
template <class First, class... Rest>
Sgd(SgdOptions, First&&, Rest&&...) -> Sgd<typename std::remove_cvref_t<First>::Scalar>;

GRAFT_END

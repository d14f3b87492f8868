#pragma once
/// \file adam.hpp  Adam (Kingma & Ba 2015) and AdamW (Loshchilov & Hutter 2019).
#include "graft/optim/optimizer.hpp"

GRAFT_BEGIN

struct AdamOptions {
  double learning_rate = 0.001;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;  ///< outside the root, after bias correction (Keras' default is 1e-7)
  double weight_decay =
      0.0;  ///< Adam: added to the gradient; AdamW: p -= rate * weight_decay * p, apart from it. Kernels only.
  double clip_norm = 0.0;
};

namespace detail {
template <class T, bool decoupled>
class AdamRule : public Optimizer<AdamRule<T, decoupled>, T> {
 public:
  template <class... Models>
  explicit AdamRule(AdamOptions options, Models&&... models)
      : Optimizer<AdamRule<T, decoupled>, T>(options.learning_rate, options.clip_norm, models...), options_(options) {}

  static constexpr int slots = 2;
  struct Factors {
    T rate, beta1, beta2, epsilon, decay, shrink, root;
  };
  void prepare() {
    const double t = static_cast<double>(this->steps);
    correction1_ = 1.0 - std::pow(options_.beta1, t);
    correction2_ = 1.0 - std::pow(options_.beta2, t);
  }
  Factors factors(double rate, bool decays) const {
    const double decay = decays ? options_.weight_decay : 0.0;
    return {static_cast<T>(rate / correction1_),
            static_cast<T>(options_.beta1),
            static_cast<T>(options_.beta2),
            static_cast<T>(options_.epsilon),
            static_cast<T>(decoupled ? 0.0 : decay),
            static_cast<T>(decoupled ? 1.0 - rate * decay : 1.0),
            static_cast<T>(1.0 / std::sqrt(correction2_))};
  }
  static void apply(const Factors& f, std::ptrdiff_t begin, std::ptrdiff_t end, T* p, const T* gradient, T scale,
                    const std::array<T*, 3>& state) {
    T* m = state[0];
    T* v = state[1];
    T roots[root_block];
    for (std::ptrdiff_t from = begin; from < end; from += root_block) {
      const std::ptrdiff_t to = std::min(end, from + root_block);
      for (std::ptrdiff_t i = from; i < to; ++i) {
        const T g = scale * gradient[i] + f.decay * p[i];
        m[i] = f.beta1 * m[i] + (T{1} - f.beta1) * g;
        v[i] = f.beta2 * v[i] + (T{1} - f.beta2) * g * g;
      }
      square_roots(v + from, to - from, roots);
      for (std::ptrdiff_t i = from; i < to; ++i)
        p[i] = f.shrink * p[i] - f.rate * m[i] / (roots[i - from] * f.root + f.epsilon);
    }
  }

  void apply_on(const Accelerator<T>& device, const FlatParameters<T>& p, const Clip& clip,
                std::vector<Buffer<T>>& state) const {
    device.adam(p, this->learning_rate, options_.beta1, options_.beta2, options_.epsilon, options_.weight_decay, decoupled,
                this->steps, clip, state[0].data(), state[1].data());
  }

 private:
  AdamOptions options_;
  double correction1_ = 1.0;
  double correction2_ = 1.0;
};
}  // namespace detail

/// m, v: running means of g and g^2; p -= rate (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon).
template <class T>
class Adam : public detail::AdamRule<T, false> {
  using detail::AdamRule<T, false>::AdamRule;
};
template <class First, class... Rest>
Adam(AdamOptions, First&&, Rest&&...) -> Adam<typename std::remove_cvref_t<First>::Scalar>;

/// Adam with weight decay apart from the gradient.
template <class T>
class AdamW : public detail::AdamRule<T, true> {
  using detail::AdamRule<T, true>::AdamRule;
};
template <class First, class... Rest>
AdamW(AdamOptions, First&&, Rest&&...) -> AdamW<typename std::remove_cvref_t<First>::Scalar>;

GRAFT_END

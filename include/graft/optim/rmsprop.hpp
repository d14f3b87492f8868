#pragma once
/// \file rmsprop.hpp  RMSprop (Tieleman & Hinton 2012) and Adagrad (Duchi et al. 2011).
#include "graft/optim/optimizer.hpp"

GRAFT_BEGIN

struct RmsPropOptions {
  double learning_rate = 0.001;
  double rho = 0.9;
  double epsilon = 1e-7;      ///< outside the root
  double weight_decay = 0.0;  ///< added to the gradient, for kernels only
  double clip_norm = 0.0;
};

namespace detail {
/// p -= rate g / (sqrt(v) + epsilon), v = keep v + add g^2: RMSprop has keep = rho, add = 1 - rho, Adagrad 1 and 1.
template <class T, bool accumulates>
class RootRule : public Optimizer<RootRule<T, accumulates>, T> {
 public:
  template <class... Models>
  explicit RootRule(RmsPropOptions options, Models&&... models)
      : Optimizer<RootRule<T, accumulates>, T>(options.learning_rate, options.clip_norm, models...), options_(options) {}

  static constexpr int slots = 1;
  struct Factors {
    T rate, keep, add, epsilon, decay;
  };
  void prepare() {}
  Factors factors(double rate, bool decays) const {
    return {static_cast<T>(rate), static_cast<T>(accumulates ? 1.0 : options_.rho),
            static_cast<T>(accumulates ? 1.0 : 1.0 - options_.rho), static_cast<T>(options_.epsilon),
            static_cast<T>(decays ? options_.weight_decay : 0.0)};
  }
  static void apply(const Factors& f, std::ptrdiff_t begin, std::ptrdiff_t end, T* p, const T* gradient, T scale,
                    const std::array<T*, 3>& state) {
    T* v = state[0];
    T roots[root_block];
    for (std::ptrdiff_t from = begin; from < end; from += root_block) {
      const std::ptrdiff_t to = std::min(end, from + root_block);
      for (std::ptrdiff_t i = from; i < to; ++i) {
        const T g = scale * gradient[i] + f.decay * p[i];
        v[i] = f.keep * v[i] + f.add * g * g;
      }
      square_roots(v + from, to - from, roots);
      for (std::ptrdiff_t i = from; i < to; ++i) {
        p[i] -= f.rate * (scale * gradient[i] + f.decay * p[i]) / (roots[i - from] + f.epsilon);
      }
    }
  }

  void apply_on(const Accelerator<T>& device, const FlatParameters<T>& p, const Clip& clip,
                std::vector<Buffer<T>>& state) const {
    const double keep = accumulates ? 1.0 : options_.rho;
    device.root(p, this->learning_rate, keep, accumulates ? 1.0 : 1.0 - keep, options_.epsilon, options_.weight_decay, clip,
                state[0].data());
  }

 private:
  RmsPropOptions options_;
};
}  // namespace detail

/// v = rho v + (1 - rho) g^2; p -= rate g / (sqrt(v) + epsilon)
template <class T>
class RmsProp : public detail::RootRule<T, false> {
  using detail::RootRule<T, false>::RootRule;
};
template <class First, class... Rest>
RmsProp(RmsPropOptions, First&&, Rest&&...) -> RmsProp<typename std::remove_cvref_t<First>::Scalar>;

/// v = v + g^2; p -= rate g / (sqrt(v) + epsilon); `rho` is not used.
template <class T>
class Adagrad : public detail::RootRule<T, true> {
  using detail::RootRule<T, true>::RootRule;
};
template <class First, class... Rest>
Adagrad(RmsPropOptions, First&&, Rest&&...) -> Adagrad<typename std::remove_cvref_t<First>::Scalar>;

GRAFT_END

#pragma once
/// \file conventions.hpp  Losses as named libraries compute them, where that differs from the paper or from each other. Their
/// values and gradients are pinned by tests/loss/conventions.cpp.
#include "graft/config.hpp"
#include "graft/core/convention.hpp"
#include "graft/kernel/cpu/distances.hpp"
#include "graft/loss/discrepancy.hpp"
#include "graft/loss/unsupervised.hpp"

#include <cmath>
#include <vector>

GRAFT_BEGIN

namespace detail {
[[noreturn]] inline void no_such_convention(const char* loss, Convention c, const char* known) {
  fail(loss, ": the convention '", name_of(c), "' is not known here; there are ", known, ".");
}
/// A constant added to a loss.
template <class T>
Loss<T> shifted(const Loss<T>& loss, double by) {
  const T* const value = loss.tape->filled(1, static_cast<T>(by));
  return loss + Loss<T>{loss.tape, loss.tape->scalar(value, false)};
}
}  // namespace detail

/// MMD^2 of several kernels.
///   paper          unbiased, the mean of five Gaussians exp(-d^2 / (m b)), m = 1/4 ... 4, b the mean over pairs i != j (Long
///   et al.
///                  2015, whose kernel is a convex sum)
///   deepda         the same five summed, biased; mmd() without a convention
///   ada            the same five summed, in linear time over the cyclic pairs (i, i + 1)
///   tllib          exp(-d^2 / (2 a s)), a = 1/8 ... 2, s the mean over all (2n)^2 pairs, summed; unbiased, or in linear time
///   over
///                  cyclic pairs; plus 2 / (n - 1), which would be 2 m / (n - 1) for m kernels and has no gradient
///   pytorch_adapt  exp(-d^2 / median of |x_i - x_j|^2), one kernel; unbiased, or in linear time over pairs (2i, 2i + 1)
///   domainbed      exp(-g d^2) summed over g = 0.001, 0.01, ... 1000, biased
///   skada          exp(-d / s) of the distance itself, s = 2^(i/2 - 8) median of |x_i - x_j|, i = 0 ... 32, summed, biased
/// Bandwidths are constants in the gradient. `linear` is heard by tllib and pytorch_adapt.
template <Shape S, Kind A, Kind B, class T>
Loss<T> mmd(const Var<S, A, T>& x, const Var<S, B, T>& y, Convention convention, bool linear = false) {
  const int width = static_cast<int>(S.size());
  MmdOptions options;
  switch (convention) {
    case Convention::paper:
      options.estimator = Estimator::unbiased;
      return (1.0 / 5.0) * mmd(x, y, options);
    case Convention::deepda:
      return mmd(x, y, options);
    case Convention::ada:
      options.estimator = Estimator::linear_cyclic;
      return mmd(x, y, options);
    case Convention::tllib: {
      const double n = x.count() + y.count();
      for (int k = 0; k < 5; ++k)
        options.multiplier[static_cast<std::size_t>(k)] = 2.0 * std::ldexp(1.0, k - 3) * (n - 1.0) / n;
      options.estimator = linear ? Estimator::linear_cyclic : Estimator::unbiased;
      return detail::shifted(mmd(x, y, options), 2.0 / (x.count() - 1.0));
    }
    case Convention::pytorch_adapt:
      options.estimator = linear ? Estimator::linear_time : Estimator::unbiased;
      options.gamma = {1.0 / kernel::median_square(Cpu{}, x.count(), width, x.value())};
      return mmd(x, y, options);
    case Convention::domainbed:
      options.gamma = {0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0};
      return mmd(x, y, options);
    case Convention::skada: {
      const double median = std::sqrt(kernel::median_square(Cpu{}, x.count(), width, x.value()));
      std::vector<double> scales;
      for (int i = 0; i <= 32; ++i) scales.push_back(std::pow(2.0, i / 2.0 - 8.0) * (median + 1e-7));
      const auto of_distances = [&](const T* px, const T* py, T* dx, T* dy) {
        return kernel::mmd_of_distances(Cpu{}, x.count(), y.count(), width, px, py, scales, dx, dy);
      };
      return detail::record_loss(x, y, of_distances, detail::NoKernel{}, "mmd of distances");
    }
    default:
      detail::no_such_convention("mmd", convention, "paper, deepda, ada, tllib, pytorch_adapt, domainbed, skada");
  }
}

/// CORAL. paper (also deepda, pytorch_adapt, skada): |C_x - C_y|^2 / (4 d^2); tllib and domainbed: the mean of the squares of
/// the covariances' difference, without 1/4, and of the means' difference; adapt: with the 1/4, and the means (its match_mean).
template <Shape S, Kind A, Kind B, class T>
Loss<T> coral(const Var<S, A, T>& x, const Var<S, B, T>& y, Convention convention) {
  const double part = 1.0 / static_cast<double>(S.size());
  switch (convention) {
    case Convention::tllib:
    case Convention::domainbed:
      return 4.0 * coral(x, y) + part * mean_difference(x, y);
    case Convention::adapt:
      return coral(x, y) + part * mean_difference(x, y);
    case Convention::paper:
    case Convention::deepda:
    case Convention::pytorch_adapt:
    case Convention::skada:
      return coral(x, y);
    default:
      detail::no_such_convention("coral", convention, "paper, deepda, pytorch_adapt, skada, tllib, domainbed, adapt");
  }
}

/// Minimum class confusion. paper and tllib: temperature 2.5 (the scripts'), pytorch_adapt: 1; all with log(p + 1e-5).
template <Shape S, Kind K, class T>
Loss<T> minimum_class_confusion(const Var<S, K, T>& logits, Convention convention) {
  switch (convention) {
    case Convention::paper:
    case Convention::tllib:
      return minimum_class_confusion(logits, 2.5);
    case Convention::pytorch_adapt:
      return minimum_class_confusion(logits, 1.0);
    default:
      detail::no_such_convention("minimum_class_confusion", convention, "paper, tllib, pytorch_adapt");
  }
}

/// Information maximisation: mean entropy - entropy of the mean prediction, to be minimised (Liang et al. 2020). paper: exact;
/// shot: with log(p + 1e-5), as its code has it.
template <Shape S, Kind K, class T>
Loss<T> information_maximisation(const Var<S, K, T>& logits, Convention convention = Convention::paper) {
  if (convention != Convention::paper && convention != Convention::shot)
    detail::no_such_convention("information_maximisation", convention, "paper, shot");
  const double epsilon = convention == Convention::shot ? 1e-5 : 0.0;
  return entropy(logits, epsilon) - mean_entropy(logits, epsilon);
}

GRAFT_END

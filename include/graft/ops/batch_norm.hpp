#pragma once
/// \file batch_norm.hpp  Batch normalisation (Ioffe & Szegedy 2015).
#include "graft/config.hpp"
#include "graft/core/layer.hpp"
#include "graft/kernel/cpu/batch_norm.hpp"
#include "graft/kernel/cuda/layers.hpp"

#include <algorithm>

GRAFT_BEGIN

/// Options of BatchNorm. running = momentum * running + (1 - momentum) * batch.
struct Norm {
  double momentum = 0.99;
  double epsilon = 1e-3;
  bool unbiased = false;  ///< the running variance takes n / (n - 1) times the batch's, as PyTorch does
  bool scale = true;      ///< there is a gamma
};
/// The conventions of Keras and of PyTorch (whose `momentum=0.1` is 1 - this one's).
inline constexpr Norm keras_norm{0.99, 1e-3, false};
inline constexpr Norm torch_norm{0.9, 1e-5, true};

/// y = gamma (x - mean) / sqrt(variance + epsilon) + beta per channel. In training the mean and (biased) variance are the
/// batch's and the running ones are updated; in inference, or when the model's statistics are fixed
/// (Model::set_statistics_fixed), the running ones serve. Parameters "gamma" (none, and 1, when O.scale is false), "beta";
/// statistics "running_mean", "running_var". Any shape, kept.
template <Norm O = keras_norm>
struct BatchNorm {
  static constexpr const char* name = "BatchNorm";
  static constexpr Traits traits{.needs_input = true, .keeps_kind = true};

  static constexpr Fit fit(Shape in) {
    if (O.momentum < 0 || O.momentum > 1 || O.epsilon <= 0) return {Reason::bad_option};
    return {Reason::fits, in};
  }

  template <class V>
  static constexpr void visit(Shape in, V&& v) {
    if (O.scale) v(Weight{"gamma", Role::scale, {in.c, 1, 1, 1}, 1});
    v(Weight{"beta", Role::shift, {in.c, 1, 1, 1}, 1});
    v(Weight{"running_mean", Role::running_mean, {in.c, 1, 1, 1}, 1});
    v(Weight{"running_var", Role::running_var, {in.c, 1, 1, 1}, 1});
  }

  /// Returns the batch's mean and inverse deviation (2 c numbers), or null when the running statistics served.
  template <class T, class D = Cpu>
  static void* forward(Run<T>& run, const Place<T>& at, const T* x, T* y) {
    const std::ptrdiff_t rows = static_cast<std::ptrdiff_t>(run.n) * at.in.h * at.in.w;
    const int c = at.in.c;
    const T* gamma = scale(run, at);
    const T* beta = at.weights + (O.scale ? c : 0);
    const bool by_batch = run.norm == NormBy::batch || (run.norm == NormBy::phase && run.training);
    if (!by_batch || at.fixed_statistics[0] != 0) {
      kernel::batch_norm_forward_infer(D{}, rows, c, x, gamma, beta, static_cast<T>(O.epsilon), at.statistics,
                                       at.statistics + c, y);
      return nullptr;
    }
    T* kept = run.arena->template take<T>(3 * static_cast<std::size_t>(c));
    T* mean = kept;
    T* inverse = kept + c;
    T* variance = kept + 2 * c;
    kernel::batch_norm_forward_train(D{}, rows, c, x, gamma, beta, static_cast<T>(O.epsilon), mean, inverse, variance, y);
    const double momentum = run.norm == NormBy::batch ? 0.0 : O.momentum;
    kernel::batch_norm_update_running(D{}, c, rows, static_cast<T>(momentum), O.unbiased, mean, variance, at.statistics,
                                      at.statistics + c);
    return kept;
  }

  template <class T, class D = Cpu>
  static void backward(Run<T>& run, const Place<T>& at, const T* x, const T*, void* kept, T* dy, T* dx) {
    const std::ptrdiff_t rows = static_cast<std::ptrdiff_t>(run.n) * at.in.h * at.in.w;
    const int c = at.in.c;
    const T* gamma = scale(run, at);
    T* dgamma = O.scale ? at.gradients : nullptr;
    T* dbeta = at.gradients != nullptr ? at.gradients + (O.scale ? c : 0) : nullptr;
    if (kept == nullptr) {
      kernel::batch_norm_backward_infer(D{}, rows, c, x, at.statistics, at.statistics + c, static_cast<T>(O.epsilon), gamma, dy,
                                        dx, dgamma, dbeta);
      return;
    }
    const T* mean = static_cast<const T*>(kept);
    kernel::batch_norm_backward_train(D{}, rows, c, x, mean, mean + c, gamma, dy, dx, dgamma, dbeta);
  }

 private:
  /// gamma, or ones in its place.
  template <class T>
  static const T* scale(Run<T>& run, const Place<T>& at) {
    if constexpr (O.scale) return at.weights;
    T* ones = run.arena->template take<T>(static_cast<std::size_t>(at.in.c));
    run.device != nullptr ? run.device->fill(static_cast<std::size_t>(at.in.c), T{1}, ones)
                          : std::fill(ones, ones + at.in.c, T{1});
    return ones;
  }
};

GRAFT_END

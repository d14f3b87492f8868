#pragma once
/// \file initialise.hpp  Initialisers of weights, as Keras defines them.
#include "graft/config.hpp"
#include "graft/core/layer.hpp"
#include "graft/core/random.hpp"

#include <cmath>

GRAFT_BEGIN

/// How kernels begin. Glorot & Bengio 2010 (variance 2 / (fan_in + fan_out)), He et al. 2015 (2 / fan_in), LeCun et al. 1998 (1
/// / fan_in); torch_uniform is what PyTorch's convolutions and linear layers begin with: kernels and biases uniform in +-1 /
/// sqrt(fan_in).
enum class Initialiser {
  glorot_uniform,
  glorot_normal,
  he_uniform,
  he_normal,
  lecun_uniform,
  lecun_normal,
  torch_uniform,
  constant
};

/// Fills one array: kernels by `how`, biases with `bias` (but by `how` for torch_uniform), scales with 1, shifts with 0,
/// running means 0, running variances 1. Normal draws are truncated at two deviations and rescaled to the wanted variance, as
/// in Keras.
template <class T>
void initialise(const Weight& weight, Initialiser how, double value, double bias, Random random, T* out) {
  const std::size_t count = weight.count();
  const auto fill = [&](double x) {
    for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<T>(x);
  };
  switch (weight.role) {
    case Role::bias:
      if (how == Initialiser::torch_uniform) break;
      return fill(bias);
    case Role::shift:
    case Role::running_mean:
      return fill(0.0);
    case Role::scale:
    case Role::running_var:
      return fill(1.0);
    case Role::kernel:
      break;
  }
  double variance = 0.0;
  bool normal = false;
  switch (how) {
    case Initialiser::constant:
      return fill(value);
    case Initialiser::glorot_normal:
      normal = true;
      [[fallthrough]];
    case Initialiser::glorot_uniform:
      variance = 2.0 / (weight.fan_in + weight.fan_out);
      break;
    case Initialiser::he_normal:
      normal = true;
      [[fallthrough]];
    case Initialiser::he_uniform:
      variance = 2.0 / weight.fan_in;
      break;
    case Initialiser::torch_uniform:
      variance = 1.0 / (3.0 * weight.fan_in);
      break;
    case Initialiser::lecun_normal:
      normal = true;
      [[fallthrough]];
    case Initialiser::lecun_uniform:
      variance = 1.0 / weight.fan_in;
      break;
  }
  const double limit = std::sqrt(3.0 * variance);
  const double deviation = std::sqrt(variance) / 0.87962566103423978;  // the deviation of a normal cut at two deviations
  for (std::size_t i = 0; i < count; ++i) {
    double x = 0.0;
    if (normal) {
      do {
        x = random.normal();
      } while (std::abs(x) > 2.0);
      x *= deviation;
    } else {
      x = random.uniform(-limit, limit);
    }
    out[i] = static_cast<T>(x);
  }
}

GRAFT_END

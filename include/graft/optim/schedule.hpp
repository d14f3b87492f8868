#pragma once
/// \file schedule.hpp  Schedules: small values called with the progress p in [0, 1] of a training run; they return a learning
/// rate or a weight.
#include "graft/config.hpp"
#include "graft/core/convention.hpp"

#include <cmath>
#include <numbers>

GRAFT_BEGIN

struct Constant {
  double value = 0.01;
  double operator()(double) const { return value; }
};

/// value * factor^k after each k-th part of the run: `StepDecay{0.1, 3, 0.1}` divides by ten after a third and again after two
/// thirds.
struct StepDecay {
  double value = 0.01;
  int parts = 3;
  double factor = 0.1;
  double operator()(double p) const {
    const double k = std::floor(p * parts);
    return value * std::pow(factor, k < parts - 1 ? k : parts - 1);
  }
};

/// From value to end by the same factor in each step.
struct Exponential {
  double value = 0.01;
  double end = 0.0001;
  double operator()(double p) const { return value * std::pow(end / value, p); }
};

/// From value down to floor along half a cosine (Loshchilov & Hutter 2017).
struct Cosine {
  double value = 0.01;
  double floor = 0.0;
  double operator()(double p) const { return floor + (value - floor) * 0.5 * (1.0 + std::cos(std::numbers::pi * p)); }
};

/// Grows linearly from 0 over the first `part` of the run, then follows `then`, which sees the rest of the run as [0, 1].
template <class Then>
struct WarmUp {
  double part = 0.05;
  Then then{};
  double operator()(double p) const { return p < part ? then(0.0) * p / part : then((p - part) / (1.0 - part)); }
};
template <class Then>
WarmUp(double, Then) -> WarmUp<Then>;

/// mu_p = mu0 / (1 + alpha p)^beta (Ganin et al. 2016, section 5.2.2).
struct DannRate {
  double mu0 = 0.01;
  double alpha = 10.0;
  double beta = 0.75;
  double operator()(double p) const { return mu0 / std::pow(1.0 + alpha * p, beta); }
};

/// lambda_p = high (2 / (1 + exp(-gamma p)) - 1) (Ganin et al. 2016, section 5.2.2): 0 at first, so that a raw domain head does
/// no harm.
struct DannLambda {
  double gamma = 10.0;
  double high = 1.0;
  double operator()(double p) const { return high * (2.0 / (1.0 + std::exp(-gamma * p)) - 1.0); }
};

/// lambda and learning rate as tllib counts them: by iterations, not by the part of the run. coefficient = (high - low) (2 / (1
/// + exp(-i / steps)) - 1) + low; rate = mu0 (1 + gamma i)^-beta.
struct TllibLambda {
  double high = 1.0;
  double low = 0.0;
  double steps = 1000.0;
  double operator()(double i) const { return (high - low) * (2.0 / (1.0 + std::exp(-i / steps)) - 1.0) + low; }
};
struct TllibRate {
  double mu0 = 0.01;
  double gamma = 0.001;
  double beta = 0.75;
  double operator()(double i) const { return mu0 * std::pow(1.0 + gamma * i, -beta); }
};

/// The reversal's lambda of a convention, at progress p of a run of `steps` iterations. paper and ada: DannLambda with gamma
/// 10; tllib: TllibLambda, which forgets the run's length; deepda: gamma 1, so never above 0.4621; adapt: gamma 10, divided by
/// its end value, so it ends at 1; skada, pytorch_adapt and domainbed: 1 throughout. ada scales the domain head's loss by it
/// too.
inline double reversal_lambda(Convention convention, double p, double steps) {
  switch (convention) {
    case Convention::tllib:
      return TllibLambda{}(p * steps);
    case Convention::deepda:
      return DannLambda{.gamma = 1.0}(p);
    case Convention::adapt:
      return DannLambda{}(p) / DannLambda{}(1.0);
    case Convention::skada:
    case Convention::pytorch_adapt:
    case Convention::domainbed:
      return 1.0;
    default:
      return DannLambda{}(p);
  }
}

/// The weight of a penalty: 0 before the part `begin` of the run, then `high`, or, with a gamma above 0, growing to it as
/// DannLambda does, counted from there.
struct Growing {
  double high = 1.0;
  double gamma = 0.0;
  double begin = 0.0;
  double operator()(double p) const {
    if (p < begin || begin >= 1.0) return 0.0;
    return gamma > 0.0 ? DannLambda{gamma, high}((p - begin) / (1.0 - begin)) : high;
  }
};

GRAFT_END

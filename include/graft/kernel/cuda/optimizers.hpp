#pragma once
/// \file optimizers.hpp  Optimiser steps on the GPU: one kernel over a model's whole flat buffer, with the rules of
/// optim/{sgd,adam,rmsprop}.hpp. Each also sets the gradients to zero, those of segments that are not trained included.
#include "graft/core/cuda.hpp"
#include "graft/core/flat_parameters.hpp"

#include <cstddef>
#include <cstdint>

GRAFT_CUDA_BEGIN

/// *squares = (add ? *squares : 0) + sum over the trained segments of gradient^2, in double and in a fixed order.
template <class T>
void sum_gradient_squares(Cuda, const FlatParameters<T>& parameters, bool add, double* squares);

/// v = momentum v + g, p -= rate v; Nesterov: p -= rate (g + momentum v). g = gradient + weight_decay p.
template <class T>
void sgd_step(Cuda, const FlatParameters<T>& parameters, double learning_rate, double momentum, double weight_decay,
              bool nesterov, const Clip& clip, T* v);

/// Adam, or with `decoupled` AdamW; `step` counts from 1.
template <class T>
void adam_step(Cuda, const FlatParameters<T>& parameters, double learning_rate, double beta1, double beta2, double epsilon,
               double weight_decay, bool decoupled, std::uint64_t step, const Clip& clip, T* m, T* v);

/// v = keep v + add g^2, p -= rate g / (sqrt(v) + epsilon): RMSprop has keep = rho, add = 1 - rho, Adagrad 1 and 1.
template <class T>
void root_step(Cuda, const FlatParameters<T>& parameters, double learning_rate, double keep, double add, double epsilon,
               double weight_decay, const Clip& clip, T* v);

GRAFT_CUDA_END

#pragma once
/// \file losses.hpp  Losses on the GPU, as kernel/cpu has them, but with `value` last: where one there returns its value, here
/// it is written to device or managed memory, so that nothing waits for the GPU. Gradients (null: not wanted) are overwritten.
/// Labels, targets and class weights lie in device or managed memory too.
#include "graft/core/cuda.hpp"
#include "graft/kernel/options.hpp"

#include <cstddef>

GRAFT_CUDA_BEGIN

using kernel_options::CrossEntropyOptions;
using kernel_options::Estimator;
using kernel_options::MmdOptions;

/// A label out of range makes the value NaN and is an Error of the next cuda::synchronize().
template <class T>
void cross_entropy(Cuda, int n, int classes, const T* logits, const int* labels, const CrossEntropyOptions<T>& options,
                   T* gradient, T* value);
template <class T>
void soft_cross_entropy(Cuda, int n, int classes, const T* logits, const T* targets, T* gradient, T* value);
template <class T>
void binary_cross_entropy(Cuda, int n, const T* logits, const T* targets, T* gradient, T* value);
template <class T>
void mean_absolute_error(Cuda, std::ptrdiff_t count, const T* a, const T* b, T* da, T* value);
template <class T>
void mean_squared_error(Cuda, std::ptrdiff_t count, const T* a, const T* b, T* da, T* db, T* value);
template <class T>
void entropy(Cuda, int n, int classes, const T* logits, T* gradient, double epsilon, T* value);
template <class T>
void mean_entropy(Cuda, int n, int classes, const T* logits, T* gradient, double epsilon, T* value);

/// loss/classifiers.hpp: p and q are probabilities.
template <class T>
void classifier_discrepancy(Cuda, int n, int classes, const T* p, const T* q, T* da, T* db, T* value);
/// p: the adversary's probabilities; main: the main classifier's logits.
template <class T>
void margin_disparity(Cuda, int rows, int split, int classes, const T* p, const T* main, double margin, T* dz, T* value);
/// loss/consistency.hpp
template <class T>
void consistency(Cuda, int n, int classes, const T* logits, const T* teacher, double confidence, T* dx, T* value);
template <class T>
void mcc(Cuda, int n, int classes, const T* logits, T temperature, T* gradient, double epsilon, T* value);
/// loss/conditional.hpp: value (n x classes x d) = g (n x classes) times f (n x d), and f's gradient.
template <class T>
void outer(Cuda, int n, int classes, int d, const T* g, const T* f, T* value);
template <class T>
void outer_backward(Cuda, int n, int classes, int d, const T* g, const T* gradient, T* df);
/// w: 1 + exp(-entropy of p), of mean 1 over the first `split` rows, and over the others.
template <class T>
void entropy_weights(Cuda, int n, int split, int classes, const T* p, T* w);
template <class T>
void domain_cross_entropy(Cuda, int n, int split, const T* logits, const T* weights, T* dz, T* value);

/// Throws Error, at once, for fewer rows than the estimator needs.
template <class T>
void mmd(Cuda, int nx, int ny, int d, const T* x, const T* y, const MmdOptions& options, T* dx, T* dy, T* value);
template <class T>
void mean_difference(Cuda, int nx, int ny, int d, const T* x, const T* y, T* dx, T* dy, T* value);
template <class T>
void coral(Cuda, int nx, int ny, int d, const T* x, const T* y, T* dx, T* dy, T* value);

GRAFT_CUDA_END

GRAFT_BEGIN
namespace kernel {
using cuda::binary_cross_entropy;
using cuda::coral;
using cuda::cross_entropy;
using cuda::entropy;
using cuda::mcc;
using cuda::mean_absolute_error;
using cuda::mean_difference;
using cuda::mean_entropy;
using cuda::mean_squared_error;
using cuda::mmd;
using cuda::soft_cross_entropy;
}  // namespace kernel
GRAFT_END

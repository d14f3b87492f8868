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
using kernel_options::KernelFactor;
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
/// other = part * g of_g, n x wide; value = (f of_f) * other, number by number; and f's gradient.
template <class T>
void random_map(Cuda, int n, int d, int classes, int wide, const T* f, const T* g, const T* of_f, const T* of_g, T part,
                T* other, T* value);
template <class T>
void random_map_backward(Cuda, int n, int d, int wide, const T* other, const T* of_f, const T* gradient, T* df);

/// kernel/cpu/weighted_kernels.hpp, of 1 or 2 factors; `factors` is the host's.
template <class T>
void weighted_kernels(Cuda, int n, const T* w, int count, const KernelFactor<T>* factors, T* value);
template <class T>
void mmd_weights(Cuda, int nx, int ny, bool unbiased, T* w);
/// A label out of range makes the weights NaN and is an Error of the next cuda::synchronize().
template <class T>
void class_weights(Cuda, int ns, int n, int classes, const int* labels, const T* p, T* w);

/// Throws Error, at once, for fewer rows than the estimator needs.
template <class T>
void mmd(Cuda, int nx, int ny, int d, const T* x, const T* y, const MmdOptions& options, T* dx, T* dy, T* value);
template <class T>
void without_scaling(Cuda, int nx, int ny, int d, const T* x, const T* y, T* dx, T* dy);
template <class T>
void mean_difference(Cuda, int nx, int ny, int d, const T* x, const T* y, T* dx, T* dy, T* value);
template <class T>
void coral(Cuda, int nx, int ny, int d, const T* x, const T* y, T* dx, T* dy, T* value);
/// `orders` at least 1.
template <class T>
void central_moments(Cuda, int nx, int ny, int d, const T* x, const T* y, int orders, double range, T* dx, T* dy, T* value);
/// directions: width x projections, each of length 1.
template <class T>
void sliced_wasserstein(Cuda, int n, int m, int width, const T* x, const T* y, int projections, const T* directions, T* dx,
                        T* dy, T* value);

/// The mean of x less that of y.
template <class T>
void mean_gap(Cuda, int nx, int ny, const T* x, const T* y, T* dx, T* dy, T* value);
/// The mean over the rows of (|g| - 1)^2; along: its gradient.
template <class T>
void unit_norms(Cuda, int rows, int width, const T* g, T* along, T* value);
/// q += a''(.) p t
template <class T>
void activation_curvature(Cuda, kernel_options::Activation a, double alpha, std::ptrdiff_t count, const T* x, const T* y,
                          const T* p, const T* t, T* q);
/// *value = (add ? *value : 0) + weight / 2 |v - start|^2, start null: 0; and g += factor (v - start).
template <class T>
void drawn_to(Cuda, std::ptrdiff_t count, double weight, const T* v, const T* start, bool add, T* value);
template <class T>
void drawn_to_backward(Cuda, std::ptrdiff_t count, T factor, const T* v, const T* start, T* g);
/// 1/2 sum of weights (of the channels; null: 1) times (x - start)^2.
template <class T>
void map_distance(Cuda, std::ptrdiff_t count, int channels, const T* x, const T* start, const double* weights, T* dx, T* value);

GRAFT_CUDA_END

GRAFT_BEGIN
namespace kernel {
using cuda::activation_curvature;
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
using cuda::without_scaling;
}  // namespace kernel
GRAFT_END

#pragma once
/// \file on_device.hpp  The losses that a device has kernels for, as a table (core/accelerator.hpp). All other losses run on
/// the CPU, which says so once (loss/record.hpp).
#include "graft/config.hpp"
#include "graft/core/accelerator.hpp"
#include "graft/kernel/options.hpp"

#include <cstddef>

GRAFT_BEGIN

/// As kernel/cpu has them, but the loss is written to *value: nothing waits. Gradients that are null are not wanted. All
/// pointers are the device's or managed memory.
template <class T>
class DeviceLosses {
 public:
  virtual void cross_entropy(int n, int classes, const T* logits, const int* labels,
                             const kernel::CrossEntropyOptions<T>& options, T* gradient, T* value) const = 0;
  virtual void soft_cross_entropy(int n, int classes, const T* logits, const T* targets, T* gradient, T* value) const = 0;
  virtual void binary_cross_entropy(int n, const T* logits, const T* targets, T* gradient, T* value) const = 0;
  virtual void mean_absolute_error(std::ptrdiff_t count, const T* a, const T* b, T* da, T* value) const = 0;
  virtual void mean_squared_error(std::ptrdiff_t count, const T* a, const T* b, T* da, T* db, T* value) const = 0;
  virtual void entropy(int n, int classes, const T* logits, T* gradient, double epsilon, T* value) const = 0;
  virtual void mean_entropy(int n, int classes, const T* logits, T* gradient, double epsilon, T* value) const = 0;
  virtual void mmd(int nx, int ny, int d, const T* x, const T* y, const kernel::MmdOptions& options, T* dx, T* dy,
                   T* value) const = 0;
  virtual void mean_difference(int nx, int ny, int d, const T* x, const T* y, T* dx, T* dy, T* value) const = 0;
  virtual void coral(int nx, int ny, int d, const T* x, const T* y, T* dx, T* dy, T* value) const = 0;
  virtual void classifier_discrepancy(int n, int classes, const T* p, const T* q, T* da, T* db, T* value) const = 0;
  virtual void margin_disparity(int rows, int split, int classes, const T* p, const T* main, double margin, T* dz,
                                T* value) const = 0;
  virtual void consistency(int n, int classes, const T* logits, const T* teacher, double confidence, T* dx, T* value) const = 0;
  virtual void mcc(int n, int classes, const T* logits, T temperature, T* gradient, double epsilon, T* value) const = 0;
  virtual void weighted_kernels(int n, const T* w, int count, const kernel::KernelFactor<T>* factors, T* value) const = 0;
  virtual void central_moments(int nx, int ny, int d, const T* x, const T* y, int orders, double range, T* dx, T* dy,
                               T* value) const = 0;
  virtual void sliced_wasserstein(int n, int m, int width, const T* x, const T* y, int projections, const T* directions, T* dx,
                                  T* dy, T* value) const = 0;
  virtual void mean_gap(int nx, int ny, const T* x, const T* y, T* dx, T* dy, T* value) const = 0;
  virtual void unit_norms(int rows, int width, const T* g, T* along, T* value) const = 0;
  virtual void drawn_to(std::size_t count, double weight, const T* v, const T* start, bool add, T* value) const = 0;
  virtual void drawn_to_backward(std::size_t count, T factor, const T* v, const T* start, T* g) const = 0;
  virtual void map_distance(std::size_t count, int channels, const T* x, const T* start, const double* weights, T* dx,
                            T* value) const = 0;
  virtual void domain_cross_entropy(int n, int split, const T* logits, const T* weights, T* dz, T* value) const = 0;
  /// No losses, but what several are made of.
  virtual void outer(int n, int classes, int d, const T* g, const T* f, T* value) const = 0;
  virtual void outer_backward(int n, int classes, int d, const T* g, const T* gradient, T* df) const = 0;
  virtual void entropy_weights(int n, int split, int classes, const T* p, T* w) const = 0;
  virtual void softmax(int n, int classes, const T* logits, T* p) const = 0;
  virtual void softmax_backward(int n, int classes, const T* p, const T* dp, T* dz) const = 0;
  virtual void mmd_weights(int nx, int ny, bool unbiased, T* w) const = 0;
  virtual void without_scaling(int nx, int ny, int d, const T* x, const T* y, T* dx, T* dy) const = 0;
  virtual void class_weights(int ns, int n, int classes, const int* labels, const T* p, T* w) const = 0;
  virtual void random_map(int n, int d, int classes, int wide, const T* f, const T* g, const T* of_f, const T* of_g, T part,
                          T* other, T* value) const = 0;
  virtual void random_map_backward(int n, int d, int wide, const T* other, const T* of_f, const T* gradient, T* df) const = 0;

 protected:
  DeviceLosses() = default;
  ~DeviceLosses() = default;
};

GRAFT_END

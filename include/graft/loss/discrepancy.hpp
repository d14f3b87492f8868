#pragma once
/// \file discrepancy.hpp  Distances between two clouds of features: MMD and CORAL.
#include "graft/config.hpp"
#include "graft/kernel/cpu/pairwise.hpp"
#include "graft/kernel/cpu/statistics.hpp"
#include "graft/loss/record.hpp"

GRAFT_BEGIN

using kernel::Estimator;
using kernel::MmdOptions;

/// Squared maximum mean discrepancy between two batches (Gretton et al. 2012) with one or several Gaussian kernels. Batches may
/// differ in size, except for the linear-time estimator. Memory: (nx + ny)^2 numbers, never nx * ny * d.
template <Shape S, Kind A, Kind B, class T>
Loss<T> mmd(const Var<S, A, T>& x, const Var<S, B, T>& y, const MmdOptions& options = {}) {
  static_assert(A != Kind::probabilities && B != Kind::probabilities,
                "graft: mmd compares features or logits, not probabilities.");
  constexpr int width = static_cast<int>(S.size());
  return detail::record_loss(
      x, y,
      [&](const T* px, const T* py, T* dx, T* dy) {
        return kernel::mmd(Cpu{}, x.count(), y.count(), width, px, py, options, dx, dy);
      },
      [&](const DeviceLosses<T>& losses, const T* px, const T* py, T* dx, T* dy, T* value) {
        losses.mmd(x.count(), y.count(), width, px, py, options, dx, dy, value);
      });
}

/// |mean x - mean y|^2 over the features, summed: the squared MMD of the linear kernel (Tzeng et al. 2014, equation 1).
template <Shape S, Kind A, Kind B, class T>
Loss<T> mean_difference(const Var<S, A, T>& x, const Var<S, B, T>& y) {
  static_assert(A != Kind::probabilities && B != Kind::probabilities,
                "graft: mean_difference compares features or logits, not probabilities.");
  constexpr int width = static_cast<int>(S.size());
  return detail::record_loss(
      x, y,
      [&](const T* px, const T* py, T* dx, T* dy) {
        return kernel::mean_difference(Cpu{}, x.count(), y.count(), width, px, py, dx, dy);
      },
      [&](const DeviceLosses<T>& losses, const T* px, const T* py, T* dx, T* dy, T* value) {
        losses.mean_difference(x.count(), y.count(), width, px, py, dx, dy, value);
      });
}

/// |C_x - C_y|_F^2 / (4 d^2), the unbiased covariances of both batches (Sun & Saenko 2016). At least two rows each.
template <Shape S, Kind A, Kind B, class T>
Loss<T> coral(const Var<S, A, T>& x, const Var<S, B, T>& y) {
  if (x.count() < 2 || y.count() < 2)
    fail("coral: batches of ", x.count(), " and ", y.count(), " rows; a covariance needs at least 2.");
  constexpr int width = static_cast<int>(S.size());
  return detail::record_loss(
      x, y,
      [&](const T* px, const T* py, T* dx, T* dy) { return kernel::coral(Cpu{}, x.count(), y.count(), width, px, py, dx, dy); },
      [&](const DeviceLosses<T>& losses, const T* px, const T* py, T* dx, T* dy, T* value) {
        losses.coral(x.count(), y.count(), width, px, py, dx, dy, value);
      });
}

GRAFT_END

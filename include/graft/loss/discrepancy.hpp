#pragma once
/// \file discrepancy.hpp  Distances between two clouds of features: MMD and CORAL.
#include "graft/config.hpp"
#include "graft/core/trace.hpp"
#include "graft/kernel/cpu/describe.hpp"
#include "graft/kernel/cpu/pairwise.hpp"
#include "graft/kernel/cpu/statistics.hpp"
#include "graft/loss/record.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

GRAFT_BEGIN

using kernel::Estimator;
using kernel::MmdOptions;

namespace detail {
/// Whether the gradient has a part through bandwidths that come from the data.
inline bool through_bandwidth(const MmdOptions& options) {
  return options.through_bandwidth &&
         std::none_of(options.gamma.begin(), options.gamma.end(), [](double g) { return g > 0.0; });
}
}  // namespace detail

/// Squared maximum mean discrepancy between two batches (Gretton et al. 2012) with one or several Gaussian kernels. Batches may
/// differ in size, except for the linear-time estimator. Memory: (nx + ny)^2 numbers, never nx * ny * d.
template <Shape S, Kind A, Kind B, class T>
Loss<T> mmd(const Var<S, A, T>& x, const Var<S, B, T>& y, const MmdOptions& options = {}) {
  static_assert(A != Kind::probabilities && B != Kind::probabilities,
                "graft: mmd compares features or logits, not probabilities.");
  const int nx = x.count(), ny = y.count();
  constexpr int d = static_cast<int>(S.size());
  const bool through = detail::through_bandwidth(options);
  const auto both = [&](T* dx, T* dy) {  // the bandwidth hangs on all points, whichever side's gradient is wanted
    const auto room = [&](T* side, int rows) {
      return through && side == nullptr ? x.tape->arena().template take<T>(static_cast<std::size_t>(rows) * S.size()) : side;
    };
    return dx == nullptr && dy == nullptr ? std::pair{dx, dy} : std::pair{room(dx, nx), room(dy, ny)};
  };
  return detail::record_loss(
      x, y,
      [&](const T* px, const T* py, T* of_x, T* of_y) {
        const double begin = detail::trace_clock();
        const auto [dx, dy] = both(of_x, of_y);
        const T value = kernel::mmd(Cpu{}, nx, ny, d, px, py, options, dx, dy);
        if (through && dx != nullptr) kernel::without_scaling(Cpu{}, nx, ny, d, px, py, dx, dy);
        if (detail::traced()) detail::trace_loss("MMD", nx, ny, d, kernel::describe_mmd<T>(nx, ny, d, options), begin);
        return value;
      },
      [&](const DeviceLosses<T>& losses, const T* px, const T* py, T* of_x, T* of_y, T* value) {
        const auto [dx, dy] = both(of_x, of_y);
        losses.mmd(nx, ny, d, px, py, options, dx, dy, value);
        if (through && dx != nullptr) losses.without_scaling(nx, ny, d, px, py, dx, dy);
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
  const int nx = x.count(), ny = y.count();
  constexpr int d = static_cast<int>(S.size());
  return detail::record_loss(
      x, y,
      [&](const T* px, const T* py, T* dx, T* dy) {
        const double begin = detail::trace_clock();
        const T value = kernel::coral(Cpu{}, nx, ny, d, px, py, dx, dy);
        if (detail::traced()) {
          const std::string text = "covariances: " + kernel::describe_product<T>(true, false, d, d, nx, d) +
                                   " | gradients: " + kernel::describe_product<T>(false, false, nx, d, d, d);
          detail::trace_loss("CORAL", nx, ny, d, text, begin);
        }
        return value;
      },
      [&](const DeviceLosses<T>& losses, const T* px, const T* py, T* dx, T* dy, T* value) {
        losses.coral(nx, ny, d, px, py, dx, dy, value);
      });
}

GRAFT_END

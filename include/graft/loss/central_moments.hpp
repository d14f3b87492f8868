#pragma once
/// \file central_moments.hpp  Central moment discrepancy.
#include "graft/config.hpp"
#include "graft/kernel/cpu/moments.hpp"
#include "graft/loss/record.hpp"

GRAFT_BEGIN

/// Distances of the means and of the central moments up to order `moments` (Zellinger et al. 2017, definition 2). The features
/// should lie in an interval of length `range`: end the body in Sigmoid (1) or Tanh (2).
template <Shape S, Kind A, Kind B, class T>
Loss<T> central_moment_discrepancy(const Var<S, A, T>& x, const Var<S, B, T>& y, int moments = 5, double range = 1.0) {
  if (moments < 1 || !(range > 0.0)) {
    fail("central_moment_discrepancy: ", moments, " moments on a range of ", range,
         "; it needs at least 1 and a range above 0.");
  }
  constexpr int width = static_cast<int>(S.size());
  return detail::record_loss(
      x, y,
      [&](const T* px, const T* py, T* dx, T* dy) {
        return kernel::central_moments(Cpu{}, x.count(), y.count(), width, px, py, moments, range, dx, dy);
      },
      [&](const DeviceLosses<T>& losses, const T* px, const T* py, T* dx, T* dy, T* value) {
        losses.central_moments(x.count(), y.count(), width, px, py, moments, range, dx, dy, value);
      });
}

GRAFT_END

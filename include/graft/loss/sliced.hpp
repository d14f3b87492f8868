#pragma once
/// \file sliced.hpp  Sliced Wasserstein distance: Rabin, Peyre, Delon, Bernot, "Wasserstein barycenter and its application to
/// texture mixing", SSVM 2011; Bonneel, Rabin, Peyre, Pfister, "Sliced and Radon Wasserstein barycenters of measures", JMIV
/// 2015.
#include "graft/config.hpp"
#include "graft/core/random.hpp"
#include "graft/kernel/cpu/gemm.hpp"
#include "graft/loss/record.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

GRAFT_BEGIN
namespace detail {

/// `count` directions, uniform on the sphere, as the columns of width x count numbers.
template <class T>
GRAFT_COLD std::vector<T> directions(int width, int count, std::uint64_t seed) {
  Random random(seed, 0x736c69636564);
  std::vector<T> all(static_cast<std::size_t>(width) * static_cast<std::size_t>(count));
  std::vector<double> one(static_cast<std::size_t>(width));
  for (int p = 0; p < count; ++p) {
    double square = 0.0;
    for (double& x : one) x = random.normal(), square += x * x;
    for (std::size_t i = 0; i < one.size(); ++i)
      all[i * static_cast<std::size_t>(count) + static_cast<std::size_t>(p)] = static_cast<T>(one[i] / std::sqrt(square));
  }
  return all;
}

/// The places of column p of n x width numbers, by size.
template <class T>
void sort_column(const std::vector<T>& numbers, int n, int width, int p, std::vector<std::size_t>& order) {
  order.resize(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i * static_cast<std::size_t>(width) + static_cast<std::size_t>(p);
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return numbers[a] != numbers[b] ? numbers[a] < numbers[b] : a < b; });
}

template <class T>
T sliced_wasserstein(int n, int m, int width, const T* x, const T* y, int projections, const std::vector<T>& theta, T* dx,
                     T* dy) {
  const auto along = [&](const T* rows, int count) {
    std::vector<T> out(static_cast<std::size_t>(count) * static_cast<std::size_t>(projections));
    kernel::gemm(Cpu{}, false, false, count, projections, width, T{1}, rows, width, theta.data(), projections, T{0}, out.data(),
                 projections);
    return out;
  };
  const std::vector<T> a = along(x, n), b = along(y, m);
  std::vector<T> da(a.size()), db(b.size());
  std::vector<std::size_t> of_a, of_b;
  double sum = 0.0;
  // In one dimension the best plan takes both in order: of a, whose numbers weigh 1/n, and b, 1/m each, the part of the weight
  // that is left of both goes at once. Weights are counted in 1/(n m), so that nothing is lost to rounding.
  for (int p = 0; p < projections; ++p) {
    sort_column(a, n, projections, p, of_a), sort_column(b, m, projections, p, of_b);
    std::int64_t left_a = m, left_b = n;
    for (std::size_t i = 0, j = 0; i < of_a.size() && j < of_b.size();) {
      const std::int64_t part = std::min(left_a, left_b);
      const double weight = static_cast<double>(part) / (static_cast<double>(n) * m * projections);
      const double apart = static_cast<double>(a[of_a[i]]) - static_cast<double>(b[of_b[j]]);
      sum += weight * apart * apart;
      da[of_a[i]] += static_cast<T>(2.0 * weight * apart);
      db[of_b[j]] -= static_cast<T>(2.0 * weight * apart);
      if ((left_a -= part) == 0) ++i, left_a = m;
      if ((left_b -= part) == 0) ++j, left_b = n;
    }
  }
  const auto back = [&](const std::vector<T>& slope, int count, T* out) {
    if (out != nullptr)
      kernel::gemm(Cpu{}, false, true, count, width, projections, T{1}, slope.data(), projections, theta.data(), projections,
                   T{0}, out, width);
  };
  back(da, n, dx), back(db, m, dy);
  return static_cast<T>(sum);
}

}  // namespace detail

/// The mean, over `projections` random directions, of the squared Wasserstein-2 distance of both batches' features along the
/// direction; batches may differ in size. About 1 / (numbers of a feature) of the squared distance itself. Directions follow
/// from `seed`: give another in each step. Throws Error for fewer than 1.
template <Shape S, Kind A, Kind B, class T>
Loss<T> sliced_wasserstein(const Var<S, A, T>& x, const Var<S, B, T>& y, int projections = 64, std::uint64_t seed = 0) {
  if (projections < 1) fail("sliced_wasserstein: ", projections, " projections; it needs at least 1.");
  constexpr int width = static_cast<int>(S.size());
  const std::vector<T> theta = detail::directions<T>(width, projections, seed);
  return detail::record_loss(
      x, y,
      [&](const T* px, const T* py, T* dx, T* dy) {
        return detail::sliced_wasserstein(x.count(), y.count(), width, px, py, projections, theta, dx, dy);
      },
      [&](const DeviceLosses<T>& losses, const T* px, const T* py, T* dx, T* dy, T* value) {
        losses.sliced_wasserstein(x.count(), y.count(), width, px, py, projections, x.tape->brought(theta.data(), theta.size()),
                                  dx, dy, value);
      });
}

GRAFT_END

#pragma once
/// \file sliced.cuh  Sliced Wasserstein distance: loss/sliced.hpp on the GPU. Numbers are put in order by counting the smaller
/// ones, which takes no exchange of memory and gives the same order every time.
#include "graft/kernel/cuda/gemm.cuh"
#include "graft/kernel/cuda/losses.hpp"

GRAFT_CUDA_BEGIN
namespace detail {

/// Writes at which row the number of each rank is, for every column; what is not a number comes last.
template <class T>
struct Rank {
  int n, columns;
  const T* numbers;
  int* order;
  __device__ static bool before(T a, T b) { return a < b || (a == a && b != b); }
  __device__ void operator()(std::ptrdiff_t i) const {
    const Divided at(i, columns);
    const T own = numbers[i];
    int rank = 0;
    for (int j = 0; j < n; ++j) {
      const T other = numbers[static_cast<std::ptrdiff_t>(j) * columns + at.rest];
      rank += before(other, own) || (j < at.whole && !before(own, other)) ? 1 : 0;
    }
    order[static_cast<std::ptrdiff_t>(rank) * columns + at.rest] = static_cast<int>(at.whole);
  }
};

/// In one dimension the best plan takes both sides in order: rank i of n has the part [i, i + 1) / n of the weight, counted in
/// 1 / (n m), and goes to those of the other side that have the same. Twice the weighted differences are the slopes; the sum is
/// that of the weighted squares.
template <class T>
struct Transport {
  int n, m, columns;
  const T* own;
  const T* other;
  const int* own_order;
  const int* other_order;
  T* slopes;
  __device__ double operator()(std::ptrdiff_t i) const {
    const Divided at(i, columns);
    const std::ptrdiff_t place = static_cast<std::ptrdiff_t>(own_order[i]) * columns + at.rest;
    const double here = static_cast<double>(own[place]);
    const double unit = 1.0 / (static_cast<double>(n) * m * columns);
    const std::ptrdiff_t begin = at.whole * m, end = begin + m;
    double slope = 0.0, squares = 0.0;
    for (std::ptrdiff_t j = begin / n; j * n < end; ++j) {
      const std::ptrdiff_t from = j * n > begin ? j * n : begin, until = (j + 1) * n < end ? (j + 1) * n : end;
      const double apart =
          here -
          static_cast<double>(other[static_cast<std::ptrdiff_t>(other_order[j * columns + at.rest]) * columns + at.rest]);
      const double weight = static_cast<double>(until - from) * unit;
      slope += 2.0 * weight * apart;
      squares += weight * apart * apart;
    }
    slopes[place] = static_cast<T>(slope);
    return squares;
  }
};
struct Forget {
  __device__ void operator()(double) const {}
};

}  // namespace detail

template <class T>
void sliced_wasserstein(Cuda cuda, int n, int m, int width, const T* x, const T* y, int projections, const T* directions, T* dx,
                        T* dy, T* value) {
  const std::size_t in_x = static_cast<std::size_t>(n) * static_cast<std::size_t>(projections);
  const std::size_t in_y = static_cast<std::size_t>(m) * static_cast<std::size_t>(projections);
  T* a = detail::room<T>(detail::Room::cloud, 2 * (in_x + in_y));
  T* b = a + in_x;
  T* slope_a = b + in_y;
  T* slope_b = slope_a + in_x;
  int* of_a = detail::room<int>(detail::Room::matrix, in_x + in_y);
  int* of_b = of_a + in_x;
  const auto along = [&](int count, const T* rows, T* out, int* order) {
    gemm(cuda, false, false, count, projections, width, T{1}, rows, width, directions, projections, T{0}, out, projections);
    detail::each("sliced_wasserstein's order", static_cast<std::ptrdiff_t>(count) * projections,
                 detail::Rank<T>{count, projections, out, order});
  };
  along(n, x, a, of_a);
  along(m, y, b, of_b);
  detail::sum("sliced_wasserstein", static_cast<std::ptrdiff_t>(in_x),
              detail::Transport<T>{n, m, projections, a, b, of_a, of_b, slope_a}, detail::Scaled<T>{1.0, value});
  if (dy != nullptr)
    detail::sum("sliced_wasserstein's other side", static_cast<std::ptrdiff_t>(in_y),
                detail::Transport<T>{m, n, projections, b, a, of_b, of_a, slope_b}, detail::Forget{});
  const auto back = [&](int count, const T* slopes, T* out) {
    if (out != nullptr)
      gemm(cuda, false, true, count, width, projections, T{1}, slopes, projections, directions, projections, T{0}, out, width);
  };
  back(n, slope_a, dx);
  back(m, slope_b, dy);
}

GRAFT_CUDA_END

#pragma once
/// \file statistics.cuh  Distances of means and covariances: kernel/cpu/statistics.hpp on the GPU.
#include "graft/kernel/cuda/gemm.cuh"
#include "graft/kernel/cuda/losses.hpp"

GRAFT_CUDA_BEGIN
namespace detail {

struct WideMean {
  double rows;
  double* mean;
  __device__ void operator()(int i, double sum, double) const { mean[i] = sum / rows; }
};
struct Gap {
  const double* x;
  const double* y;
  __device__ double operator()(std::ptrdiff_t k) const { return (x[k] - y[k]) * (x[k] - y[k]); }
};
template <class T>
struct MeanPull {
  const double* x;
  const double* y;
  double scale;
  int d;
  T* to;
  __device__ void operator()(std::ptrdiff_t i) const {
    const int k = Divided(i, d).rest;
    to[i] = static_cast<T>(scale * (x[k] - y[k]));
  }
};
template <class T>
struct Centre {
  const T* from;
  const double* mean;
  int d;
  T* to;
  __device__ void operator()(std::ptrdiff_t i) const {
    to[i] = static_cast<T>(static_cast<double>(from[i]) - mean[Divided(i, d).rest]);
  }
};
template <class T>
struct Square {
  const T* x;
  __device__ double operator()(std::ptrdiff_t i) const { return static_cast<double>(x[i]) * static_cast<double>(x[i]); }
};

/// Points of two clouds less their common mean.
template <class T>
struct AboutMean {
  const T* x;
  const T* y;
  const double* mean_x;
  const double* mean_y;
  int nx, ny, d;
  __device__ double operator()(std::ptrdiff_t i) const {
    const std::ptrdiff_t of_x = static_cast<std::ptrdiff_t>(nx) * d;
    const int k = Divided(i, d).rest;
    const double mean = (mean_x[k] * nx + mean_y[k] * ny) / (static_cast<double>(nx) + ny);
    return static_cast<double>(i < of_x ? x[i] : y[i - of_x]) - mean;
  }
};
template <class T>
struct AlongScale {
  AboutMean<T> points;
  const T* dx;  ///< null: the points' squares
  const T* dy;
  __device__ double operator()(std::ptrdiff_t i) const {
    const std::ptrdiff_t of_x = static_cast<std::ptrdiff_t>(points.nx) * points.d;
    const double z = points(i);
    return z * (dx == nullptr ? z : static_cast<double>(i < of_x ? dx[i] : dy[i - of_x]));
  }
};
template <class T>
struct LeaveScale {
  AboutMean<T> points;
  const double* along;
  const double* square;
  T* dx;
  T* dy;
  __device__ void operator()(std::ptrdiff_t i) const {
    if (!(*square > 0.0)) return;
    const std::ptrdiff_t of_x = static_cast<std::ptrdiff_t>(points.nx) * points.d;
    T& to = i < of_x ? dx[i] : dy[i - of_x];
    to -= static_cast<T>(*along / *square * points(i));
  }
};

template <class T>
void mean_of(int rows, int d, const T* x, double* mean) {
  column_sums("the mean of a batch", rows, d, RowTerm<T>{x, d}, WideMean{static_cast<double>(rows), mean});
}

}  // namespace detail

template <class T>
void mean_difference(Cuda, int nx, int ny, int d, const T* x, const T* y, T* dx, T* dy, T* value) {
  double* mean_x = detail::room<double>(detail::Room::rows, 2 * static_cast<std::size_t>(d));
  double* mean_y = mean_x + d;
  detail::mean_of(nx, d, x, mean_x);
  detail::mean_of(ny, d, y, mean_y);
  detail::sum("mean_difference", d, detail::Gap{mean_x, mean_y}, detail::Scaled<T>{1.0, value});
  const auto pull = [&](int n, double sign, T* to) {
    if (to == nullptr) return;
    detail::each("mean_difference's gradient", static_cast<std::ptrdiff_t>(n) * d,
                 detail::MeanPull<T>{mean_x, mean_y, sign * 2.0 / n, d, to});
  };
  pull(nx, 1.0, dx);
  pull(ny, -1.0, dy);
}

template <class T>
void without_scaling(Cuda, int nx, int ny, int d, const T* x, const T* y, T* dx, T* dy) {
  double* mean_x = detail::room<double>(detail::Room::rows, 2 * static_cast<std::size_t>(d) + 2);
  double* mean_y = ny > 0 ? mean_x + d : mean_x;
  double* along = mean_x + 2 * d;
  double* square = along + 1;
  detail::mean_of(nx, d, x, mean_x);
  if (ny > 0) detail::mean_of(ny, d, y, mean_y);
  const detail::AboutMean<T> points{x, y, mean_x, mean_y, nx, ny, d};
  const std::ptrdiff_t size = (static_cast<std::ptrdiff_t>(nx) + ny) * d;
  detail::sum("without_scaling", size, detail::AlongScale<T>{points, dx, dy}, detail::Keep{along});
  detail::sum("without_scaling", size, detail::AlongScale<T>{points, nullptr, nullptr}, detail::Keep{square});
  detail::each("without_scaling", size, detail::LeaveScale<T>{points, along, square, dx, dy});
}

template <class T>
void coral(Cuda cuda, int nx, int ny, int d, const T* x, const T* y, T* dx, T* dy, T* value) {
  const std::size_t width = static_cast<std::size_t>(d), rows_x = static_cast<std::size_t>(nx) * width;
  double* mean = detail::room<double>(detail::Room::rows, width);
  T* centred_x = detail::room<T>(detail::Room::cloud, rows_x + static_cast<std::size_t>(ny) * width);
  T* centred_y = centred_x + rows_x;
  T* difference = detail::room<T>(detail::Room::matrix, width * width);
  const auto take_in = [&](int n, const T* from, T* centred, double sign, T keep) {
    detail::mean_of(n, d, from, mean);
    detail::each("coral's centring", static_cast<std::ptrdiff_t>(n) * d, detail::Centre<T>{from, mean, d, centred});
    gemm(cuda, true, false, d, d, n, static_cast<T>(sign / (n - 1)), static_cast<const T*>(centred), d,
         static_cast<const T*>(centred), d, keep, difference, d);
  };
  take_in(nx, x, centred_x, 1.0, T{0});
  take_in(ny, y, centred_y, -1.0, T{1});
  const double area = static_cast<double>(d) * d;
  detail::sum("coral", static_cast<std::ptrdiff_t>(d) * d, detail::Square<T>{difference},
              detail::Scaled<T>{0.25 / area, value});
  const auto pull = [&](int n, const T* centred, double sign, T* to) {
    if (to == nullptr) return;
    gemm(cuda, false, false, n, d, d, static_cast<T>(sign / (area * (n - 1))), centred, d, static_cast<const T*>(difference), d,
         T{0}, to, d);
  };
  pull(nx, centred_x, 1.0, dx);
  pull(ny, centred_y, -1.0, dy);
}

GRAFT_CUDA_END

#pragma once
/// \file weighted_kernels.cuh  Weighted sums of products of Gaussian kernels over all pairs of rows, and the weights of joint
/// and class-wise MMD: kernel/cpu/weighted_kernels.hpp on the GPU. n^2 (2 factors) numbers are held.
#include "graft/kernel/cuda/gemm.cuh"
#include "graft/kernel/cuda/losses.hpp"
#include "graft/kernel/cuda/mmd_linear.cuh"

GRAFT_CUDA_BEGIN
namespace detail {

/// |z_i - z_j|^2 of 16 x 16 pairs, from differences: nothing cancels.
template <class T>
__global__ void squares_kernel(int n, int d, const T* z, T* squares) {
  constexpr int side = 16;
  __shared__ T left[side][side + 1], right[side][side + 1];
  const int line = static_cast<int>(threadIdx.x) / side, column = static_cast<int>(threadIdx.x) % side;
  const int first_i = static_cast<int>(blockIdx.y) * side, first_j = static_cast<int>(blockIdx.x) * side;
  T sum{0};
  for (int begin = 0; begin < d; begin += side) {
    const int k = begin + column, i = first_i + line, j = first_j + line;
    left[line][column] = i < n && k < d ? z[static_cast<std::ptrdiff_t>(i) * d + k] : T{0};
    right[line][column] = j < n && k < d ? z[static_cast<std::ptrdiff_t>(j) * d + k] : T{0};
    __syncthreads();
    for (int step = 0; step < side; ++step) {
      const T off = left[line][step] - right[column][step];
      sum += off * off;
    }
    __syncthreads();
  }
  const int i = first_i + line, j = first_j + column;
  if (i < n && j < n) squares[static_cast<std::ptrdiff_t>(i) * n + j] = sum;
}

/// A factor's kernels, from the options or with the bandwidth that all pairs have.
struct NoteFactor {
  double pairs;
  bool fixed;
  double values[most_kernels];
  CloudFacts* facts;
  __device__ void operator()(double total) const {
    const double bandwidth = total > 0.0 ? total / pairs : 1.0;
    facts->unit = 1.0;
    facts->count = 0;
    for (int k = 0; k < most_kernels; ++k) {
      if (!(values[k] > 0.0)) continue;
      const double own = fixed ? values[k] : 1.0 / (values[k] * bandwidth);
      facts->gamma[facts->count++] = own > 1e30 ? 1e30 : own;
    }
  }
};

/// Squared distances become the factor's kernels in place, and -k'.
template <class T>
struct FactorKernel {
  const CloudFacts* facts;
  T* value;
  T* slope;
  __device__ void operator()(std::ptrdiff_t pair) const {
    T k, minus_slope;
    kernel_sum(*facts, value[pair], k, minus_slope);
    value[pair] = k;
    slope[pair] = minus_slope;
  }
};

/// The pair's part of the loss; what its points pull at each other with, in each factor that wants to know, replaces the slope.
template <class T>
struct FactorPair {
  const T* w;
  const T* values[2];  ///< the second null: one factor
  T* slopes[2];        ///< null: not wanted
  __device__ double operator()(std::ptrdiff_t pair) const {
    const T first = values[0][pair], second = values[1] != nullptr ? values[1][pair] : T{1}, weight = w[pair];
    if (slopes[0] != nullptr) slopes[0][pair] *= T{-4} * weight * second;
    if (slopes[1] != nullptr) slopes[1][pair] *= T{-4} * weight * first;
    return static_cast<double>(weight) * static_cast<double>(first * second);
  }
};

/// sum_j pull_ij (z_i - z_j)
template <class T>
struct FactorPull {
  int n, d;
  const T* z;
  const T* pull;
  T* dz;
  __device__ void operator()(std::ptrdiff_t at) const {
    const Divided row(at, d);
    const T* of_row = pull + row.whole * n;
    const T own = z[at];
    T sum{0};
    for (int j = 0; j < n; ++j) sum += of_row[j] * (own - z[static_cast<std::ptrdiff_t>(j) * d + row.rest]);
    dz[at] = sum;
  }
};

template <class T>
struct MmdWeight {
  int nx, n;
  bool unbiased;
  double x, y, between;
  T* w;
  __device__ void operator()(std::ptrdiff_t pair) const {
    const Divided row(pair, n);
    const bool first = row.whole < nx, second = row.rest < nx;
    w[pair] = static_cast<T>(unbiased && row.whole == row.rest ? 0.0 : first != second ? between : first ? x : y);
  }
};

/// A row's share of each class before it is divided by the class's sum, and the class that the row is taken for. Of a label out
/// of range the shares are not numbers.
template <class T>
struct ShareRow {
  int ns, classes;
  const int* labels;
  const T* p;
  T* share;
  int* best;
  __device__ void operator()(std::ptrdiff_t row, int lane) const {
    T* to = share + row * classes;
    if (row < ns) {
      const int label = labels[row];
      const T other = label < 0 || label >= classes ? std::sqrt(T{-1}) : T{0};
      for (int c = lane; c < classes; c += 32) to[c] = c == label ? T{1} : other;
      if (lane == 0) best[row] = label;
      return;
    }
    const T* own = p + row * classes;
    const int k = largest_of(classes, lane, own);
    for (int c = lane; c < classes; c += 32) to[c] = own[c];
    if (lane == 0) best[row] = k;
  }
};
template <class T>
struct ShareTerm {
  const T* share;
  const int* best;
  int classes;
  __device__ void operator()(std::ptrdiff_t row, int c, double& first, double& second) const {
    first += static_cast<double>(share[row * classes + c]);
    second += best[row] == c ? 1.0 : 0.0;
  }
};
struct NoteShares {
  double* sums;
  double* there;
  __device__ void operator()(int c, double first, double second) const {
    sums[c] = first;
    there[c] = second;
  }
};
/// 1 for a class of both domains, whose sums become factors; not a number where a sum is none.
struct CommonClass {
  double* sums[2];
  const double* there[2];
  __device__ double operator()(std::ptrdiff_t c) const {
    const double sum = sums[0][c] + sums[1][c];
    const bool both = there[0][c] > 0.0 && there[1][c] > 0.0;
    for (double* of_domain : sums) of_domain[c] = both ? 1.0 / of_domain[c] : 0.0;
    return sum != sum ? sum : both ? 1.0 : 0.0;
  }
};
/// Notes the number of common classes, and, where it is not a number, which label is out of range.
struct NoteCommon {
  int ns, classes;
  const int* labels;
  Complaint* complaint;
  double* common;
  __device__ void operator()(double count) const {
    *common = count;
    if (count == count) return;
    for (int i = 0; i < ns; ++i) {
      if (labels[i] >= 0 && labels[i] < classes) continue;
      if (complaint->row == Complaint{}.row) *complaint = Complaint{i, labels[i], classes};
      return;
    }
  }
};
template <class T>
struct DivideShare {
  std::ptrdiff_t of_source;  ///< numbers
  int classes;
  const double* factors[2];
  T* share;
  __device__ void operator()(std::ptrdiff_t i) const {
    const int c = Divided(i, classes).rest;
    share[i] = static_cast<T>(static_cast<double>(share[i]) * factors[i < of_source ? 0 : 1][c]);
  }
};
template <class T>
struct WriteClassWeight {
  int ns, n;
  const double* common;
  T* w;
  __device__ void operator()(int, int row, int column, const T (&four)[4]) const {
    const double count = *common;
    for (int r = 0; r < 4 && row + r < n; ++r) {
      const double sign = (row + r < ns) == (column < ns) ? 1.0 : -1.0;
      w[static_cast<std::ptrdiff_t>(row + r) * n + column] =
          static_cast<T>(count == 0.0 ? 0.0 : sign * static_cast<double>(four[r]) / count);
    }
  }
};

}  // namespace detail

template <class T>
void weighted_kernels(Cuda, int n, const T* w, int count, const KernelFactor<T>* factors, T* value) {
  const std::size_t pairs = static_cast<std::size_t>(n) * static_cast<std::size_t>(n);
  T* held = detail::room<T>(detail::Room::matrix, 2 * static_cast<std::size_t>(count) * pairs);
  detail::CloudFacts* facts = reinterpret_cast<detail::CloudFacts*>(
      detail::room<double>(detail::Room::rows, sizeof(detail::CloudFacts) / sizeof(double) + 1));
  const std::ptrdiff_t size = static_cast<std::ptrdiff_t>(pairs);
  detail::FactorPair<T> pair{w, {}, {}};
  for (int l = 0; l < count; ++l) {
    const KernelFactor<T>& f = factors[l];
    T* values = held + 2 * static_cast<std::size_t>(l) * pairs;
    T* slopes = values + pairs;
    const unsigned blocks = detail::blocks_for(n, 16);
    detail::launch("weighted_kernels' distances", detail::squares_kernel<T>, dim3(blocks, blocks), 256, n, f.d, f.z, values);
    detail::NoteFactor note{static_cast<double>(n) * (n - 1.0), false, {}, facts};
    for (const double g : f.gamma) note.fixed = note.fixed || g > 0.0;
    for (int k = 0; k < detail::most_kernels; ++k) {
      const std::size_t at = static_cast<std::size_t>(k);
      note.values[k] = note.fixed ? f.gamma[at] : f.multiplier[at];
    }
    detail::sum("weighted_kernels' bandwidth", size, detail::Widened<T>{values}, note);
    detail::each("weighted_kernels' kernels", size, detail::FactorKernel<T>{facts, values, slopes});
    pair.values[l] = values;
    pair.slopes[l] = f.dz != nullptr ? slopes : nullptr;
  }
  detail::sum("weighted_kernels", size, pair, detail::Scaled<T>{1.0, value});
  for (int l = 0; l < count; ++l) {
    const KernelFactor<T>& f = factors[l];
    if (f.dz == nullptr) continue;
    detail::each("weighted_kernels' gradient", static_cast<std::ptrdiff_t>(n) * f.d,
                 detail::FactorPull<T>{n, f.d, f.z, pair.slopes[l], f.dz});
  }
}

template <class T>
void mmd_weights(Cuda, int nx, int ny, bool unbiased, T* w) {
  const int n = nx + ny;
  detail::each("mmd_weights", static_cast<std::ptrdiff_t>(n) * n,
               detail::MmdWeight<T>{nx, n, unbiased, 1.0 / (static_cast<double>(nx) * (unbiased ? nx - 1 : nx)),
                                    1.0 / (static_cast<double>(ny) * (unbiased ? ny - 1 : ny)),
                                    -1.0 / (static_cast<double>(nx) * ny), w});
}

template <class T>
void class_weights(Cuda, int ns, int n, int classes, const int* labels, const T* p, T* w) {
  const std::size_t width = static_cast<std::size_t>(classes);
  double* sums = detail::room<double>(detail::Room::rows, 4 * width + 1);
  double* there = sums + 2 * width;
  double* common = there + 2 * width;
  T* share = detail::room<T>(detail::Room::cloud, static_cast<std::size_t>(n) * width);
  int* best = detail::room<int>(detail::Room::matrix, static_cast<std::size_t>(n));
  detail::rows_by_warp("class_weights' shares", n, detail::ShareRow<T>{ns, classes, labels, p, share, best});
  for (int domain = 0; domain < 2; ++domain) {
    const int begin = domain == 0 ? 0 : ns, rows = domain == 0 ? ns : n - ns;
    detail::column_sums("class_weights' sums", rows, classes,
                        detail::ShareTerm<T>{share + static_cast<std::ptrdiff_t>(begin) * classes, best + begin, classes},
                        detail::NoteShares{sums + domain * classes, there + domain * classes});
  }
  detail::sum("class_weights' classes", classes, detail::CommonClass{{sums, sums + classes}, {there, there + classes}},
              detail::NoteCommon{ns, classes, labels, detail::complaint(), common});
  detail::each("class_weights' division", static_cast<std::ptrdiff_t>(n) * classes,
               detail::DivideShare<T>{static_cast<std::ptrdiff_t>(ns) * classes, classes, {sums, sums + classes}, share});
  detail::product<detail::Exact<T>>("class_weights", 1, n, n, classes, detail::Rows<T, false>{share, classes, n},
                                    detail::Rows<T, false>{share, classes, n}, detail::WriteClassWeight<T>{ns, n, common, w});
}

GRAFT_CUDA_END

#pragma once
/// \file mmd.cuh  Maximum mean discrepancy: kernel/cpu/pairwise.hpp on the GPU. Each cloud is centred; a Gram matrix gives the
/// distances; one pass turns it in place into the weights W and the loss; one product gives the gradient 4 (W - diag(W 1)) Z.
/// (nx + ny)^2 numbers are held, never n x m x d. Bandwidths from the data, and the unit of data whose squares would leave the
/// range of T, stay on the device: nothing waits.
#include "graft/kernel/cuda/gemm.cuh"
#include "graft/kernel/cuda/losses.hpp"
#include "graft/kernel/cuda/mmd_linear.cuh"
#include "graft/kernel/cuda/statistics.cuh"

#include <limits>

GRAFT_CUDA_BEGIN
namespace detail {

/// The largest |number|, a NaN over all, one block after the other: partial maxima, then their maximum.
template <class T>
__global__ void largest_kernel(std::ptrdiff_t nx, std::ptrdiff_t ny, const T* x, const T* y, double* partial) {
  __shared__ double held[8];
  const std::ptrdiff_t step = static_cast<std::ptrdiff_t>(gridDim.x) * blockDim.x;
  double top = 0.0;
  for (std::ptrdiff_t i = static_cast<std::ptrdiff_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < nx + ny; i += step)
    top = larger_or_nan(top, std::abs(static_cast<double>(i < nx ? x[i] : y[i - nx])));
  top = warp_max(top);
  if (threadIdx.x % 32 == 0) held[threadIdx.x / 32] = top;
  __syncthreads();
  if (threadIdx.x > 0) return;
  for (int w = 1; w < 8; ++w) top = larger_or_nan(top, held[w]);
  partial[blockIdx.x] = top;
}

/// The unit, and the square of the means' distance in it; one block.
static __global__ void unit_kernel(int blocks, int d, double most, const double* partial, const double* mean_x,
                                   const double* mean_y, CloudFacts* facts) {
  double top = partial[0];
  for (int b = 1; b < blocks; ++b) top = larger_or_nan(top, partial[b]);
  double unit = 1.0;
  if (!(top <= most)) {
    unit = std::sqrt(-1.0);  // of a NaN or an infinity nothing is to be had
  } else if (top > 0.0 && (top > 1e12 || top < 1e-12)) {
    unit = std::exp2(std::floor(std::log2(top)));
  }
  double gap = 0.0;
  for (int k = static_cast<int>(threadIdx.x); k < d; k += static_cast<int>(blockDim.x)) {
    const double apart = (mean_y[k] - mean_x[k]) / unit;
    gap += apart * apart;
  }
  gap = block_sum(gap);
  if (threadIdx.x > 0) return;
  facts->unit = unit;
  facts->gap = gap;
}

/// A row less its cloud's mean, its square and its distance's part that is the row's own, within its cloud and to the other.
template <class T>
struct CentreRow {
  int nx, d;
  const T* x;
  const T* y;
  const double* mean_x;
  const double* mean_y;
  const CloudFacts* facts;
  T* z;
  T* within;
  T* across;
  double* squares;
  __device__ void operator()(std::ptrdiff_t row, int lane) const {
    const bool of_x = row < nx;
    const T* from = of_x ? x + row * d : y + (row - nx) * d;
    const double* mean = of_x ? mean_x : mean_y;
    const double unit = facts->unit;
    double q = 0.0, along = 0.0;
    for (int k = lane; k < d; k += 32) {
      const T centred = static_cast<T>((static_cast<double>(from[k]) - mean[k]) / unit);
      z[row * d + k] = centred;
      q += static_cast<double>(centred) * static_cast<double>(centred);
      along += static_cast<double>(centred) * ((mean_y[k] - mean_x[k]) / unit);
    }
    q = warp_sum(q);
    along = warp_sum(along);
    if (lane != 0) return;
    within[row] = static_cast<T>(q);
    across[row] = static_cast<T>(of_x ? q - 2.0 * along : q + 2.0 * along + facts->gap);
    squares[row] = q;
  }
};

/// The kernels' factors, from the options or with the bandwidth that the clouds have.
struct NoteKernels {
  int nx, ny;
  bool fixed;
  double values[most_kernels];
  CloudFacts* facts;
  __device__ void operator()(double squares) const {
    const double n = static_cast<double>(nx) + ny;
    const double spread = 2.0 * n * squares + 2.0 * static_cast<double>(nx) * ny * facts->gap;
    const double bandwidth = spread / (n * (n - 1.0));
    facts->count = 0;
    if (!fixed && spread <= 0.0) return;
    for (int k = 0; k < most_kernels; ++k) {
      const double v = values[k];
      if (!(v > 0.0)) continue;
      const double own = fixed ? v * facts->unit * facts->unit : 1.0 / (v * bandwidth);
      facts->gamma[facts->count++] = own > 1e30 ? 1e30 : own;
    }
  }
};

struct PairShares {
  double within_x, within_y, between;
};

/// A block has a row of the Gram matrix: distances become weights in place; the row's loss and its sums of weights.
template <class T>
__global__ void weigh_kernel(int nx, int n, PairShares shares, const CloudFacts* noted, const T* within, const T* across,
                             T* gram, double* losses, T* sums) {
  const CloudFacts facts = *noted;
  const int row = static_cast<int>(blockIdx.x);
  const bool of_x = row < nx;
  double loss = 0.0, own_sum = 0.0, other_sum = 0.0;
  for (int j = static_cast<int>(threadIdx.x); j < n; j += static_cast<int>(blockDim.x)) {
    T& at = gram[static_cast<std::ptrdiff_t>(row) * n + j];
    if (j == row) {
      at = facts.unit == facts.unit ? T{0} : static_cast<T>(facts.unit);
      continue;
    }
    const bool same = of_x == (j < nx);
    const double c = !same ? shares.between : of_x ? shares.within_x : shares.within_y;
    const T d2 = (same ? within[row] + within[j] : across[row] + across[j]) - T{2} * at;
    T value, minus_slope;
    kernel_sum(facts, d2 > T{0} || d2 != d2 ? d2 : T{0}, value, minus_slope);
    loss += c * static_cast<double>(value);
    at = minus_slope * static_cast<T>(4.0 * c);
    (same ? own_sum : other_sum) += static_cast<double>(at);
  }
  loss = block_sum(loss);
  own_sum = block_sum(own_sum);
  other_sum = block_sum(other_sum);
  if (threadIdx.x > 0) return;
  losses[row] = loss;
  sums[2 * row] = static_cast<T>(own_sum + other_sum);
  sums[2 * row + 1] = static_cast<T>(of_x ? other_sum : -other_sum);
}
template <class T>
struct NoteMmd {
  double diagonal;  ///< of a kernel that is 1 there
  const CloudFacts* facts;
  T* value;
  __device__ void operator()(double sum) const {
    *value = static_cast<T>(facts->unit == facts->unit ? sum + diagonal * facts->count : facts->unit);
  }
};

/// sum_j W_ij (z_j - z_i), the other cloud's z shifted by the distance of the means.
template <class T>
struct WritePull {
  T* dx;
  T* dy;
  int nx, n, d;
  const T* z;
  const T* sums;
  const double* mean_x;
  const double* mean_y;
  const CloudFacts* facts;
  __device__ void operator()(int, int m, int k, const T (&four)[4]) const {
    const double unit = facts->unit;
    const T shift = static_cast<T>((mean_y[k] - mean_x[k]) / unit);
    for (int r = 0; r < 4 && m + r < n; ++r) {
      const std::ptrdiff_t row = m + r;
      T* to = row < nx ? dx : dy;
      if (to == nullptr) continue;
      const T pull = (four[r] - sums[2 * row] * z[row * d + k]) + sums[2 * row + 1] * shift;
      to[(row < nx ? row : row - nx) * d + k] = static_cast<T>(static_cast<double>(pull) / unit);
    }
  }
};

}  // namespace detail

template <class T>
void mmd(Cuda cuda, int nx, int ny, int d, const T* x, const T* y, const MmdOptions& options, T* dx, T* dy, T* value) {
  const bool ring = options.estimator == Estimator::linear_cyclic;
  const bool linear = ring || options.estimator == Estimator::linear_time;
  const bool unbiased = options.estimator == Estimator::unbiased;
  if (nx < 1 || ny < 1 || (unbiased && (nx < 2 || ny < 2)))
    fail("mmd: batches of ", nx, " and ", ny, " rows; it needs at least ", unbiased ? 2 : 1, " of each.");
  if (linear && (nx != ny || (!ring && nx % 2 != 0) || nx < 2)) {
    fail("mmd: the linear-time estimator pairs rows and needs two equal batches", ring ? "" : " of an even size", ", but got ",
         nx, " and ", ny, " rows.");
  }
  const int n = nx + ny;
  const std::size_t rows = static_cast<std::size_t>(n), width = static_cast<std::size_t>(d);
  constexpr int blocks = 64;
  double* mean_x = detail::room<double>(detail::Room::rows, 2 * width + rows + blocks + sizeof(detail::CloudFacts) / 8 + 1);
  double* mean_y = mean_x + d;
  double* squares = mean_y + d;  // of rows; later their losses
  double* maxima = squares + n;
  detail::CloudFacts* facts = reinterpret_cast<detail::CloudFacts*>(maxima + blocks);
  T* z = detail::room<T>(detail::Room::cloud, rows * width + 4 * rows);
  T* within = z + rows * width;
  T* across = within + n;
  T* sums = across + n;

  detail::mean_of(nx, d, x, mean_x);
  detail::mean_of(ny, d, y, mean_y);
  detail::launch("mmd's largest number", detail::largest_kernel<T>, dim3(blocks), 256, static_cast<std::ptrdiff_t>(nx) * d,
                 static_cast<std::ptrdiff_t>(ny) * d, x, y, maxima);
  detail::launch("mmd's unit", detail::unit_kernel, dim3(1), 256, blocks, d, static_cast<double>(std::numeric_limits<T>::max()),
                 static_cast<const double*>(maxima), static_cast<const double*>(mean_x), static_cast<const double*>(mean_y),
                 facts);
  detail::rows_by_warp("mmd's centring", n,
                       detail::CentreRow<T>{nx, d, x, y, mean_x, mean_y, facts, z, within, across, squares});
  detail::NoteKernels kernels{nx, ny, false, {}, facts};
  for (const double g : options.gamma) kernels.fixed = kernels.fixed || g > 0.0;
  const auto& values = kernels.fixed ? options.gamma : options.multiplier;
  for (std::size_t k = 0; k < values.size(); ++k) kernels.values[k] = values[k];
  detail::total("mmd's bandwidth", n, squares, kernels);

  if (linear) {
    const detail::Pairs pairs{nx, ring};
    const int count = ring ? nx : nx / 2;
    T* slopes = detail::room<T>(detail::Room::matrix, 4 * static_cast<std::size_t>(count));
    detail::rows_by_warp("mmd's pairs", count, detail::PairRow<T>{pairs, count, d, x, y, facts, squares, slopes});
    detail::total("mmd", count, squares, detail::Scaled<T>{1.0 / count, value});
    const std::ptrdiff_t size = static_cast<std::ptrdiff_t>(nx) * d;
    if (dx != nullptr) detail::each("mmd's gradient", size, detail::PairPull<T>{pairs, d, true, x, y, slopes, facts, dx});
    if (dy != nullptr) detail::each("mmd's gradient", size, detail::PairPull<T>{pairs, d, false, y, x, slopes, facts, dy});
    return;
  }

  const double within_x = 1.0 / (static_cast<double>(nx) * (unbiased ? nx - 1 : nx));
  const double within_y = 1.0 / (static_cast<double>(ny) * (unbiased ? ny - 1 : ny));
  const double between = -1.0 / (static_cast<double>(nx) * ny);
  T* gram = detail::room<T>(detail::Room::matrix, rows * rows);
  gemm(cuda, false, true, n, n, d, T{1}, static_cast<const T*>(z), d, static_cast<const T*>(z), d, T{0}, gram, n);
  detail::launch("mmd's weights", detail::weigh_kernel<T>, dim3(static_cast<unsigned>(n)), 128, nx, n,
                 detail::PairShares{within_x, within_y, between}, static_cast<const detail::CloudFacts*>(facts),
                 static_cast<const T*>(within), static_cast<const T*>(across), gram, squares, sums);
  detail::total("mmd", n, squares, detail::NoteMmd<T>{unbiased ? 0.0 : nx * within_x + ny * within_y, facts, value});
  if (dx == nullptr && dy == nullptr) return;
  detail::product<detail::Exact<T>>("mmd's gradient", 1, n, d, n, detail::Rows<T, false>{gram, n, n},
                                    detail::Rows<T, true>{z, d, d},
                                    detail::WritePull<T>{dx, dy, nx, n, d, z, sums, mean_x, mean_y, facts});
}

GRAFT_CUDA_END

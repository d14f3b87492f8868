#pragma once
/// \file reduce.cuh  Elementwise loops and sums in a fixed order, over functors: how a sum is cut depends on the extents only.
#include "graft/kernel/cuda/launch.cuh"

#include <cmath>

GRAFT_CUDA_BEGIN
namespace detail {

inline constexpr int each_threads = 256;

template <class F>
__global__ void each_kernel(std::ptrdiff_t count, F f) {
  const std::ptrdiff_t step = static_cast<std::ptrdiff_t>(gridDim.x) * blockDim.x;
  for (std::ptrdiff_t i = static_cast<std::ptrdiff_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) f(i);
}
/// f(i) for i in [0, count), each on a thread of its own.
template <class F>
void each(const char* name, std::ptrdiff_t count, const F& f) {
  const std::ptrdiff_t blocks = (count + each_threads - 1) / each_threads;
  launch(name, each_kernel<F>, dim3(static_cast<unsigned>(blocks < 8192 ? blocks : 8192)), each_threads, count, f);
}

/// i / by and i % by; in 32 bits where they suffice, which takes a GPU a tenth of the instructions.
struct Divided {
  std::ptrdiff_t whole;
  int rest;
  __device__ Divided(std::ptrdiff_t i, int by) {
    if (i <= 0x7FFFFFFF) {
      const unsigned small = static_cast<unsigned>(i), divisor = static_cast<unsigned>(by);
      whole = small / divisor;
      rest = static_cast<int>(small % divisor);
    } else {
      whole = i / by;
      rest = static_cast<int>(i % by);
    }
  }
};
/// The index of a number of an array samples x high x wide x channels, taken apart.
struct Place {
  int c, x, y;
  std::ptrdiff_t sample;
  __device__ Place(std::ptrdiff_t i, int channels, int wide, int high) {
    const Divided pixel(i, channels), row(pixel.whole, wide), image(row.whole, high);
    c = pixel.rest;
    x = row.rest;
    y = image.rest;
    sample = image.whole;
  }
};

// ---- within a warp and a block
// ------------------------------------------------------------------------------------------------
template <class V>
__device__ V warp_sum(V v) {
  for (int lanes = 16; lanes > 0; lanes /= 2) v += __shfl_xor_sync(0xFFFFFFFFu, v, lanes);
  return v;
}
/// A NaN wins.
template <class V>
__device__ V larger_or_nan(V a, V b) {
  return a != a || a > b ? a : b;
}
template <class V>
__device__ V warp_max(V v) {
  for (int lanes = 16; lanes > 0; lanes /= 2) v = larger_or_nan(v, __shfl_xor_sync(0xFFFFFFFFu, v, lanes));
  return v;
}
/// The place of the largest of a row's numbers, the first of equals, in all lanes.
template <class T>
__device__ int largest_of(int count, int lane, const T* row) {
  int k = lane < count ? lane : 0;
  for (int c = lane + 32; c < count; c += 32) {
    if (row[c] > row[k]) k = c;
  }
  T top = row[k];
  for (int lanes = 16; lanes > 0; lanes /= 2) {
    const T other = __shfl_xor_sync(0xFFFFFFFFu, top, lanes);
    const int at = __shfl_xor_sync(0xFFFFFFFFu, k, lanes);
    if (other > top || (other == top && at < k)) {
      top = other;
      k = at;
    }
  }
  return k;
}
/// The sum over the block, in all its threads; all must call it.
inline __device__ double block_sum(double v) {
  __shared__ double sums[32];
  v = warp_sum(v);
  const int thread = static_cast<int>(threadIdx.x), warps = static_cast<int>(blockDim.x) / 32;
  __syncthreads();  // whoever read the last sum has done so
  if (thread % 32 == 0) sums[thread / 32] = v;
  __syncthreads();
  double total = 0.0;
  for (int w = 0; w < warps; ++w) total += sums[w];
  return total;
}

// ---- one sum over many numbers ----------------------------------------------------------------------------------------------
template <class F>
__global__ void sum_kernel(std::ptrdiff_t count, std::ptrdiff_t piece, F term, double* partial) {
  const std::ptrdiff_t begin = blockIdx.x * piece, end = begin + piece < count ? begin + piece : count;
  double sum = 0.0;
  for (std::ptrdiff_t i = begin + threadIdx.x; i < end; i += blockDim.x) sum += term(i);
  sum = block_sum(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}
template <class Done>
__global__ void total_kernel(std::ptrdiff_t count, const double* partial, Done done) {
  double sum = 0.0;
  for (std::ptrdiff_t i = threadIdx.x; i < count; i += blockDim.x) sum += partial[i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) done(sum);
}
/// done(the sum of partial[0..count)), on one thread of the device.
template <class Done>
void total(const char* name, std::ptrdiff_t count, const double* partial, const Done& done) {
  launch(name, total_kernel<Done>, dim3(1), 256, count, partial, done);
}
template <class F, class Done>
__global__ void sum_at_once_kernel(std::ptrdiff_t count, F term, Done done) {
  double sum = 0.0;
  for (std::ptrdiff_t i = threadIdx.x; i < count; i += blockDim.x) sum += term(i);
  sum = block_sum(sum);
  if (threadIdx.x == 0) done(sum);
}
/// done(the sum of term(i), i in [0, count)); terms may write, each its own element. One kernel where there is little to sum,
/// else two.
template <class F, class Done>
void sum(const char* name, std::ptrdiff_t count, const F& term, const Done& done) {
  const std::ptrdiff_t least = 2048, most = 512;
  const std::ptrdiff_t piece = (count + most - 1) / most > least ? (count + most - 1) / most : least;
  const unsigned blocks = blocks_for(count, piece);
  if (blocks <= 1) {
    launch(name, sum_at_once_kernel<F, Done>, dim3(1), 256, count, term, done);
    return;
  }
  double* partial = room<double>(Room::sums, blocks);
  launch(name, sum_kernel<F>, dim3(blocks), 256, count, piece, term, partial);
  total(name, blocks, partial, done);
}
/// A term that is a number of an array.
template <class T>
struct Widened {
  const T* x;
  __device__ double operator()(std::ptrdiff_t i) const { return static_cast<double>(x[i]); }
};
struct Keep {
  double* to;
  __device__ void operator()(double sum) const { *to = sum; }
};
/// *value = scale * sum, the mean of a loss.
template <class T>
struct Scaled {
  double scale;
  T* value;
  __device__ void operator()(double sum) const { *value = static_cast<T>(scale * sum); }
};

// ---- a warp for each row ----------------------------------------------------------------------------------------------------
template <class F>
__global__ void rows_kernel(std::ptrdiff_t rows, F f) {
  const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(blockIdx.x) * (blockDim.x / 32) + threadIdx.x / 32;
  if (row < rows) f(row, static_cast<int>(threadIdx.x % 32));
}
/// f(row, lane) for every row, called by all 32 lanes of a warp.
template <class F>
void rows_by_warp(const char* name, std::ptrdiff_t rows, const F& f) {
  launch(name, rows_kernel<F>, dim3(blocks_for(rows, 4)), 128, rows, f);
}

// ---- sums of columns --------------------------------------------------------------------------------------------------------
/// Two sums for each column of rows x c; term(row, column, first, second) adds to them.
template <class Term>
__global__ void columns_kernel(std::ptrdiff_t rows, int c, std::ptrdiff_t piece, Term term, double* partial) {
  __shared__ double held[2][8][32];
  const int lane = static_cast<int>(threadIdx.x % 32), line = static_cast<int>(threadIdx.x / 32);
  const int column = static_cast<int>(blockIdx.x) * 32 + lane;
  const std::ptrdiff_t begin = blockIdx.y * piece, end = begin + piece < rows ? begin + piece : rows;
  double first = 0.0, second = 0.0;
  if (column < c) {
    for (std::ptrdiff_t row = begin + line; row < end; row += 8) term(row, column, first, second);
  }
  held[0][line][lane] = first;
  held[1][line][lane] = second;
  __syncthreads();
  if (line > 1 || column >= c) return;
  double sum = 0.0;
  for (int l = 0; l < 8; ++l) sum += held[line][l][lane];
  partial[(static_cast<std::ptrdiff_t>(blockIdx.y) * 2 + line) * c + column] = sum;
}
/// The same where one piece is enough: the sums go to done(column, first, second).
template <class Term, class Done>
__global__ void columns_at_once_kernel(std::ptrdiff_t rows, int c, Term term, Done done) {
  __shared__ double held[2][8][32];
  const int lane = static_cast<int>(threadIdx.x % 32), line = static_cast<int>(threadIdx.x / 32);
  const int column = static_cast<int>(blockIdx.x) * 32 + lane;
  double first = 0.0, second = 0.0;
  if (column < c) {
    for (std::ptrdiff_t row = line; row < rows; row += 8) term(row, column, first, second);
  }
  held[0][line][lane] = first;
  held[1][line][lane] = second;
  __syncthreads();
  if (line > 0 || column >= c) return;
  first = second = 0.0;
  for (int l = 0; l < 8; ++l) {
    first += held[0][l][lane];
    second += held[1][l][lane];
  }
  done(column, first, second);
}
template <class Done>
struct FinishColumns {
  int c, pieces;
  const double* partial;
  Done done;
  __device__ void operator()(std::ptrdiff_t column) const {
    double first = 0.0, second = 0.0;
    for (int p = 0; p < pieces; ++p) {
      first += partial[static_cast<std::ptrdiff_t>(2 * p) * c + column];
      second += partial[static_cast<std::ptrdiff_t>(2 * p + 1) * c + column];
    }
    done(static_cast<int>(column), first, second);
  }
};
/// done(column, first sum, second sum) for each of c columns.
template <class Term, class Done>
void column_sums(const char* name, std::ptrdiff_t rows, int c, const Term& term, const Done& done) {
  const std::ptrdiff_t least = 256, most = 128;
  const std::ptrdiff_t piece = (rows + most - 1) / most > least ? (rows + most - 1) / most : least;
  const unsigned pieces = blocks_for(rows, piece);
  if (pieces == 1) {
    launch(name, columns_at_once_kernel<Term, Done>, dim3(blocks_for(c, 32)), 256, rows, c, term, done);
    return;
  }
  double* partial = room<double>(Room::sums, static_cast<std::size_t>(pieces) * 2 * static_cast<std::size_t>(c));
  launch(name, columns_kernel<Term>, dim3(blocks_for(c, 32), pieces), 256, rows, c, piece, term, partial);
  each(name, c, FinishColumns<Done>{c, static_cast<int>(pieces), partial, done});
}

}  // namespace detail
GRAFT_CUDA_END

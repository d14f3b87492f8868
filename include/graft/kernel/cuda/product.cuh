#pragma once
/// \file product.cuh  The tile that all products and convolutions run on: out(sum over k of a(m, k) b(k, n)), a and b gathered
/// from wherever they lie, out fused. A block has tile_m x tile_n results, a thread m_each x n_each of them in registers; steps
/// of k pass through two buffers of shared memory. Where there are few blocks k is cut into fixed chunks, summed in order by a
/// second kernel. How a product is cut depends on its extents only.
/// Large plain products and convolutions go to NVIDIA's libraries before they come here, where the build has them.
#include "graft/kernel/cuda/launch.cuh"
#include "graft/kernel/cuda/libraries.cuh"

#include <cstdint>
#include <type_traits>

GRAFT_CUDA_BEGIN
namespace detail {

/// A tile's extents; a warp reads its a from few and its b from neighbouring places of shared memory.
template <class T, int m, int n, int me, int ne>
struct Tile {
  using Number = T;
  static constexpr int tile_m = m, tile_n = n, m_each = me, n_each = ne;
  static constexpr int depth = sizeof(T) == 8 ? 8 : 16;
  static constexpr int across = n / ne;
  static constexpr int threads = m / me * across;
  static constexpr int a_stride = m + 4;  // rows of shared memory shifted against the banks
  static constexpr int loads_a = m * depth / threads, loads_b = n * depth / threads;
  static_assert(m * depth % threads == 0 && n * depth % threads == 0 && me % 4 == 0);
};
/// How a product is made: in its numbers' own precision. rounded_product.cuh has others. `arithmetic`: a library's name for it.
template <class T>
struct Exact {
  using Number = T;
  using Large = Tile<T, 128, 64, 8, 4>;
  using Small = Tile<T, 64, 32, 4, 4>;
};
template <>
struct Exact<float> {
  using Number = float;
  using Large = Tile<float, 128, 64, 8, 4>;
  using Small = Tile<float, 64, 32, 4, 4>;
  static constexpr Arithmetic arithmetic = Arithmetic::full;
};

struct ProductExtents {
  int m, n, k;
  int chunks, piece;  ///< k is cut into chunks of `piece` steps
};

/// What a thread loads of one operand: with `k_first` neighbouring threads take neighbouring k, one k a thread; otherwise
/// neighbouring lines (m or n), one line a thread.
template <class Operand, int lines, int depth, int threads, bool k_first>
struct Loader {
  using Number = typename Operand::Number;
  static constexpr int loads = lines * depth / threads;
  static constexpr int held = k_first ? loads : 1;
  typename Operand::Line line[held];
  Number value[loads];

  __device__ static int line_at(int thread, int i) { return k_first ? thread / depth + i * (threads / depth) : thread % lines; }
  __device__ static int step_at(int thread, int i) { return k_first ? thread % depth : thread / lines + i * (threads / lines); }
  __device__ void aim(const Operand& from, int first, int thread) {
    GRAFT_CUDA_UNROLL
    for (int i = 0; i < held; ++i) line[i] = from.line(first + line_at(thread, i));
  }
  __device__ void load(const Operand& from, int k, int end, int thread) {
    if constexpr (k_first) {
      const int at = k + step_at(thread, 0);
      const typename Operand::Step step = from.step(at < end ? at : k);
      GRAFT_CUDA_UNROLL
      for (int i = 0; i < loads; ++i) value[i] = at < end ? from.at(line[i], step) : Number{0};
    } else {
      GRAFT_CUDA_UNROLL
      for (int i = 0; i < loads; ++i) {
        const int at = k + step_at(thread, i);
        value[i] = at < end ? from.at(line[0], from.step(at)) : Number{0};
      }
    }
  }
  __device__ void store(Number* to, int stride, int thread) const {
    GRAFT_CUDA_UNROLL
    for (int i = 0; i < loads; ++i) to[step_at(thread, i) * stride + line_at(thread, i)] = value[i];
  }
  /// The same, rounded to W's numbers, W::per_word steps in a word.
  template <class W>
  __device__ void store_words(std::uint32_t* to, int stride, int thread) const {
    GRAFT_CUDA_UNROLL
    for (int i = 0; i < loads; ++i) {
      const int step = step_at(thread, i);
      W::put(to + step / W::per_word * stride, line_at(thread, i), step % W::per_word, value[i]);
    }
  }
};

template <class Shape, class A, class B, class Out>
__global__ void __launch_bounds__(Shape::threads)
    product_kernel(ProductExtents e, A a, B b, Out out, typename Shape::Number* partial) {
  using T = typename Shape::Number;
  constexpr int depth = Shape::depth, m_each = Shape::m_each, n_each = Shape::n_each;
  alignas(16) __shared__ T held_a[2][depth * Shape::a_stride];
  alignas(16) __shared__ T held_b[2][depth * Shape::tile_n];
  const int thread = static_cast<int>(threadIdx.x);
  const int group = static_cast<int>(blockIdx.z) / e.chunks, chunk = static_cast<int>(blockIdx.z) % e.chunks;
  const int first_m = static_cast<int>(blockIdx.x) * Shape::tile_m, first_n = static_cast<int>(blockIdx.y) * Shape::tile_n;
  a.group = b.group = group;
  Loader<A, Shape::tile_m, depth, Shape::threads, A::k_first> loader_a;
  Loader<B, Shape::tile_n, depth, Shape::threads, B::k_first> loader_b;
  loader_a.aim(a, first_m, thread);
  loader_b.aim(b, first_n, thread);

  const int begin = chunk * e.piece;
  const int end = begin + e.piece < e.k ? begin + e.piece : e.k;
  const int row = thread / Shape::across * m_each, column = thread % Shape::across * n_each;
  T sums[m_each][n_each] = {};
  int side = 0;
  if (begin < end) {
    loader_a.load(a, begin, end, thread);
    loader_b.load(b, begin, end, thread);
    loader_a.store(held_a[0], Shape::a_stride, thread);
    loader_b.store(held_b[0], Shape::tile_n, thread);
  }
  __syncthreads();
  for (int k = begin; k < end; k += depth) {
    const bool more = k + depth < end;
    if (more) {  // on their way while this step is multiplied
      loader_a.load(a, k + depth, end, thread);
      loader_b.load(b, k + depth, end, thread);
    }
    GRAFT_CUDA_UNROLL
    for (int step = 0; step < depth; ++step) {
      T left[m_each], right[n_each];
      GRAFT_CUDA_UNROLL
      for (int i = 0; i < m_each; ++i) left[i] = held_a[side][step * Shape::a_stride + row + i];
      GRAFT_CUDA_UNROLL
      for (int j = 0; j < n_each; ++j) right[j] = held_b[side][step * Shape::tile_n + column + j];
      GRAFT_CUDA_UNROLL
      for (int i = 0; i < m_each; ++i) {
        GRAFT_CUDA_UNROLL
        for (int j = 0; j < n_each; ++j) sums[i][j] += left[i] * right[j];
      }
    }
    if (!more) break;
    side ^= 1;
    loader_a.store(held_a[side], Shape::a_stride, thread);
    loader_b.store(held_b[side], Shape::tile_n, thread);
    __syncthreads();
  }

  GRAFT_CUDA_UNROLL
  for (int i = 0; i < m_each; i += 4) {
    const int m = first_m + row + i;
    GRAFT_CUDA_UNROLL
    for (int j = 0; j < n_each; ++j) {
      const int n = first_n + column + j;
      if (m >= e.m || n >= e.n) continue;
      const T four[4] = {sums[i][j], sums[i + 1][j], sums[i + 2][j], sums[i + 3][j]};
      if (e.chunks == 1) {
        out(group, m, n, four);
        continue;
      }
      for (int r = 0; r < 4 && m + r < e.m; ++r)
        partial[(static_cast<std::ptrdiff_t>(blockIdx.z) * e.m + m + r) * e.n + n] = four[r];
    }
  }
}

/// The second kernel of a product in chunks: four rows of one column a thread.
template <class T, class Out>
struct FinishProduct {
  ProductExtents e;
  Out out;
  const T* partial;
  __device__ void operator()(std::ptrdiff_t at) const {
    const int n = static_cast<int>(at % e.n);
    const int fours = (e.m + 3) / 4;
    const int m = static_cast<int>(at / e.n % fours) * 4, group = static_cast<int>(at / e.n / fours);
    T four[4] = {};
    for (int r = 0; r < 4 && m + r < e.m; ++r) {
      const T* from = partial + (static_cast<std::ptrdiff_t>(group) * e.chunks * e.m + m + r) * e.n + n;
      for (int c = 0; c < e.chunks; ++c) four[r] += from[static_cast<std::ptrdiff_t>(c) * e.m * e.n];
    }
    out(group, m, n, four);
  }
};

/// Runs out(group, m, n, four sums of rows m to m + 3, of which those from the m-th on may not exist) over `groups` products of
/// m x k by k x n. The operands have `line(i)`, `step(k)` and `at(line, step)`, and a member `group` that is set for them.
template <class How, class A, class B, class Out>
void product(const char* name, int groups, int m, int n, int k, const A& a, const B& b, const Out& out);

}  // namespace detail
GRAFT_CUDA_END

#include "graft/kernel/cuda/reduce.cuh"

GRAFT_CUDA_BEGIN
namespace detail {

/// Found by the tile: rounded_product.cuh has kernels for its own.
template <class Shape, class A, class B, class Out>
constexpr auto kernel_of() {
  if constexpr (requires { Shape::template kernel<A, B, Out>(); })
    return Shape::template kernel<A, B, Out>();
  else
    return product_kernel<Shape, A, B, Out>;
}

template <class Shape, class A, class B, class Out>
void product_on(const char* name, int groups, int m, int n, int k, const A& a, const B& b, const Out& out) {
  using T = typename Shape::Number;
  constexpr int enough = 512, least_steps = 4 * Shape::depth;  // blocks to fill a GPU, and the least work of a chunk
  const unsigned across_m = blocks_for(m, Shape::tile_m), across_n = blocks_for(n, Shape::tile_n);
  const double blocks = static_cast<double>(across_m) * across_n * groups;
  ProductExtents e{m, n, k, 1, k > 0 ? k : 1};
  if (blocks < enough / 2 && k >= 2 * least_steps) {
    const int most = k / least_steps, wanted = static_cast<int>(enough / blocks);
    const int chunks = most < wanted ? most : wanted;
    e.piece = ((k + chunks - 1) / chunks + Shape::depth - 1) / Shape::depth * Shape::depth;
    e.chunks = (k + e.piece - 1) / e.piece;
  }
  T* partial = nullptr;
  if (e.chunks > 1) {
    partial = room<T>(Room::partial, static_cast<std::size_t>(groups) * static_cast<std::size_t>(e.chunks) *
                                         static_cast<std::size_t>(m) * static_cast<std::size_t>(n));
  }
  launch(name, kernel_of<Shape, A, B, Out>(),
         dim3(across_m, across_n, static_cast<unsigned>(groups) * static_cast<unsigned>(e.chunks)), Shape::threads, e, a, b,
         out, partial);
  if (e.chunks > 1) each(name, static_cast<std::ptrdiff_t>(groups) * ((m + 3) / 4) * n, FinishProduct<T, Out>{e, out, partial});
}

template <class How, class A, class B, class Out>
void product(const char* name, int groups, int m, int n, int k, const A& a, const B& b, const Out& out) {
  if (m <= 0 || n <= 0 || groups <= 0) return;
  if constexpr (sizeof(typename How::Number) == 4) {  // double is for checks: one tile compiles in half the time
    const double large = static_cast<double>((m + 127) / 128) * ((n + 63) / 64) * groups;
    if (n > 32 && large >= 264) {  // two for each processor of a large GPU
      product_on<typename How::Large>(name, groups, m, n, k, a, b, out);
      return;
    }
  }
  product_on<typename How::Small>(name, groups, m, n, k, a, b, out);
}

}  // namespace detail
GRAFT_CUDA_END

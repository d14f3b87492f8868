#pragma once
/// \file rounded_product.cuh  The tile of product.cuh on tensor cores: operands rounded to tf32 or bf16 as they pass into
/// shared memory, sums in float. The same gathering of operands and the same fused ends.
///
/// The instruction (mma.sync, m16n8k8 of tf32 or m16n8k16 of bf16 pairs) has its 16 rows in lanes as g and g + 8, g the lane's
/// quarter. A warp's 32 rows and 32 columns are dealt out so that a lane reads its part of four rows or columns as one word of
/// 128 bits, and holds four neighbouring rows of eight neighbouring columns: what the ends want.
#include "graft/core/precision.hpp"
#include "graft/kernel/cuda/product.cuh"

#include <bit>
#include <cstdint>

GRAFT_CUDA_BEGIN
namespace detail {

/// Four words that are read from shared memory at once.
struct alignas(16) Quad {
  std::uint32_t word[4];
};

/// One number of tf32 in each word.
struct Tf32Words {
  static constexpr int per_word = 1;
  __device__ static void put(std::uint32_t* row, int at, int, float value) {
    std::uint32_t rounded;
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(value));
#else
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
    rounded = value == value ? (bits + 0x1000u) & ~0x1fffu : bits;
#endif
    row[at] = rounded;
  }
  __device__ static void multiply(float (&c)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
#if defined(GRAFT_CUDA_EMULATED)
    emulate::multiply<1>(c, a, b);
#elif defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
  }
};
/// Two neighbouring steps' numbers of bf16 in each word, the first in the lower half.
struct Bf16Words {
  static constexpr int per_word = 2;
  __device__ static void put(std::uint32_t* row, int at, int which, float value) {
    std::uint16_t rounded;
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(rounded) : "f"(value));
#else
    rounded = bf16(value).bits;
#endif
    reinterpret_cast<std::uint16_t*>(row)[2 * at + which] = rounded;
  }
  __device__ static void multiply(float (&c)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
#if defined(GRAFT_CUDA_EMULATED)
    emulate::multiply<2>(c, a, b);
#elif defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
  }
};

template <class Shape, class A, class B, class Out>
__global__ void __launch_bounds__(Shape::threads) rounded_product_kernel(ProductExtents e, A a, B b, Out out, float* partial) {
  using W = typename Shape::W;
  constexpr int depth = Shape::depth, words = depth / W::per_word;
  alignas(16) __shared__ std::uint32_t held_a[2][words * Shape::a_stride];
  alignas(16) __shared__ std::uint32_t held_b[2][words * Shape::b_stride];
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
  const int warp = thread / 32, g = thread % 32 / 4, t = thread % 4;
  const int row = warp / Shape::across * 32 + 4 * g, columns = warp % Shape::across * 32;
  float sums[2][4][4] = {};  // of rows row + 2 i and + 1: see the end
  const auto store = [&](int side) {
    loader_a.template store_words<W>(held_a[side], Shape::a_stride, thread);
    loader_b.template store_words<W>(held_b[side], Shape::b_stride, thread);
  };
  int side = 0;
  if (begin < end) {
    loader_a.load(a, begin, end, thread);
    loader_b.load(b, begin, end, thread);
    store(0);
  }
  __syncthreads();
  for (int k = begin; k < end; k += depth) {
    const bool more = k + depth < end;
    if (more) {  // on their way while this step is multiplied
      loader_a.load(a, k + depth, end, thread);
      loader_b.load(b, k + depth, end, thread);
    }
    GRAFT_CUDA_UNROLL
    for (int word = 0; word < words; word += 8) {
      Quad left[2], right[2];
      GRAFT_CUDA_UNROLL
      for (int i = 0; i < 2; ++i) {
        left[i] = *reinterpret_cast<const Quad*>(held_a[side] + (word + t + 4 * i) * Shape::a_stride + row);
        right[i] = *reinterpret_cast<const Quad*>(held_b[side] + (word + t + 4 * i) * Shape::b_stride + columns + 4 * g);
      }
      GRAFT_CUDA_UNROLL
      for (int i = 0; i < 2; ++i) {
        const std::uint32_t from_a[4] = {left[0].word[2 * i], left[0].word[2 * i + 1], left[1].word[2 * i],
                                         left[1].word[2 * i + 1]};
        GRAFT_CUDA_UNROLL
        for (int j = 0; j < 4; ++j) {
          const std::uint32_t from_b[2] = {right[0].word[j], right[1].word[j]};
          W::multiply(sums[i][j], from_a, from_b);
        }
      }
    }
    if (!more) break;
    side ^= 1;
    store(side);
    __syncthreads();
  }

  GRAFT_CUDA_UNROLL
  for (int half = 0; half < 2; ++half) {
    GRAFT_CUDA_UNROLL
    for (int j = 0; j < 4; ++j) {
      const int m = first_m + row, n = first_n + columns + 8 * t + 4 * half + j;
      if (m >= e.m || n >= e.n) continue;
      const float four[4] = {sums[0][j][half], sums[0][j][2 + half], sums[1][j][half], sums[1][j][2 + half]};
      if (e.chunks == 1) {
        out(group, m, n, four);
        continue;
      }
      for (int r = 0; r < 4 && m + r < e.m; ++r)
        partial[(static_cast<std::ptrdiff_t>(blockIdx.z) * e.m + m + r) * e.n + n] = four[r];
    }
  }
}

/// A tile of warps of 32 x 32 results.
template <class Rounding, int m, int n, int words_deep>
struct RoundedTile {
  using Number = float;
  using W = Rounding;
  static constexpr int tile_m = m, tile_n = n, depth = words_deep * W::per_word;
  static constexpr int across = n / 32, threads = m / 32 * across * 32;
  static constexpr int a_stride = m + 8, b_stride = n + 8;  // four lanes' rows of 128 bits fall into different banks
  static_assert(m % 32 == 0 && n % 32 == 0 && words_deep % 8 == 0 && m * depth % threads == 0 && n * depth % threads == 0);
  template <class A, class B, class Out>
  static constexpr auto kernel() {
    return rounded_product_kernel<RoundedTile, A, B, Out>;
  }
};

template <class P>
struct Rounded;
template <>
struct Rounded<Tf32<Cuda>> {
  using Number = float;
  using Large = RoundedTile<Tf32Words, 128, 64, 16>;
  using Small = RoundedTile<Tf32Words, 64, 32, 8>;
  static constexpr Arithmetic arithmetic = Arithmetic::tf32;
};
template <>
struct Rounded<Bf16<Cuda>> {
  using Number = float;
  using Large = RoundedTile<Bf16Words, 128, 64, 16>;
  using Small = RoundedTile<Bf16Words, 64, 32, 8>;
  static constexpr Arithmetic arithmetic = Arithmetic::bf16;
};

}  // namespace detail
GRAFT_CUDA_END

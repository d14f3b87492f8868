// The emulation itself: it must see what it is there to see.
#include "cuda/emulate.hpp"

#include "cuda/device.hpp"
#include "graft/kernel/cuda/vectors.hpp"

namespace test_emulation {

namespace {

__global__ void turn_round(int* numbers) {
  __shared__ int held[64];
  held[threadIdx.x] = numbers[threadIdx.x];
  __syncthreads();
  numbers[threadIdx.x] = held[63 - threadIdx.x];
}
__global__ void without_barrier(int* numbers) {
  __shared__ int held[64];
  held[threadIdx.x] = numbers[threadIdx.x];
  numbers[threadIdx.x] = held[63 - threadIdx.x];
}
__global__ void half_a_barrier(int*) {
  if (threadIdx.x < 32) __syncthreads();
}
__global__ void two_barriers(int*) {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}
__global__ void half_a_shuffle(int* numbers) {
  if (threadIdx.x % 2 == 0) numbers[threadIdx.x] = __shfl_xor_sync(0xFFFFFFFFu, numbers[threadIdx.x], 2);
}
__global__ void shuffles(int* numbers) {
  int sum = numbers[threadIdx.x];
  for (int lanes = 16; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(0xFFFFFFFFu, sum, lanes);
  if (threadIdx.x / 32 == 0) return;  // a whole warp may leave
  numbers[threadIdx.x] = sum + 1000 * __shfl_down_sync(0xFFFFFFFFu, numbers[threadIdx.x], 1);
}

std::vector<int> counted() {
  std::vector<int> numbers(64);
  for (int i = 0; i < 64; ++i) numbers[static_cast<std::size_t>(i)] = i;
  return numbers;
}
std::vector<int> run(void (*kernel)(int*), int order) {
  device::set_order(order);
  auto numbers = counted();
  emulate::launch<int*>(kernel, dim3(1), dim3(64), numbers.data());
  device::set_order(0);
  return numbers;
}

}  // namespace

TEST_CASE("emulation: barriers hold threads, in every order") {
  auto expected = counted();
  std::reverse(expected.begin(), expected.end());
  for (int order = 0; order < 3; ++order) CHECK(run(turn_round, order) == expected);
}

TEST_CASE("emulation: a missing barrier changes the result with the order") {
  CHECK(run(without_barrier, 0) != run(without_barrier, 1));
}

TEST_CASE("emulation: shuffles exchange within a warp") {
  for (int order = 0; order < 3; ++order) {
    const auto got = run(shuffles, order);
    CHECK(got[5] == 5);
    CHECK(got[40] == (32 + 63) * 16 + 1000 * 41);
    CHECK(got[63] == (32 + 63) * 16 + 1000 * 63);  // beyond the warp: its own
  }
}

TEST_CASE("emulation: barriers and shuffles that not all reach are errors, and the next kernel runs") {
  for (int order = 0; order < 3; ++order) {
    CHECK_THROWS_AS(run(half_a_barrier, order), emulate::Misuse);
    CHECK_THROWS_AS(run(two_barriers, order), emulate::Misuse);
    CHECK_THROWS_AS(run(half_a_shuffle, order), emulate::Misuse);
    device::set_order(0);
    CHECK(run(turn_round, order)[0] == 63);
  }
}

TEST_CASE("emulation: a late device has done nothing before it is waited for", "[late]") {
  device::Array<float> x(4, 1.0f), y(4, 0.0f);
  float from_host = 5.0f;
  graft::cuda::fill(graft::Cuda{}, 3, 2.0f, x.data());
  graft::cuda::upload(graft::Cuda{}, sizeof(float), &from_host, y.data());
  from_host = 6.0f;
  CHECK(x.data()[0] == 1.0f);  // kept back
  graft::cuda::submit();
  CHECK(x.data()[0] == (emulate::later ? 1.0f : 2.0f));
  CHECK(y.data()[0] == (emulate::later ? 0.0f : 5.0f));
  CHECK(x.get() == std::vector<float>{2.0f, 2.0f, 2.0f, 1.0f});
  CHECK(y.data()[0] == 5.0f);
}

}  // namespace test_emulation

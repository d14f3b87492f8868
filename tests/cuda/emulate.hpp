#pragma once
/// \file emulate.hpp  CUDA on the processor, for tests: the very same .cuh and .cu files are compiled as plain C++ and their
/// kernels run block after block, every thread of a block as a fiber. Included before them.
///
/// It finds: barriers that not all threads of a block reach or at which they stand in different places, shuffles that not all
/// lanes of a warp take part in, results that depend on the order of threads or blocks (set `order`), and, built with the
/// address sanitizer, reads and writes outside memory. Fresh device memory is full of NaN.
#define GRAFT_CUDA_EMULATED 1

#include "cuda/emulated_api.hpp"
#include "cuda/fibers.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __shared__ static
#define __launch_bounds__(...)

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};
inline dim3 threadIdx, blockIdx, blockDim, gridDim;  // of the fiber that runs

namespace emulate {

/// In which order the threads of a block run between barriers, and the blocks of a grid.
enum class Order { forward, backward, scattered };
inline Order order = Order::forward;

/// A misuse that CUDA would not report.
struct Misuse : std::logic_error {
  using std::logic_error::logic_error;
};

enum class State { fresh, ready, at_barrier, at_shuffle, done };

/// Where a barrier or shuffle stands (Clang 14 has no std::source_location).
struct Where {
  const char* file = "";
  int line = 0;
};

struct Fiber;
struct Thread {
  dim3 index;
  State state = State::fresh;
  Fiber* fiber = nullptr;
  Where where;
};

/// The block that runs, its fibers, and what its warps exchange.
class Block {
 public:
  static constexpr std::size_t stack_bytes = std::size_t{1} << 17;

  template <class Body>
  void run(dim3 shape, const Body& body) {
    const std::size_t count = std::size_t{shape.x} * shape.y * shape.z;
    threads_.assign(count, Thread{});
    places_.resize(count);
    const std::size_t stride = std::gcd(count, std::size_t{7}) == 1 ? 7 : 5;  // warps are of 32: one of them permutes
    for (std::size_t i = 0; i < count; ++i) {
      threads_[i].index = dim3(static_cast<unsigned>(i) % shape.x, static_cast<unsigned>(i) / shape.x % shape.y,
                               static_cast<unsigned>(i) / (shape.x * shape.y));
      places_[i] = order == Order::forward ? i : order == Order::backward ? count - 1 - i : i * stride % count;
    }
    exchanged_.assign(2 * count, Slot{});
    gathered_.resize(2 * count);
    parity_.assign(count, 0);
    body_ = [](const void* raw) { (*static_cast<const Body*>(raw))(); };
    argument_ = &body;
    next_ = 0;
    for (;;) {
      for (const std::size_t place : places_) {
        Thread& t = threads_[place];
        if (t.state == State::ready || t.state == State::fresh) resume(place);
      }
      if (!release()) return;
    }
  }

  /// Called in a fiber: stands until the others have come.
  void stand(State state, Where where) {
    Thread& t = threads_[current_];
    t.state = state;
    t.where = where;
    leave();
  }
  template <class V>
  V exchange(V value, int partner, Where where) {
    static_assert(sizeof(V) <= sizeof(Slot));
    const std::size_t self = current_, warp = self / 32 * 32, side = parity_[self] * threads_.size();
    parity_[self] ^= 1;
    std::memcpy(&exchanged_[side + self], &value, sizeof(V));
    stand(State::at_shuffle, where);
    const std::size_t from = partner >= 0 && partner < 32 ? warp + static_cast<std::size_t>(partner) : self;
    V result;
    std::memcpy(&result, &exchanged_[side + from], sizeof(V));
    return result;
  }
  /// What each lane of the warp holds; valid until the lane's next call but one.
  template <class V>
  const V* gather(const V& value, Where where) {
    static_assert(sizeof(V) <= sizeof(Fragment));
    const std::size_t self = current_, warp = self / 32 * 32, side = parity_[self] * threads_.size();
    parity_[self] ^= 1;
    std::memcpy(&gathered_[side + self], &value, sizeof(V));
    stand(State::at_shuffle, where);
    return reinterpret_cast<const V*>(&gathered_[side + warp]);
  }
  [[nodiscard]] int lane() const { return static_cast<int>(current_ % 32); }

 private:
  struct Slot {
    unsigned char bytes[8];
  };
  struct alignas(8) Fragment {
    unsigned char bytes[24];
  };
  void resume(std::size_t place);
  void leave();
  static void enter();
  void body_loop();
  bool release();
  [[noreturn]] void misuse(const std::string& what);
  [[nodiscard]] std::string name(std::size_t thread) const { return "thread " + std::to_string(thread); }

  std::vector<Thread> threads_;
  std::vector<std::size_t> places_;
  std::vector<Slot> exchanged_;
  std::vector<Fragment> gathered_;
  std::vector<std::size_t> parity_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> idle_;
  std::size_t current_ = 0;
  std::size_t next_ = 0;
  void (*body_)(const void*) = nullptr;
  const void* argument_ = nullptr;
  Context scheduler_;
};

struct Fiber {
  Context context;
  std::unique_ptr<char[]> stack{new char[Block::stack_bytes]};
  bool started = false;
};

inline Block block;
inline std::mutex one_at_a_time;

inline void Block::resume(std::size_t place) {
  Thread& t = threads_[place];
  if (t.state == State::fresh) {
    if (idle_.empty()) {
      fibers_.push_back(std::make_unique<Fiber>());
      idle_.push_back(fibers_.back().get());
    }
    t.fiber = idle_.back();
    idle_.pop_back();
    if (!t.fiber->started) {
      t.fiber->started = true;
      t.fiber->context.start(t.fiber->stack.get(), stack_bytes, &Block::enter);
    }
  }
  t.state = State::ready;
  current_ = place;
  threadIdx = t.index;
  switch_to(scheduler_, t.fiber->context);
}
inline void Block::leave() { switch_to(threads_[current_].fiber->context, scheduler_); }
inline void Block::enter() {
  arrived(block.scheduler_);
  block.body_loop();
}
/// A fiber runs a thread to its end, then the next that has not begun: threads that never wait cost no switch.
inline void Block::body_loop() {
  for (;;) {
    Fiber* own = threads_[current_].fiber;
    for (;;) {
      body_(argument_);
      threads_[current_].state = State::done;
      while (next_ < places_.size() && threads_[places_[next_]].state != State::fresh) ++next_;
      if (next_ == places_.size()) break;
      current_ = places_[next_];
      threads_[current_].fiber = own;
      threads_[current_].state = State::ready;
      threadIdx = threads_[current_].index;
    }
    idle_.push_back(own);
    leave();
  }
}
/// Lets go on who may; false when all threads are done.
inline bool Block::release() {
  std::size_t done = 0, waiting = 0;
  for (const Thread& t : threads_) {
    done += t.state == State::done ? 1 : 0;
    waiting += t.state == State::at_barrier ? 1 : 0;
  }
  if (done == threads_.size()) return false;
  if (waiting == threads_.size()) {
    for (std::size_t i = 0; i < threads_.size(); ++i) {
      if (threads_[i].where.line != threads_[0].where.line || std::strcmp(threads_[i].where.file, threads_[0].where.file) != 0)
        misuse("threads stand at different barriers: " + name(0) + " at line " + std::to_string(threads_[0].where.line) + ", " +
               name(i) + " at line " + std::to_string(threads_[i].where.line));
      threads_[i].state = State::ready;
    }
    return true;
  }
  bool moved = false;
  for (std::size_t warp = 0; warp < threads_.size(); warp += 32) {
    const std::size_t end = std::min(warp + 32, threads_.size());
    const auto at_shuffle = [](const Thread& t) { return t.state == State::at_shuffle; };
    const auto begin = threads_.begin();
    if (!std::all_of(begin + static_cast<std::ptrdiff_t>(warp), begin + static_cast<std::ptrdiff_t>(end), at_shuffle)) continue;
    for (std::size_t i = warp; i < end; ++i) threads_[i].state = State::ready;
    moved = true;
  }
  if (moved) return true;
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    const Thread& t = threads_[i];
    if (t.state == State::at_barrier || t.state == State::at_shuffle)
      misuse(name(i) + " waits at " + (t.state == State::at_barrier ? "the barrier" : "the shuffle") + " of " +
             std::string(t.where.file) + ":" + std::to_string(t.where.line) + ", which not all threads reach (" +
             std::to_string(done) + " of " + std::to_string(threads_.size()) + " have ended)");
  }
  return false;
}
inline void Block::misuse(const std::string& what) {
  for (auto& fiber : fibers_) fiber->started = false;  // their stacks are given up as they are
  idle_.clear();
  for (auto& fiber : fibers_) idle_.push_back(fiber.get());
  throw Misuse("block (" + std::to_string(blockIdx.x) + ", " + std::to_string(blockIdx.y) + ", " + std::to_string(blockIdx.z) +
               "): " + what + ".");
}

template <class... P>
void launch_now(void (*kernel)(P...), dim3 grid, dim3 shape, P... arguments) {
  const std::lock_guard lock(one_at_a_time);
  gridDim = grid;
  blockDim = shape;
  const std::size_t blocks = std::size_t{grid.x} * grid.y * grid.z;
  for (std::size_t i = 0; i < blocks; ++i) {
    const std::size_t at = order == Order::forward ? i : blocks - 1 - i;
    blockIdx = dim3(static_cast<unsigned>(at % grid.x), static_cast<unsigned>(at / grid.x % grid.y),
                    static_cast<unsigned>(at / (std::size_t{grid.x} * grid.y)));
    block.run(shape, [&] { kernel(arguments...); });
  }
}

/// Runs kernel<<<grid, shape>>>(arguments...), now or later.
inline void run_or_keep(std::function<void()> what) {
  if (later)
    asked().queue.push_back(std::move(what));
  else
    what();
}
template <class... P>
void launch(void (*kernel)(P...), dim3 grid, dim3 shape, P... arguments) {
  run_or_keep([=] { launch_now<P...>(kernel, grid, shape, arguments...); });
}

/// What a warp's lanes hold of two operands, 16 x 8 words and 8 words x 8: lane 4 g + t has row g, word t; row g + 8, word t;
/// row g, word t + 4; row g + 8, word t + 4; and of the other operand column g, words t and t + 4.
struct Fragments {
  std::uint32_t a[4], b[2];
};
/// The number `which` of a word that holds `per_word` of them.
template <int per_word>
double number_in(std::uint32_t word, int which) {
  float value;
  const std::uint32_t bits = per_word == 1 ? word : which == 0 ? word << 16 : word & 0xFFFF0000u;
  std::memcpy(&value, &bits, sizeof(value));
  return static_cast<double>(value);
}
/// mma.sync of m16n8k8 (tf32, one number a word) or m16n8k16 (bf16, two): c += a b, of which a lane has row g of columns 2 t
/// and 2 t + 1, and row g + 8 of the same. Tensor cores read no more than ten bits of a tf32's mantissa.
template <int per_word>
void multiply(float (&c)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
              Where where = {__builtin_FILE(), __builtin_LINE()}) {
  const int g = block.lane() / 4, t = block.lane() % 4;
  Fragments own;
  std::copy(a, a + 4, own.a);
  std::copy(b, b + 2, own.b);
  if (per_word == 1) {
    for (std::uint32_t& word : own.a) word &= ~0x1FFFu;
    for (std::uint32_t& word : own.b) word &= ~0x1FFFu;
  }
  const Fragments* const all = block.gather(own, where);
  for (int i = 0; i < 4; ++i) {
    const int row = g + i / 2 * 8, column = 2 * t + i % 2;
    double sum = static_cast<double>(c[i]);
    for (int word = 0; word < 8; ++word) {
      const std::uint32_t left = all[row % 8 * 4 + word % 4].a[row / 8 + word / 4 * 2];
      const std::uint32_t right = all[column * 4 + word % 4].b[word / 4];
      for (int which = 0; which < per_word; ++which)
        sum += number_in<per_word>(left, which) * number_in<per_word>(right, which);
    }
    c[i] = static_cast<float>(sum);
  }
}

}  // namespace emulate

#include "cuda/emulated_graph.hpp"

inline void __syncthreads(emulate::Where where = {__builtin_FILE(), __builtin_LINE()}) {
  emulate::block.stand(emulate::State::at_barrier, where);
}
template <class V>
V __shfl_xor_sync(unsigned, V value, int lanes, emulate::Where where = {__builtin_FILE(), __builtin_LINE()}) {
  return emulate::block.exchange(value, emulate::block.lane() ^ lanes, where);
}
template <class V>
V __shfl_down_sync(unsigned, V value, int lanes, emulate::Where where = {__builtin_FILE(), __builtin_LINE()}) {
  return emulate::block.exchange(value, emulate::block.lane() + lanes, where);
}

#pragma once
/// \file parallel.hpp  Loops over fixed chunks. How work is cut depends on the problem only, never on the number of threads,
/// and partial results are combined in chunk order: one seed gives bit-identical numbers for 1, 2 or 16 threads.
#include "graft/config.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <exception>

#ifdef _OPENMP
#include <omp.h>
#endif
#ifdef __SSE2__
#include <emmintrin.h>
#endif

GRAFT_BEGIN

/// Into how many pieces a reduction over a batch is cut, whatever the number of threads.
inline constexpr int fixed_chunks = 16;

namespace detail {
inline int& thread_setting() {
#ifdef _OPENMP
  static int count = std::max(1, omp_get_max_threads());
#else
  static int count = 1;
#endif
  return count;
}
}  // namespace detail

/// Threads that graft's loops use; the default is OpenMP's (OMP_NUM_THREADS or the number of cores).
inline int threads() { return detail::thread_setting(); }

/// Sets the number of threads of graft's loops (at least 1). Results do not depend on it. OpenMP's own setting is untouched.
inline void set_threads(int count) { detail::thread_setting() = std::max(1, count); }

struct Range {
  std::ptrdiff_t begin = 0;
  std::ptrdiff_t end = 0;
  [[nodiscard]] constexpr std::ptrdiff_t size() const { return end - begin; }
};

/// The `index`-th of `chunks` nearly equal pieces of [0, total).
constexpr Range chunk(std::ptrdiff_t total, int chunks, int index) {
  const std::ptrdiff_t base = total / chunks;
  const std::ptrdiff_t extra = total % chunks;
  const std::ptrdiff_t begin = base * index + (index < extra ? index : extra);
  return {begin, begin + base + (index < extra ? 1 : 0)};
}

namespace detail {
/// Numbers below the normal range count as zero while this lives, and only on this thread: gradients that die out would
/// otherwise cost up to a hundred times as much as others.
class FlushDenormals {
 public:
#ifdef __SSE2__
  FlushDenormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | 0x8040u); }
  ~FlushDenormals() { _mm_setcsr(before_); }
#else
  FlushDenormals() = default;
#endif
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
#ifdef __SSE2__
  unsigned before_;
#endif
};
}  // namespace detail

#ifdef _OPENMP
namespace detail {
/// What is left of a loop: each thread has a range of its own, and takes from the others' when that is done.
class Shares {
 public:
  Shares(int count, int team) : count_(count), parts_(std::min(team, most)) {
    for (int part = 0; part < parts_; ++part) taken_[static_cast<std::size_t>(part)].count.store(0, std::memory_order_relaxed);
  }
  /// Calls `body(index)` for indices that nobody else takes, those of `thread`'s range first, until none is left.
  template <class Body>
  void work(int thread, const Body& body) {
    for (int visit = 0; visit < parts_; ++visit) {
      const int part = (thread + visit) % parts_;
      const Range range = chunk(count_, parts_, part);
      auto& taken = taken_[static_cast<std::size_t>(part)].count;
      for (;;) {
        const std::ptrdiff_t index = range.begin + taken.fetch_add(1, std::memory_order_relaxed);
        if (index >= range.end) break;
        body(static_cast<int>(index));
      }
    }
  }

 private:
  static constexpr int most = 64;
  struct alignas(64) Taken {
    std::atomic<int> count;
  };
  int count_, parts_;
  std::array<Taken, static_cast<std::size_t>(most)> taken_;
};
}  // namespace detail
#endif

/// Calls `body(index)` for every index in [0, count), each exactly once, on up to threads() threads; a body must write only
/// what its own index owns. Each thread has a range of its own, the same in loops of the same length, so that it finds in its
/// cache what it left there, and takes from the others' when that is done. `worth` false runs the loop on the calling thread
/// (small work is not worth a team). An exception of a body is rethrown here after the loop. Bodies run with denormals flushed
/// to zero.
template <class Body>
void parallel_for(int count, Body&& body, bool worth = true) {
#ifdef _OPENMP
  const int team = std::min(threads(), count);
  if (worth && team > 1 && !omp_in_parallel()) {
    std::exception_ptr error = nullptr;
    detail::Shares shares(count, team);
#pragma omp parallel num_threads(team)
    shares.work(omp_get_thread_num(), [&](int i) {
      try {
        const detail::FlushDenormals flush;
        body(i);
      } catch (...) {
#pragma omp critical(graft_parallel_error)
        if (!error) error = std::current_exception();
      }
    });
    if (error) std::rethrow_exception(error);
    return;
  }
#endif
  (void)worth;
  const detail::FlushDenormals flush;
  for (int i = 0; i < count; ++i) body(i);
}

GRAFT_END

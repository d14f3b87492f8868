#include "support/allocations.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {
std::atomic<std::size_t> count{0};
thread_local int uncounted = 0;
void note() {
  if (uncounted == 0) ++count;
}
}  // namespace

support::Uncounted::Uncounted() { ++uncounted; }
support::Uncounted::~Uncounted() { --uncounted; }

std::size_t support::allocations() { return count; }

// Clang's thread sanitizer brings its own in a static library; there nothing is counted.
#if defined(__has_feature)
#define GRAFT_TEST_HAS(feature) __has_feature(feature)
#else
#define GRAFT_TEST_HAS(feature) 0
#endif
#if !GRAFT_TEST_HAS(thread_sanitizer)
void* operator new(std::size_t size) {
  note();
  if (void* p = std::malloc(size)) return p;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, std::align_val_t align) {
  note();
  const std::size_t a = static_cast<std::size_t>(align);
  if (void* p = std::aligned_alloc(a, (size + a - 1) / a * a)) return p;
  throw std::bad_alloc();
}
// Every form is replaced: a sanitizer's own nothrow new beside our delete is a mismatch.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  note();
  return std::malloc(size);
}
void operator delete(void* p, const std::nothrow_t&) noexcept { std::free(p); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
#endif

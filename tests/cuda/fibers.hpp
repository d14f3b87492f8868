#pragma once
/// \file fibers.hpp  Stacks to switch between: a dozen instructions on x86-64, ucontext elsewhere, whose switch asks the kernel
/// twice and costs a hundred times as much. The address sanitizer is told of each switch.
#include <cstddef>
#include <cstdint>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif
#if defined(__SANITIZE_ADDRESS__)
#define GRAFT_FIBERS_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GRAFT_FIBERS_ASAN
#endif
#endif
#ifdef GRAFT_FIBERS_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

#if defined(__x86_64__)
extern "C" void graft_switch_stack(void** save, void* load);
asm(R"(
.pushsection .text
.weak graft_switch_stack
.type graft_switch_stack, @function
graft_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size graft_switch_stack, .-graft_switch_stack
.popsection
)");
#endif

namespace emulate {

/// Where a stack stopped.
struct Context {
#if defined(__x86_64__)
  void* stopped = nullptr;
#else
  ucontext_t context{};
#endif
  const void* stack = nullptr;  ///< for the sanitizer; of the scheduler's, known once it was left
  std::size_t bytes = 0;
  void* fake = nullptr;

  /// The first switch to it calls entry, which never returns.
  void start(char* memory, std::size_t size, void (*entry)()) {
    stack = memory;
    bytes = size;
    fake = nullptr;
#if defined(__x86_64__)
    const std::uintptr_t top = (reinterpret_cast<std::uintptr_t>(memory) + size) & ~std::uintptr_t{15};
    void** at = reinterpret_cast<void**>(top);
    *--at = nullptr;                         // what entry would return to
    *--at = reinterpret_cast<void*>(entry);  // where the first switch returns to
    for (int i = 0; i < 6; ++i) *--at = nullptr;
    stopped = at;
#else
    getcontext(&context);
    context.uc_stack.ss_sp = memory;
    context.uc_stack.ss_size = size;
    context.uc_link = nullptr;
    makecontext(&context, entry, 0);
#endif
  }
};

/// To be called first on a stack that was entered for the first time, with where it was entered from.
inline void arrived([[maybe_unused]] Context& from) {
#ifdef GRAFT_FIBERS_ASAN
  __sanitizer_finish_switch_fiber(nullptr, &from.stack, &from.bytes);
#endif
}
inline void switch_to(Context& from, Context& to) {
#ifdef GRAFT_FIBERS_ASAN
  __sanitizer_start_switch_fiber(&from.fake, to.stack, to.bytes);
#endif
#if defined(__x86_64__)
  graft_switch_stack(&from.stopped, to.stopped);
#else
  swapcontext(&from.context, &to.context);
#endif
#ifdef GRAFT_FIBERS_ASAN
  __sanitizer_finish_switch_fiber(from.fake, &to.stack, &to.bytes);
#endif
}

}  // namespace emulate

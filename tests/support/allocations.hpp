#pragma once
/// \file allocations.hpp  Counts the heap allocations of the whole program.
#include <cstddef>

namespace support {
/// How often operator new has been called so far; always 0 under Clang's thread sanitizer, which has its own.
std::size_t allocations();
/// While one lives, its thread's are not counted: what an emulation takes in a device's place.
struct Uncounted {
  Uncounted();
  ~Uncounted();
  Uncounted(const Uncounted&) = delete;
  Uncounted& operator=(const Uncounted&) = delete;
};
}  // namespace support

#pragma once
/// \file allocations.hpp  Counts the heap allocations of the whole program.
#include <cstddef>

namespace support {
/// How often operator new has been called so far; always 0 under Clang's thread sanitizer, which has its own.
std::size_t allocations();
}  // namespace support

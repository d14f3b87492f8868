#pragma once
/// \file amx_tiles.hpp  The instructions of Intel AMX that amx.hpp uses, one function each. A program that is compiled with
/// GRAFT_AMX_EMULATION takes them from the header that it names.
///
/// Written as assembly: GCC's functions take literal numbers of tiles only, and do not say that they read memory.
#include "graft/config.hpp"

#include <cstddef>
#include <cstdint>

#ifdef GRAFT_AMX
GRAFT_BEGIN
namespace kernel::amx {
/// How large each tile is; ldtilecfg reads it as it lies here.
struct alignas(64) Configuration {
  std::uint8_t palette = 1;
  std::uint8_t start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t row_bytes[16] = {};
  std::uint8_t rows[16] = {};
};
static_assert(sizeof(Configuration) == 64);
}  // namespace kernel::amx
GRAFT_END

#ifdef GRAFT_AMX_EMULATION
#include GRAFT_AMX_EMULATION
#else
#include <sys/syscall.h>
#include <unistd.h>

GRAFT_BEGIN
namespace kernel::amx {

/// Whether the system lets this process use tiles: it is asked once, for all threads. No: an older system, or a machine that
/// has none.
inline bool permitted() {
  constexpr long request = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  static const bool is = syscall(SYS_arch_prctl, request, tile_data) == 0;
  return is;
}
/// Whether `rows` rows of segments of `length` pairs are enough for tiles to be worth their setting up. Guessed: no machine was
/// at hand to measure on.
constexpr bool pays(int rows, int length) { return rows >= 4 && length >= 4; }

inline void configure(const Configuration& c) { asm volatile("ldtilecfg\t%0" ::"m"(c)); }
inline void release() { asm volatile("tilerelease"); }

template <int tile>
inline void zero() {
  asm volatile("tilezero\t%%tmm%c0" ::"n"(tile));
}
/// Rows `stride` bytes apart.
template <int tile>
inline void load(const void* from, std::ptrdiff_t stride) {
  asm volatile("{tileloadd\t(%0,%1,1), %%tmm%c2|tileloadd\t%%tmm%c2, [%0+%1*1]}" ::"r"(from), "r"(stride), "n"(tile)
               : "memory");
}
template <int tile>
inline void store(void* to, std::ptrdiff_t stride) {
  asm volatile("{tilestored\t%%tmm%c2, (%0,%1,1)|tilestored\t[%0+%1*1], %%tmm%c2}" ::"r"(to), "r"(stride), "n"(tile)
               : "memory");
}
/// sum += left * right, rows of pairs times pairs of rows.
template <int sum, int left, int right>
inline void multiply() {
  asm volatile("{tdpbf16ps\t%%tmm%c2, %%tmm%c1, %%tmm%c0|tdpbf16ps\t%%tmm%c0, %%tmm%c1, %%tmm%c2}" ::"n"(sum), "n"(left),
               "n"(right));
}

}  // namespace kernel::amx
GRAFT_END
#endif
#endif

#pragma once
/// \file tile_args.hpp  What a tile is asked for, whoever runs it: the registers' tile (tile.hpp) or Intel's (amx.hpp).
#include "graft/config.hpp"

#include <cstddef>

GRAFT_BEGIN
namespace kernel {

/// What a tile reads and writes; see tile.hpp. Its factors are stored as E, `Operand<T, E>::unit` of them a step, side
/// by side in a and in each of b's columns; distances count E.
template <class T, class E = T>
struct TileArgs {
  const E* a = nullptr;
  std::ptrdiff_t pixel_stride = 0;
  std::ptrdiff_t step = 0;
  const std::ptrdiff_t* offset = nullptr;
  int segments = 1;
  int length = 0;  ///< steps of a segment
  const E* b = nullptr;
  std::ptrdiff_t b_stride = 0;
  T* out = nullptr;  ///< row p at out + p * out_stride
  std::ptrdiff_t out_stride = 0;
  bool add = false;                          ///< add to what is there, or in `from`
  const std::ptrdiff_t* b_offset = nullptr;  ///< where b has each segment's first row; null: b runs on
  const T* from = nullptr;                   ///< earlier sums in place of out's; row p at from + p * from_stride
  std::ptrdiff_t from_stride = 0;
  const T* bias = nullptr;    ///< `vectors` vectors, added at the end
  bool relu = false;          ///< max(0, sum) at the end; a NaN stays one
  bool past = false;          ///< see goes_past_caches()
  const E* turned = nullptr;  ///< b as amx::turn() made it of these segments; null: nobody did
};

}  // namespace kernel
GRAFT_END

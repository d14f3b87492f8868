#pragma once
/// \file flat_parameters.hpp  A model's flat buffers as one kernel of an optimiser takes them. Plain types, which a compiled
/// library shares with its user.
#include "graft/config.hpp"

#include <cstddef>

GRAFT_SHARED_BEGIN

/// One named array of the flat buffer.
struct FlatSegment {
  std::ptrdiff_t begin = 0;
  std::ptrdiff_t end = 0;
  double rate = 1.0;  ///< multiplies the learning rate: Optimizer::multiply
  bool trainable = true;
  bool decays = true;
  friend bool operator==(const FlatSegment&, const FlatSegment&) = default;
};

/// A model's flat buffers. `segments` (device or managed memory) are in the order of `begin` and do not overlap; numbers
/// between them are left alone.
template <class T>
struct FlatParameters {
  T* value = nullptr;
  T* gradient = nullptr;
  std::ptrdiff_t size = 0;
  const FlatSegment* segments = nullptr;
  int count = 0;  ///< of segments, at least 1
};

/// Scales gradients down to `norm` where the root of *squares is larger; norm 0: never.
struct Clip {
  double norm = 0.0;
  const double* squares = nullptr;  ///< device or managed memory: the sum of the gradients' squares
};

GRAFT_END

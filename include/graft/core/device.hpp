#pragma once
/// \file device.hpp  Device tags: kernels of the same name are overloaded on them.
#include "graft/config.hpp"

#include <cstddef>

GRAFT_SHARED_BEGIN

/// Runs on the processor: OpenMP threads and SIMD vectors.
struct Cpu {};
/// Runs on an NVIDIA GPU (the optional CUDA component).
struct Cuda {};

/// Activations that a convolution or dense kernel applies as it writes its output. Each one's derivative is a function of the
/// output.
enum class Act : int { none, relu, relu6, leaky_relu };

/// What a kernel does to its result before writing it: an activation, and for convolutions a 2x2 max-pool (stride 2).
struct Epilogue {
  Act act = Act::none;
  double alpha = 0.0;  ///< slope of leaky_relu below zero
  bool pool = false;   ///< 2x2 max-pool, stride 2, after the activation
  friend constexpr bool operator==(const Epilogue&, const Epilogue&) = default;
};

/// Extents of a 2-D convolution on NHWC arrays. Weights are HWIO: kh x kw x (c / groups) x oc.
struct ConvExtents {
  int n = 0;                   ///< samples
  int h = 0, w = 0, c = 0;     ///< input
  int oh = 0, ow = 0, oc = 0;  ///< output, before any fused pool
  int kh = 0, kw = 0;          ///< kernel
  int sh = 1, sw = 1;          ///< stride
  int dh = 1, dw = 1;          ///< dilation
  int top = 0, left = 0;       ///< padding above and to the left (below and right follows from the output extents)
  int groups = 1;
};

/// Extents of a pooling window on NHWC arrays.
struct PoolExtents {
  int n = 0;
  int h = 0, w = 0, c = 0;
  int oh = 0, ow = 0;
  int kh = 0, kw = 0;
  int sh = 1, sw = 1;
  int top = 0, left = 0;
};

/// Rows of numbers from images of bytes: number i of channel c becomes byte * scale[c] + shift[c], grey once for each channel.
struct PixelRows {
  int rows = 0;
  int pixels = 0;                          ///< of an image
  int from_channels = 0, to_channels = 0;  ///< equal, or from 1 to several
  double scale[4] = {1.0, 1.0, 1.0, 1.0};
  double shift[4] = {};
};

/// A copy of rows of numbers within blocks of rows: how far apart rows and blocks begin on either side.
struct RowCopy {
  std::size_t blocks = 1, rows = 0, numbers = 0;
  std::size_t from_row = 0, from_block = 0;
  std::size_t to_row = 0, to_block = 0;
};

GRAFT_END

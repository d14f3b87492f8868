#pragma once
/// \file dense.hpp  Fully connected layers: products on the register tile of tile.hpp.
#include "graft/config.hpp"
#include "graft/kernel/cpu/conv2d.hpp"

GRAFT_BEGIN
namespace kernel {

/// y = act(x w + b). x: n x in; w: in x out; b: out or null; y: n x out.
template <class T>
void dense_forward(Cpu cpu, int n, int in, int out, const T* x, const T* w, const T* b, const Epilogue& epilogue, T* y) {
  ConvExtents e;
  e.n = 1;
  e.h = e.oh = 1;
  e.w = e.ow = n;
  e.c = in;
  e.oc = out;
  e.kh = e.kw = 1;
  conv2d_forward(cpu, e, x, w, b, epilogue, y, static_cast<std::uint8_t*>(nullptr));
}

namespace detail {
/// out[r] (+)= sum over k of a[r, k] panels[k, :], for rows [begin, end); columns beyond the real ones stay in the workspace.
template <class T>
void product_rows(const TileArgs<T>& first, Range rows, int columns, int depth, const T* panels, bool panel_layout, T* to, std::ptrdiff_t to_stride,
                  bool add) {
  const int width = padded<T>(columns);
  const int count = static_cast<int>(rows.size());
  T* line = workspace<T>(Work::tile, static_cast<std::size_t>(count) * static_cast<std::size_t>(width));
  const std::ptrdiff_t start = 0;
  for_panels<T>(width, [&](int column, int vectors) {
    TileArgs<T> t = first;
    t.a += rows.begin * t.pixel_stride;
    t.offset = &start;
    t.segments = 1;
    t.length = depth;
    t.b = panel_layout ? panels + static_cast<std::ptrdiff_t>(column) * depth : panels + column;
    t.b_stride = panel_layout ? vectors * lanes<T> : width;
    t.out = line + column;
    t.out_stride = width;
    run_tiles(t, count, vectors);
  });
  for (int r = 0; r < count; ++r) {
    const T* from = line + static_cast<std::ptrdiff_t>(r) * width;
    T* into = to + (rows.begin + r) * to_stride;
    if (add) {
      for (int c = 0; c < columns; ++c) into[c] += from[c];
    } else {
      std::memcpy(into, from, static_cast<std::size_t>(columns) * sizeof(T));
    }
  }
}
}  // namespace detail

/// The gradients of dense_forward: dx (null: not wanted) is overwritten, dw and db (null: not wanted) are added to; dy is multiplied by
/// the activation's slope in place.
template <class T>
void dense_backward(Cpu, int n, int in, int out, const T* x, const T* w, const T* y, T* dy, const Epilogue& epilogue, T* dx, T* dw, T* db) {
  const std::ptrdiff_t numbers = static_cast<std::ptrdiff_t>(n) * out;
  if (epilogue.act != Act::none) {
    for (std::ptrdiff_t i = 0; i < numbers; ++i) dy[i] *= detail::slope(epilogue, y[i]);
  }
  if (db != nullptr) {
    for (int r = 0; r < n; ++r) {
      for (int c = 0; c < out; ++c) db[c] += dy[static_cast<std::ptrdiff_t>(r) * out + c];
    }
  }
  const bool worth = 2.0 * static_cast<double>(numbers) * in > 1e5;
  if (dw != nullptr) {
    const int width = padded<T>(out);
    const T* rows = dy;
    if (width != out) {
      T* wide = workspace<T>(Work::pack_a, static_cast<std::size_t>(n) * static_cast<std::size_t>(width));
      for (int r = 0; r < n; ++r) {
        T* to = wide + static_cast<std::ptrdiff_t>(r) * width;
        for (int c = 0; c < out; ++c) to[c] = dy[static_cast<std::ptrdiff_t>(r) * out + c];
        for (int c = out; c < width; ++c) to[c] = T{0};
      }
      rows = wide;
    }
    TileArgs<T> t;
    t.a = x;
    t.pixel_stride = 1;
    t.step = in;
    const int blocks = (in + 47) / 48;
    parallel_for(blocks, [&](int i) { detail::product_rows(t, chunk(in, blocks, i), out, n, rows, false, dw, out, true); }, worth);
  }
  if (dx != nullptr) {
    T* packed = workspace<T>(Work::pack_b, static_cast<std::size_t>(out) * static_cast<std::size_t>(padded<T>(in)));
    pack_panels_transposed(out, in, w, out, packed);
    TileArgs<T> t;
    t.a = dy;
    t.pixel_stride = out;
    t.step = 1;
    const int blocks = (n + 15) / 16;
    parallel_for(blocks, [&](int i) { detail::product_rows(t, chunk(n, blocks, i), in, out, packed, true, dx, in, false); }, worth);
  }
}

}  // namespace kernel
GRAFT_END

#pragma once
/// \file dense.hpp  Fully connected layers: the products of gemm.hpp with bias and activation at the write-back.
#include "graft/config.hpp"
#include "graft/kernel/cpu/conv_parts.hpp"
#include "graft/kernel/cpu/gemm.hpp"

GRAFT_BEGIN
namespace kernel {

/// y = act(x w + b). x: n x in; w: in x out; b: out or null; y: n x out. The epilogue's pool has no meaning here.
template <class T>
void dense_forward(Cpu, int n, int in, int out, const T* x, const T* w, const T* b, const Epilogue& epilogue, T* y) {
  const auto finish = [=](int row, int rows, int column, int count, const T* sums, int stride) {
    const detail::PanelBias<T> bias(b != nullptr ? b + column : nullptr, count);
    detail::finish_row(sums, stride, rows, count, bias, epilogue, out, y + static_cast<std::ptrdiff_t>(row) * out + column);
  };
  detail::product(false, false, n, out, in, x, in, w, out, finish);
}

/// The gradients of dense_forward: dx (null: not wanted) is overwritten, dw and db (null: not wanted) are added to; dy is
/// multiplied by the activation's slope in place.
template <class T>
void dense_backward(Cpu cpu, int n, int in, int out, const T* x, const T* w, const T* y, T* dy, const Epilogue& epilogue, T* dx,
                    T* dw, T* db) {
  detail::mask_gradient(epilogue, static_cast<std::ptrdiff_t>(n) * out, y, dy, true);
  if (db != nullptr) detail::sum_gradient(Epilogue{}, n, out, out, dy, dy, db);
  if (dw != nullptr) gemm(cpu, true, false, in, out, n, T{1}, x, in, dy, out, T{1}, dw, out);
  if (dx != nullptr) gemm(cpu, false, true, n, in, out, T{1}, dy, out, w, out, T{0}, dx, in);
}

}  // namespace kernel
GRAFT_END

#pragma once
/// \file gemm.cuh  The general matrix product and fully connected layers: kernel/cpu/{gemm,dense}.hpp on the GPU.
#include "graft/kernel/cuda/epilogue.cuh"
#include "graft/kernel/cuda/layers.hpp"
#include "graft/kernel/cuda/libraries.cuh"
#include "graft/kernel/cuda/product.cuh"
#include "graft/kernel/cuda/reduce.cuh"

GRAFT_CUDA_BEGIN
namespace detail {

/// A matrix whose element (line, step) is at line * (transposed ? 1 : stride) + step * (transposed ? stride : 1).
template <class T, bool transposed>
struct Rows {
  using Number = T;
  using Line = std::ptrdiff_t;  ///< where it begins; -1: there is none
  using Step = std::ptrdiff_t;
  static constexpr bool k_first = !transposed;
  const T* data;
  std::ptrdiff_t stride;
  int lines;
  int group = 0;
  __device__ Line line(int i) const { return i < lines ? (transposed ? i : i * stride) : -1; }
  __device__ Step step(int k) const { return transposed ? k * stride : k; }
  __device__ T at(Line from, Step by) const { return from < 0 ? T{0} : data[from + by]; }
};

template <class T>
struct Scatter {  ///< c = beta c + alpha sum
  T* c;
  std::ptrdiff_t stride;
  T alpha, beta;
  int m;
  __device__ void operator()(int, int row, int column, const T (&four)[4]) const {
    for (int r = 0; r < 4 && row + r < m; ++r) {
      T& to = c[(row + r) * stride + column];
      to = beta == T{0} ? alpha * four[r] : beta * to + alpha * four[r];
    }
  }
};

template <class T>
struct BiasAct {  ///< y = act(sum + b)
  T* y;
  const T* b;
  int rows, width;
  Bend<T> act;
  __device__ void operator()(int, int row, int column, const T (&four)[4]) const {
    const T shift = b != nullptr ? b[column] : T{0};
    for (int r = 0; r < 4 && row + r < rows; ++r)
      y[static_cast<std::ptrdiff_t>(row + r) * width + column] = act(four[r] + shift);
  }
};

template <class T>
struct Mask {  ///< dy *= act'(y)
  const T* y;
  T* dy;
  Bend<T> act;
  __device__ void operator()(std::ptrdiff_t i) const { dy[i] = act.through(y[i], dy[i]); }
};
template <class T>
void mask_gradient(const Epilogue& epilogue, std::ptrdiff_t count, const T* y, T* dy) {
  if (epilogue.act != Act::none) each("the activation's gradient", count, Mask<T>{y, dy, Bend<T>(epilogue)});
}

template <class T>
struct RowTerm {
  const T* from;
  int c;
  __device__ void operator()(std::ptrdiff_t row, int column, double& first, double&) const {
    first += static_cast<double>(from[row * c + column]);
  }
};
template <class T>
struct AddFirst {
  T* to;
  __device__ void operator()(int column, double first, double) const { to[column] += static_cast<T>(first); }
};
/// db += the column sums of dy (rows x c).
template <class T>
void add_bias_gradient(std::ptrdiff_t rows, int c, const T* dy, T* db) {
  column_sums("the bias' gradient", rows, c, RowTerm<T>{dy, c}, AddFirst<T>{db});
}

/// Whether a library has How's arithmetic: float's.
template <class How>
inline constexpr bool in_libraries = requires {
  How::arithmetic;
};

/// gemm(), the products made by How.
template <class How, class T>
void gemm_by(bool ta, bool tb, int m, int n, int k, T alpha, const T* a, std::ptrdiff_t lda, const T* b, std::ptrdiff_t ldb,
             T beta, T* c, std::ptrdiff_t ldc) {
  if constexpr (in_libraries<How>) {
    if (product_by_library({ta, tb, m, n, k, lda, ldb, ldc, How::arithmetic}, alpha, a, b, beta, nullptr, c)) return;
  }
  const Scatter<T> out{c, ldc, alpha, beta, m};
  const int steps = alpha == T{0} || k < 0 ? 0 : k;
  const auto with = [&](auto left, auto right) {
    product<How>("gemm", 1, m, n, steps, Rows<T, left.value>{a, lda, m}, Rows<T, right.value>{b, ldb, n}, out);
  };
  const std::true_type yes;
  const std::false_type no;
  if (ta) {
    tb ? with(yes, no) : with(yes, yes);  // lines of the right operand are its columns: transposed is how it lies untransposed
  } else {
    tb ? with(no, no) : with(no, yes);
  }
}

/// y[i] = act(y[i]), where a library has written sums with their bias.
template <class T>
struct Bent {
  T* y;
  Bend<T> act;
  __device__ void operator()(std::ptrdiff_t i) const { y[i] = act(y[i]); }
};

/// y (n x out) = act(x w + b) by a library, or false.
template <class How, class T>
bool dense_by_library(int n, int in, int out, const T* x, const T* w, const T* b, const Epilogue& epilogue, T* y) {
  if constexpr (in_libraries<How>) {
    if (!product_by_library({false, false, n, out, in, in, out, out, How::arithmetic}, 1.0f, x, w, 0.0f, b, y)) return false;
    if (epilogue.act != Act::none) each("an activation", static_cast<std::ptrdiff_t>(n) * out, Bent<T>{y, Bend<T>(epilogue)});
    return true;
  }
  return false;
}

template <class How, class T>
void dense_forward_by(int n, int in, int out, const T* x, const T* w, const T* b, const Epilogue& epilogue, T* y) {
  if (dense_by_library<How>(n, in, out, x, w, b, epilogue, y)) return;
  product<How>("dense_forward", 1, n, out, in, Rows<T, false>{x, in, n}, Rows<T, true>{w, out, out},
               BiasAct<T>{y, b, n, out, Bend<T>(epilogue)});
}

template <class How, class T>
void dense_backward_by(int n, int in, int out, const T* x, const T* w, const T* y, T* dy, const Epilogue& epilogue, T* dx,
                       T* dw, T* db) {
  const T* const own = dy;
  mask_gradient(epilogue, static_cast<std::ptrdiff_t>(n) * out, y, dy);
  if (db != nullptr) add_bias_gradient(n, out, own, db);
  if (dw != nullptr) gemm_by<How>(true, false, in, out, n, T{1}, x, in, own, out, T{1}, dw, out);
  if (dx != nullptr) gemm_by<How>(false, true, n, in, out, T{1}, own, out, w, out, T{0}, dx, in);
}

}  // namespace detail

template <class T>
void gemm(Cuda, bool ta, bool tb, int m, int n, int k, T alpha, const T* a, std::ptrdiff_t lda, const T* b, std::ptrdiff_t ldb,
          T beta, T* c, std::ptrdiff_t ldc) {
  detail::gemm_by<detail::Exact<T>>(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
template <class T>
void dense_forward(Cuda, int n, int in, int out, const T* x, const T* w, const T* b, const Epilogue& epilogue, T* y) {
  detail::dense_forward_by<detail::Exact<T>>(n, in, out, x, w, b, epilogue, y);
}
template <class T>
void dense_backward(Cuda, int n, int in, int out, const T* x, const T* w, const T* y, T* dy, const Epilogue& epilogue, T* dx,
                    T* dw, T* db) {
  detail::dense_backward_by<detail::Exact<T>>(n, in, out, x, w, y, dy, epilogue, dx, dw, db);
}

GRAFT_CUDA_END

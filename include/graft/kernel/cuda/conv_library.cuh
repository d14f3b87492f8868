#pragma once
/// \file conv_library.cuh  Large convolutions by cuDNN, and those that are products by cuBLASLt, with what stands around them:
/// graft's filters are (row, column, in channel, out channel), cuDNN's begin with the out channel, and bias, activation and
/// pool follow in a kernel of their own. Each function returns false where the library declines; nothing was done then.
#include "graft/kernel/cuda/gemm.cuh"

GRAFT_CUDA_BEGIN
namespace detail {

inline int pixels_of(const ConvExtents& e) { return e.n * e.oh * e.ow; }
/// Whether a convolution is a product of pixels and weights.
inline bool is_product(const ConvExtents& e) {
  return e.kh == 1 && e.kw == 1 && e.sh == 1 && e.sw == 1 && e.groups == 1 && e.oh == e.h && e.ow == e.w;
}

template <class T>
struct WritePooled {  ///< y = max of the four; the first of equal numbers wins, and a NaN over all
  T* y;
  std::uint8_t* argmax;
  const T* b;
  int oc, og;
  Bend<T> act;
  __device__ void operator()(int group, int m, int n, const T (&four)[4]) const {
    const int channel = group * og + n;
    const T shift = b != nullptr ? b[channel] : T{0};
    const bool before = act.falls();
    T best{0};
    int which = 0;
    for (int r = 0; r < 4; ++r) {
      T z = four[r] + shift;
      if (before) z = act(z);
      if (r == 0 || z > best || (z != z && best == best)) {
        best = z;
        which = r;
      }
    }
    const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(m / 4) * oc + channel;
    y[at] = before ? best : act(best);
    if (argmax != nullptr) argmax[at] = static_cast<std::uint8_t>(which);
  }
};

/// to (columns x lines) = from (lines x columns), or += it.
template <class T>
struct Turn {
  const T* from;
  T* to;
  int lines, columns;
  bool add;
  __device__ void operator()(std::ptrdiff_t i) const {
    const Divided own(i, lines);
    const T value = from[static_cast<std::ptrdiff_t>(own.rest) * columns + own.whole];
    to[i] = add ? to[i] + value : value;
  }
};
template <class T>
void turn(int lines, int columns, const T* from, bool add, T* to) {
  each("turning a filter", static_cast<std::ptrdiff_t>(lines) * columns, Turn<T>{from, to, lines, columns, add});
}

template <class T>
struct Finish {  ///< y = act(y + b)
  T* y;
  const T* b;
  int oc;
  Bend<T> act;
  __device__ void operator()(std::ptrdiff_t i) const {
    const T shift = b != nullptr ? b[Divided(i, oc).rest] : T{0};
    y[i] = act(y[i] + shift);
  }
};
template <class T>
struct FinishPooled {  ///< WritePooled of the convolution's own output
  const T* wide;
  int oh, ow, oc;
  WritePooled<T> to;
  __device__ void operator()(std::ptrdiff_t i) const {
    const Place own(i, oc, ow / 2, oh / 2);
    const T* const corner = wide + ((own.sample * oh + 2 * own.y) * ow + 2 * own.x) * oc + own.c;
    const std::ptrdiff_t row = static_cast<std::ptrdiff_t>(ow) * oc;
    const T four[4] = {corner[0], corner[oc], corner[row], corner[row + oc]};
    to(0, static_cast<int>(i / oc) * 4, own.c, four);
  }
};

template <class How, class T>
bool forward_by_library(const ConvExtents& e, const T* x, const T* w, const T* b, const Epilogue& epilogue, T* y,
                        std::uint8_t* argmax) {
  if constexpr (in_libraries<How>) {
    if (is_product(e) && !epilogue.pool) return dense_by_library<How>(pixels_of(e), e.c, e.oc, x, w, b, epilogue, y);
    const std::ptrdiff_t outputs = static_cast<std::ptrdiff_t>(pixels_of(e)) * e.oc;
    const int alignment = epilogue.pool ? alignment_of(x) : alignment_of_all(x, y);  // rooms are aligned
    const Outside* const plan = convolution_of_library(Way::forward, e, How::arithmetic, alignment);
    if (plan == nullptr) return false;
    const int depth = e.kh * e.kw * e.c;
    T* const filter = room<T>(Room::filter, static_cast<std::size_t>(depth) * static_cast<std::size_t>(e.oc));
    T* const wide = epilogue.pool ? room<T>(Room::expand, static_cast<std::size_t>(outputs)) : y;
    turn(depth, e.oc, w, false, filter);
    ask_convolution(*plan, x, filter, wide);
    const Bend<T> act(epilogue);
    if (epilogue.pool) {
      const std::ptrdiff_t windows = static_cast<std::ptrdiff_t>(e.n) * (e.oh / 2) * (e.ow / 2);
      each("a pool", windows * e.oc, FinishPooled<T>{wide, e.oh, e.ow, e.oc, {y, argmax, b, e.oc, e.oc, act}});
    } else if (b != nullptr || epilogue.act != Act::none) {
      each("a bias and an activation", outputs, Finish<T>{y, b, e.oc, act});
    }
    return true;
  }
  return false;
}

/// dw += x (correlated with) dy.
template <class How, class T>
bool weights_by_library(const ConvExtents& e, const T* x, const T* dy, T* dw) {
  if constexpr (in_libraries<How>) {
    if (is_product(e)) {
      return product_by_library({true, false, e.c, e.oc, pixels_of(e), e.c, e.oc, e.oc, How::arithmetic}, 1.0f, x, dy, 1.0f,
                                nullptr, dw);
    }
    const Outside* const plan = convolution_of_library(Way::weights, e, How::arithmetic, alignment_of_all(x, dy));
    if (plan == nullptr) return false;
    const int depth = e.kh * e.kw * e.c;
    T* const filter = room<T>(Room::filter, static_cast<std::size_t>(depth) * static_cast<std::size_t>(e.oc));
    ask_convolution(*plan, x, dy, filter);
    turn(e.oc, depth, filter, true, dw);
    return true;
  }
  return false;
}

/// dx = dy (convolved with) w.
template <class How, class T>
bool data_by_library(const ConvExtents& e, const T* w, const T* dy, T* dx) {
  if constexpr (in_libraries<How>) {
    if (is_product(e)) {
      return product_by_library({false, true, pixels_of(e), e.c, e.oc, e.oc, e.oc, e.c, How::arithmetic}, 1.0f, dy, w, 0.0f,
                                nullptr, dx);
    }
    const Outside* const plan = convolution_of_library(Way::data, e, How::arithmetic, alignment_of_all(dy, dx));
    if (plan == nullptr) return false;
    const int depth = e.kh * e.kw * e.c;
    T* const filter = room<T>(Room::filter, static_cast<std::size_t>(depth) * static_cast<std::size_t>(e.oc));
    turn(depth, e.oc, w, false, filter);
    ask_convolution(*plan, dy, filter, dx);
    return true;
  }
  return false;
}

}  // namespace detail
GRAFT_CUDA_END

#pragma once
/// \file conv2d.cuh  2-D convolution on NHWC as implicit products on the tile of product.cuh: no im2col buffer; bias,
/// activation and 2x2 max-pool in the write-back. Large ones go to NVIDIA's libraries first (conv_library.cuh).
#include "graft/kernel/cuda/conv_library.cuh"

GRAFT_CUDA_BEGIN
namespace detail {

/// Position of a number's pixel, and of a tap and channel within a kernel.
struct Pixel {
  std::ptrdiff_t base;  ///< of its sample; -1: there is no such pixel
  int y, x;
};
struct Tap {
  int dy, dx, channel;
};

/// The inputs that outputs see. `pooled`: lines come by pool windows, four pixels each, which a thread then has together.
/// `by_tap`: lines are taps and steps are pixels (the weights' gradient), else the other way.
template <class T, bool pooled, bool by_tap>
struct Windows {
  using Number = T;
  using Line = std::conditional_t<by_tap, Tap, Pixel>;
  using Step = std::conditional_t<by_tap, Pixel, Tap>;
  static constexpr bool k_first = !by_tap;  // neighbouring taps are neighbouring channels in memory
  ConvExtents e;
  const T* x;
  int lines, channels;  ///< channels of a group
  int group = 0;

  __device__ Pixel pixel(int i) const {
    int oy, ox, sample;
    if constexpr (pooled) {
      const int window = i / 4, wide = e.ow / 2, high = e.oh / 2;
      ox = window % wide * 2 + i % 2;
      oy = window / wide % high * 2 + i / 2 % 2;
      sample = window / (wide * high);
    } else {
      ox = i % e.ow;
      oy = i / e.ow % e.oh;
      sample = i / (e.ow * e.oh);
    }
    return {static_cast<std::ptrdiff_t>(sample) * e.h * e.w, oy * e.sh - e.top, ox * e.sw - e.left};
  }
  __device__ Tap tap(int k) const {
    const int place = k / channels;
    return {place / e.kw * e.dh, place % e.kw * e.dw, group * channels + k % channels};
  }
  __device__ Line line(int i) const {
    if constexpr (by_tap) {
      Tap made = tap(i < lines ? i : 0);
      if (i >= lines) made.channel = -1;
      return made;
    } else {
      Pixel made = pixel(i < lines ? i : 0);
      if (i >= lines) made.base = -1;
      return made;
    }
  }
  __device__ Step step(int k) const {
    if constexpr (by_tap) {
      return pixel(k);
    } else {
      return tap(k);
    }
  }
  __device__ T read(const Pixel& p, const Tap& t) const {
    const int iy = p.y + t.dy, ix = p.x + t.dx;
    if (p.base < 0 || t.channel < 0 || iy < 0 || iy >= e.h || ix < 0 || ix >= e.w) return T{0};
    return x[(p.base + static_cast<std::ptrdiff_t>(iy) * e.w + ix) * e.c + t.channel];
  }
  __device__ T at(const Line& line, const Step& step) const {
    if constexpr (by_tap) {
      return read(step, line);
    } else {
      return read(line, step);
    }
  }
};

/// A matrix with the groups' columns side by side: element (line, step) is at step * stride + group * lines + line.
template <class T>
struct Columns {
  using Number = T;
  using Line = int;
  using Step = std::ptrdiff_t;
  static constexpr bool k_first = false;
  const T* data;
  int stride, lines;  ///< lines: of a group
  int group = 0;
  __device__ Line line(int i) const { return i < lines ? i : -1; }
  __device__ Step step(int k) const {
    return static_cast<std::ptrdiff_t>(k) * stride + static_cast<std::ptrdiff_t>(group) * lines;
  }
  __device__ T at(Line from, Step by) const { return from < 0 ? T{0} : data[by + from]; }
};

/// The outputs' gradients that an input sees, one tap after the other.
template <class T>
struct Sources {
  using Number = T;
  using Line = Pixel;  ///< of an input, padding added
  using Step = Tap;    ///< of an output's channel
  static constexpr bool k_first = true;
  ConvExtents e;
  const T* dy;
  int lines;
  int group = 0;
  __device__ Line line(int i) const {
    const int at = i < lines ? i : 0;
    const std::ptrdiff_t base = i < lines ? static_cast<std::ptrdiff_t>(at / (e.h * e.w)) * e.oh * e.ow : -1;
    return {base, at / e.w % e.h + e.top, at % e.w + e.left};
  }
  __device__ Step step(int k) const {
    const int og = e.oc / e.groups, place = k / og;
    return {place / e.kw * e.dh, place % e.kw * e.dw, group * og + k % og};
  }
  __device__ T at(const Line& p, const Step& t) const {
    const int y = p.y - t.dy, x = p.x - t.dx;
    if (p.base < 0 || y < 0 || x < 0) return T{0};
    const int oy = e.sh == 1 ? y : y / e.sh, ox = e.sw == 1 ? x : x / e.sw;
    if (oy >= e.oh || ox >= e.ow || oy * e.sh != y || ox * e.sw != x) return T{0};
    return dy[(p.base + static_cast<std::ptrdiff_t>(oy) * e.ow + ox) * e.oc + t.channel];
  }
};

/// Weights as the data gradient wants them: line an input channel of a group, step a tap and output channel.
template <class T>
struct Turned {
  using Number = T;
  using Line = int;
  using Step = std::ptrdiff_t;
  static constexpr bool k_first = true;
  const T* w;
  int channels, oc, og;
  int group = 0;
  __device__ Line line(int i) const { return i < channels ? i : -1; }
  __device__ Step step(int k) const { return static_cast<std::ptrdiff_t>(k / og) * channels * oc + group * og + k % og; }
  __device__ T at(Line from, Step by) const { return from < 0 ? T{0} : w[by + static_cast<std::ptrdiff_t>(from) * oc]; }
};

template <class T>
struct WriteConv {  ///< y = act(sum + b)
  T* y;
  const T* b;
  int lines, oc, og;
  Bend<T> act;
  __device__ void operator()(int group, int m, int n, const T (&four)[4]) const {
    const int channel = group * og + n;
    const T shift = b != nullptr ? b[channel] : T{0};
    for (int r = 0; r < 4 && m + r < lines; ++r) y[static_cast<std::ptrdiff_t>(m + r) * oc + channel] = act(four[r] + shift);
  }
};
template <class T>
struct WritePlain {  ///< to = sum, or to += sum
  T* to;
  int lines, width, each;
  bool add;
  __device__ void operator()(int group, int m, int n, const T (&four)[4]) const {
    for (int r = 0; r < 4 && m + r < lines; ++r) {
      T& at = to[static_cast<std::ptrdiff_t>(m + r) * width + group * each + n];
      at = add ? at + four[r] : four[r];
    }
  }
};

/// The gradient of the convolution's own output from that of the pooled one: through the activation to the winner, else 0.
template <class T>
struct Unpool {
  ConvExtents e;
  const T* dy;
  const T* y;
  const std::uint8_t* argmax;
  T* out;
  Bend<T> act;
  __device__ void operator()(std::ptrdiff_t i) const {
    const Place own(i, e.oc, e.ow, e.oh);
    const int wide = e.ow / 2, high = e.oh / 2;
    T g{0};
    if (own.x / 2 < wide && own.y / 2 < high) {
      const std::ptrdiff_t at = ((own.sample * high + own.y / 2) * wide + own.x / 2) * e.oc + own.c;
      if (argmax[at] == own.y % 2 * 2 + own.x % 2) g = act.through(y[at], dy[at]);
    }
    out[i] = g;
  }
};

template <class How, class T>
void conv2d_forward_by(const ConvExtents& e, const T* x, const T* w, const T* b, const Epilogue& epilogue, T* y,
                       std::uint8_t* argmax) {
  const int channels = e.c / e.groups, og = e.oc / e.groups, depth = e.kh * e.kw * channels;
  const Columns<T> weights{w, e.oc, og};
  const Bend<T> act(epilogue);
  if (forward_by_library<How>(e, x, w, b, epilogue, y, argmax)) return;
  if (epilogue.pool) {
    const int lines = e.n * (e.oh / 2) * (e.ow / 2) * 4;
    product<How>("conv2d_forward", e.groups, lines, og, depth, Windows<T, true, false>{e, x, lines, channels}, weights,
                 WritePooled<T>{y, argmax, b, e.oc, og, act});
  } else {
    const int lines = pixels_of(e);
    product<How>("conv2d_forward", e.groups, lines, og, depth, Windows<T, false, false>{e, x, lines, channels}, weights,
                 WriteConv<T>{y, b, lines, e.oc, og, act});
  }
}

template <class How, class T>
void conv2d_backward_by(const ConvExtents& e, const T* x, const T* w, const T* y, const std::uint8_t* argmax, T* dy,
                        const Epilogue& epilogue, T* dx, T* dw, T* db) {
  const int channels = e.c / e.groups, og = e.oc / e.groups, depth = e.kh * e.kw * channels, pixels = pixels_of(e);
  const std::ptrdiff_t outputs = static_cast<std::ptrdiff_t>(pixels) * e.oc;
  const T* own = dy;  // the gradient of the convolution's own output
  if (epilogue.pool) {
    T* wide = room<T>(Room::expand, static_cast<std::size_t>(outputs));
    each("the pool's gradient", outputs, Unpool<T>{e, dy, y, argmax, wide, Bend<T>(epilogue)});
    own = wide;
  } else {
    mask_gradient(epilogue, outputs, y, dy);
  }
  if (db != nullptr) add_bias_gradient(pixels, e.oc, own, db);
  if (dw != nullptr && !weights_by_library<How>(e, x, own, dw)) {
    product<How>("conv2d_backward of the weights", e.groups, depth, og, pixels, Windows<T, false, true>{e, x, depth, channels},
                 Columns<T>{own, e.oc, og}, WritePlain<T>{dw, depth, e.oc, og, true});
  }
  if (dx != nullptr && !data_by_library<How>(e, w, own, dx)) {
    const int lines = e.n * e.h * e.w;
    product<How>("conv2d_backward of the data", e.groups, lines, channels, e.kh * e.kw * og, Sources<T>{e, own, lines},
                 Turned<T>{w, channels, e.oc, og}, WritePlain<T>{dx, lines, e.c, channels, false});
  }
}

}  // namespace detail

template <class T>
void conv2d_forward(Cuda, const ConvExtents& e, const T* x, const T* w, const T* b, const Epilogue& epilogue, T* y,
                    std::uint8_t* argmax) {
  detail::conv2d_forward_by<detail::Exact<T>>(e, x, w, b, epilogue, y, argmax);
}
template <class T>
void conv2d_backward(Cuda, const ConvExtents& e, const T* x, const T* w, const T* y, const std::uint8_t* argmax, T* dy,
                     const Epilogue& epilogue, T* dx, T* dw, T* db) {
  detail::conv2d_backward_by<detail::Exact<T>>(e, x, w, y, argmax, dy, epilogue, dx, dw, db);
}

GRAFT_CUDA_END

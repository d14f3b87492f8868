#pragma once
/// \file penalties.cuh  What holds a critic, weights or feature maps: loss/gradient_penalty.hpp, optim/l2_sp.hpp and
/// loss/delta.hpp on the GPU.
#include "graft/kernel/cuda/activation.cuh"
#include "graft/kernel/cuda/losses.hpp"

GRAFT_CUDA_BEGIN
namespace detail {

/// Of the first nx numbers the mean, less that of the others.
template <class T>
struct MeanGap {
  int nx, ny;
  const T* x;
  const T* y;
  T* dx;
  T* dy;
  __device__ double operator()(std::ptrdiff_t i) const {
    const bool of_x = i < nx;
    const double share = of_x ? 1.0 / nx : -1.0 / ny;
    T* const to = of_x ? dx : dy;
    const std::ptrdiff_t at = of_x ? i : i - nx;
    if (to != nullptr) to[at] = static_cast<T>(share);
    return share * static_cast<double>(of_x ? x[at] : y[at]);
  }
};

/// (|g| - 1)^2 of a row, and what it is to go along: 2 (|g| - 1) / rows times the direction of g.
template <class T>
struct UnitNorm {
  int rows, width;
  const T* g;
  T* along;
  double* losses;
  __device__ void operator()(std::ptrdiff_t row, int lane) const {
    const T* own = g + row * width;
    double squares = 0.0;
    for (int k = lane; k < width; k += 32) squares += static_cast<double>(own[k]) * static_cast<double>(own[k]);
    const double norm = std::sqrt(warp_sum(squares));
    if (lane == 0) losses[row] = (norm - 1.0) * (norm - 1.0);
    const T scale = static_cast<T>(norm > 0.0 ? 2.0 * (norm - 1.0) / (norm * rows) : 0.0);
    for (int k = lane; k < width; k += 32) along[row * width + k] = scale * own[k];
  }
};

/// The second derivative, from the same number as the first. T(0), not T{0}: see activation.cuh.
template <Activation a, class T>
__device__ T second_derivative(T alpha, T at) {
  constexpr T root2 = static_cast<T>(1.41421356237309504880), inverse_root_pi = static_cast<T>(0.56418958354775628695);
  if constexpr (a == Activation::elu) return at > T(0) ? T(0) : at + alpha;
  if constexpr (a == Activation::gelu) return (T(2) - at * at) * (std::exp(-at * at / T(2)) * inverse_root_pi / root2);
  if constexpr (a == Activation::silu) {
    const T s = sigmoid(at);
    return s * (T(1) - s) * (T(2) + at * (T(1) - T(2) * s));
  }
  if constexpr (a == Activation::hard_swish) return at > T(-3) && at < T(3) ? T(1) / T(3) : T(0);
  if constexpr (a == Activation::sigmoid) return at * (T(1) - at) * (T(1) - T(2) * at);
  if constexpr (a == Activation::tanh) return T(-2) * at * (T(1) - at * at);
  if constexpr (a == Activation::softplus) {
    const T s = sigmoid(at);
    return s * (T(1) - s);
  }
  return T(0);
}
template <Activation a, class T>
struct Curve {
  T alpha;
  const T* at;
  const T* p;
  const T* t;
  T* q;
  __device__ void operator()(std::ptrdiff_t i) const { q[i] += second_derivative<a>(alpha, at[i]) * p[i] * t[i]; }
};

/// 1/2 |v - start|^2 of a piece of the weights; start null: 0.
template <class T>
struct Drawn {
  const T* v;
  const T* start;
  __device__ double operator()(std::ptrdiff_t i) const {
    const double apart = static_cast<double>(v[i]) - (start != nullptr ? static_cast<double>(start[i]) : 0.0);
    return 0.5 * apart * apart;
  }
};
template <class T>
struct AddTo {
  double scale;
  bool add;
  T* value;
  __device__ void operator()(double sum) const {
    *value = static_cast<T>((add ? static_cast<double>(*value) : 0.0) + scale * sum);
  }
};
template <class T>
struct DrawBack {
  T factor;
  const T* v;
  const T* start;
  T* g;
  __device__ void operator()(std::ptrdiff_t i) const { g[i] += factor * (start != nullptr ? v[i] - start[i] : v[i]); }
};

/// 1/2 weight (x - start)^2, the weight that of the channel.
template <class T>
struct MapGap {
  int channels;
  const T* x;
  const T* start;
  const double* weights;  ///< null: all 1
  T* dx;
  __device__ double operator()(std::ptrdiff_t i) const {
    const double weight = weights != nullptr ? weights[Divided(i, channels).rest] : 1.0;
    const double apart = static_cast<double>(x[i]) - static_cast<double>(start[i]);
    if (dx != nullptr) dx[i] = static_cast<T>(weight * apart);
    return 0.5 * weight * apart * apart;
  }
};

}  // namespace detail

template <class T>
void mean_gap(Cuda, int nx, int ny, const T* x, const T* y, T* dx, T* dy, T* value) {
  detail::sum("critic_distance", static_cast<std::ptrdiff_t>(nx) + ny, detail::MeanGap<T>{nx, ny, x, y, dx, dy},
              detail::Scaled<T>{1.0, value});
}

template <class T>
void unit_norms(Cuda, int rows, int width, const T* g, T* along, T* value) {
  double* losses = detail::room<double>(detail::Room::rows, static_cast<std::size_t>(rows));
  detail::rows_by_warp("gradient_penalty's norms", rows, detail::UnitNorm<T>{rows, width, g, along, losses});
  detail::total("gradient_penalty", rows, losses, detail::Scaled<T>{1.0 / rows, value});
}

template <class T>
void activation_curvature(Cuda, Activation a, double alpha, std::ptrdiff_t count, const T* x, const T* y, const T* p,
                          const T* t, T* q) {
  const T* at = detail::from_input(a) ? x : y;
  detail::with_activation(a, [&](auto which) {
    detail::each("activation_curvature", count, detail::Curve<which.value, T>{static_cast<T>(alpha), at, p, t, q});
  });
}

template <class T>
void drawn_to(Cuda, std::ptrdiff_t count, double weight, const T* v, const T* start, bool add, T* value) {
  detail::sum("L2Sp", count, detail::Drawn<T>{v, start}, detail::AddTo<T>{weight, add, value});
}
template <class T>
void drawn_to_backward(Cuda, std::ptrdiff_t count, T factor, const T* v, const T* start, T* g) {
  detail::each("L2Sp's gradient", count, detail::DrawBack<T>{factor, v, start, g});
}

template <class T>
void map_distance(Cuda, std::ptrdiff_t count, int channels, const T* x, const T* start, const double* weights, T* dx,
                  T* value) {
  detail::sum("delta", count, detail::MapGap<T>{channels, x, start, weights, dx}, detail::Scaled<T>{1.0, value});
}

GRAFT_CUDA_END

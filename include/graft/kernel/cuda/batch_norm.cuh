#pragma once
/// \file batch_norm.cuh  Batch normalisation over rows x channels: kernel/cpu/batch_norm.hpp on the GPU. Sums are taken in
/// double, in fixed pieces of rows added in order.
#include "graft/kernel/cuda/layers.hpp"
#include "graft/kernel/cuda/reduce.cuh"

GRAFT_CUDA_BEGIN
namespace detail {

template <class T>
struct SumTerm {
  const T* x;
  int c;
  __device__ void operator()(std::ptrdiff_t row, int i, double& sum, double&) const {
    sum += static_cast<double>(x[row * c + i]);
  }
};
template <class T>
struct WriteMean {
  double rows;
  T* mean;
  __device__ void operator()(int i, double sum, double) const { mean[i] = static_cast<T>(sum / rows); }
};
template <class T>
struct SquareTerm {
  const T* x;
  const T* mean;
  int c;
  __device__ void operator()(std::ptrdiff_t row, int i, double& squares, double& rest) const {
    const double d = static_cast<double>(x[row * c + i] - mean[i]);
    squares += d * d;
    rest += d;
  }
};
template <class T>
struct WriteVariance {  ///< the mean was rounded: what is left of the sum corrects the variance
  double rows;
  T epsilon;
  T* inverse;
  T* variance;
  __device__ void operator()(int i, double squares, double rest) const {
    const double left = rest / rows, v = squares / rows - left * left;
    variance[i] = static_cast<T>(v);
    inverse[i] = static_cast<T>(1.0 / std::sqrt(v + static_cast<double>(epsilon)));
  }
};
template <class T>
struct Normalise {
  const T* x;
  const T* gamma;
  const T* beta;
  const T* mean;
  const T* inverse;
  T* y;
  int c;
  __device__ void operator()(std::ptrdiff_t at) const {
    const int i = Divided(at, c).rest;
    y[at] = gamma[i] * ((x[at] - mean[i]) * inverse[i]) + beta[i];
  }
};
template <class T>
struct UpdateRunning {
  T momentum, scale;
  const T* mean;
  const T* variance;
  T* running_mean;
  T* running_var;
  __device__ void operator()(std::ptrdiff_t i) const {
    running_mean[i] = momentum * running_mean[i] + (T{1} - momentum) * mean[i];
    running_var[i] = momentum * running_var[i] + (T{1} - momentum) * scale * variance[i];
  }
};
template <class T>
struct NormaliseRunning {
  const T* x;
  const T* gamma;
  const T* beta;
  const T* mean;
  const T* variance;
  T epsilon;
  T* y;
  int c;
  __device__ void operator()(std::ptrdiff_t at) const {
    const int i = Divided(at, c).rest;
    const T factor = gamma[i] / std::sqrt(variance[i] + epsilon);
    y[at] = x[at] * factor + (beta[i] - mean[i] * factor);
  }
};

/// Sums of dy xhat and dy, xhat = (x - mean) inverse; inverse null: 1.
template <class T>
struct GradientTerm {
  const T* x;
  const T* mean;
  const T* inverse;
  const T* dy;
  int c;
  __device__ void operator()(std::ptrdiff_t row, int i, double& products, double& total) const {
    const std::ptrdiff_t at = row * c + i;
    const T centred = x[at] - mean[i];
    products += static_cast<double>(dy[at]) * static_cast<double>(inverse != nullptr ? centred * inverse[i] : centred);
    total += static_cast<double>(dy[at]);
  }
};
template <class T>
struct WriteGradients {
  T* dgamma;
  T* dbeta;
  double* sums;     ///< the two sums of each channel, for the data's gradient; null: not wanted
  const T* spread;  ///< running variance that divides dgamma; null: none
  T epsilon;
  __device__ void operator()(int i, double products, double total) const {
    const double by = spread != nullptr ? std::sqrt(static_cast<double>(spread[i] + epsilon)) : 1.0;
    if (dgamma != nullptr) dgamma[i] += static_cast<T>(products / by);
    if (dbeta != nullptr) dbeta[i] += static_cast<T>(total);
    if (sums == nullptr) return;
    sums[2 * i] = products;
    sums[2 * i + 1] = total;
  }
};
template <class T>
struct DataGradient {
  double rows;
  const T* x;
  const T* mean;
  const T* inverse;
  const T* gamma;
  const T* dy;
  const double* sums;
  T* dx;
  int c;
  __device__ void operator()(std::ptrdiff_t at) const {
    const int i = Divided(at, c).rest;
    const T normalised = (x[at] - mean[i]) * inverse[i];
    dx[at] = gamma[i] * inverse[i] *
             (dy[at] - static_cast<T>(sums[2 * i + 1] / rows) - normalised * static_cast<T>(sums[2 * i] / rows));
  }
};
template <class T>
struct RunningGradient {
  const T* gamma;
  const T* variance;
  T epsilon;
  const T* dy;
  T* dx;
  int c;
  __device__ void operator()(std::ptrdiff_t at) const {
    const int i = Divided(at, c).rest;
    dx[at] = gamma[i] / std::sqrt(variance[i] + epsilon) * dy[at];
  }
};

}  // namespace detail

template <class T>
void batch_norm_forward_train(Cuda, std::ptrdiff_t rows, int c, const T* x, const T* gamma, const T* beta, T epsilon, T* mean,
                              T* inverse, T* variance, T* y) {
  const double n = static_cast<double>(rows);
  detail::column_sums("batch_norm's mean", rows, c, detail::SumTerm<T>{x, c}, detail::WriteMean<T>{n, mean});
  detail::column_sums("batch_norm's variance", rows, c, detail::SquareTerm<T>{x, mean, c},
                      detail::WriteVariance<T>{n, epsilon, inverse, variance});
  detail::each("batch_norm_forward_train", rows * c, detail::Normalise<T>{x, gamma, beta, mean, inverse, y, c});
}

template <class T>
void batch_norm_update_running(Cuda, int c, std::ptrdiff_t rows, T momentum, bool unbiased, const T* mean, const T* variance,
                               T* running_mean, T* running_var) {
  const T scale = unbiased && rows > 1 ? static_cast<T>(static_cast<double>(rows) / static_cast<double>(rows - 1)) : T{1};
  detail::each("batch_norm_update_running", c,
               detail::UpdateRunning<T>{momentum, scale, mean, variance, running_mean, running_var});
}

template <class T>
void batch_norm_forward_infer(Cuda, std::ptrdiff_t rows, int c, const T* x, const T* gamma, const T* beta, T epsilon,
                              const T* running_mean, const T* running_var, T* y) {
  detail::each("batch_norm_forward_infer", rows * c,
               detail::NormaliseRunning<T>{x, gamma, beta, running_mean, running_var, epsilon, y, c});
}

template <class T>
void batch_norm_backward_train(Cuda, std::ptrdiff_t rows, int c, const T* x, const T* mean, const T* inverse, const T* gamma,
                               const T* dy, T* dx, T* dgamma, T* dbeta) {
  double* sums = detail::room<double>(detail::Room::rows, 2 * static_cast<std::size_t>(c));
  detail::column_sums("batch_norm's gradients", rows, c, detail::GradientTerm<T>{x, mean, inverse, dy, c},
                      detail::WriteGradients<T>{dgamma, dbeta, sums, nullptr, T{0}});
  if (dx == nullptr) return;
  detail::each("batch_norm_backward_train", rows * c,
               detail::DataGradient<T>{static_cast<double>(rows), x, mean, inverse, gamma, dy, sums, dx, c});
}

template <class T>
void batch_norm_backward_infer(Cuda, std::ptrdiff_t rows, int c, const T* x, const T* running_mean, const T* running_var,
                               T epsilon, const T* gamma, const T* dy, T* dx, T* dgamma, T* dbeta) {
  if (dgamma != nullptr || dbeta != nullptr) {
    detail::column_sums("batch_norm's gradients", rows, c, detail::GradientTerm<T>{x, running_mean, nullptr, dy, c},
                        detail::WriteGradients<T>{dgamma, dbeta, nullptr, running_var, epsilon});
  }
  if (dx == nullptr) return;
  detail::each("batch_norm_backward_infer", rows * c, detail::RunningGradient<T>{gamma, running_var, epsilon, dy, dx, c});
}

GRAFT_CUDA_END

#pragma once
/// \file batch_norm.hpp  Batch normalisation over rows x channels. Sums are taken in double, in fixed chunks of rows added in
/// order.
#include "graft/config.hpp"
#include "graft/core/buffer.hpp"
#include "graft/core/device.hpp"
#include "graft/core/parallel.hpp"

#include <cmath>
#include <cstddef>
#include <cstring>

GRAFT_BEGIN
namespace kernel {

namespace detail {
/// sums[k][0..c) = sum over rows of term(k, row, channel), for k = 0 and 1.
template <class Term>
const double* two_sums(std::ptrdiff_t rows, int c, Term&& term) {
  const int chunks = static_cast<int>(std::min<std::ptrdiff_t>(fixed_chunks, rows));
  const std::size_t width = 2 * static_cast<std::size_t>(c);
  double* partial = workspace<double>(Work::reduce, width * static_cast<std::size_t>(chunks + 1));
  parallel_for(
      chunks,
      [&](int index) {
        const Range range = chunk(rows, chunks, index);
        double* first = partial + static_cast<std::size_t>(index + 1) * width;
        double* second = first + c;
        std::memset(first, 0, width * sizeof(double));
        for (std::ptrdiff_t row = range.begin; row < range.end; ++row) {
          for (int i = 0; i < c; ++i) term(row * c + i, i, first[i], second[i]);
        }
      },
      static_cast<double>(rows) * c > 2e4);
  std::memset(partial, 0, width * sizeof(double));
  for (int k = 1; k <= chunks; ++k) {
    for (std::size_t i = 0; i < width; ++i) partial[i] += partial[static_cast<std::size_t>(k) * width + i];
  }
  return partial;
}

/// Calls f(row range) over fixed chunks of rows.
template <class F>
void for_rows(std::ptrdiff_t rows, int c, F&& f) {
  const int chunks = static_cast<int>(std::min<std::ptrdiff_t>(fixed_chunks, rows));
  parallel_for(
      chunks, [&](int index) { f(chunk(rows, chunks, index)); }, static_cast<double>(rows) * c > 2e4);
}
}  // namespace detail

/// y = gamma (x - mean) inverse + beta with the batch's mean and biased variance, which are written to mean, inverse (1 /
/// sqrt(variance + epsilon)) and variance. The variance is taken around the mean (two passes).
template <class T>
void batch_norm_forward_train(Cpu, std::ptrdiff_t rows, int c, const T* x, const T* gamma, const T* beta, T epsilon, T* mean,
                              T* inverse, T* variance, T* y) {
  const double n = static_cast<double>(rows);
  const double* sums =
      detail::two_sums(rows, c, [&](std::ptrdiff_t at, int, double& sum, double&) { sum += static_cast<double>(x[at]); });
  for (int i = 0; i < c; ++i) mean[i] = static_cast<T>(sums[i] / n);
  sums = detail::two_sums(rows, c, [&](std::ptrdiff_t at, int i, double& squares, double& rest) {
    const double d = static_cast<double>(x[at] - mean[i]);
    squares += d * d;
    rest += d;
  });
  for (int i = 0; i < c; ++i) {  // the mean was rounded: what is left of the sum corrects the variance
    const double left = sums[c + i] / n;
    const double v = sums[i] / n - left * left;
    variance[i] = static_cast<T>(v);
    inverse[i] = static_cast<T>(1.0 / std::sqrt(v + static_cast<double>(epsilon)));
  }
  detail::for_rows(rows, c, [&](Range range) {
    for (std::ptrdiff_t row = range.begin; row < range.end; ++row) {
      for (int i = 0; i < c; ++i) y[row * c + i] = gamma[i] * ((x[row * c + i] - mean[i]) * inverse[i]) + beta[i];
    }
  });
}

/// running = momentum * running + (1 - momentum) * batch; `unbiased` scales the variance by rows / (rows - 1).
template <class T>
void batch_norm_update_running(Cpu, int c, std::ptrdiff_t rows, T momentum, bool unbiased, const T* mean, const T* variance,
                               T* running_mean, T* running_var) {
  const T scale = unbiased && rows > 1 ? static_cast<T>(static_cast<double>(rows) / static_cast<double>(rows - 1)) : T{1};
  for (int i = 0; i < c; ++i) {
    running_mean[i] = momentum * running_mean[i] + (T{1} - momentum) * mean[i];
    running_var[i] = momentum * running_var[i] + (T{1} - momentum) * scale * variance[i];
  }
}

/// y = gamma (x - running_mean) / sqrt(running_var + epsilon) + beta
template <class T>
void batch_norm_forward_infer(Cpu, std::ptrdiff_t rows, int c, const T* x, const T* gamma, const T* beta, T epsilon,
                              const T* running_mean, const T* running_var, T* y) {
  T* factor = workspace<T>(Work::reduce, 2 * static_cast<std::size_t>(c));
  T* shift = factor + c;
  for (int i = 0; i < c; ++i) {
    factor[i] = gamma[i] / std::sqrt(running_var[i] + epsilon);
    shift[i] = beta[i] - running_mean[i] * factor[i];
  }
  detail::for_rows(rows, c, [&](Range range) {
    for (std::ptrdiff_t row = range.begin; row < range.end; ++row) {
      for (int i = 0; i < c; ++i) y[row * c + i] = x[row * c + i] * factor[i] + shift[i];
    }
  });
}

/// Through the batch's own statistics: dx = gamma inverse (dy - mean(dy) - xhat mean(dy xhat)). Null pointers: not wanted.
template <class T>
void batch_norm_backward_train(Cpu, std::ptrdiff_t rows, int c, const T* x, const T* mean, const T* inverse, const T* gamma,
                               const T* dy, T* dx, T* dgamma, T* dbeta) {
  const double* sums = detail::two_sums(rows, c, [&](std::ptrdiff_t at, int i, double& products, double& total) {
    products += static_cast<double>(dy[at]) * static_cast<double>((x[at] - mean[i]) * inverse[i]);
    total += static_cast<double>(dy[at]);
  });
  for (int i = 0; i < c; ++i) {
    if (dgamma != nullptr) dgamma[i] += static_cast<T>(sums[i]);
    if (dbeta != nullptr) dbeta[i] += static_cast<T>(sums[c + i]);
  }
  if (dx == nullptr) return;
  const double n = static_cast<double>(rows);
  detail::for_rows(rows, c, [&](Range range) {
    for (std::ptrdiff_t row = range.begin; row < range.end; ++row) {
      for (int i = 0; i < c; ++i) {
        const T normalised = (x[row * c + i] - mean[i]) * inverse[i];
        dx[row * c + i] = gamma[i] * inverse[i] *
                          (dy[row * c + i] - static_cast<T>(sums[c + i] / n) - normalised * static_cast<T>(sums[i] / n));
      }
    }
  });
}

/// Through the running statistics, which are constants: dx = gamma dy / sqrt(running_var + epsilon).
template <class T>
void batch_norm_backward_infer(Cpu, std::ptrdiff_t rows, int c, const T* x, const T* running_mean, const T* running_var,
                               T epsilon, const T* gamma, const T* dy, T* dx, T* dgamma, T* dbeta) {
  if (dgamma != nullptr || dbeta != nullptr) {
    const double* sums = detail::two_sums(rows, c, [&](std::ptrdiff_t at, int i, double& products, double& total) {
      products += static_cast<double>(dy[at]) * static_cast<double>(x[at] - running_mean[i]);
      total += static_cast<double>(dy[at]);
    });
    for (int i = 0; i < c; ++i) {
      if (dgamma != nullptr) dgamma[i] += static_cast<T>(sums[i] / std::sqrt(static_cast<double>(running_var[i] + epsilon)));
      if (dbeta != nullptr) dbeta[i] += static_cast<T>(sums[c + i]);
    }
  }
  if (dx == nullptr) return;
  T* factor = workspace<T>(Work::reduce, static_cast<std::size_t>(c));
  for (int i = 0; i < c; ++i) factor[i] = gamma[i] / std::sqrt(running_var[i] + epsilon);
  detail::for_rows(rows, c, [&](Range range) {
    for (std::ptrdiff_t row = range.begin; row < range.end; ++row) {
      for (int i = 0; i < c; ++i) dx[row * c + i] = factor[i] * dy[row * c + i];
    }
  });
}

}  // namespace kernel
GRAFT_END

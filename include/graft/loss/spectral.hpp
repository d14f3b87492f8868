#pragma once
/// \file spectral.hpp  Penalties on the singular values of a batch's features. An include of its own, because it needs Eigen.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/loss/record.hpp"

#include <Eigen/Dense>

#include <algorithm>

GRAFT_BEGIN
namespace detail {

/// The sum of k squared singular values, the smallest or the largest, of rows x width numbers f, and its gradient: of sigma^2 =
/// u' f f' u it is 2 u u' f, u held to unit length.
template <class T>
GRAFT_COLD T squared_singular_values(const T* f, int rows, int width, int k, bool largest, T* df) {
  using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Eigen::Map<const Matrix> features(f, rows, width);
  // Of both Gram matrices the smaller: the values that the larger one has besides are 0.
  const bool by_rows = rows <= width;
  const Eigen::MatrixXd wide = features.template cast<double>();
  const Eigen::MatrixXd gram = by_rows ? Eigen::MatrixXd(wide * wide.transpose()) : Eigen::MatrixXd(wide.transpose() * wide);
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(gram);
  const int all = static_cast<int>(gram.rows());
  double sum = 0.0;
  Eigen::MatrixXd slope = Eigen::MatrixXd::Zero(rows, width);
  for (int i = 0; i < k; ++i) {
    const int place = largest ? all - 1 - i : i;
    const Eigen::VectorXd u = solver.eigenvectors().col(place);
    sum += solver.eigenvalues()[place];
    if (df == nullptr) continue;
    if (by_rows)
      slope += 2.0 * u * (u.transpose() * wide);
    else
      slope += 2.0 * (wide * u) * u.transpose();
  }
  if (df != nullptr) Eigen::Map<Matrix>(df, rows, width) = slope.template cast<T>();
  return static_cast<T>(sum);
}
template <Shape S, Kind K, class T>
Loss<T> spectral(const char* name, const Var<S, K, T>& features, int k, bool largest) {
  const int most = std::min(features.count(), static_cast<int>(S.size()));
  if (k < 1 || k > most)
    fail(name, ": k is ", k, "; a batch of ", features.count(), " x ", S.size(), " features has ", most, " singular values.");
  return record_loss(features, [&](const T* x, T* dx) {
    return squared_singular_values(x, features.count(), static_cast<int>(S.size()), k, largest, dx);
  });
}
}  // namespace detail

/// Batch spectral shrinkage (Chen, Wang, Fu, Long, Wang, "Catastrophic forgetting meets negative transfer", NeurIPS 2019,
/// equation 4): the sum of the k smallest squared singular values of the batch's features, 0.001 of which is added to the loss
/// of fine-tuning, so that what transfers badly is given up. Throws Error for a k that the batch does not have.
template <Shape S, Kind K, class T>
Loss<T> batch_spectral_shrinkage(const Var<S, K, T>& features, int k = 1) {
  return detail::spectral("batch_spectral_shrinkage", features, k, false);
}

/// Batch spectral penalization (Chen, Wang, Long, Wang, ICML 2019, equation 7): the k largest squared singular values of each
/// domain's features, 2e-4 of which is added beside an adversary, which would leave little else than them. A batch of both
/// domains.
template <Shape S, Kind K, class T>
Loss<T> batch_spectral_penalization(const Var<S, K, T>& features, int k = 1) {
  return detail::spectral("batch_spectral_penalization", features.source(), k, true) +
         detail::spectral("batch_spectral_penalization", features.target(), k, true);
}

GRAFT_END

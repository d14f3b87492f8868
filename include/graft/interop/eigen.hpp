#pragma once
/// \file eigen.hpp  A model's numbers as Eigen maps, without a copy (opt-in include; Eigen is one of graft's own dependencies).
/// A map is valid as long as what it looks at, and follows its changes.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/core/model.hpp"

#include <Eigen/Core>
#include <string>

GRAFT_BEGIN
namespace interop {

/// Row-major, as graft keeps all arrays.
template <class T>
using EigenMatrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <class T>
using EigenMap = Eigen::Map<EigenMatrix<T>>;
template <class T>
using ConstEigenMap = Eigen::Map<const EigenMatrix<T>>;

/// The named array of a model ("0/w") as a matrix: its last extent are the columns, all others together the rows, so that a
/// Dense kernel is (in, out), a convolution's (kh kw in, out), a bias one row. Throws Error when there is no such array.
template <class M>
EigenMap<typename M::Scalar> eigen(M& model, const std::string& array) {
  for (const auto* segments : {&model.segments(), &model.statistic_segments()}) {
    for (const Segment& s : *segments) {
      if (s.name != array) continue;
      const Eigen::Index columns = s.dims[static_cast<std::size_t>(s.rank - 1)];
      return {model.array(array), static_cast<Eigen::Index>(s.count) / columns, columns};
    }
  }
  model.array(array);  // says which there are
  fail("model '", model.name, "' has no array '", array, "'.");
}

/// n samples (inputs, outputs, gradients: n x size numbers) as an n x size matrix.
template <class T>
EigenMap<T> eigen(T* samples, int n, std::size_t size) {
  return {samples, n, static_cast<Eigen::Index>(size)};
}
template <class T>
ConstEigenMap<T> eigen(const T* samples, int n, std::size_t size) {
  return {samples, n, static_cast<Eigen::Index>(size)};
}

/// What the model predicts for the rows of x (n x input size): an n x output size matrix. Throws Error when the columns of x
/// are not the net's input.
template <class M>
EigenMatrix<typename M::Scalar> predict(M& model, const Eigen::Ref<const EigenMatrix<typename M::Scalar>>& x) {
  if (static_cast<std::size_t>(x.cols()) != M::input.size() || x.rows() < 1)
    fail("predict: x is ", x.rows(), " x ", x.cols(), ", but the net takes rows of ", M::input.size(), " numbers.");
  const EigenMatrix<typename M::Scalar> rows = x;  // without gaps between rows
  EigenMatrix<typename M::Scalar> y(x.rows(), static_cast<Eigen::Index>(M::output.size()));
  model.predict(rows.data(), static_cast<int>(rows.rows()), y.data());
  return y;
}

}  // namespace interop
GRAFT_END

#include "supervised.hpp"

#include <Eigen/Cholesky>
#include <Eigen/Core>

namespace example {

void set_discriminant(float* weights, float* bias, const data::Features<float>& features, double shrinkage) {
  const auto n = static_cast<Eigen::Index>(features.size()), d = static_cast<Eigen::Index>(features.shape().size());
  const auto classes = static_cast<Eigen::Index>(features.classes());
  using Rows = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using FloatRows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  Rows x = Eigen::Map<const FloatRows>(features.sample(0), n, d).cast<double>();
  // The head's BatchNorm standardises before the classifier.
  const Eigen::RowVectorXd mean = x.colwise().mean();
  x.rowwise() -= mean;
  const Eigen::RowVectorXd scale = (x.colwise().squaredNorm() / static_cast<double>(n)).array() + 1e-3;
  x.array().rowwise() /= scale.array().sqrt();
  Rows means = Rows::Zero(classes, d);
  Eigen::VectorXd counts = Eigen::VectorXd::Zero(classes);
  for (Eigen::Index i = 0; i < n; ++i) {
    const int label = features.label(static_cast<std::size_t>(i));
    means.row(label) += x.row(i);
    counts(label) += 1.0;
  }
  for (Eigen::Index c = 0; c < classes; ++c) means.row(c) /= std::max(counts(c), 1.0);
  for (Eigen::Index i = 0; i < n; ++i) x.row(i) -= means.row(features.label(static_cast<std::size_t>(i)));
  Eigen::MatrixXd within = Eigen::MatrixXd::Zero(d, d);
  within.selfadjointView<Eigen::Lower>().rankUpdate(x.transpose(), (1.0 - shrinkage) / static_cast<double>(n));
  const double spread = x.squaredNorm() / static_cast<double>(n) / static_cast<double>(d);
  within.diagonal().array() += shrinkage * spread + 1e-9;  // images that are all the same spread nothing
  const Eigen::MatrixXd directions = within.selfadjointView<Eigen::Lower>().llt().solve(means.transpose());
  for (Eigen::Index c = 0; c < classes; ++c) {
    for (Eigen::Index k = 0; k < d; ++k) weights[k * most_classes + c] = static_cast<float>(directions(k, c));
    bias[c] = static_cast<float>(-0.5 * means.row(c).dot(directions.col(c)));
  }
}

FeatureParts split(const data::Features<float>& set, double share, std::uint64_t seed) {
  // Four bytes a sample hold its number in an image set of the same labels, which is split in its place.
  data::Pixels numbers(std::array<std::size_t, 4>{set.size(), 1, 1, 4});
  for (std::size_t i = 0; i < set.size(); ++i) {
    for (std::size_t k = 0; k < 4; ++k) numbers.data()[4 * i + k] = static_cast<std::uint8_t>(i >> 8 * k & 255);
  }
  const auto parts =
      data::split_stratified(data::Labelled(set.name(), std::move(numbers), set.labels(), set.classes()), share, seed);
  const auto take = [&](const data::Labelled& part) {
    const std::size_t row = set.shape().size();
    std::vector<float> samples(part.size() * row);
    for (std::size_t i = 0; i < part.size(); ++i) {
      std::size_t at = 0;
      for (std::size_t k = 0; k < 4; ++k) at |= std::size_t{part.pixels(i)[k]} << 8 * k;
      std::copy_n(set.sample(at), row, samples.data() + i * row);
    }
    return data::Features<float>(set.name(), set.shape(), std::move(samples), part.labels(), set.classes());
  };
  return {take(parts.train), take(parts.rest)};
}

}  // namespace example

#pragma once
/// \file options.hpp  Options of kernels, the same in every configuration and on every device.
#include "graft/config.hpp"

#include <array>
#include <optional>

GRAFT_SHARED_BEGIN
namespace kernel_options {

enum class Activation { relu, relu6, leaky_relu, elu, gelu, silu, hard_swish, sigmoid, tanh, softplus };

/// Options of cross_entropy, with PyTorch's meaning: the loss of a row is (1 - smoothing) w_y nll_y + smoothing / classes *
/// sum_c w_c nll_c, and the mean divides by the sum of the rows' w_y.
template <class T = float>
struct CrossEntropyOptions {
  double smoothing = 0.0;
  const T* class_weights = nullptr;  ///< one a class; null: all 1
  std::optional<int> ignored{};      ///< rows with this label count for nothing
};

/// biased: means over all pairs, the diagonal included (V-statistic). unbiased: within a cloud i != j (Gretton et al. 2012, eq.
/// 3; may be negative). linear_time: disjoint pairs (2i, 2i+1) (their section 6; equal, even batches). linear_cyclic: pairs (i,
/// i+1) around the batch (equal batches), as several libraries have it.
enum class Estimator { biased, unbiased, linear_time, linear_cyclic };

/// k(d2) = sum of exp(-gamma d2). Without any gamma above 0: several kernels with bandwidths taken from the data, k(d2) = sum
/// of exp(-d2 / (m b)), b = sum of all squared distances of [x; y] / (n^2 - n), held constant in the gradient (Long et al. 2015
/// as implemented by its authors).
struct MmdOptions {
  Estimator estimator = Estimator::biased;
  std::array<double, 8> gamma{};
  std::array<double, 8> multiplier{0.25, 0.5, 1.0, 2.0, 4.0};
  /// True: the gradient is that of the number itself, bandwidths included, which nothing changes that scales all points alike.
  /// False: held constant, the bandwidth lets the gradient pull all points together though that makes nothing smaller.
  bool through_bandwidth = false;
};

/// One factor of a product of kernels: n x d rows, and the kernels summed on them, as MmdOptions has them.
template <class T>
struct KernelFactor {
  int d = 0;
  const T* z = nullptr;
  T* dz = nullptr;  ///< null: not wanted
  std::array<double, 8> gamma{};
  std::array<double, 8> multiplier{0.25, 0.5, 1.0, 2.0, 4.0};
};

}  // namespace kernel_options
GRAFT_END

GRAFT_BEGIN
namespace kernel {
using kernel_options::Activation;
using kernel_options::CrossEntropyOptions;
using kernel_options::Estimator;
using kernel_options::KernelFactor;
using kernel_options::MmdOptions;
}  // namespace kernel
GRAFT_END

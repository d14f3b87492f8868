#pragma once
/// \file joint.hpp  Distances between domains that look at features and classes together: joint MMD (JAN) and local MMD
/// (DSAN). Both take batches with the source's rows first (Var::split).
#include "graft/config.hpp"
#include "graft/core/convention.hpp"
#include "graft/kernel/cpu/softmax.hpp"
#include "graft/kernel/cpu/weighted_kernels.hpp"
#include "graft/loss/conditional.hpp"
#include "graft/loss/conventions.hpp"
#include "graft/loss/record.hpp"
#include "graft/loss/supervised.hpp"

#include <cmath>
#include <vector>

GRAFT_BEGIN

struct JointMmdOptions {
  bool unbiased = false;     ///< means over i != j within a domain; else over all pairs (Long et al. 2017, equation 9)
  MmdOptions features{};     ///< kernels on the features; `estimator` is not heard
  double variance = 0.8464;  ///< of the one Gaussian exp(-d^2 / (2 variance)) on the probabilities: 0.92^2, the authors'
};

namespace detail {
/// Throws Error unless both domains have `least` rows.
template <class V>
void two_domains(const char* loss, const V& f, int least) {
  if (f.split < least || f.count() - f.split < least)
    fail(loss, ": ", f.split, " rows of the source and ", f.count() - f.split, " of the target; it needs at least ", least,
         " of each.");
}
}  // namespace detail

/// The squared MMD between the joint distributions of features f and of softmax(logits): the kernel of a pair is the product of
/// both layers' kernels (Long, Zhu, Wang, Jordan 2017, JAN, equations 7 and 9). f and logits hold the same rows.
template <Shape F, Kind A, Shape L, Kind B, class T>
Loss<T> joint_mmd(const Var<F, A, T>& f, const Var<L, B, T>& logits, const JointMmdOptions& options = {}) {
  static_assert(A != Kind::probabilities, "graft: joint_mmd compares features or logits, not probabilities.");
  detail::two_domains("joint_mmd", f, options.unbiased ? 2 : 1);
  if (logits.count() != f.count()) fail("joint_mmd: ", f.count(), " rows of features and ", logits.count(), " of logits.");
  const T* p = probabilities_of(logits);
  const int n = f.count();
  f.tape->on_host("joint_mmd");
  T* w = f.tape->arena().template take<T>(static_cast<std::size_t>(n) * static_cast<std::size_t>(n));
  kernel::mmd_weights(f.split, n - f.split, options.unbiased, w);
  return detail::record_loss(*f.tape, f.view, &logits.view, [&](T* df, T* dz) {
    kernel::KernelFactor<T> features{static_cast<int>(F.size()), f.value(), df, options.features.gamma,
                                     options.features.multiplier};
    kernel::KernelFactor<T> classes{L.c, p, dz, {0.5 / options.variance}, {}};
    const T loss = kernel::weighted_kernels(Cpu{}, n, w, std::array{features, classes});
    if (dz != nullptr) kernel::softmax_backward(Cpu{}, n, L.c, p, dz, dz);
    return loss;
  });
}

/// Conventions: paper as above; tllib: unbiased, its bandwidths (see mmd), plus 2 / (n - 1), n the rows of a domain.
template <Shape F, Kind A, Shape L, Kind B, class T>
Loss<T> joint_mmd(const Var<F, A, T>& f, const Var<L, B, T>& logits, Convention convention) {
  if (convention == Convention::paper) return joint_mmd(f, logits);
  if (convention != Convention::tllib) detail::no_such_convention("joint_mmd", convention, "paper, tllib");
  JointMmdOptions options{.unbiased = true};
  const double n = f.count();
  for (int k = 0; k < 5; ++k)
    options.features.multiplier[static_cast<std::size_t>(k)] = 2.0 * std::ldexp(1.0, k - 3) * (n - 1.0) / n;
  return detail::shifted(joint_mmd(f, logits, options), 2.0 / (f.split - 1.0));
}

/// Local MMD: the mean over classes of the MMD between the two domains' rows of that class, a row of the target counting in
/// each class by its probability (Zhu et al. 2020, DSAN, equations 7 and 8). Classes are those that the batch's source labels
/// hold and that some row of the target is taken for; 0 when there is none. Labels and probabilities are constants: the
/// gradient goes to f alone. `logits` hold the rows of f.
template <Shape F, Kind A, Shape L, Kind B, class T, int Classes>
Loss<T> local_mmd(const Var<F, A, T>& f, const Var<L, B, T>& logits, ClassLabels<Classes> labels,
                  const MmdOptions& kernels = {}) {
  static_assert(A != Kind::probabilities, "graft: local_mmd compares features or logits, not probabilities.");
  static_assert(Classes == 0 || Classes == L.c, "graft: local_mmd: the labels know another number of classes than the logits.");
  detail::two_domains("local_mmd", f, 1);
  const int n = f.count(), ns = f.split;
  if (labels.count != ns || logits.count() != n)
    fail("local_mmd: ", labels.count, " labels and ", logits.count(), " rows of logits for ", ns, " rows of the source and ", n,
         " of both.");
  Arena& arena = f.tape->arena();
  constexpr std::size_t classes = static_cast<std::size_t>(L.c);
  const T* p = probabilities_of(logits);
  f.tape->on_host("local_mmd");
  T* share = arena.template take<T>(static_cast<std::size_t>(n) * classes);  // of a row in its domain's part of a class
  T sums[2][classes] = {};
  bool there[2][classes] = {};
  for (int i = 0; i < n; ++i) {
    if (i < ns && (labels.data[i] < 0 || labels.data[i] >= L.c))
      fail("local_mmd: row ", i, " has the label ", labels.data[i], ", but there are ", L.c, " classes, counted from 0.");
    const T* row = p + static_cast<std::size_t>(i) * classes;
    const int best = static_cast<int>(std::max_element(row, row + classes) - row);
    const std::size_t domain = i < ns ? 0 : 1;
    there[domain][static_cast<std::size_t>(i < ns ? labels.data[i] : best)] = true;
    for (std::size_t c = 0; c < classes; ++c) {
      const T s = i < ns ? (labels.data[i] == static_cast<int>(c) ? T{1} : T{0}) : row[c];
      share[static_cast<std::size_t>(i) * classes + c] = s;
      sums[domain][c] += s;
    }
  }
  int common = 0;
  for (std::size_t c = 0; c < classes; ++c) common += there[0][c] && there[1][c] ? 1 : 0;
  for (int i = 0; i < n; ++i) {
    for (std::size_t c = 0; c < classes; ++c) {
      T& s = share[static_cast<std::size_t>(i) * classes + c];
      s = there[0][c] && there[1][c] ? s / sums[i < ns ? 0 : 1][c] : T{0};
    }
  }
  T* w = arena.template take<T>(static_cast<std::size_t>(n) * static_cast<std::size_t>(n));
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < n; ++j) {
      T sum{0};
      for (std::size_t c = 0; c < classes; ++c)
        sum += share[static_cast<std::size_t>(i) * classes + c] * share[static_cast<std::size_t>(j) * classes + c];
      const T sign = (i < ns) == (j < ns) ? T{1} : T{-1};
      w[static_cast<std::size_t>(i) * static_cast<std::size_t>(n) + static_cast<std::size_t>(j)] =
          common > 0 ? sign * sum / static_cast<T>(common) : T{0};
    }
  }
  return detail::record_loss(f, [&](const T* z, T* dz) {
    const kernel::KernelFactor<T> features{static_cast<int>(F.size()), z, dz, kernels.gamma, kernels.multiplier};
    return kernel::weighted_kernels(Cpu{}, n, w, std::array{features});
  });
}

GRAFT_END

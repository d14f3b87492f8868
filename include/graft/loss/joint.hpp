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

#include <array>
#include <cmath>
#include <cstddef>

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
  Tape<T>& tape = *f.tape;
  T* w = tape.arena().template take<T>(static_cast<std::size_t>(n) * static_cast<std::size_t>(n));
  constexpr int width = static_cast<int>(F.size());
  const bool through = detail::through_bandwidth(options.features);
  const T* const none = nullptr;
  const auto factors = [&](T* df, T* dz) {
    return std::array{kernel::KernelFactor<T>{width, f.view.value(), df, options.features.gamma, options.features.multiplier},
                      kernel::KernelFactor<T>{L.c, p, dz, {0.5 / options.variance}, {}}};
  };
  return detail::record_loss(
      tape, f.view, &logits.view,
      [&](T* df, T* dz) {
        kernel::mmd_weights(Cpu{}, f.split, n - f.split, options.unbiased, w);
        const T loss = kernel::weighted_kernels(Cpu{}, n, w, factors(df, dz));
        if (through && df != nullptr)
          kernel::without_scaling(Cpu{}, n, 0, width, f.view.value(), none, df, static_cast<T*>(nullptr));
        if (dz != nullptr) kernel::softmax_backward(Cpu{}, n, L.c, p, dz, dz);
        return loss;
      },
      [&](const DeviceLosses<T>& losses, T* df, T* dz, T* value) {
        losses.mmd_weights(f.split, n - f.split, options.unbiased, w);
        losses.weighted_kernels(n, w, 2, factors(df, dz).data(), value);
        if (through && df != nullptr) losses.without_scaling(n, 0, width, f.view.value(), none, df, nullptr);
        if (dz != nullptr) losses.softmax_backward(n, L.c, p, dz, dz);
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
  Tape<T>& tape = *f.tape;
  const T* p = probabilities_of(logits);
  T* w = tape.arena().template take<T>(static_cast<std::size_t>(n) * static_cast<std::size_t>(n));
  constexpr int width = static_cast<int>(F.size());
  const bool through = detail::through_bandwidth(kernels);
  const T* const none = nullptr;
  const auto factor = [&](const T* z, T* dz) {
    return std::array{kernel::KernelFactor<T>{width, z, dz, kernels.gamma, kernels.multiplier}};
  };
  return detail::record_loss(
      f,
      [&](const T* z, T* dz) {
        kernel::class_weights(Cpu{}, ns, n, L.c, labels.data, p, w);
        const T loss = kernel::weighted_kernels(Cpu{}, n, w, factor(z, dz));
        if (through && dz != nullptr) kernel::without_scaling(Cpu{}, n, 0, width, z, none, dz, static_cast<T*>(nullptr));
        return loss;
      },
      [&](const DeviceLosses<T>& losses, const T* z, T* dz, T* value) {
        losses.class_weights(ns, n, L.c, tape.brought(labels.data, static_cast<std::size_t>(ns)), p, w);
        losses.weighted_kernels(n, w, 1, factor(z, dz).data(), value);
        if (through && dz != nullptr) losses.without_scaling(n, 0, width, z, none, dz, nullptr);
      });
}

GRAFT_END

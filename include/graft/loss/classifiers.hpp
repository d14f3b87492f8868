#pragma once
/// \file classifiers.hpp  How far two classifiers are apart on the same rows: what MCD and MDD play for.
#include "graft/config.hpp"
#include "graft/loss/conditional.hpp"
#include "graft/loss/joint.hpp"
#include "graft/loss/record.hpp"
#include "graft/loss/supervised.hpp"

#include <algorithm>
#include <cmath>

GRAFT_BEGIN

/// The mean over rows and classes of |softmax(a) - softmax(b)| (Saito et al. 2018, MCD, equation 2). Where both are equal the
/// gradient is 0.
template <Shape S, Kind A, Kind B, class T>
Loss<T> classifier_discrepancy(const Var<S, A, T>& a, const Var<S, B, T>& b) {
  static_assert(LossWantsLogits<A>::ok && LossWantsLogits<B>::ok);
  if (a.count() != b.count()) fail("classifier_discrepancy: ", a.count(), " rows against ", b.count(), ".");
  const T* p = probabilities_of(a);
  const T* q = probabilities_of(b);
  const auto here = [&](const T*, const T*, T* da, T* db) {
    const std::size_t numbers = static_cast<std::size_t>(a.count()) * static_cast<std::size_t>(S.c);
    const T part = T{1} / static_cast<T>(numbers);
    double sum = 0.0;
    for (std::size_t i = 0; i < numbers; ++i) {
      const T difference = p[i] - q[i];
      sum += std::abs(static_cast<double>(difference));
      const T slope = difference > T{0} ? part : difference < T{0} ? -part : T{0};
      if (da != nullptr) da[i] = slope;
      if (db != nullptr) db[i] = -slope;
    }
    if (da != nullptr) kernel::softmax_backward(Cpu{}, a.count(), S.c, p, da, da);
    if (db != nullptr) kernel::softmax_backward(Cpu{}, b.count(), S.c, q, db, db);
    return static_cast<T>(sum / static_cast<double>(numbers));
  };
  return detail::record_loss(a, b, here, [&](const DeviceLosses<T>& losses, const T*, const T*, T* da, T* db, T* value) {
    losses.classifier_discrepancy(a.count(), S.c, p, q, da, db, value);
  });
}

/// The margin disparity of an adversarial classifier from the main one (Zhang, Liu, Long, Jordan 2019, MDD, equation 29),
/// as the adversary minimises it:
///   margin * mean over the source of CE(adversary, main's class) - mean over the target of log(1 - p_adversary(main's class)).
/// Both hold the source's rows first (Var::split). The main classifier's choices are constants. log's argument is at most 1 and
/// has 1e-6 added, as in its authors' code.
template <Shape S, Kind A, Kind B, class T>
Loss<T> margin_disparity(const Var<S, A, T>& adversary, const Var<S, B, T>& main, double margin = 4.0) {
  static_assert(LossWantsLogits<A>::ok && LossWantsLogits<B>::ok);
  detail::two_domains("margin_disparity", main, 1);
  if (adversary.count() != main.count())
    fail("margin_disparity: ", adversary.count(), " rows of the adversary, ", main.count(), " of the main classifier.");
  const T* p = probabilities_of(adversary);
  const auto here = [&](const T*, T* dz) {
    const int rows = main.count(), split = main.split;
    double loss = 0.0;
    for (int i = 0; i < rows; ++i) {
      const T* choice = main.view.value() + static_cast<std::ptrdiff_t>(i) * S.c;
      const std::ptrdiff_t k = std::max_element(choice, choice + S.c) - choice;
      const T* row = p + static_cast<std::ptrdiff_t>(i) * S.c;
      const double own = static_cast<double>(row[k]);
      double slope = 0.0;  // d(loss)/d(log p_k), so that dz = slope (1[c = k] - p_c)
      if (i < split) {
        loss -= margin / split * std::log(std::max(own, 1e-300));
        slope = -margin / split;
      } else {
        const double rest = 1.0 - own + 1e-6;
        loss -= std::log(std::min(rest, 1.0)) / (rows - split);
        slope = rest < 1.0 ? own / rest / (rows - split) : 0.0;
      }
      if (dz == nullptr) continue;
      for (int c = 0; c < S.c; ++c)
        dz[static_cast<std::ptrdiff_t>(i) * S.c + c] =
            static_cast<T>(slope * ((c == k ? 1.0 : 0.0) - static_cast<double>(row[c])));
    }
    return static_cast<T>(loss);
  };
  return detail::record_loss(adversary, here, [&](const DeviceLosses<T>& losses, const T*, T* dz, T* value) {
    losses.margin_disparity(main.count(), main.split, S.c, p, main.view.value(), margin, dz, value);
  });
}

GRAFT_END

#pragma once
/// \file parts.hpp  Parts for Composed (composed.hpp).
#include "graft/config.hpp"
#include "graft/transfer/composed.hpp"
#include "graft/transfer/domain_loss.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <tuple>

GRAFT_BEGIN
namespace part {

/// Any loss of a step, weighted: `Penalty{"mmd", {1.0, 10.0}, [](auto& step) { return mmd(step.features.source(),
/// step.features.target()); }}`. The name, a literal, is its column's.
template <class F>
struct Penalty {
  const char* name;
  Growing weight;
  F function;
  template <class T, class S>
  Loss<T> loss(Tape<T>&, const S& step, Means& means) {
    const Loss<T> value = function(step);
    means.add(name, value);
    return weight(step.progress) * value;
  }
};
template <class F>
Penalty(const char*, Growing, F) -> Penalty<F>;

/// A domain head, Dense<2> at its end, behind a reversed gradient (Ganin et al. 2016; dann.hpp). lambda acts on the body only.
template <class DomainHead>
class Dann {
 public:
  explicit Dann(DomainHead& domains, DannLambda lambda = {}) : domains_(domains), lambda_(lambda) {
    static_assert(DomainHead::output == Vector<2>, "graft: part::Dann: the domain head must give 2 outputs (source, target).");
    name_models("domains", domains);
  }
  template <class T, class S>
  Loss<T> loss(Tape<T>& tape, const S& step, Means& means) {
    return domain_loss(tape, domains_, step.features, step.batch, lambda_(step.progress), means);
  }
  auto models() { return std::tie(domains_); }
  void report(double progress, Row& row) const { row.set("lambda", lambda_(progress)); }

 private:
  DomainHead& domains_;
  DannLambda lambda_;
};

/// Copies of body and label head whose weights are a moving average of theirs (Tarvainen & Valpola 2017, section 3; Polyak):
/// average = a average + (1 - a) weights after each step, a = min(decay, 1 - 1 / (step + 1)) so that the first weights do not
/// linger. Running statistics are copied. Scored, and used in the end, in place of body and label head.
template <class Body, class LabelHead>
class WeightAverage {
  using T = typename Body::Scalar;

 public:
  WeightAverage(Body& features, LabelHead& labels, double decay = 0.999) : features_(features), labels_(labels), decay_(decay) {
    if (!(decay >= 0.0 && decay < 1.0)) fail("part::WeightAverage: decay is ", decay, "; give 0 or more, below 1.");
    name_models("average_features", features, "average_labels", labels);
  }
  auto kept() { return std::tie(features_, labels_); }
  auto classifier() { return std::tie(features_, labels_); }
  void begin(Body& features, LabelHead& labels) { follow(0.0, features, labels); }
  void after_step(std::uint64_t step, Body& features, LabelHead& labels) {
    follow(std::min(decay_, 1.0 - 1.0 / (static_cast<double>(step) + 1.0)), features, labels);
  }

 private:
  void follow(double a, Body& features, LabelHead& labels) {
    follow(static_cast<T>(a), features_, features);
    follow(static_cast<T>(a), labels_, labels);
  }
  static void follow(T a, ModelBase<T>& average, ModelBase<T>& model) {
    if (average.device() != nullptr && average.device() == model.device()) {
      const Parameters<T> own = average.parameters(), theirs = model.parameters();
      own.device->blend(theirs.size, a, T{1} - a, theirs.value, own.value);
    } else {
      T* to = average.values().data();
      const T* from = model.values().data();
      for (std::size_t i = 0; i < model.values().size(); ++i) to[i] = a * to[i] + (T{1} - a) * from[i];
    }
    for (int d = 0; d < (model.has_target_statistics() ? 2 : 1); ++d) {
      const Buffer<T>& statistics = model.statistics_of(d);
      std::copy_n(statistics.data(), statistics.size(), average.statistics_of(d).data());
    }
  }
  Body& features_;
  LabelHead& labels_;
  double decay_;
};

}  // namespace part
GRAFT_END

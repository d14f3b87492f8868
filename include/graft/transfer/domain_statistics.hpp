#pragma once
/// \file domain_statistics.hpp  The running statistics of BatchNorm counted anew on another set: what AdaBN (Li et al. 2018)
/// is.
#include "graft/config.hpp"
#include "graft/core/model.hpp"
#include "graft/data/feature_loader.hpp"
#include "graft/data/loader.hpp"

#include <algorithm>
#include <cstddef>
#include <tuple>
#include <vector>

GRAFT_BEGIN

namespace detail {

/// Means and second moments of each channel over all batches so far, each batch with its number of samples.
class PooledStatistics {
 public:
  /// Adds what a batch of `count` samples left in the model's statistics.
  template <class M>
  void add(M& model, int domain, int count) {
    const auto& numbers = model.statistics_of(domain);
    sums_.resize(numbers.size());
    for_pairs(model, [&](std::size_t mean, std::size_t variance) {
      const double m = static_cast<double>(numbers[mean]);
      sums_[mean] += count * m;
      sums_[variance] += count * (static_cast<double>(numbers[variance]) + m * m);
    });
    samples_ += count;
  }
  /// Gives the model the statistics of everything that was added.
  template <class M>
  void give(M& model, int domain) const {
    auto& numbers = model.statistics_of(domain);
    if (samples_ == 0.0 || sums_.size() != numbers.size()) return;
    for_pairs(model, [&](std::size_t mean, std::size_t variance) {
      const double m = sums_[mean] / samples_;
      numbers[mean] = static_cast<typename M::Scalar>(m);
      numbers[variance] = static_cast<typename M::Scalar>(std::max(0.0, sums_[variance] / samples_ - m * m));
    });
  }

 private:
  /// f(place of a running mean, place of its variance) over all channels; the arrays stand in pairs.
  template <class M, class F>
  static void for_pairs(M& model, F&& f) {
    const auto& segments = model.statistic_segments();
    for (std::size_t i = 0; i + 1 < segments.size(); i += 2) {
      for (std::size_t c = 0; c < segments[i].count; ++c) f(segments[i].offset + c, segments[i + 1].offset + c);
    }
  }
  std::vector<double> sums_;
  double samples_ = 0.0;
};

}  // namespace detail

/// Runs the whole set through the models, one after the other, each BatchNorm normalising by the batch, and gives them, as the
/// running statistics of `domain`, the mean and variance over all samples (Li et al. 2018, algorithm 1; layers behind others
/// see inputs that were normalised batch by batch). Weights stay; statistics that are fixed stay. The larger the batch the
/// better.
template <class Set, class... Models>
void count_statistics(const Set& set, const data::Normalize& normalize, int domain, int batch, Models&... models) {
  using First = std::tuple_element_t<0, std::tuple<Models...>>;
  using T = typename First::Scalar;
  detail::PooledStatistics pooled[sizeof...(Models)];
  const auto* const device = std::get<0>(std::tie(models...)).device();
  Arena arena(device);
  data::for_each_batch<T>(set, First::input, batch, normalize, [&](const data::Batch<T>& part) {
    if (part.count < 2) return;  // one sample has no variance
    arena.reset();
    const T* x = std::get<0>(std::tie(models...))
                     .brought(arena, part.images, static_cast<std::size_t>(part.count) * First::input.size());
    std::size_t at = 0;
    const auto one = [&](auto& model) {
      Run<T> run;
      run.n = part.count;
      run.norm = NormBy::batch;
      run.domain = domain;
      run.arena = &arena;
      run.device = device;
      x = model.forward(run, x)->output;
      pooled[at++].add(model, domain, part.count);
    };
    (one(models), ...);
  });
  std::size_t at = 0;
  (pooled[at++].give(models, domain), ...);
}

GRAFT_END

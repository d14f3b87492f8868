#pragma once
/// \file split.hpp  A set in two parts with the same share of every class.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/core/random.hpp"
#include "graft/data/dataset.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

GRAFT_BEGIN
namespace data {

/// The two parts of a split.
struct TrainRest {
  Labelled train, rest;
};

/// Takes round(fraction * n_c) images of each class c for `train`, at least one of a class that has two, and leaves the `rest`;
/// both keep the set's order. Which ones is a function of (seed, class, n_c) alone. Throws Error unless 0 < fraction < 1 and
/// both parts get an image.
inline TrainRest split_stratified(const Labelled& set, double fraction, std::uint64_t seed) {
  if (!(fraction > 0.0 && fraction < 1.0)) fail("split_stratified: a fraction of ", fraction, "; give one between 0 and 1.");
  std::vector<std::size_t> train, rest;
  for (int c = 0; c < set.classes(); ++c) {
    std::vector<std::size_t> members;
    for (std::size_t i = 0; i < set.size(); ++i) {
      if (set.label(i) == c) members.push_back(i);
    }
    Random random(seed, mix(0x73706c6974, static_cast<std::uint64_t>(c)));
    shuffle(members.data(), members.size(), random);
    std::size_t part = static_cast<std::size_t>(std::lround(fraction * static_cast<double>(members.size())));
    if (members.size() >= 2) part = std::clamp<std::size_t>(part, 1, members.size() - 1);
    const auto middle = members.begin() + static_cast<std::ptrdiff_t>(part);
    train.insert(train.end(), members.begin(), middle);
    rest.insert(rest.end(), middle, members.end());
  }
  if (train.empty() || rest.empty())
    fail("split_stratified: the set '", set.name(), "' of ", set.size(), " images is too small to be split.");
  std::sort(train.begin(), train.end());
  std::sort(rest.begin(), rest.end());
  return {set.select(train), set.select(rest)};
}

}  // namespace data
GRAFT_END

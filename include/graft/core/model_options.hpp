#pragma once
/// \file model_options.hpp  What a model is made with: its options, and what it must know of its net.
#include "graft/config.hpp"
#include "graft/core/initialise.hpp"
#include "graft/core/net.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

GRAFT_BEGIN

struct ModelOptions {
  std::string name = "";                                  ///< stands before "/segment" where several models meet
  std::uint64_t seed = 0;                                 ///< of the initial weights and of dropout
  Initialiser initialiser = Initialiser::glorot_uniform;  ///< of kernels
  double constant = 0.0;                                  ///< kernels' value when initialiser is constant
  double bias = 0.0;                                      ///< biases' first value
};

namespace detail {
/// What a model must know of its net, as values.
struct NetFacts {
  ChainRules layers;
  Shape input;
  const std::size_t* parameters;  ///< offset of each layer's, and their number
  const std::size_t* statistics;
  int statistic_arrays;
  int first_trained;
};
template <class N>
constexpr NetFacts facts_of() {
  return {N::Layers::chain_rules(), N::input,        N::plan.parameters.data(), N::plan.statistics.data(),
          N::statistic_arrays,      N::first_trained};
}
}  // namespace detail

GRAFT_END

#pragma once
/// \file recipe.hpp  How methods of one optimiser learn.
#include "graft/config.hpp"
#include "graft/optim/schedule.hpp"
#include "graft/optim/sgd.hpp"
#include "graft/transfer/heads.hpp"

#include <algorithm>

GRAFT_BEGIN

/// How body and heads learn: SGD with the schedule of Ganin et al. (2016), as Dann and SourceOnly do, so that a comparison
/// differs in the method only.
struct Recipe {
  double momentum = 0.9;
  DannRate rate{};
  double body_rate = 1.0;     ///< factor on the body's learning rate; below 1 for a pretrained one
  double weight_decay = 0.0;  ///< of kernels
  double clip_norm = 0.0;     ///< of the gradient over all models; 0: never
};

/// The recipe's learning rate of a method in two parts: the schedule begins anew when `first_part` of the run is over.
inline double rate_in_two_parts(const Recipe& recipe, double progress, double first_part) {
  const bool second = progress >= first_part;
  const double begin = second ? first_part : 0.0, end = second ? 1.0 : first_part;
  return recipe.rate(std::clamp((progress - begin) / std::max(end - begin, 1e-12), 0.0, 1.0));
}

/// The optimiser of a recipe, over a body and any heads.
template <class Body, class... Heads>
auto recipe_optimizer(const Recipe& recipe, Body& body, Heads&... heads) {
  Sgd<typename Body::Scalar> sgd(
      {.momentum = recipe.momentum, .weight_decay = recipe.weight_decay, .clip_norm = recipe.clip_norm}, body, heads...);
  if (recipe.body_rate != 1.0) sgd.multiply(body.name + "/*", recipe.body_rate);
  return sgd;
}

GRAFT_END

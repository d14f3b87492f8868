#pragma once
/// \file recipe.hpp  How methods of one optimiser learn.
#include "graft/config.hpp"
#include "graft/optim/schedule.hpp"
#include "graft/optim/sgd.hpp"
#include "graft/transfer/heads.hpp"

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

/// The optimiser of a recipe, over a body and any heads.
template <class Body, class... Heads>
auto recipe_optimizer(const Recipe& recipe, Body& body, Heads&... heads) {
  Sgd<typename Body::Scalar> sgd(
      {.momentum = recipe.momentum, .weight_decay = recipe.weight_decay, .clip_norm = recipe.clip_norm}, body, heads...);
  if (recipe.body_rate != 1.0) sgd.multiply(body.name + "/*", recipe.body_rate);
  return sgd;
}

GRAFT_END

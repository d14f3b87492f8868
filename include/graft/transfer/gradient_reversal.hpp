#pragma once
/// \file gradient_reversal.hpp  Gradient reversal (Ganin & Lempitsky 2015; Ganin et al. 2016, eq. 14-15).
///
/// Where the minus sits. Forward, reversal is the identity. Backward, the gradient that the domain head hands to the body is
/// multiplied by -lambda. Both losses, the label loss and the domain loss, are *minimised*, by one optimiser, with one sum:
///
///     loss = cross_entropy(labels(f_source), y) + cross_entropy(domains(reverse_gradient(f, lambda)), d)
///
///     who               gets the gradient of      with factor
///     label head        label loss                +1
///     domain head       domain loss               +1         (lambda does not slow it down)
///     body              label loss                +1
///     body              domain loss               -lambda    (so it learns to make the domains look alike)
///
/// Do not write a minus in front of the domain loss as well: that would make the domain head worse on purpose. lambda = 0
/// leaves the body exactly the source-only run's. Reversal costs no pass over memory of its own beyond scaling the gradient
/// that is being written.
#include "graft/config.hpp"
#include "graft/core/tape.hpp"

GRAFT_BEGIN

/// The same values; the gradient goes back with factor -lambda (lambda >= 0). Only a domain head takes the result: a net with
/// one or two outputs.
template <Shape S, Kind K, class T>
Reversed<Var<S, K, T>> reverse_gradient(const Var<S, K, T>& x, double lambda) {
  if (!(lambda >= 0.0)) {
    fail("reverse_gradient: lambda is ", lambda, " but must be 0 or more; the minus sign is already in the reversal.");
  }
  Reversed<Var<S, K, T>> reversed{x};
  reversed.var.view.scale *= -lambda;
  return reversed;
}

GRAFT_END

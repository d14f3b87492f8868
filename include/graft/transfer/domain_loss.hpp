#pragma once
/// \file domain_loss.hpp  What a domain head behind a reversed gradient adds to a loss (Ganin et al. 2016, equations 9 to 15).
#include "graft/config.hpp"
#include "graft/loss/supervised.hpp"
#include "graft/train/accuracy.hpp"
#include "graft/train/trainer.hpp"
#include "graft/transfer/gradient_reversal.hpp"

GRAFT_BEGIN

/// Cross-entropy of a domain head of two outputs on `features` of both domains, whose gradient goes back to them with factor
/// -lambda. Both domains weigh the same, whatever their numbers. Columns `domain_loss` and `domain_accuracy`.
template <class DomainHead, class Features, class Batch, class T>
Loss<T> domain_loss(Tape<T>& tape, DomainHead& domains, const Features& features, const Batch& batch, double lambda,
                    Means& means) {
  const auto domain = tape(domains, reverse_gradient(features, lambda));
  const T shares[] = {T(batch.target_count), T(batch.source_count)};
  CrossEntropyOptions<T> weights;
  if (batch.source_count != batch.target_count) weights.class_weights = shares;
  const auto loss = cross_entropy(domain, batch.domain_labels(), weights);
  means.add("domain_loss", loss);
  means.add("domain_accuracy", accuracy(domain, batch.domain_labels()));
  return loss;
}

GRAFT_END

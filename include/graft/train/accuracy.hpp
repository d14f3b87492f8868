#pragma once
/// \file accuracy.hpp  The accuracy of a batch on the tape.
#include "graft/config.hpp"
#include "graft/core/labels.hpp"
#include "graft/core/tape.hpp"
#include "graft/train/metrics.hpp"

GRAFT_BEGIN

/// Part of the rows of a batch of logits (or probabilities) whose largest number stands at their label; with domain labels, the
/// domain accuracy. Throws Error when rows and labels differ in number.
template <Shape S, Kind K, class T, int Classes>
double accuracy(const Var<S, K, T>& logits, ClassLabels<Classes> labels) {
  if (labels.count != logits.count()) {
    fail("accuracy: ", logits.count(), " rows of logits but ", labels.count, " labels; give one label for each row.");
  }
  int right = 0;
  const T* const rows = logits.value();
  for (int i = 0; i < labels.count; ++i) right += argmax(rows + i * S.c, S.c) == labels.data[i] ? 1 : 0;
  return labels.count > 0 ? static_cast<double>(right) / labels.count : 0.0;
}

GRAFT_END

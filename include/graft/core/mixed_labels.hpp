#pragma once
/// \file mixed_labels.hpp  Labels that are not one class: two classes with shares, as mixup makes them, or a distribution a
/// row.
#include "graft/config.hpp"

GRAFT_BEGIN

/// Row i is `share` parts of class first[i] and 1 - share parts of class second[i].
template <int Classes = 0>
struct MixedLabels {
  const int* first = nullptr;
  const int* second = nullptr;
  int count = 0;
  double share = 1.0;
};

/// Row i is the distribution data[i * classes ... + classes), not negative; it may sum to less than 1 (a row of zeros counts
/// for nothing).
template <class T>
struct SoftLabels {
  const T* data = nullptr;
  int count = 0;
  int classes = 0;
};

GRAFT_END

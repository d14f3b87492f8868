#pragma once
/// \file labels.hpp  Class labels with the number of classes in the type, so that a head of another width is a compile error.
#include "graft/config.hpp"

GRAFT_BEGIN

/// `count` labels in [0, Classes); Classes 0 means that the number is known only when the program runs.
template <int Classes = 0>
struct ClassLabels {
  const int* data = nullptr;
  int count = 0;
  static constexpr int classes = Classes;
  const int* begin() const { return data; }
  const int* end() const { return data + count; }
};

/// Which domain a sample comes from: source 0, target 1 (the convention of Ganin et al. 2016).
using DomainLabels = ClassLabels<2>;

GRAFT_END

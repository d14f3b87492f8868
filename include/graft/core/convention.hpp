#pragma once
/// \file convention.hpp  Names for what papers and released libraries compute under one name: where they differ, a loss or a
/// schedule takes one of these, so that weights and settings can be carried over exactly.
#include "graft/config.hpp"

GRAFT_BEGIN

/// Whose formula. Each function says which of them it knows; the others are an Error.
enum class Convention { paper, tllib, deepda, ada, adapt, pytorch_adapt, skada, domainbed, shot };

inline const char* name_of(Convention c) {
  constexpr const char* names[] = {"paper", "tllib", "deepda", "ada", "adapt", "pytorch_adapt", "skada", "domainbed", "shot"};
  return names[static_cast<int>(c)];
}

GRAFT_END

#pragma once
/// \file passes.hpp  Which passes of a layer a line of the trace is about.
#include "graft/config.hpp"

#include <string>

GRAFT_BEGIN

/// Forward, or what a backward pass gives: the gradient of the parameters, of the input, or both.
struct Passes {
  bool forward = false;
  bool parameters = false;
  bool input = false;
};

namespace detail {
/// What is to be said of those passes.
GRAFT_COLD inline std::string said(const Passes& passes, const std::string& forward, const std::string& parameters,
                                   const std::string& input) {
  if (passes.forward) return forward;
  std::string text = passes.parameters ? "weights: " + parameters : "";
  if (passes.input) text += (text.empty() ? "input: " : " | input: ") + input;
  return text;
}
}  // namespace detail
GRAFT_END

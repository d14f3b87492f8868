#pragma once
/// \file error.hpp  Errors are sentences: what was expected, what came, what to do.
#include "graft/config.hpp"

#include <sstream>
#include <stdexcept>
#include <string>

GRAFT_SHARED_BEGIN
/// The one exception type the library throws for bad input. `what()` is a full sentence for a person.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};
/// A training run left the numbers: another rate, another seed or clipped gradients may save it, other input will not.
class Diverged : public Error {
 public:
  using Error::Error;
};
GRAFT_END

GRAFT_BEGIN

/// Throws Error with its arguments streamed together: `fail("IDX file '", path, "' is cut short: ...")`.
template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  throw Error(text.str());
}

GRAFT_END

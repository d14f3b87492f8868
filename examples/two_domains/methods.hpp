#pragma once
// The one list of methods. To add one: a line here, besides its header, test and docs page.
#include "backbone.hpp"

#include <graft/transfer/dann.hpp>
#include <graft/transfer/source_only.hpp>

namespace example {

/// Calls f(name, text, make) for each; make(nets, settings) gives the method's object on a backbone's nets (see nets.hpp).
template <class F>
void for_each_method(F&& f) {
  using namespace graft;
  f("source_only", "cross-entropy on the source alone: the baseline of all others",
    [](auto& n, const Settings&) { return SourceOnly{n.features(), n.labels()}; });
  f("dann", "a domain head and a reversed gradient (Ganin et al. 2016); lambda 1", [](auto& n, const Settings& s) {
    return Dann{n.features(), n.labels(), n.domains(), {.lambda = {.high = s.lambda.value_or(1.0)}}};
  });
}

}  // namespace example

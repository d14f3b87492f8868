#pragma once
/// \file stopped.hpp  Runs that end after some epochs and go on with new models from their checkpoint.
#include "catch.hpp"
#include "io/scratch.hpp"
#include "toy.hpp"

#include <memory>

namespace toy {

/// The nets after four epochs of make(nets).fit(...), in one go or stopped with `epochs` of them in its checkpoint, from
/// which new nets go on.
template <class Nets, class Make>
std::unique_ptr<Nets> trained(const Problem& problem, int epochs, Make&& make) {
  struct Stop {
    int last;
    void on_epoch(const EpochInfo& info) const {
      if (info.epoch == last) throw 1;
    }
  };
  const Scratch scratch;
  FitOptions options = problem.options(4);
  options.target_test.reset();
  options.checkpoint = scratch / "checkpoint";
  const auto fit = [&](Nets& nets, auto... callbacks) {
    auto method = make(nets);
    method.fit(problem.source, problem.target.without_labels(), options, callbacks...);
  };
  if (epochs < 4) {
    Nets first;
    CHECK_THROWS_AS(fit(first, Stop{epochs}), int);
    options.resume = true;
  }
  auto nets = std::make_unique<Nets>();
  fit(*nets);
  return nets;
}
/// Checks that it makes no bit of difference where the run stops.
template <class Nets, class Make>
void check_stopped(const Problem& problem, Make&& make) {
  const auto whole = trained<Nets>(problem, 4, make)->numbers();
  for (int epochs = 1; epochs < 4; ++epochs) CHECK(trained<Nets>(problem, epochs, make)->numbers() == whole);
}

}  // namespace toy

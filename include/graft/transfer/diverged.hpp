#pragma once
/// \file diverged.hpp  What a step whose loss is not finite says: the first thing in it that is not.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/core/parameters.hpp"
#include "graft/core/tape.hpp"
#include "graft/data/batch.hpp"
#include "graft/train/trainer.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <tuple>

GRAFT_BEGIN
namespace detail {

/// Throws Error when a number of the batch is not finite, and else Diverged with the weights or the layer that came first.
template <class M, class T>
[[noreturn]] void name_what_broke(M& method, Tape<T>& tape, const data::PairedBatch<T>& batch, double progress) {
  tape.synchronise();
  const auto broken = [](const T* x, std::size_t count) {
    return std::any_of(x, x + count, [](T v) { return !std::isfinite(v); });
  };
  const std::size_t count = static_cast<std::size_t>(batch.source_count + batch.target_count) * batch.row;
  if (broken(batch.images, count)) fail("step ", tape.step(), ": the batch itself holds numbers that are not finite.");
  try {
    const auto weights = [&](auto& model) {
      for (const Segment& s : model.segments()) {
        if (!broken(model.values().data() + s.offset, s.count)) continue;
        fail("step ", tape.step(), ": the weights '", model.name, "/", s.name,
             "' hold numbers that are not finite since the step before; lower the learning rate or set clip_norm.");
      }
    };
    std::apply([&](auto&... models) { (weights(models), ...); }, method.models());
    Means unused;
    tape.discard();
    tape.check_finite = true;
    method.loss(tape, batch, progress, unused);
    tape.discard();
    fail("step ", tape.step(), ": a loss is not finite though all layers' outputs are; look at the method's own columns.");
  } catch (const Error& which) {
    throw Diverged(which.what());
  }
}

}  // namespace detail
GRAFT_END

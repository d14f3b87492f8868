#pragma once
/// \file heads.hpp  What methods of several models check and set up.
#include "graft/config.hpp"
#include "graft/core/shape.hpp"

#include <string>

GRAFT_BEGIN

/// The compile error of a head that does not sit on the body.
template <Shape BodyGives, Shape HeadTakes>
struct HeadDoesNotFitBody {
  static_assert(BodyGives == HeadTakes,
                "graft: this head does not take what the body gives (BodyGives, then HeadTakes); declare it as "
                "Net<Body::output, ...>, and "
                "pass the models in the order body, label head, domain head.");
  static constexpr bool ok = true;
};

/// Gives each model that has no name yet the one that stands before it: `name_models("features", features, "labels", labels)`.
inline void name_models() {}
template <class Model, class... Rest>
void name_models(const char* name, Model& model, Rest&&... rest) {
  if (model.name.empty()) model.name = name;
  name_models(std::forward<Rest>(rest)...);
}

GRAFT_END

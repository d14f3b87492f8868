#pragma once
/// \file flattened.hpp  Which arrays of a net stand behind a flattened image. PyTorch flattens an image channels first, so the
/// first Dense after it (and a BatchNorm between them) has its inputs in another order than here; the shape of that image
/// follows from the net's type.
#include "graft/config.hpp"
#include "graft/core/chain.hpp"

#include <cstddef>
#include <vector>

GRAFT_BEGIN
namespace io::detail {

/// For each array of a net, in the order of its segments: the image whose flattened numbers are its inputs, or 1 x 1 x 1.
struct Flattened {
  std::vector<Shape> parameters;
  std::vector<Shape> statistics;
};

inline constexpr Shape not_flattened{3, 1, 1, 1};
constexpr bool is_flattened(Shape image) { return image.h * image.w > 1; }

/// Walks layers with input `in`; `image` is what a vector `in` was flattened from.
inline void walk_flattened(const ChainRules& chain, Shape in, Shape image, Flattened& found) {
  for (int i = 0; i < chain.count; ++i) {
    const LayerRules& layer = chain.layer[i];
    const Shape out = layer.fit(in).out;
    if (layer.branches > 0) {
      for (int b = 0; b < layer.branches; ++b) walk_flattened(layer.branch[b], in, image, found);
      image = not_flattened;
    } else {
      struct Ask final : WeightVisitor {
        Ask(Shape input, Shape from, Flattened& to) : in(input), before(from), found(to) {}
        void operator()(const Weight& weight) override {
          if (weight.rank > 1) mixes = true;
          // Kernels of rank 3 and 4 and what a layer keeps for each channel of an image do not see flattened numbers.
          const bool whole = weight.rank == 2 || (weight.rank == 1 && in.is_vector() && weight.role != Role::bias);
          const bool takes = whole && static_cast<std::size_t>(weight.dims[0]) == before.size();
          (is_statistic(weight.role) ? found.statistics : found.parameters).push_back(takes ? before : not_flattened);
        }
        Shape in, before;
        Flattened& found;
        bool mixes = false;
      };
      Ask ask(in, in.is_image() ? in : image, found);
      layer.visit(in, ask);
      image = out.is_vector() && out.size() == ask.before.size() && !ask.mixes ? ask.before : not_flattened;
    }
    in = out;
  }
}

/// The answer for net N, whose input vector (if it takes one) was flattened from `image`.
template <class N>
Flattened flattened(Shape image) {
  Flattened found;
  if (N::input.is_image() || image.size() != N::input.size()) image = not_flattened;
  walk_flattened(N::Layers::chain_rules(), N::input, image, found);
  return found;
}

}  // namespace io::detail
GRAFT_END

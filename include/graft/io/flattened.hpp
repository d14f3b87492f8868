#pragma once
/// \file flattened.hpp  Which arrays of a net stand behind a flattened image. PyTorch flattens an image channels first, so the
/// first Dense after it (and a BatchNorm between them) has its inputs in another order than here; the shape of that image
/// follows from the net's type.
#include "graft/config.hpp"
#include "graft/core/chain.hpp"
#include "graft/ops/branches.hpp"

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

template <class... Ls>
struct Parts {};
template <class... Ls>
Parts<Ls...> parts_of(const Chain<Ls...>*);
template <class... Bs>
Parts<Bs...> branches_of(const Sum<Bs...>*);
template <class... Bs>
Parts<Bs...> branches_of(const Concat<Bs...>*);

/// Walks a layer with input `in`; `image` is what a vector `in` was flattened from, and is brought up to date.
template <class L>
void walk_flattened(Shape in, Shape& image, Flattened& found);

template <class... Ls>
void walk_chain(Parts<Ls...>, Shape in, Shape& image, Flattened& found) {
  ((walk_flattened<Ls>(in, image, found), in = Ls::fit(in).out), ...);
}
template <class... Bs>
void walk_branches(Parts<Bs...>, Shape in, Shape image, Flattened& found) {
  const auto one = [&]<class B>(const B*) {
    Shape own = image;
    walk_flattened<B>(in, own, found);
  };
  (one(static_cast<const Bs*>(nullptr)), ...);
}

template <class L>
void walk_flattened(Shape in, Shape& image, Flattened& found) {
  constexpr const L* layer = nullptr;
  if constexpr (requires { parts_of(layer); }) {
    walk_chain(decltype(parts_of(layer)){}, in, image, found);
  } else if constexpr (requires { branches_of(layer); }) {
    walk_branches(decltype(branches_of(layer)){}, in, image, found);
    image = not_flattened;
  } else {
    const Shape before = in.is_image() ? in : image;
    bool mixes = false;
    L::visit(in, [&](const Weight& weight) {
      if (weight.rank > 1) mixes = true;
      // Kernels of rank 3 and 4 and what a layer keeps for each channel of an image do not see flattened numbers.
      const bool whole = weight.rank == 2 || (weight.rank == 1 && in.is_vector() && weight.role != Role::bias);
      const bool takes = whole && static_cast<std::size_t>(weight.dims[0]) == before.size();
      (is_statistic(weight.role) ? found.statistics : found.parameters).push_back(takes ? before : not_flattened);
    });
    const Shape out = L::fit(in).out;
    image = out.is_vector() && out.size() == before.size() && !mixes ? before : not_flattened;
  }
}

/// The answer for net N, whose input vector (if it takes one) was flattened from `image`.
template <class N>
Flattened flattened(Shape image) {
  Flattened found;
  if (N::input.is_image() || image.size() != N::input.size()) image = not_flattened;
  walk_flattened<typename N::Layers>(N::input, image, found);
  return found;
}

}  // namespace io::detail
GRAFT_END

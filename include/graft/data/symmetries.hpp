#pragma once
/// \file symmetries.hpp  Every image with its mirror images and turns, for images without an upright: from the air, through a
/// microscope. Where a frozen network's features are computed once, nothing can be augmented at random; these views can be
/// computed with the rest.
///
///   const auto features = cache.features(trunk, data::symmetries(train_set), normalize);
#include "graft/config.hpp"
#include "graft/core/parallel.hpp"
#include "graft/data/dataset.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

GRAFT_BEGIN
namespace data {

/// How many views symmetries() gives of an image of this shape: 8 of a square, else 4 (a quarter turn would change the shape).
inline int symmetry_count(const Shape& shape) { return shape.h == shape.w ? 8 : 4; }

namespace detail {
/// View `view` of an image: bit 0 turns it upside down, bit 1 mirrors it left to right, bit 2 exchanges rows and columns first.
inline void write_view(const Shape& shape, int view, const std::uint8_t* from, std::uint8_t* to) {
  for (int y = 0; y < shape.h; ++y) {
    for (int x = 0; x < shape.w; ++x, to += shape.c) {
      int row = (view & 1) != 0 ? shape.h - 1 - y : y, column = (view & 2) != 0 ? shape.w - 1 - x : x;
      if ((view & 4) != 0) std::swap(row, column);
      std::copy_n(from + (static_cast<std::ptrdiff_t>(row) * shape.w + column) * shape.c, shape.c, to);
    }
  }
}
template <class Set>
Pixels all_views(const Set& set) {
  const Shape shape = set.shape();
  const std::size_t views = static_cast<std::size_t>(symmetry_count(shape)), size = set.size();
  Pixels pixels(std::array<std::size_t, 4>{size * views, static_cast<std::size_t>(shape.h), static_cast<std::size_t>(shape.w),
                                           static_cast<std::size_t>(shape.c)});
  parallel_for(static_cast<int>(size * views), [&](int i) {
    const std::size_t at = static_cast<std::size_t>(i);
    write_view(shape, static_cast<int>(at / size), set.pixels(at % size), pixels.data() + at * shape.size());
  });
  return pixels;
}
}  // namespace detail

/// The set's images, then all of them in each other view: size() * symmetry_count(shape()) images, and as many times the
/// memory.
inline Unlabelled symmetries(const Unlabelled& set) {
  return {set.name(), std::make_shared<const Pixels>(detail::all_views(set))};
}
/// The same with each image's label on all of its views.
inline Labelled symmetries(const Labelled& set) {
  std::vector<std::int32_t> labels;
  for (int view = 0; view < symmetry_count(set.shape()); ++view) {
    labels.insert(labels.end(), set.labels().begin(), set.labels().end());
  }
  if (set.class_names().empty()) return {set.name(), detail::all_views(set), std::move(labels), set.classes()};
  return {set.name(), detail::all_views(set), std::move(labels), set.class_names()};
}

}  // namespace data
GRAFT_END

#pragma once
/// \file xtensor.hpp  xtensor at the door (opt-in include; xtensor is one of graft's own dependencies): views of a model's
/// arrays, predictions, sets of images from xt::xarray, arrays of files.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/core/model.hpp"
#include "graft/data/dataset.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>
#include <xtensor/xadapt.hpp>
#include <xtensor/xarray.hpp>

GRAFT_BEGIN
namespace interop {

/// `data` as an array of `shape`, without a copy; valid as long as the data.
template <class T>
auto view(T* data, const std::vector<std::size_t>& shape) {
  std::size_t count = 1;
  for (const std::size_t extent : shape) count *= extent;
  return xt::adapt(data, count, xt::no_ownership(), shape);
}

/// The named array of a model ("0/w") in its own shape (HWIO, (in, out), ...), without a copy. Throws Error when there is none.
template <class M>
auto view(M& model, const std::string& array) {
  typename M::Scalar* data = model.array(array);
  std::vector<std::size_t> shape;
  for (const auto* segments : {&model.segments(), &model.statistic_segments()}) {
    for (const Segment& s : *segments) {
      if (s.name == array) shape.assign(s.dims.begin(), s.dims.begin() + s.rank);
    }
  }
  return view(data, shape);
}

/// What the model predicts for x, whose extents are (n, input) with the input as an image or as one vector: (n, outputs) or
/// (n, h, w, c). Throws Error when x does not fit.
template <class M, class E>
xt::xarray<typename M::Scalar> predict(M& model, const xt::xexpression<E>& x) {
  using T = typename M::Scalar;
  const xt::xarray<T> rows = x.derived_cast();  // row-major, without gaps
  if (rows.dimension() < 1 || rows.shape(0) == 0 || rows.size() != rows.shape(0) * M::input.size()) {
    fail("predict: x has ", rows.size(), " numbers in ", rows.dimension(), " extents, but the net takes samples of ",
         M::input.size(), " along the first.");
  }
  std::vector<std::size_t> shape{rows.shape(0)};
  const auto extent = [](int n) { return static_cast<std::size_t>(n); };
  if (M::output.is_image())
    shape.insert(shape.end(), {extent(M::output.h), extent(M::output.w), extent(M::output.c)});
  else
    shape.push_back(M::output.size());
  xt::xarray<T> y(shape);
  model.predict(rows.data(), static_cast<int>(rows.shape(0)), y.data());
  return y;
}

/// A set from images (n, h, w), or (n, h, w, c), of bytes and their n labels. Throws Error when they do not go together.
template <class E, class L>
data::Labelled labelled(const std::string& name, const xt::xexpression<E>& images, const xt::xexpression<L>& labels,
                        int classes) {
  const auto& from = images.derived_cast();
  const auto& marks = labels.derived_cast();
  if ((from.dimension() != 3 && from.dimension() != 4) || marks.dimension() != 1) {
    fail("the set '", name, "': images have ", from.dimension(), " extents and labels ", marks.dimension(),
         "; images need (n, h, w) or (n, h, w, c), labels (n).");
  }
  data::Pixels pixels(std::array<std::size_t, 4>{from.shape(0), from.shape(1), from.shape(2),
                                                 from.dimension() == 4 ? static_cast<std::size_t>(from.shape(3)) : 1});
  const xt::xarray<std::uint8_t> bytes = xt::cast<std::uint8_t>(from);
  std::copy(bytes.begin(), bytes.end(), pixels.data());
  std::vector<std::int32_t> numbers;
  for (const auto label : marks) numbers.push_back(static_cast<std::int32_t>(label));
  return {name, std::move(pixels), std::move(numbers), classes};
}

/// An array of a file (io::TensorFile, io::Npz, io::KerasFile) as xt::xarray.
template <class T, class File>
xt::xarray<T> array(const File& file, const std::string& name) {
  const std::vector<T> numbers = file.template get<T>(name);
  xt::xarray<T> result(std::vector<std::size_t>(file.info(name).shape));
  std::copy(numbers.begin(), numbers.end(), result.begin());
  return result;
}

}  // namespace interop
GRAFT_END

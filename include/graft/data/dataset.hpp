#pragma once
/// \file dataset.hpp  Sets of images. Pixels stay uint8 in memory and are normalised on the fly; copies share them. A set with
/// labels and one without are two types: training code that is handed an Unlabelled cannot see what the target's labels are.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/core/shape.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>
#include <xtensor/xtensor.hpp>

GRAFT_BEGIN
namespace data {

/// n x height x width x channels.
using Pixels = xt::xtensor<std::uint8_t, 4>;

/// Images without labels.
class Unlabelled {
 public:
  Unlabelled() = default;
  Unlabelled(std::string name, std::shared_ptr<const Pixels> pixels) : name_(std::move(name)), pixels_(std::move(pixels)) {
    if (!pixels_ || pixels_->shape(0) == 0) fail("the set '", name_, "' is empty; a set needs at least one image.");
  }
  [[nodiscard]] std::size_t size() const { return pixels_ ? pixels_->shape(0) : 0; }
  /// Throws Error for a set that was default-constructed and never given images.
  [[nodiscard]] Shape shape() const {
    if (!pixels_) fail("the set '", name_, "' is empty; a set needs at least one image.");
    return image_shape(static_cast<int>(pixels_->shape(1)), static_cast<int>(pixels_->shape(2)),
                       static_cast<int>(pixels_->shape(3)));
  }
  [[nodiscard]] const std::string& name() const { return name_; }
  /// First byte of image `i`.
  [[nodiscard]] const std::uint8_t* pixels(std::size_t i) const { return pixels_->data() + i * shape().size(); }
  [[nodiscard]] const Pixels& all() const { return *pixels_; }

 private:
  std::string name_;
  std::shared_ptr<const Pixels> pixels_;
};

/// Images with labels in [0, classes).
class Labelled {
 public:
  Labelled() = default;
  /// Throws Error when the numbers of images and labels differ or a label is out of range.
  Labelled(std::string name, Pixels pixels, std::vector<std::int32_t> labels, int classes)
      : images_(name, std::make_shared<const Pixels>(std::move(pixels))),
        labels_(std::make_shared<const std::vector<std::int32_t>>(std::move(labels))),
        classes_(classes) {
    if (labels_->size() != images_.size()) {
      fail("the set '", name, "' has ", images_.size(), " images but ", labels_->size(), " labels; each image needs one.");
    }
    for (std::size_t i = 0; i < labels_->size(); ++i) {
      if ((*labels_)[i] < 0 || (*labels_)[i] >= classes_) {
        fail("the set '", name, "' has ", classes_, " classes, but the label of image ", i, " is ", (*labels_)[i],
             "; labels go from 0 to ", classes_ - 1, ".");
      }
    }
  }
  /// The same with a name for each class, which also says how many there are.
  Labelled(std::string name, Pixels pixels, std::vector<std::int32_t> labels, std::vector<std::string> class_names)
      : Labelled(std::move(name), std::move(pixels), std::move(labels), static_cast<int>(class_names.size())) {
    class_names_ = std::move(class_names);
  }
  [[nodiscard]] std::size_t size() const { return images_.size(); }
  [[nodiscard]] Shape shape() const { return images_.shape(); }
  [[nodiscard]] const std::string& name() const { return images_.name(); }
  [[nodiscard]] int classes() const { return classes_; }
  /// A name for each class, or none where the set came without.
  [[nodiscard]] const std::vector<std::string>& class_names() const { return class_names_; }
  [[nodiscard]] const std::uint8_t* pixels(std::size_t i) const { return images_.pixels(i); }
  [[nodiscard]] int label(std::size_t i) const { return (*labels_)[i]; }
  [[nodiscard]] const std::vector<std::int32_t>& labels() const { return *labels_; }
  [[nodiscard]] const Pixels& all() const { return images_.all(); }
  /// The same images with the labels sealed away.
  [[nodiscard]] Unlabelled without_labels() const { return images_; }
  /// The images at `indices`, in that order, copied. Throws Error for an index beyond the set.
  [[nodiscard]] Labelled select(const std::vector<std::size_t>& indices) const {
    Pixels part(std::array<std::size_t, 4>{indices.size(), all().shape(1), all().shape(2), all().shape(3)});
    std::vector<std::int32_t> labels;
    labels.reserve(indices.size());
    for (std::size_t i = 0; i < indices.size(); ++i) {
      if (indices[i] >= size()) fail("select: image ", indices[i], " of the set '", name(), "', which has ", size(), ".");
      std::copy(pixels(indices[i]), pixels(indices[i]) + shape().size(), part.data() + i * shape().size());
      labels.push_back(label(indices[i]));
    }
    Labelled result(name(), std::move(part), std::move(labels), classes_);
    result.class_names_ = class_names_;
    return result;
  }
  /// The first `count` images.
  [[nodiscard]] Labelled take(std::size_t count) const {
    if (count > size()) fail("take(", count, ") of the set '", name(), "', which has ", size(), " images.");
    std::vector<std::size_t> first(count);
    std::iota(first.begin(), first.end(), std::size_t{0});
    return select(first);
  }

 private:
  Unlabelled images_;
  std::shared_ptr<const std::vector<std::int32_t>> labels_;
  int classes_ = 0;
  std::vector<std::string> class_names_;
};

}  // namespace data
GRAFT_END

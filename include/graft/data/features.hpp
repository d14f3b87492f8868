#pragma once
/// \file features.hpp  Sets of samples that are numbers already: what a frozen network gives (train/feature_cache.hpp),
/// features read from a file, measurements. Copies share the numbers. As with images, a set with labels and one without are two
/// types.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/core/shape.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

GRAFT_BEGIN
namespace data {

/// Samples of one shape, without labels.
template <class T = float>
class UnlabelledFeatures {
 public:
  UnlabelledFeatures() = default;
  /// `size` samples one after the other, owned by `numbers`. Throws Error for an empty set.
  UnlabelledFeatures(std::string name, Shape shape, std::size_t size, std::shared_ptr<const T> numbers)
      : name_(std::move(name)), shape_(shape), size_(size), numbers_(std::move(numbers)) {
    refuse_empty();
  }
  /// The same from a vector. Throws Error when its length is not a multiple of the shape's.
  UnlabelledFeatures(std::string name, Shape shape, std::vector<T> numbers)
      : name_(std::move(name)),
        shape_(shape),
        size_(samples(name_, shape, numbers.size())),
        numbers_(share(std::move(numbers))) {
    refuse_empty();
  }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] Shape shape() const { return shape_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  /// First number of sample `i`.
  [[nodiscard]] const T* sample(std::size_t i) const { return numbers_.get() + i * shape_.size(); }

 private:
  void refuse_empty() const {
    if (size_ == 0 || !numbers_) fail("the set '", name_, "' is empty; a set needs at least one sample.");
  }
  static std::size_t samples(const std::string& name, Shape shape, std::size_t count) {
    const std::size_t row = shape.size();
    if (row == 0 || count % row != 0) {
      fail("the set '", name, "' has ", count, " numbers, which is not a whole number of samples of ", shape.h, " x ", shape.w,
           " x ", shape.c, ".");
    }
    return count / row;
  }
  static std::shared_ptr<const T> share(std::vector<T> numbers) {
    const auto owner = std::make_shared<const std::vector<T>>(std::move(numbers));
    return {owner, owner->data()};
  }
  std::string name_;
  Shape shape_{};
  std::size_t size_ = 0;
  std::shared_ptr<const T> numbers_;
};

/// Samples with labels in [0, classes).
template <class T = float>
class Features {
 public:
  Features() = default;
  /// Throws Error when the numbers of samples and labels differ or a label is out of range.
  Features(UnlabelledFeatures<T> samples, std::vector<std::int32_t> labels, int classes)
      : samples_(std::move(samples)),
        labels_(std::make_shared<const std::vector<std::int32_t>>(std::move(labels))),
        classes_(classes) {
    if (labels_->size() != samples_.size()) {
      fail("the set '", name(), "' has ", samples_.size(), " samples but ", labels_->size(), " labels; each sample needs one.");
    }
    for (std::size_t i = 0; i < labels_->size(); ++i) {
      if ((*labels_)[i] < 0 || (*labels_)[i] >= classes_) {
        fail("the set '", name(), "' has ", classes_, " classes, but the label of sample ", i, " is ", (*labels_)[i],
             "; labels go from 0 to ", classes_ - 1, ".");
      }
    }
  }
  Features(std::string name, Shape shape, std::vector<T> numbers, std::vector<std::int32_t> labels, int classes)
      : Features(UnlabelledFeatures<T>(std::move(name), shape, std::move(numbers)), std::move(labels), classes) {}

  [[nodiscard]] std::size_t size() const { return samples_.size(); }
  [[nodiscard]] Shape shape() const { return samples_.shape(); }
  [[nodiscard]] const std::string& name() const { return samples_.name(); }
  [[nodiscard]] int classes() const { return classes_; }
  [[nodiscard]] const T* sample(std::size_t i) const { return samples_.sample(i); }
  [[nodiscard]] int label(std::size_t i) const { return (*labels_)[i]; }
  [[nodiscard]] const std::vector<std::int32_t>& labels() const { return *labels_; }
  /// The same samples with the labels sealed away.
  [[nodiscard]] UnlabelledFeatures<T> without_labels() const { return samples_; }

 private:
  UnlabelledFeatures<T> samples_;
  std::shared_ptr<const std::vector<std::int32_t>> labels_;
  int classes_ = 0;
};

}  // namespace data
GRAFT_END

#pragma once
/// \file batch.hpp  What loaders give.
#include "graft/config.hpp"
#include "graft/core/labels.hpp"
#include "graft/core/mixed_labels.hpp"
#include "graft/core/tape.hpp"

#include <cstddef>

GRAFT_BEGIN
namespace data {

/// A batch of one set; `labels` is null for an unlabelled one.
template <class T>
struct Batch {
  const T* images = nullptr;
  int count = 0;
  const int* labels = nullptr;
  const int* partner_labels = nullptr;  ///< with mixup: of the images mixed into these; else null
  double share = 1.0;                   ///< with mixup: how much of each image is its own
  [[nodiscard]] Rows<T> rows() const { return {images, count, 0}; }
  [[nodiscard]] ClassLabels<> class_labels() const { return {labels, count}; }
  /// Both labels and their shares, for cross_entropy; without mixup the labels alone.
  [[nodiscard]] MixedLabels<> mixed_labels() const {
    return {labels, partner_labels != nullptr ? partner_labels : labels, count, share};
  }
};

/// A batch of both domains: source rows first. There are labels for the source only.
template <class T>
struct PairedBatch {
  const T* images = nullptr;
  int source_count = 0;
  int target_count = 0;
  std::size_t row = 0;                        ///< numbers of one sample
  const int* labels = nullptr;                ///< source_count of them
  const int* domains = nullptr;               ///< source_count zeros, then target_count ones
  const std::size_t* target_index = nullptr;  ///< of each target row in its set, for methods that remember something of it
  const T* clean = nullptr;                   ///< see clean_target()
  [[nodiscard]] Rows<T> rows() const { return {images, source_count + target_count, source_count}; }
  [[nodiscard]] Rows<T> source() const { return {images, source_count, source_count}; }
  [[nodiscard]] Rows<T> target() const { return {images + static_cast<std::size_t>(source_count) * row, target_count, 0}; }
  /// The target's images as they were before the augmentation, where the loader was asked for them; else target().
  [[nodiscard]] Rows<T> clean_target() const { return clean != nullptr ? Rows<T>{clean, target_count, 0} : target(); }
  [[nodiscard]] ClassLabels<> class_labels() const { return {labels, source_count}; }
  [[nodiscard]] DomainLabels domain_labels() const { return {domains, source_count + target_count}; }
};

}  // namespace data
GRAFT_END

#pragma once
/// \file filler.hpp  One set's share of a batch: which images, and how they become numbers, on the CPU or on a device.
#include "graft/config.hpp"
#include "graft/core/accelerator.hpp"
#include "graft/core/buffer.hpp"
#include "graft/core/error.hpp"
#include "graft/core/random.hpp"
#include "graft/data/augment.hpp"
#include "graft/data/normalize.hpp"
#include "graft/data/prefetch.hpp"

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

GRAFT_BEGIN
namespace data {
namespace detail {

inline int steps_for(std::size_t size, int batch) {
  return static_cast<int>((size + static_cast<std::size_t>(batch) - 1) / static_cast<std::size_t>(batch));
}
inline void check_batch(int batch) {
  if (batch < 1) fail("a batch of ", batch, " images was asked for; give at least 1.");
}

/// Images of one set, in the order of its stream, changed and normalised into a batch by a crew.
template <class Set, class T>
class Filler {
 public:
  Filler(Set set, Shape to, int count, std::uint64_t seed, std::uint64_t stream, bool shuffled, const Normalize& normalize,
         Augment augment, int workers)
      : set_(std::move(set)),
        to_(to),
        count_(static_cast<std::size_t>(count)),
        seed_(seed),
        stream_(stream),
        normalize_(normalize),
        augment_(std::move(augment)),
        order_(set_.size(), seed, stream, shuffled) {
    check_batch(count);
    augment_.check_shapes(set_.name(), set_.shape(), to_);
    indices_.resize(count_);
    if (!augment_.empty()) room_.resize(2 * Augment::canvas_size(set_.shape(), to_) * static_cast<std::size_t>(workers));
  }
  [[nodiscard]] const Set& set() const { return set_; }
  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] const Augment& augment() const { return augment_; }
  /// Chooses the images of `step`'s batch: index(i) says which image row i is.
  void choose(std::uint64_t step) {
    for (std::size_t i = 0; i < count_; ++i) indices_[i] = order_(step * count_ + i);
  }
  /// Chooses and writes them.
  void operator()(std::uint64_t step, Crew& crew, T* images) {
    choose(step);
    const Shape from = set_.shape();
    crew.run(count_, [&](std::size_t i, int worker) {
      T* out = images + i * to_.size();
      if (augment_.empty()) return normalize_.write(set_.pixels(indices_[i]), from, to_, out);
      float* room = room_.data() + static_cast<std::size_t>(worker) * 2 * Augment::canvas_size(from, to_);
      augment_.write(set_.pixels(indices_[i]), from, to_, normalize_, seed_, key(step, i), room, out);
    });
  }
  [[nodiscard]] std::size_t index(std::size_t row) const { return indices_[row]; }

  // ---- on a device: what is drawn of random numbers is drawn here, the pixels change there
  /// A batch's images and what was drawn for each.
  struct Drawn {
    std::vector<std::uint32_t> images;
    std::vector<PixelChange> changes;
  };
  /// Bytes of the set, if a device can make batches of it: 0 where a function of the user's changes its images.
  [[nodiscard]] std::size_t bytes_to_settle() const { return augment_.is_plain() ? set_.size() * set_.shape().size() : 0; }
  /// Copies the set to the device; draw() then makes batches there.
  void settle(const Accelerator<T>& device) {
    settled_ = Buffer<std::uint8_t>(set_.size() * set_.shape().size(), &device);
    which_ = Buffer<std::uint32_t>(count_, &device);
    changes_ = Buffer<PixelChange>(count_ * augment_.steps().size(), &device);
    device.upload(settled_.size(), set_.pixels(0), settled_.data());
    device.synchronise();  // the loader may be used on another thread
  }
  void choose(std::uint64_t step, Drawn& drawn) {
    choose(step);
    drawn.images.resize(count_);
    drawn.changes.resize(changes_.size());
    const std::size_t steps = augment_.steps().size();
    for (std::size_t i = 0; i < count_; ++i) {
      drawn.images[i] = static_cast<std::uint32_t>(indices_[i]);
      augment_.draw(set_.shape(), to_, seed_, key(step, i), drawn.changes.data() + i * steps);
    }
  }
  /// Writes a batch to `images`, and the same images without their augmentation to `clean`, if not null; both on the device.
  void draw(const Accelerator<T>& device, const Drawn& drawn, T* images, T* clean = nullptr) {
    device.upload(which_.size() * sizeof(std::uint32_t), drawn.images.data(), which_.data());
    device.upload(changes_.size() * sizeof(PixelChange), drawn.changes.data(), changes_.data());
    make(device, static_cast<int>(augment_.steps().size()), images);
    if (clean != nullptr) make(device, 0, clean);
  }
  /// The images of the last batch without the augmentation.
  void clean(Crew& crew, T* images) {
    crew.run(count_, [&](std::size_t i, int) {
      normalize_.write(set_.pixels(indices_[i]), set_.shape(), to_, images + i * to_.size());
    });
  }

 private:
  /// The stream of the draws for row i.
  [[nodiscard]] std::uint64_t key(std::uint64_t step, std::size_t i) const {
    return mix(mix(mix(0x61756d, stream_), order_.pass(step * count_ + i)), indices_[i]);
  }
  void make(const Accelerator<T>& device, int steps, T* images) const {
    const Shape from = set_.shape();
    const bool vector = to_.is_vector();
    PixelRows rows{static_cast<int>(count_), 0, from.c, vector ? from.c : to_.c};
    rows.pixels = static_cast<int>(to_.size()) / rows.to_channels;
    for (std::size_t c = 0; c < 4; ++c) {
      rows.scale[c] = normalize_.factor(c);
      rows.shift[c] = normalize_.offset(c);
    }
    if (steps == 0 && !normalize_.each_image) return device.draw_pixels(rows, settled_.data(), which_.data(), images);
    const ChangedRows how{rows, from.h, from.w, Augment::canvas_size(from, to_), steps, normalize_.each_image};
    device.change_pixels(how, settled_.data(), which_.data(), changes_.data(), images);
  }

  Set set_;
  Shape to_;
  std::size_t count_;
  std::uint64_t seed_, stream_;
  Normalize normalize_;
  Augment augment_;
  IndexStream order_;
  std::vector<std::size_t> indices_;
  std::vector<float> room_;
  Buffer<std::uint8_t> settled_;  // on a device: the set,
  Buffer<std::uint32_t> which_;   // a batch's images
  Buffer<PixelChange> changes_;   // and their changes
};

}  // namespace detail

}  // namespace data
GRAFT_END

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
      const std::uint64_t key = mix(mix(mix(0x61756d, stream_), order_.pass(step * count_ + i)), indices_[i]);
      float* room = room_.data() + static_cast<std::size_t>(worker) * 2 * Augment::canvas_size(from, to_);
      augment_.write(set_.pixels(indices_[i]), from, to_, normalize_, seed_, key, room, out);
    });
  }
  [[nodiscard]] std::size_t index(std::size_t row) const { return indices_[row]; }
  /// Bytes of the set, if a device can make batches of it: without augmentation, by one normalisation for all images.
  [[nodiscard]] std::size_t bytes_to_settle() const {
    return augment_.empty() && !normalize_.each_image ? set_.size() * set_.shape().size() : 0;
  }
  /// Copies the set to the device; draw() then makes batches there.
  void settle(const Accelerator<T>& device) {
    Normalize::check(set_.name(), set_.shape(), to_);
    settled_ = Buffer<std::uint8_t>(set_.size() * set_.shape().size(), &device);
    device.upload(settled_.size(), set_.pixels(0), settled_.data());
    device.synchronise();  // the loader may be used on another thread
  }
  /// The images `which` (on the device), normalised, to `images` there.
  void draw(const Accelerator<T>& device, const std::uint32_t* which, T* images) const {
    const Shape from = set_.shape();
    PixelRows how{static_cast<int>(count_), from.h * from.w, from.c, to_.is_vector() ? from.c : to_.c};
    for (std::size_t c = 0; c < 4; ++c) {
      how.scale[c] = normalize_.factor(c);
      how.shift[c] = normalize_.offset(c);
    }
    device.draw_pixels(how, settled_.data(), which, images);
  }
  /// The images of the last batch without the augmentation.
  void clean(Crew& crew, T* images) {
    crew.run(count_, [&](std::size_t i, int) {
      normalize_.write(set_.pixels(indices_[i]), set_.shape(), to_, images + i * to_.size());
    });
  }

 private:
  Set set_;
  Shape to_;
  std::size_t count_;
  std::uint64_t seed_, stream_;
  Normalize normalize_;
  Augment augment_;
  IndexStream order_;
  std::vector<std::size_t> indices_;
  std::vector<float> room_;
  Buffer<std::uint8_t> settled_;  // the set on a device
};

}  // namespace detail

}  // namespace data
GRAFT_END

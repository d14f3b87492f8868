#pragma once
/// \file flat.hpp  A model's flat buffers and segments as an optimiser's kernel on a device takes them.
#include "graft/config.hpp"
#include "graft/core/accelerator.hpp"
#include "graft/core/buffer.hpp"
#include "graft/core/parameters.hpp"

#include <cstddef>
#include <vector>

GRAFT_BEGIN
namespace detail {

/// What a device was last told of one model's segments.
class FlatOnDevice {
 public:
  /// The parameters for a kernel, `rates` on their segments. Segments are sent anew only when something about them has changed.
  template <class T>
  FlatParameters<T> of(const Parameters<T>& p, const std::vector<double>& rates) {
    const std::size_t count = rates.size();
    bool changed = there_.size() != count;
    if (changed) {
      told_.resize(count);
      there_ = Buffer<FlatSegment>(count, p.device);
    }
    for (std::size_t i = 0; i < count; ++i) {
      const Segment& s = (*p.segments)[i];
      const auto begin = static_cast<std::ptrdiff_t>(s.offset), end = static_cast<std::ptrdiff_t>(s.offset + s.count);
      const FlatSegment now{begin, end, rates[i], s.trainable, s.decay};
      changed = changed || now != told_[i];
      told_[i] = now;
    }
    if (changed) p.device->upload(count * sizeof(FlatSegment), told_.data(), there_.data());
    return {p.value, p.gradient, static_cast<std::ptrdiff_t>(p.size), there_.data(), static_cast<int>(count)};
  }

 private:
  std::vector<FlatSegment> told_;
  Buffer<FlatSegment> there_;
};

}  // namespace detail
GRAFT_END

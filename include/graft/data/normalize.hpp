#pragma once
/// \file normalize.hpp  From bytes to numbers, on the fly.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/core/shape.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

GRAFT_BEGIN
namespace data {

/// out = (pixel / 255 - mean_c) / deviation_c, channel by channel.
struct Normalize {
  std::array<double, 4> mean{0.0, 0.0, 0.0, 0.0};
  std::array<double, 4> deviation{1.0, 1.0, 1.0, 1.0};

  /// Pixels from 0 to 255 become numbers from -1 to 1.
  static Normalize symmetric() { return {{0.5, 0.5, 0.5, 0.5}, {0.5, 0.5, 0.5, 0.5}}; }

  /// Subtracts the mean colour over all images of the given sets together; grey images count as `channels` equal ones.
  template <class... Sets>
  static Normalize mean_of(int channels, const Sets&... sets) {
    std::array<double, 4> sum{};
    double pixels = 0.0;
    (add(channels, sets, sum, pixels), ...);
    Normalize result;
    for (std::size_t c = 0; c < 4; ++c) result.mean[c] = pixels > 0.0 ? sum[c] / pixels / 255.0 : 0.0;
    return result;
  }

  /// Throws Error when images of shape `from` cannot become samples of shape `to`: the extents must agree, but grey may become
  /// colour.
  static void check(const std::string& set, Shape from, Shape to) {
    if (from.size() == to.size() && (to.is_vector() || (from.h == to.h && from.w == to.w && from.c == to.c))) return;
    if (to.is_image() && from.c == 1 && from.h == to.h && from.w == to.w && to.c <= 4) return;
    fail("the images of '", set, "' are ", from.h, " x ", from.w, " x ", from.c, " but the net takes ", to.h, " x ", to.w,
         " x ", to.c, "; resize them or declare the net on Image<", from.h, ", ", from.w, ", ", from.c, ">.");
  }

  /// One image; `from` and `to` as check() allows.
  template <class T>
  void write(const std::uint8_t* pixels, Shape from, Shape to, T* out) const {
    const std::size_t channels = static_cast<std::size_t>(to.is_vector() ? from.c : to.c);
    std::array<T, 4> scale{};
    std::array<T, 4> shift{};
    for (std::size_t c = 0; c < 4; ++c) {
      scale[c] = static_cast<T>(1.0 / (255.0 * deviation[c]));
      shift[c] = static_cast<T>(-mean[c] / deviation[c]);
    }
    const std::size_t count = static_cast<std::size_t>(from.h) * static_cast<std::size_t>(from.w);
    const bool replicate = from.c == 1 && channels > 1;
    for (std::size_t p = 0; p < count; ++p) {
      for (std::size_t c = 0; c < channels; ++c) {
        const std::uint8_t value = replicate ? pixels[p] : pixels[p * channels + c];
        out[p * channels + c] = static_cast<T>(value) * scale[c & 3] + shift[c & 3];
      }
    }
  }

 private:
  template <class Set>
  static void add(int channels, const Set& set, std::array<double, 4>& sum, double& pixels) {
    const Shape shape = set.shape();
    const std::size_t count = set.size() * static_cast<std::size_t>(shape.h) * static_cast<std::size_t>(shape.w);
    const std::uint8_t* at = set.pixels(0);
    const std::size_t c = static_cast<std::size_t>(shape.c);
    std::array<std::uint64_t, 4> totals{};
    for (std::size_t p = 0; p < count; ++p) {
      for (std::size_t k = 0; k < c && k < 4; ++k) totals[k] += at[p * c + k];
    }
    for (std::size_t k = 0; k < 4 && k < static_cast<std::size_t>(channels); ++k)
      sum[k] += static_cast<double>(totals[c == 1 ? 0 : k]);
    pixels += static_cast<double>(count);
  }
};

}  // namespace data
GRAFT_END

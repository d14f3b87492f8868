#pragma once
/// \file normalize.hpp  From bytes to numbers, on the fly.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/core/shape.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

GRAFT_BEGIN
namespace data {

/// out = (pixel / 255 - mean_c) / deviation_c, channel by channel.
struct Normalize {
  std::array<double, 4> mean{0.0, 0.0, 0.0, 0.0};
  std::array<double, 4> deviation{1.0, 1.0, 1.0, 1.0};
  bool each_image = false;  ///< see of_each_image()

  /// Pixels from 0 to 255 become numbers from -0.5 to 0.5: a shift alone, as in the DANN paper, by a value that needs no data.
  static Normalize centred() { return {{0.5, 0.5, 0.5, 0.5}, {1.0, 1.0, 1.0, 1.0}}; }

  /// Instance normalisation of the input (Ulyanov et al. 2016): each channel of each image has mean 0 and deviation 1, by its
  /// own pixels, out = (x - mean) / sqrt(variance + 1e-5) with x = pixel / 255. Brightness and contrast of a whole channel
  /// vanish.
  static Normalize of_each_image() {
    Normalize result;
    result.each_image = true;
    return result;
  }

  /// Shifts the mean of each channel over all images of the given sets together to 0, as the DANN paper does; no scaling. Grey
  /// images count as `channels` equal ones; labels are not looked at.
  template <class... Sets>
  static Normalize mean_of(int channels, const Sets&... sets) {
    Normalize result = standard(channels, sets...);
    result.deviation = Normalize{}.deviation;
    return result;
  }

  /// Standardises: the mean of each channel over all images of the given sets together becomes 0, its deviation 1 (or stays,
  /// where all pixels are equal). Otherwise as mean_of().
  template <class... Sets>
  static Normalize standard(int channels, const Sets&... sets) {
    std::array<Sums, 4> sums{};
    (add(channels, sets, sums), ...);
    Normalize result;
    for (std::size_t c = 0; c < 4; ++c) {
      if (sums[c].pixels == 0) continue;
      const double count = static_cast<double>(sums[c].pixels) * 255.0;
      result.mean[c] = static_cast<double>(sums[c].values) / count;
      const double variance = static_cast<double>(sums[c].squares) / (count * 255.0) - result.mean[c] * result.mean[c];
      if (variance > 0.0) result.deviation[c] = std::sqrt(variance);
    }
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

  /// out = pixel * factor + offset, where each_image is not set.
  [[nodiscard]] double factor(std::size_t channel) const { return 1.0 / (255.0 * deviation[channel]); }
  [[nodiscard]] double offset(std::size_t channel) const { return -mean[channel] / deviation[channel]; }

  /// One image, of bytes or of numbers from 0 to 255; `from` and `to` as check() allows.
  template <class P, class T>
  void write(const P* pixels, Shape from, Shape to, T* out) const {
    const std::size_t channels = static_cast<std::size_t>(to.is_vector() ? from.c : to.c);
    if (each_image) {
      Normalize own;
      own.measure(pixels, from);
      return own.write(pixels, from, to, out);
    }
    std::array<T, 4> scale{};
    std::array<T, 4> shift{};
    for (std::size_t c = 0; c < 4; ++c) {
      scale[c] = static_cast<T>(factor(c));
      shift[c] = static_cast<T>(offset(c));
    }
    const std::size_t count = static_cast<std::size_t>(from.h) * static_cast<std::size_t>(from.w);
    const bool replicate = from.c == 1 && channels > 1;
    for (std::size_t p = 0; p < count; ++p) {
      for (std::size_t c = 0; c < channels; ++c) {
        const P value = replicate ? pixels[p] : pixels[p * channels + c];
        out[p * channels + c] = static_cast<T>(value) * scale[c & 3] + shift[c & 3];
      }
    }
  }

 private:
  struct Sums {
    std::uint64_t pixels = 0, values = 0, squares = 0;
  };
  /// Takes mean and deviation of one image's channels, of a grey one's for all.
  template <class P>
  void measure(const P* pixels, Shape image) {
    const std::size_t channels = static_cast<std::size_t>(image.c), numbers = image.size();
    const double count = static_cast<double>(numbers / channels) * 255.0;
    for (std::size_t c = 0; c < 4; ++c) {
      double sum = 0.0, squares = 0.0;
      for (std::size_t i = c % channels; i < numbers; i += channels) sum += static_cast<double>(pixels[i]);
      mean[c] = sum / count;
      for (std::size_t i = c % channels; i < numbers; i += channels) {
        const double apart = static_cast<double>(pixels[i]) / 255.0 - mean[c];
        squares += apart * apart;
      }
      deviation[c] = std::sqrt(squares * 255.0 / count + 1e-5);
    }
  }
  template <class Set>
  static void add(int channels, const Set& set, std::array<Sums, 4>& sums) {
    const Shape shape = set.shape();
    const std::size_t c = static_cast<std::size_t>(shape.c);
    const std::size_t values = set.size() * shape.size();
    const std::uint8_t* at = set.pixels(0);
    for (std::size_t k = 0; k < 4 && k < static_cast<std::size_t>(channels); ++k) {
      for (std::size_t p = c == 1 ? 0 : k; p < values; p += c) {
        const std::uint64_t value = at[p];
        ++sums[k].pixels;
        sums[k].values += value;
        sums[k].squares += value * value;
      }
    }
  }
};

}  // namespace data
GRAFT_END

#pragma once
/// \file resize.hpp  Images to another size: antialiased as PIL and torchvision (antialias=True) do it, bit for bit PIL's; or
/// plainly bilinear; and the centre crop of the ImageNet recipes.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/data/bitmap.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

GRAFT_BEGIN
namespace data {

/// How a new pixel is made from old ones.
enum class Filter {
  antialiased,  ///< a triangle as wide as the shrinking asks for (PIL BILINEAR, torchvision antialias=True)
  bicubic,      ///< Catmull-Rom, antialiased in the same way (PIL BICUBIC)
  bilinear  ///< of the four neighbours, however much it shrinks (half-pixel centres, as OpenCV and PyTorch without antialias)
};

namespace detail {

/// The weights of one direction: output x is the sum of weights[x * width + k] * input[first[x] + k], k < count[x].
struct ResizeWeights {
  std::vector<int> first, count;
  std::vector<std::int32_t> weights;
  int width = 0;
};
inline constexpr int resize_bits = 32 - 8 - 2;  ///< of the fixed point, as in PIL

inline ResizeWeights resize_weights(int in, int out, Filter filter) {
  const double reach = filter == Filter::bicubic ? 2.0 : 1.0;
  const auto value = [&](double x) {
    x = std::abs(x);
    if (filter != Filter::bicubic) return x < 1.0 ? 1.0 - x : 0.0;
    constexpr double a = -0.5;
    if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    return x < 2.0 ? (((x - 5.0) * x + 8.0) * x - 4.0) * a : 0.0;
  };
  const double scale = static_cast<double>(in) / out;
  const double wide = std::max(scale, 1.0);
  const double support = reach * wide;
  ResizeWeights result;
  result.width = static_cast<int>(std::ceil(support)) * 2 + 1;
  result.weights.assign(static_cast<std::size_t>(out) * static_cast<std::size_t>(result.width), 0);
  std::vector<double> row(static_cast<std::size_t>(result.width));
  for (int x = 0; x < out; ++x) {
    const double centre = (x + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(centre - support + 0.5));
    const int count = std::min(in, static_cast<int>(centre + support + 0.5)) - first;
    double sum = 0.0;
    for (int k = 0; k < count; ++k) {
      row[static_cast<std::size_t>(k)] = value((k + first - centre + 0.5) / wide);
      sum += row[static_cast<std::size_t>(k)];
    }
    for (int k = 0; k < count; ++k) {
      const double w = sum != 0.0 ? row[static_cast<std::size_t>(k)] / sum : 0.0;
      result.weights[static_cast<std::size_t>(x) * static_cast<std::size_t>(result.width) + static_cast<std::size_t>(k)] =
          static_cast<std::int32_t>(std::trunc(w * (1 << resize_bits) + (w < 0 ? -0.5 : 0.5)));
    }
    result.first.push_back(first);
    result.count.push_back(count);
  }
  return result;
}

inline std::uint8_t resize_round(std::int32_t sum) { return static_cast<std::uint8_t>(std::clamp(sum >> resize_bits, 0, 255)); }

inline Bitmap resize_across(const Bitmap& from, int width, Filter filter) {
  const ResizeWeights w = resize_weights(from.width, width, filter);
  Bitmap to{from.height, width, from.channels, {}};
  to.pixels.resize(to.count() * static_cast<std::size_t>(to.channels));
  std::uint8_t* out = to.pixels.data();
  for (int y = 0; y < from.height; ++y) {
    for (int x = 0; x < width; ++x) {
      const std::int32_t* weight = w.weights.data() + static_cast<std::ptrdiff_t>(x) * w.width;
      const std::uint8_t* in = from.at(y, w.first[static_cast<std::size_t>(x)]);
      const int count = w.count[static_cast<std::size_t>(x)];
      for (int c = 0; c < from.channels; ++c) {
        std::int32_t sum = 1 << (resize_bits - 1);
        for (int k = 0; k < count; ++k) sum += in[k * from.channels + c] * weight[k];
        *out++ = resize_round(sum);
      }
    }
  }
  return to;
}

inline Bitmap resize_down(const Bitmap& from, int height, Filter filter) {
  const ResizeWeights w = resize_weights(from.height, height, filter);
  Bitmap to{height, from.width, from.channels, {}};
  to.pixels.resize(to.count() * static_cast<std::size_t>(to.channels));
  const std::size_t row = static_cast<std::size_t>(from.width) * static_cast<std::size_t>(from.channels);
  std::vector<std::int32_t> sums(row);
  for (int y = 0; y < height; ++y) {
    std::fill(sums.begin(), sums.end(), 1 << (resize_bits - 1));
    for (int k = 0; k < w.count[static_cast<std::size_t>(y)]; ++k) {
      const std::int32_t weight =
          w.weights[static_cast<std::size_t>(y) * static_cast<std::size_t>(w.width) + static_cast<std::size_t>(k)];
      const std::uint8_t* in = from.at(w.first[static_cast<std::size_t>(y)] + k, 0);
      for (std::size_t i = 0; i < row; ++i) sums[i] += in[i] * weight;
    }
    for (std::size_t i = 0; i < row; ++i) to.pixels[static_cast<std::size_t>(y) * row + i] = resize_round(sums[i]);
  }
  return to;
}

inline Bitmap resize_plain(const Bitmap& from, int height, int width) {
  struct Place {
    int low, high;
    double part;
  };
  const auto place = [](int x, int in, int out) {
    const double at = std::max(0.0, (x + 0.5) * (static_cast<double>(in) / out) - 0.5);
    const int low = std::min(static_cast<int>(at), in - 1);
    return Place{low, std::min(low + 1, in - 1), at - low};
  };
  Bitmap to{height, width, from.channels, {}};
  to.pixels.resize(to.count() * static_cast<std::size_t>(to.channels));
  std::vector<Place> across;
  for (int x = 0; x < width; ++x) across.push_back(place(x, from.width, width));
  std::uint8_t* out = to.pixels.data();
  for (int y = 0; y < height; ++y) {
    const Place v = place(y, from.height, height);
    for (const Place& u : across) {
      for (int c = 0; c < from.channels; ++c) {
        const double top = from.at(v.low, u.low)[c] * (1.0 - u.part) + from.at(v.low, u.high)[c] * u.part;
        const double bottom = from.at(v.high, u.low)[c] * (1.0 - u.part) + from.at(v.high, u.high)[c] * u.part;
        *out++ = static_cast<std::uint8_t>(std::nearbyint(top * (1.0 - v.part) + bottom * v.part));
      }
    }
  }
  return to;
}

}  // namespace detail

/// The image at another size, its aspect not kept. Throws Error for a side below 1 or above 20000.
inline Bitmap resize(const Bitmap& image, int height, int width, Filter filter = Filter::antialiased) {
  if (height < 1 || width < 1 || height > 20000 || width > 20000)
    fail("resize to ", height, " x ", width, ": each side needs 1 to 20000 pixels.");
  if (image.height == height && image.width == width) return image;
  if (filter == Filter::bilinear) return detail::resize_plain(image, height, width);
  if (image.width == width) return detail::resize_down(image, height, filter);
  const Bitmap across = detail::resize_across(image, width, filter);
  return image.height == height ? across : detail::resize_down(across, height, filter);
}

/// The image with its shorter side at `side` pixels, aspect kept; the longer is cut to whole pixels (torchvision's
/// Resize(side)).
inline Bitmap resize_shorter_side(const Bitmap& image, int side, Filter filter = Filter::antialiased) {
  const std::int64_t h = image.height, w = image.width;
  if (h < 1 || w < 1) fail("resize_shorter_side: the image is empty.");
  return h <= w ? resize(image, side, static_cast<int>(std::min<std::int64_t>(side * w / h, 1 << 20)), filter)
                : resize(image, static_cast<int>(std::min<std::int64_t>(side * h / w, 1 << 20)), side, filter);
}

/// The part of `height` x `width` whose upper left corner is at (top, left). Throws Error when it reaches beyond the image.
inline Bitmap crop(const Bitmap& image, int top, int left, int height, int width) {
  if (top < 0 || left < 0 || height < 1 || width < 1 || top > image.height - height || left > image.width - width) {
    fail("crop: ", height, " x ", width, " at row ", top, ", column ", left, " reaches beyond an image of ", image.height,
         " x ", image.width, "; crop less or resize to more.");
  }
  Bitmap out{height, width, image.channels, {}};
  out.pixels.reserve(out.count() * static_cast<std::size_t>(out.channels));
  for (int y = top; y < top + height; ++y) {
    const std::uint8_t* row = image.at(y, left);
    out.pixels.insert(out.pixels.end(), row, row + static_cast<std::ptrdiff_t>(width) * image.channels);
  }
  return out;
}

/// The middle of the image; of an odd rest the half pixel is rounded to even, as torchvision's CenterCrop does.
inline Bitmap centre_crop(const Bitmap& image, int height, int width) {
  return crop(image, static_cast<int>(std::nearbyint((image.height - height) / 2.0)),
              static_cast<int>(std::nearbyint((image.width - width) / 2.0)), height, width);
}

}  // namespace data
GRAFT_END

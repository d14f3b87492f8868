#pragma once
/// \file picture.hpp  PNG files from bytes (stb_image_write; CMake component graft::stb), and one predicted image beside its
/// class probabilities as SVG.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/core/shape.hpp"
#include "graft/data/bitmap.hpp"
#include "graft/train/atomic_file.hpp"
#include "graft/train/plot.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <numeric>
#include <string>
#include <vector>

#ifdef GRAFT_WITH_STB
#if __has_include(<stb/stb_image_write.h>)
#include <stb/stb_image_write.h>
#else
#include <stb_image_write.h>
#endif
#endif

GRAFT_BEGIN

/// Image `i` of a set, for looking at.
template <class Set>
data::Bitmap bitmap_of(const Set& set, std::size_t i) {
  if (i >= set.size()) fail("bitmap_of: image ", i, " of the set '", set.name(), "', which has ", set.size(), ".");
  const Shape shape = set.shape();
  return {shape.h, shape.w, shape.c, std::vector<std::uint8_t>(set.pixels(i), set.pixels(i) + shape.size())};
}

/// The image as the bytes of a PNG file. Throws Error for an empty image or one whose bytes are not height x width x channels.
inline std::string png_bytes(const data::Bitmap& image) {
  if (image.height < 1 || image.width < 1 || image.channels < 1 || image.channels > 4 ||
      image.pixels.size() != image.count() * static_cast<std::size_t>(image.channels)) {
    fail("png_bytes: an image of ", image.height, " x ", image.width, " x ", image.channels, " with ", image.pixels.size(),
         " bytes; a PNG takes at least one pixel of 1 to 4 channels.");
  }
#ifdef GRAFT_WITH_STB
  std::string bytes;
  const auto take = [](void* to, void* data, int size) {
    static_cast<std::string*>(to)->append(static_cast<const char*>(data), static_cast<std::size_t>(size));
  };
  if (stbi_write_png_to_func(take, &bytes, image.width, image.height, image.channels, image.pixels.data(),
                             image.width * image.channels) == 0) {
    fail("png_bytes: an image of ", image.height, " x ", image.width, " could not be written; is there enough memory?");
  }
  return bytes;
#else
  fail("png_bytes: this program was built without stb_image_write; link the CMake component graft::stb.");
#endif
}

/// Writes a PNG file, whole or not at all.
inline void write_png(const std::filesystem::path& path, const data::Bitmap& image) { atomic_write(path, png_bytes(image)); }

namespace detail {
inline std::string base64(const std::string& bytes) {
  constexpr const char* digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t three = 0;
    for (std::size_t k = 0; k < 3; ++k)
      three = three << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k) text += i + k <= bytes.size() ? digits[three >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}
}  // namespace detail

struct PredictionOptions {
  int top = 5;     ///< how many classes are shown, the most probable first
  int label = -1;  ///< the true class, told in the title line and coloured, where known
};

/// One image and bars of its most probable classes, as SVG with the image inside. Classes beyond `names` are numbers. Throws
/// Error for probabilities that are not numbers from 0 to 1 (logits go through softmax first).
template <class T>
std::string prediction_picture(const data::Bitmap& image, const std::vector<T>& probabilities,
                               const std::vector<std::string>& names = {}, const PredictionOptions& options = {}) {
  for (const T p : probabilities) {
    if (!(p >= T{0} && p <= T(1.0001)))
      fail("prediction_picture: ", p, " is no probability; give numbers from 0 to 1, logits after softmax.");
  }
  if (probabilities.empty() || options.top < 1)
    fail("prediction_picture: no probabilities were given, or none is to be shown.");
  std::vector<std::size_t> order(probabilities.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return probabilities[a] > probabilities[b]; });
  order.resize(std::min(order.size(), static_cast<std::size_t>(options.top)));
  const auto name = [&](std::size_t c) { return detail::escaped(c < names.size() ? names[c] : "class " + std::to_string(c)); };
  const double size = 260.0, zoom = size / std::max(image.height, image.width);
  const double shown_h = image.height * zoom, shown_w = image.width * zoom;
  const double left = 310.0, bar = 250.0, row = 44.0;
  const double height = std::max(70.0 + size, 90.0 + row * static_cast<double>(order.size()));
  std::string svg = detail::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"640\" height=\"%g\" viewBox=\"0 0 640 %g\" font-family=\"sans-serif\" "
      "font-size=\"13\" fill=\"#222\">\n<rect width=\"640\" height=\"%g\" fill=\"white\"/>\n",
      height, height, height);
  svg += "<text x=\"20\" y=\"28\" font-size=\"16\">" + name(order[0]) + "</text>\n";
  if (options.label >= 0)
    svg += "<text x=\"20\" y=\"47\">label: " + name(static_cast<std::size_t>(options.label)) + "</text>\n";
  svg += detail::format("<image x=\"20\" y=\"58\" width=\"%.1f\" height=\"%.1f\" %s href=\"data:image/png;base64,", shown_w,
                        shown_h, zoom > 2.0 ? "style=\"image-rendering:pixelated\"" : "") +
         detail::base64(png_bytes(image)) + "\"/>\n";
  for (std::size_t k = 0; k < order.size(); ++k) {
    const double y = 64.0 + row * static_cast<double>(k), p = static_cast<double>(probabilities[order[k]]);
    const bool right = options.label >= 0 && order[k] == static_cast<std::size_t>(options.label);
    svg += detail::format("<text x=\"%g\" y=\"%g\">", left, y + 8) + name(order[k]) + "</text>\n";
    svg += detail::format("<rect x=\"%g\" y=\"%g\" width=\"%.1f\" height=\"14\" fill=\"%s\"/>", left, y + 14,
                          bar * std::min(p, 1.0), right ? "#2a9d5c" : "#1f6fb4") +
           detail::format("<text x=\"%.1f\" y=\"%g\">%.3f</text>\n", left + bar * std::min(p, 1.0) + 6, y + 26, p);
  }
  return svg + "</svg>\n";
}

GRAFT_END

#pragma once
/// \file scatter.hpp  Points of two domains in the plane, as SVG: the colour is the class, the shape the domain.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/train/embedding.hpp"
#include "graft/train/plot.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <vector>

GRAFT_BEGIN

/// One picture of a scatter_plot.
struct Scatter {
  std::string title;
  Plane points;
};

namespace detail {
/// A colour for class `c`: ten that are told apart, then the same again.
inline const char* class_colour(int c) {
  constexpr std::array<const char*, 10> colours{"#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd",
                                                "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"};
  return colours[static_cast<std::size_t>(c) % colours.size()];
}
}  // namespace detail

/// Pictures of the same kind of points, two in a row: point i has class labels[i] and domain domains[i], 0 (source, a ring) or
/// 1 (target, a filled dot). Throws Error when the numbers of points differ.
inline std::string scatter_plot(const std::string& title, const std::vector<Scatter>& pictures, const std::vector<int>& labels,
                                const std::vector<int>& domains, const std::vector<std::string>& classes) {
  const double size = 330.0, gap = 20.0, top = 60.0;
  const std::size_t rows = (pictures.size() + 1) / 2;
  const double width = 2 * size + 3 * gap + 130.0, height = top + static_cast<double>(rows) * (size + 34.0);
  std::string svg = detail::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%g\" height=\"%g\" viewBox=\"0 0 %g %g\" font-family=\"sans-serif\" "
      "font-size=\"13\" fill=\"#222\">\n<rect width=\"%g\" height=\"%g\" fill=\"white\"/>\n",
      width, height, width, height, width, height);
  svg += detail::format("<text x=\"%g\" y=\"26\" font-size=\"16\">", gap) + detail::escaped(title) + "</text>\n";
  for (std::size_t k = 0; k < pictures.size(); ++k) {
    const Scatter& picture = pictures[k];
    if (picture.points.size() != labels.size() || labels.size() != domains.size())
      fail("scatter_plot: ", picture.points.size(), " points, ", labels.size(), " labels and ", domains.size(),
           " domains; each point needs one of each.");
    const double left = gap + static_cast<double>(k % 2) * (size + gap), up = top + static_cast<double>(k / 2) * (size + 34.0);
    double low[2] = {1e300, 1e300}, high[2] = {-1e300, -1e300};
    for (const auto& point : picture.points) {
      for (std::size_t a = 0; a < 2; ++a) low[a] = std::min(low[a], point[a]), high[a] = std::max(high[a], point[a]);
    }
    const double range = std::max({high[0] - low[0], high[1] - low[1], 1e-300});
    svg += detail::format("<text x=\"%g\" y=\"%g\">", left, up - 6) + detail::escaped(picture.title) + "</text>\n";
    svg += detail::format("<rect x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\" fill=\"none\" stroke=\"#bbb\"/>\n", left, up,
                          size, size);
    for (std::size_t i = 0; i < picture.points.size(); ++i) {
      double at[2];
      for (std::size_t a = 0; a < 2; ++a)
        at[a] = 0.5 * size + (picture.points[i][a] - 0.5 * (low[a] + high[a])) / range * (size - 16.0);
      const char* colour = detail::class_colour(labels[i]);
      svg +=
          domains[i] == 0
              ? detail::format("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"none\" stroke-width=\"1.2\" stroke=\"%s\"/>\n",
                               left + at[0], up + at[1], colour)
              : detail::format("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.4\" fill-opacity=\"0.7\" fill=\"%s\"/>\n", left + at[0],
                               up + at[1], colour);
    }
  }
  const double x = 2 * size + 3 * gap;
  svg += detail::format(
      "<circle cx=\"%g\" cy=\"66\" r=\"3\" fill=\"none\" stroke=\"#222\"/><text x=\"%g\" y=\"70\">source</text>\n"
      "<circle cx=\"%g\" cy=\"84\" r=\"2.4\"/><text x=\"%g\" y=\"88\">target</text>\n",
      x + 6, x + 16, x + 6, x + 16);
  for (std::size_t c = 0; c < std::min<std::size_t>(classes.size(), 30); ++c) {
    const double y = 114.0 + 18.0 * static_cast<double>(c);
    svg += detail::format("<rect x=\"%g\" y=\"%g\" width=\"10\" height=\"10\" fill=\"%s\"/><text x=\"%g\" y=\"%g\">", x + 1,
                          y - 9, detail::class_colour(static_cast<int>(c)), x + 16, y) +
           detail::escaped(classes[c]) + "</text>\n";
  }
  return svg + "</svg>\n";
}

GRAFT_END

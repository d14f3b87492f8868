#pragma once
/// \file plot.hpp  Line plots and confusion matrices as SVG, with nothing but the standard library.
#include "graft/config.hpp"
#include "graft/train/atomic_file.hpp"
#include "graft/train/history.hpp"
#include "graft/train/metrics.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <locale.h>
#endif

GRAFT_BEGIN

/// One line of a plot.
struct Series {
  std::string name;
  std::vector<double> x;
  std::vector<double> y;
};

namespace detail {
inline std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '&')
      out += "&amp;";
    else
      out += c;
  }
  return out;
}
/// As printf, but with a decimal point in every locale: SVG takes a comma for the end of a number.
template <class... Args>
std::string format(const char* pattern, Args... args) {
  char text[512];
#if defined(__unix__) || defined(__APPLE__)
  static const locale_t plain = newlocale(LC_ALL_MASK, "C", nullptr);
  const locale_t before = uselocale(plain);
  std::snprintf(text, sizeof text, pattern, args...);
  uselocale(before);
#else
  std::snprintf(text, sizeof text, pattern, args...);
#endif
  return text;
}
/// A step of 1, 2 or 5 times a power of ten that cuts `range` into about `parts`.
inline double nice_step(double range, int parts) {
  const double raw = range / parts;
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  const double part = raw / power;
  return (part < 1.5 ? 1.0 : part < 3.5 ? 2.0 : part < 7.5 ? 5.0 : 10.0) * power;
}
inline constexpr std::array<const char*, 6> plot_colours{"#1f6fb4", "#d9541e", "#2a9d5c", "#8a4fb0", "#b8860b", "#555555"};
}  // namespace detail

/// A plot of lines over one axis, 720 x 440, with ticks, grid and legend. Values that are not finite are left out.
inline std::string line_plot(const std::string& title, const std::string& x_label, const std::string& y_label,
                             const std::vector<Series>& series) {
  double x0 = 1e300, x1 = -1e300, y0 = 1e300, y1 = -1e300;
  for (const Series& s : series) {
    for (std::size_t i = 0; i < s.x.size(); ++i) {
      if (!std::isfinite(s.y[i])) continue;
      x0 = std::min(x0, s.x[i]), x1 = std::max(x1, s.x[i]);
      y0 = std::min(y0, s.y[i]), y1 = std::max(y1, s.y[i]);
    }
  }
  if (x0 > x1) x0 = 0, x1 = 1, y0 = 0, y1 = 1;
  if (x1 - x0 < 1e-12) x0 -= 0.5, x1 += 0.5;
  if (y1 - y0 < 1e-12 * (1 + std::abs(y1))) y0 -= 0.5 * (std::abs(y0) + 1e-3), y1 += 0.5 * (std::abs(y1) + 1e-3);
  const double step_y = detail::nice_step(y1 - y0, 5);
  y0 = std::floor(y0 / step_y) * step_y;
  y1 = std::ceil(y1 / step_y) * step_y;
  const double left = 70, right = 700, top = 46, bottom = 384;
  const auto px = [&](double x) { return left + (x - x0) / (x1 - x0) * (right - left); };
  const auto py = [&](double y) { return bottom - (y - y0) / (y1 - y0) * (bottom - top); };
  std::string svg =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"720\" height=\"440\" viewBox=\"0 0 720 440\" "
      "font-family=\"sans-serif\" font-size=\"13\" "
      "fill=\"#222\">\n<rect width=\"720\" height=\"440\" fill=\"white\"/>\n";
  svg += detail::format("<text x=\"%g\" y=\"26\" text-anchor=\"middle\" font-size=\"16\">", (left + right) / 2) +
         detail::escaped(title) + "</text>\n";
  for (double y = y0; y < y1 + step_y / 2; y += step_y) {
    svg += detail::format(
        "<line x1=\"%g\" x2=\"%g\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/><text x=\"%g\" y=\"%.1f\" "
        "text-anchor=\"end\">%.6g</text>\n",
        left, right, py(y), py(y), left - 8, py(y) + 4.5, std::abs(y) < step_y * 1e-6 ? 0.0 : y);
  }
  const double step_x = std::max(1.0, detail::nice_step(x1 - x0, 8));
  for (double x = std::ceil(x0 / step_x) * step_x; x < x1 + step_x * 1e-6; x += step_x) {
    svg += detail::format(
        "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%g\" y2=\"%g\" stroke=\"#888\"/><text x=\"%.1f\" y=\"%g\" "
        "text-anchor=\"middle\">%.6g</text>\n",
        px(x), px(x), bottom, bottom + 5, px(x), bottom + 20, x);
  }
  svg += detail::format("<path d=\"M%g %gV%gH%g\" fill=\"none\" stroke=\"#888\"/>\n", left, top, bottom, right);
  svg += detail::format("<text x=\"%g\" y=\"%g\" text-anchor=\"middle\">", (left + right) / 2, bottom + 42) +
         detail::escaped(x_label) + "</text>\n";
  svg += detail::format("<text transform=\"translate(18 %g) rotate(-90)\" text-anchor=\"middle\">", (top + bottom) / 2) +
         detail::escaped(y_label) + "</text>\n";
  for (std::size_t k = 0; k < series.size(); ++k) {
    const Series& s = series[k];
    const char* colour = detail::plot_colours[k % detail::plot_colours.size()];
    std::string points;
    for (std::size_t i = 0; i < s.x.size(); ++i) {
      if (!std::isfinite(s.y[i])) continue;
      points += detail::format("%.1f,%.1f ", px(s.x[i]), py(s.y[i]));
      if (s.x.size() <= 60)
        svg += detail::format("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\" fill=\"%s\"/>\n", px(s.x[i]), py(s.y[i]), colour);
    }
    svg += "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"" + std::string(colour) + "\" points=\"" + points + "\"/>\n";
  }
  double widest = 0;
  for (const Series& s : series) widest = std::max(widest, 8.0 * static_cast<double>(s.name.size()));
  if (series.size() > 1) {  // the legend goes where the lines are not: the emptier of the two right corners
    int upper = 0, lower = 0;
    for (const Series& s : series) {
      for (std::size_t i = 0; i < s.x.size(); ++i) {
        if (!std::isfinite(s.y[i]) || px(s.x[i]) < right - widest - 50) continue;
        if (py(s.y[i]) < top + 20.0 * static_cast<double>(series.size()) + 20) ++upper;
        if (py(s.y[i]) > bottom - 20.0 * static_cast<double>(series.size()) - 20) ++lower;
      }
    }
    const double height = 20.0 * static_cast<double>(series.size()) + 8;
    const double y = upper <= lower ? top + 6 : bottom - height - 6;
    const double x = right - widest - 46;
    svg += detail::format(
        "<rect x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\" fill=\"white\" fill-opacity=\"0.85\" stroke=\"#ccc\"/>\n", x, y,
        widest + 40, height);
    for (std::size_t k = 0; k < series.size(); ++k) {
      const double line = y + 18 + 20.0 * static_cast<double>(k);
      svg += detail::format(
                 "<line x1=\"%g\" x2=\"%g\" y1=\"%g\" y2=\"%g\" stroke-width=\"3\" stroke=\"%s\"/><text x=\"%g\" y=\"%g\">",
                 x + 8, x + 28, line - 4, line - 4, detail::plot_colours[k % detail::plot_colours.size()], x + 34, line) +
             detail::escaped(series[k].name) + "</text>\n";
    }
  }
  return svg + "</svg>\n";
}

/// The columns `names` of a history over its epochs; those without numbers are left out.
inline std::vector<Series> history_series(const History& history, std::initializer_list<const char*> names) {
  std::vector<Series> series;
  for (const char* name : names) {
    Series s{name, {}, {}};
    for (const Row& row : history.rows()) {
      if (!row.has(name)) continue;
      s.x.push_back(row.get("epoch"));
      s.y.push_back(row.get(name));
    }
    std::replace(s.name.begin(), s.name.end(), '_', ' ');
    if (!s.x.empty()) series.push_back(std::move(s));
  }
  return series;
}

/// accuracy.svg, loss.svg, learning_rate.svg and lambda.svg in `folder`, each with `prefix` before its name; one without
/// numbers is not written.
inline void write_history_plots(const History& history, const std::filesystem::path& folder, const std::string& prefix = "") {
  make_folder(folder);
  const auto plot = [&](const char* file, const char* title, const char* label, std::initializer_list<const char*> names) {
    const std::vector<Series> series = history_series(history, names);
    if (!series.empty()) atomic_write(folder / (prefix + file), line_plot(title, "epoch", label, series));
  };
  plot("accuracy.svg", "Accuracy: classes on the test parts, domains in training", "accuracy",
       {"source_accuracy", "target_accuracy", "domain_accuracy"});
  plot("loss.svg", "Loss in training", "loss, nats", {"label_loss", "domain_loss", "loss"});
  plot("learning_rate.svg", "Learning rate", "learning rate", {"learning_rate"});
  plot("lambda.svg", "Weight of the reversed gradient", "lambda", {"lambda"});
}

/// A confusion matrix as a picture: rows are labels, columns predictions; each cell's shade is its part of the row.
inline std::string confusion_plot(const Confusion& confusion, const std::string& title,
                                  const std::vector<std::string>& names = {}) {
  const int n = confusion.classes();
  const double cell = std::clamp(420.0 / n, 16.0, 44.0);
  const double left = 110, top = 76;
  const double size = cell * n;
  const auto label = [&](int i) {
    return i < static_cast<int>(names.size()) ? detail::escaped(names[static_cast<std::size_t>(i)]) : std::to_string(i);
  };
  std::string svg = detail::format(
                        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%g\" height=\"%g\" font-family=\"sans-serif\" "
                        "font-size=\"12\" fill=\"#222\">\n",
                        left + size + 30, top + size + 30) +
                    "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
  svg += "<text x=\"16\" y=\"24\" font-size=\"16\">" + detail::escaped(title) + "</text>\n";
  svg += detail::format("<text x=\"%g\" y=\"46\" text-anchor=\"middle\">predicted</text>\n", left + size / 2);
  svg +=
      detail::format("<text transform=\"translate(18 %g) rotate(-90)\" text-anchor=\"middle\">label</text>\n", top + size / 2);
  for (int r = 0; r < n; ++r) {
    std::int64_t total = 0;
    for (int c = 0; c < n; ++c) total += confusion.count(r, c);
    svg += detail::format("<text x=\"%g\" y=\"%.1f\" text-anchor=\"end\">", left - 6, top + cell * (r + 0.5) + 4) + label(r) +
           "</text>\n";
    svg += detail::format("<text x=\"%.1f\" y=\"%g\" text-anchor=\"middle\">", left + cell * (r + 0.5), top - 8) + label(r) +
           "</text>\n";
    for (int c = 0; c < n; ++c) {
      const double part = total > 0 ? static_cast<double>(confusion.count(r, c)) / static_cast<double>(total) : 0.0;
      const int shade = static_cast<int>(255 - 205 * std::sqrt(part));
      svg +=
          detail::format("<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"rgb(%d,%d,255)\" stroke=\"#ddd\"/>",
                         left + cell * c, top + cell * r, cell, cell, shade, shade);
      if (cell >= 24 && confusion.count(r, c) > 0) {
        svg += detail::format("<text x=\"%.1f\" y=\"%.1f\" font-size=\"10\" text-anchor=\"middle\" fill=\"%s\">%lld</text>",
                              left + cell * (c + 0.5), top + cell * (r + 0.5) + 4, part > 0.5 ? "white" : "#222",
                              static_cast<long long>(confusion.count(r, c)));
      }
      svg += "\n";
    }
  }
  return svg + "</svg>\n";
}

GRAFT_END

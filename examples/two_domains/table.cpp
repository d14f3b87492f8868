#include "table.hpp"

#include "backbone.hpp"

#include <graft/train/plot.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>

namespace example {

using graft::detail::format;

namespace {

std::vector<std::string> parts_of(const std::string& list) {
  std::vector<std::string> parts;
  std::stringstream text(list);
  for (std::string part; std::getline(text, part, ',');) parts.push_back(part);
  return parts;
}

std::vector<double> column(const Comparison::Row& row, double RunResult::*member) {
  std::vector<double> numbers;
  for (const RunResult& run : row.runs) numbers.push_back(run.*member);
  return numbers;
}

}  // namespace

MeanDeviation mean_deviation(const std::vector<double>& numbers) {
  if (numbers.empty()) return {std::nan(""), std::nan("")};
  MeanDeviation result;
  const double n = static_cast<double>(numbers.size());
  for (const double x : numbers) result.mean += x / n;
  for (const double x : numbers) result.deviation += (x - result.mean) * (x - result.mean);
  result.deviation = numbers.size() > 1 ? std::sqrt(result.deviation / (n - 1.0)) : 0.0;
  return result;
}

std::vector<std::string> method_names(const std::string& list) {
  std::vector<std::string> all, names;
  for (const MethodInfo& m : method_list()) all.push_back(m.name);
  if (list == "all") return all;
  for (const std::string& name : parts_of(list)) {
    if (std::find(all.begin(), all.end(), name) == all.end())
      graft::fail("there is no method '", name, "'; --methods list tells them.");
    if (std::find(names.begin(), names.end(), name) != names.end())
      graft::fail("the method '", name, "' is given twice; name each once.");
    names.push_back(name);
  }
  if (names.empty()) graft::fail("--methods names no method; give some, separated by commas.");
  return names;
}

std::vector<std::uint64_t> seed_numbers(const std::string& list) {
  std::vector<std::uint64_t> seeds;
  for (const std::string& part : parts_of(list)) {
    std::uint64_t first = 0, last = 0;
    const char* const end = part.data() + part.size();
    auto read = std::from_chars(part.data(), end, first);
    last = first;
    bool good = read.ec == std::errc{};
    if (good && read.ptr != end && *read.ptr == '-') {
      read = std::from_chars(read.ptr + 1, end, last);
      good = read.ec == std::errc{};
    }
    if (!good || read.ptr != end || last < first || last - first >= 1000)
      graft::fail("--seeds has '", part, "'; give numbers and ranges such as 0,1,2 or 0-4.");
    for (std::uint64_t seed = first; seed <= last; ++seed) {
      if (std::find(seeds.begin(), seeds.end(), seed) != seeds.end())
        graft::fail("the seed ", seed, " is given twice; name each once.");
      seeds.push_back(seed);
    }
  }
  if (seeds.empty()) graft::fail("--seeds names no seed; give numbers and ranges such as 0,1,2 or 0-4.");
  return seeds;
}

Comparison::Row& Comparison::row_of(const std::string& method) {
  auto row = std::find_if(rows.begin(), rows.end(), [&](const Row& r) { return r.method == method; });
  if (row == rows.end()) row = rows.insert(rows.end(), Row{method});
  return *row;
}

void Comparison::add(const std::string& method, const RunResult& run) { row_of(method).runs.push_back(run); }

void Comparison::add_diverged(const std::string& method, std::uint64_t seed) { row_of(method).diverged.push_back(seed); }

void Comparison::add(const std::string& method, std::uint64_t seed, const graft::History& history) {
  const auto at_best = [&](const char* column, bool largest) {
    const int epoch = history.best(column, largest);
    return epoch < 0 ? std::nan("") : history.rows()[static_cast<std::size_t>(epoch)].get("target_accuracy");
  };
  add(method, {seed, history.last("source_accuracy"), history.last("target_accuracy"), history.sum("seconds"),
               at_best("target_entropy", false), at_best("target_snd", true), at_best("target_dev", false),
               at_best("source_accuracy", true), at_best("target_accuracy", true)});
}

std::string Comparison::markdown() const {
  std::string text = source + " to " + target + ", " + backbone + ", batch " + std::to_string(batch) + ", last of " +
                     std::to_string(epochs) + " epochs.\n\n";
  text += "| method | target accuracy | deviation | seeds | source accuracy | seconds a run |\n|---|---|---|---|---|---|\n";
  for (const Row& row : rows) {
    const auto goal = mean_deviation(column(row, &RunResult::target_accuracy));
    text += "| " + row.method + format(" | %.3f | %.3f | ", goal.mean, goal.deviation);
    for (std::size_t i = 0; i < row.runs.size(); ++i) text += format(i == 0 ? "%.3f" : ", %.3f", row.runs[i].target_accuracy);
    for (const std::uint64_t seed : row.diverged)
      text += (text.back() == ' ' ? "" : ", ") + ("seed " + std::to_string(seed) + " diverged");
    text += format(" | %.3f | %.0f |\n", mean_deviation(column(row, &RunResult::source_accuracy)).mean,
                   mean_deviation(column(row, &RunResult::seconds)).mean);
  }
  text +=
      "\nThe same, at the last epoch and at those that a validator chooses without labels of the target; the oracle chooses "
      "with them.\n\n";
  text +=
      "| method | last | least entropy | highest SND | least DEV | highest source accuracy | oracle "
      "|\n|---|---|---|---|---|---|---|\n";
  for (const Row& row : rows) {
    text += "| " + row.method;
    for (const auto member : {&RunResult::target_accuracy, &RunResult::by_entropy, &RunResult::by_snd, &RunResult::by_dev,
                              &RunResult::by_source, &RunResult::oracle}) {
      const auto goal = mean_deviation(column(row, member));
      text += format(" | %.3f ± %.3f", goal.mean, goal.deviation);
    }
    text += " |\n";
  }
  return text;
}

std::string Comparison::json() const {
  using nlohmann::json;
  const auto number = [](double value) { return std::isfinite(value) ? json(value) : json(nullptr); };
  json list = json::array();
  for (const Row& row : rows) {
    const auto goal = mean_deviation(column(row, &RunResult::target_accuracy));
    json runs = json::array();
    for (const RunResult& run : row.runs) {
      runs.push_back({{"seed", run.seed},
                      {"source_accuracy", number(run.source_accuracy)},
                      {"target_accuracy", number(run.target_accuracy)},
                      {"by_entropy", number(run.by_entropy)},
                      {"by_snd", number(run.by_snd)},
                      {"by_dev", number(run.by_dev)},
                      {"by_source_accuracy", number(run.by_source)},
                      {"oracle", number(run.oracle)},
                      {"seconds", number(run.seconds)}});
    }
    list.push_back({{"method", row.method},
                    {"target_accuracy", number(goal.mean)},
                    {"target_accuracy_deviation", number(goal.deviation)},
                    {"source_accuracy", number(mean_deviation(column(row, &RunResult::source_accuracy)).mean)},
                    {"diverged", row.diverged},
                    {"runs", runs}});
  }
  return json{{"source", source}, {"target", target}, {"backbone", backbone},
              {"epochs", epochs}, {"batch", batch},   {"methods", list}}
             .dump(2) +
         "\n";
}

std::string Comparison::plot() const {
  const double left = 170.0, wide = 460.0, row_height = 30.0, top = 50.0;
  const double height = top + row_height * static_cast<double>(rows.size()) + 40.0;
  std::string svg = format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"720\" height=\"%g\" viewBox=\"0 0 720 %g\" font-family=\"sans-serif\" "
      "font-size=\"13\" fill=\"#222\">\n<rect width=\"720\" height=\"%g\" fill=\"white\"/>\n",
      height, height, height);
  svg += "<text x=\"20\" y=\"26\" font-size=\"16\">" + graft::detail::escaped("Accuracy on " + target + ", from " + source) +
         "</text>\n";
  for (int tick = 0; tick <= 10; tick += 2) {
    svg += format(
        "<line x1=\"%g\" x2=\"%g\" y1=\"%g\" y2=\"%g\" stroke=\"#ddd\"/><text x=\"%g\" y=\"%g\" "
        "text-anchor=\"middle\">%.1f</text>\n",
        left + wide * 0.1 * tick, left + wide * 0.1 * tick, top - 8, height - 34, left + wide * 0.1 * tick, height - 16,
        0.1 * tick);
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const double y = top + row_height * static_cast<double>(i);
    const auto goal = mean_deviation(column(rows[i], &RunResult::target_accuracy));
    svg += format("<text x=\"%g\" y=\"%g\" text-anchor=\"end\">", left - 10, y + 14) + rows[i].method + "</text>";
    if (!std::isfinite(goal.mean)) continue;
    svg += format("<rect x=\"%g\" y=\"%g\" width=\"%.1f\" height=\"16\" fill=\"#1f6fb4\" fill-opacity=\"0.45\"/>", left, y + 1,
                  wide * goal.mean);
    for (const RunResult& run : rows[i].runs)
      svg += format("<circle cx=\"%.1f\" cy=\"%g\" r=\"3\" fill=\"#d9541e\"/>", left + wide * run.target_accuracy, y + 9);
    svg += format("<text x=\"%g\" y=\"%g\">%.3f</text>\n", left + wide + 12, y + 14, goal.mean);
  }
  return svg + "</svg>\n";
}

}  // namespace example

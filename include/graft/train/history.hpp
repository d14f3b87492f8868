#pragma once
/// \file history.hpp  What a run measured: a row an epoch, named columns.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/train/atomic_file.hpp"

#include <charconv>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

GRAFT_BEGIN

/// Named numbers of one epoch, in the order they were set.
class Row {
 public:
  void set(std::string_view name, double value) {
    for (auto& [key, old] : values_) {
      if (key == name) {
        old = value;
        return;
      }
    }
    values_.emplace_back(std::string(name), value);
  }
  /// The value, or NaN when the row has none of that name.
  [[nodiscard]] double get(std::string_view name) const {
    for (const auto& [key, value] : values_) {
      if (key == name) return value;
    }
    return std::nan("");
  }
  [[nodiscard]] bool has(std::string_view name) const { return !std::isnan(get(name)); }
  [[nodiscard]] const std::vector<std::pair<std::string, double>>& values() const { return values_; }

 private:
  std::vector<std::pair<std::string, double>> values_;
};

/// All rows of a run.
class History {
 public:
  void add(Row row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] const std::vector<Row>& rows() const { return rows_; }
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  /// The last epoch's value, or NaN.
  [[nodiscard]] double last(std::string_view name) const { return rows_.empty() ? std::nan("") : rows_.back().get(name); }
  /// The row whose column is the largest (or smallest), the first of equals; rows without it do not count. -1: there is none.
  [[nodiscard]] int best(std::string_view name, bool largest = true) const {
    int found = -1;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      if (!rows_[i].has(name)) continue;
      const double value = rows_[i].get(name), old = found < 0 ? 0.0 : rows_[static_cast<std::size_t>(found)].get(name);
      if (found < 0 || (largest ? value > old : value < old)) found = static_cast<int>(i);
    }
    return found;
  }
  /// The sum over the epochs of a column.
  [[nodiscard]] double sum(std::string_view name) const {
    double total = 0.0;
    for (const Row& row : rows_) total += row.has(name) ? row.get(name) : 0.0;
    return total;
  }
  /// The names of all columns, in the order they first appear.
  [[nodiscard]] std::vector<std::string> columns() const {
    std::vector<std::string> names;
    for (const Row& row : rows_) {
      for (const auto& [name, value] : row.values()) {
        bool known = false;
        for (const std::string& n : names) known = known || n == name;
        if (!known) names.push_back(name);
      }
    }
    return names;
  }
  /// Comma-separated values with a head line; a missing value is an empty field. Numbers are written so that they read back
  /// exactly.
  [[nodiscard]] std::string csv() const {
    const std::vector<std::string> names = columns();
    std::string text;
    for (const std::string& name : names) {
      if (!text.empty()) text += ',';
      text += name;
    }
    text += "\n";
    for (const Row& row : rows_) {
      for (std::size_t i = 0; i < names.size(); ++i) {
        if (i != 0) text += ',';
        if (row.has(names[i])) text += number(row.get(names[i]));
      }
      text += "\n";
    }
    return text;
  }
  /// A list of objects, one an epoch.
  [[nodiscard]] std::string json() const {
    std::string text = "[";
    for (std::size_t r = 0; r < rows_.size(); ++r) {
      text += r == 0 ? "\n  {" : ",\n  {";
      bool first = true;
      for (const auto& [name, value] : rows_[r].values()) {
        text += (first ? "\"" : ", \"") + name + "\": " + (std::isfinite(value) ? number(value) : std::string("null"));
        first = false;
      }
      text += "}";
    }
    return text + "\n]\n";
  }
  /// The history that csv() wrote. Throws Error when the text is no such table.
  static History from_csv(std::string_view text) {
    History history;
    std::vector<std::string> names;
    bool head = true;
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      std::string_view line = text.substr(0, end);
      text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
      Row row;
      for (std::size_t column = 0;; ++column) {
        const std::size_t comma = line.find(',');
        const std::string field(line.substr(0, comma));
        if (head) {
          names.push_back(field);
        } else if (column >= names.size()) {
          fail("a history's line has more fields than its head; the file is damaged.");
        } else if (!field.empty()) {
          double value = 0.0;
          const std::from_chars_result read = std::from_chars(field.data(), field.data() + field.size(), value);
          if (read.ec != std::errc{} || read.ptr != field.data() + field.size()) {
            fail("a history holds '", field, "' where a number should be; the file is damaged.");
          }
          row.set(names[column], value);
        }
        if (comma == std::string_view::npos) break;
        line = line.substr(comma + 1);
      }
      if (!head) history.add(std::move(row));
      head = false;
    }
    return history;
  }

 private:
  static std::string number(double value) {
    char text[40];  // std::to_chars: the shortest form that reads back as the same number, with a point in every locale
    return {text, std::to_chars(text, text + sizeof text, value).ptr};
  }
  std::vector<Row> rows_;
};

GRAFT_END

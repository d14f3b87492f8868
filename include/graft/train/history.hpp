#pragma once
/// \file history.hpp  What a training run has measured: a row of named numbers for each epoch, written as CSV or JSON and read
/// back.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/train/atomic_file.hpp"
#include "graft/train/number_text.hpp"

#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

GRAFT_BEGIN

/// Named numbers, in the order in which they were first set.
class Row {
 public:
  /// Adds or replaces a number. Throws Error for a name that a CSV heading cannot hold.
  void set(std::string_view name, double value) {
    if (name.empty() || name.find_first_of(",\"\r\n\\") != std::string_view::npos) {
      fail("Row: '", name, "' cannot be a column's name; use a text without comma, quote, backslash or line end.");
    }
    for (auto& [known, old] : cells_) {
      if (known == name) {
        old = value;
        return;
      }
    }
    cells_.emplace_back(std::string(name), value);
  }
  [[nodiscard]] const std::vector<std::pair<std::string, double>>& cells() const { return cells_; }

 private:
  std::vector<std::pair<std::string, double>> cells_;
};

/// A table with a row for each epoch. A row may bring columns that earlier rows lack; a number that is not there is NaN.
class History {
 public:
  void add(const Row& row) {
    std::vector<double> values(columns_.size(), std::numeric_limits<double>::quiet_NaN());
    for (const auto& [name, value] : row.cells()) {
      const std::size_t at = find(name);
      if (at < columns_.size()) {
        values[at] = value;
      } else {
        columns_.push_back(name);
        for (std::vector<double>& earlier : rows_) earlier.push_back(std::numeric_limits<double>::quiet_NaN());
        values.push_back(value);
      }
    }
    rows_.push_back(std::move(values));
  }

  [[nodiscard]] std::size_t size() const { return rows_.size(); }
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  [[nodiscard]] const std::vector<std::string>& columns() const { return columns_; }
  [[nodiscard]] bool contains(std::string_view name) const { return find(name) < columns_.size(); }
  /// Throws Error, with the names there are, when there is no such row or column.
  [[nodiscard]] double at(std::size_t row, std::string_view name) const {
    const std::size_t at = known(name);
    if (row >= rows_.size()) fail("History: row ", row, " was asked for, but there are ", rows_.size(), ".");
    return rows_[row][at];
  }
  /// The number of the last epoch.
  [[nodiscard]] double last(std::string_view name) const { return at(rows_.size() - 1, name); }
  [[nodiscard]] std::vector<double> column(std::string_view name) const {
    const std::size_t at = known(name);
    std::vector<double> values;
    for (const std::vector<double>& row : rows_) values.push_back(row[at]);
    return values;
  }

  /// Comma-separated text, names first; numbers read back as the same doubles.
  [[nodiscard]] std::string csv() const {
    std::string text;
    for (std::size_t i = 0; i < columns_.size(); ++i) text += (i == 0 ? "" : ",") + columns_[i];
    text += "\n";
    for (const std::vector<double>& row : rows_) {
      for (std::size_t i = 0; i < row.size(); ++i) text += (i == 0 ? "" : ",") + number_text(row[i]);
      text += "\n";
    }
    return text;
  }
  /// An array with an object for each row; NaN and infinity, which JSON lacks, are null.
  [[nodiscard]] std::string json() const {
    std::string text = "[";
    for (std::size_t r = 0; r < rows_.size(); ++r) {
      text += r == 0 ? "\n  {" : ",\n  {";
      for (std::size_t i = 0; i < columns_.size(); ++i) {
        text +=
            (i == 0 ? "\"" : ", \"") + columns_[i] + "\": " + (std::isfinite(rows_[r][i]) ? number_text(rows_[r][i]) : "null");
      }
      text += "}";
    }
    return text + "\n]\n";
  }
  /// Whole or not at all, see atomic_write. Throws Error when the file cannot be written.
  void write_csv(const std::string& path) const { atomic_write(path, csv()); }
  void write_json(const std::string& path) const { atomic_write(path, json()); }

  /// What csv() has written. Throws Error for another text.
  static History from_csv(std::string_view text) {
    History history;
    bool heading = true;
    for (std::size_t line = 1; !text.empty(); ++line) {
      const std::vector<std::string_view> cells = split(take(text, '\n'));
      if (std::exchange(heading, false)) {
        if (cells.size() > 1 || !cells[0].empty()) history.columns_.assign(cells.begin(), cells.end());
        continue;
      }
      if (cells.size() != history.columns_.size()) {
        fail("History: line ", line, " has ", cells.size(), " numbers for ", history.columns_.size(), " columns.");
      }
      std::vector<double>& row = history.rows_.emplace_back();
      for (const std::string_view cell : cells) {
        if (!read_number(cell, row.emplace_back())) fail("History: '", cell, "' in line ", line, " is not a number.");
      }
    }
    return history;
  }

 private:
  /// Cuts off and returns what stands before the first `mark`.
  static std::string_view take(std::string_view& text, char mark) {
    const std::size_t end = text.find(mark);
    const std::string_view part = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    return part;
  }
  static std::vector<std::string_view> split(std::string_view line) {
    std::vector<std::string_view> cells;
    while (line.find(',') != std::string_view::npos) cells.push_back(take(line, ','));
    cells.push_back(line);
    return cells;
  }
  [[nodiscard]] std::size_t find(std::string_view name) const {
    std::size_t i = 0;
    while (i < columns_.size() && columns_[i] != name) ++i;
    return i;
  }
  [[nodiscard]] std::size_t known(std::string_view name) const {
    const std::size_t at = find(name);
    if (at < columns_.size()) return at;
    std::string names;
    for (const std::string& column : columns_) names += " " + column;
    fail("History: there is no column '", name, "'; there are", names.empty() ? " none" : names, ".");
  }

  std::vector<std::string> columns_;
  std::vector<std::vector<double>> rows_;
};

GRAFT_END

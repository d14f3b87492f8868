#pragma once
/// \file load_report.hpp  What loading weights into a model found, as a table.
#include "graft/config.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <ostream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

GRAFT_BEGIN
namespace io {

/// Which arrays of a model and of a file found each other. `std::cout << report` prints a table.
struct LoadReport {
  struct Line {
    std::string array;       ///< the model's name; empty for an array of the file that nobody asked for
    std::string shape;       ///< the model's shape, in its own order
    std::string in_file;     ///< the file's name; what was looked for when it is missing
    std::string file_shape;  ///< the file's shape, in the file's order
    std::string note{};      ///< of a shape mismatch: what the file's shape had to be
  };
  std::string path;
  std::vector<Line> loaded;
  std::vector<Line> missing;     ///< arrays of the model that the file does not have
  std::vector<Line> unused;      ///< arrays of the file that the model does not have
  std::vector<Line> mismatched;  ///< arrays with other shapes; left as they were
  std::size_t numbers = 0;       ///< how many numbers were loaded
  std::string verification;      ///< what came of the file's verification vector
  bool verified = false;         ///< whether the forward pass was compared, and agreed

  /// Whether every array of the model was loaded.
  [[nodiscard]] bool complete() const { return missing.empty() && mismatched.empty(); }

  /// "loaded 27 arrays (470,072 numbers), 0 missing, 2 unused, 0 of another shape".
  [[nodiscard]] GRAFT_COLD std::string summary() const {
    std::ostringstream text;
    text << "loaded " << loaded.size() << " arrays (" << numbers << " numbers), " << missing.size() << " missing, "
         << unused.size() << " unused, " << mismatched.size() << " of another shape";
    return text.str();
  }

  /// The table: all lines, or only those that are no "loaded"; at most `most` of each kind.
  [[nodiscard]] GRAFT_COLD std::string table(bool all = true, std::size_t most = static_cast<std::size_t>(-1)) const {
    using Row = std::array<std::string, 5>;
    std::vector<Row> rows{{"", "array", "shape", "in the file", "shape there"}};
    const auto add = [&](const char* kind, const std::vector<Line>& lines) {
      for (std::size_t i = 0; i < lines.size() && i < most; ++i) {
        const Line& l = lines[i];
        rows.push_back({kind, l.array, l.shape, l.in_file, l.file_shape});
        if (!l.note.empty()) rows.back()[4].append(", not ").append(l.note);
      }
      if (lines.size() > most) rows.push_back({kind, "and " + std::to_string(lines.size() - most) + " more", "", "", ""});
    };
    if (all) add("loaded", loaded);
    add("missing", missing);
    add("mismatch", mismatched);
    add("unused", unused);
    std::array<std::size_t, 5> width{};
    for (const Row& row : rows) {
      for (std::size_t i = 0; i < row.size(); ++i) width[i] = std::max(width[i], row[i].size());
    }
    std::string text;
    for (const Row& row : rows) {
      std::string line;
      for (std::size_t i = 0; i < row.size(); ++i) line += row[i] + std::string(width[i] - row[i].size() + 2, ' ');
      line.erase(line.find_last_not_of(' ') + 1);
      text += line + "\n";
    }
    return text;
  }

  GRAFT_COLD friend std::ostream& operator<<(std::ostream& out, const LoadReport& report) {
    out << report.path << ": " << report.summary() << "\n" << report.table();
    if (!report.verification.empty()) out << report.verification << "\n";
    return out;
  }
};

}  // namespace io
GRAFT_END

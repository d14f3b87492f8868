#pragma once
/// \file copy_weights.hpp  Weights and statistics from one model into another, by name.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/core/model.hpp"
#include "graft/core/surgery.hpp"

#include <string>
#include <string_view>
#include <vector>

GRAFT_BEGIN

/// What copy_weights() did, as names of arrays.
struct CopyReport {
  std::vector<std::string> copied;
  std::vector<std::string> missing;         ///< in the model copied to, without a like in the other: left as they were
  std::vector<std::string> unused;          ///< in the model copied from, without a like in the other
  std::vector<std::string> shape_mismatch;  ///< of one name but different shapes: left as they were

  /// Everything as lines of "what: names".
  [[nodiscard]] std::string text() const {
    std::string all;
    const auto add = [&](const char* title, const std::vector<std::string>& names) {
      all += title + std::to_string(names.size());
      for (const std::string& name : names) all += (&name == names.data() ? ": " : ", ") + name;
      all += "\n";
    };
    all += "copied " + std::to_string(copied.size()) + "\n";
    add("missing ", missing);
    add("unused ", unused);
    add("shape mismatch ", shape_mismatch);
    return all;
  }
};

namespace detail {
template <class From, class To>
GRAFT_COLD void copy_segments(const std::vector<Segment>& from, const From* source, const std::vector<Segment>& to, To* target,
                              std::string_view pattern, CopyReport& report) {
  std::vector<bool> used(from.size());
  for (const Segment& t : to) {
    if (!matches(pattern, t.name)) continue;
    std::size_t i = 0;
    while (i < from.size() && from[i].name != t.name) ++i;
    if (i == from.size()) {
      report.missing.push_back(t.name);
      continue;
    }
    used[i] = true;
    if (from[i].rank != t.rank || from[i].dims != t.dims) {
      report.shape_mismatch.push_back(t.name);
      continue;
    }
    for (std::size_t k = 0; k < t.count; ++k) target[t.offset + k] = static_cast<To>(source[from[i].offset + k]);
    report.copied.push_back(t.name);
  }
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (!used[i] && matches(pattern, from[i].name)) report.unused.push_back(from[i].name);
  }
}
}  // namespace detail

/// Copies every array of `from` whose name matches `pattern` to the array of the same name and shape in `to`, running
/// statistics included; the scalar types and the devices may differ. What has no like is left as it is and named in the report.
template <class NFrom, class NTo, class DFrom, class DTo, class TFrom, class TTo>
CopyReport copy_weights(const Model<NFrom, DFrom, TFrom>& from, Model<NTo, DTo, TTo>& to, std::string_view pattern = "*") {
  CopyReport report;
  detail::copy_segments(from.segments(), from.values().data(), to.segments(), to.values().data(), pattern, report);
  detail::copy_segments(from.statistic_segments(), from.statistics().data(), to.statistic_segments(), to.statistics().data(),
                        pattern, report);
  return report;
}

/// A model of `trunk`'s net with the layers Ls behind it: trunk's numbers are copied, the new layers begin as `options` say.
/// `auto model = with_head<Named<"head", Dense<12>>>(trunk, {.seed = 1});`
template <class... Ls, class N, class Device, class T>
Model<WithHead<N, Ls...>, Device, T> with_head(const Model<N, Device, T>& trunk, const ModelOptions& options = {}) {
  Model<WithHead<N, Ls...>, Device, T> model(options);
  copy_weights(trunk, model);
  return model;
}

GRAFT_END

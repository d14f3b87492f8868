#pragma once
/// \file load.hpp  Weights from an opened file of any kind into a model. io/weights.hpp opens files by path.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/core/model.hpp"
#include "graft/io/array.hpp"
#include "graft/io/fingerprint.hpp"
#include "graft/io/flattened.hpp"
#include "graft/io/load_report.hpp"
#include "graft/io/names.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

GRAFT_BEGIN
namespace io {

struct LoadOptions {
  NameMap names = names::plain();  ///< also says in which order the file keeps extents
  bool strict = true;              ///< an array without its counterpart, or of another shape, is an Error
  bool allow_unused = false;       ///< strict about the model only: the file may hold more
  bool verify = true;              ///< compare a forward pass with the one stored in the file, where there is one
  /// Of a net that takes a vector which another net flattened: the image. Only PyTorch's layout needs it.
  Shape flattened = detail::not_flattened;
};

/// What a reader offers: TensorFile, Npz, KerasFile.
template <class S>
concept ArraySource = requires(const S& source, const std::string& name) {
  source.tensors().begin()->second.shape;
  source.template get<float>(name);
  source.metadata().find(name);
  source.path();
};

namespace detail {

using Extents = std::vector<std::size_t>;

inline Extents extents_of(const Segment& s) {
  Extents extents;
  for (int i = 0; i < s.rank; ++i) extents.push_back(static_cast<std::size_t>(s.dims[static_cast<std::size_t>(i)]));
  return extents;
}
inline Extents without_ones(Extents extents) {
  extents.erase(std::remove(extents.begin(), extents.end(), std::size_t{1}), extents.end());
  return extents;
}

/// The shapes that a segment has in a file of `layout`.
GRAFT_COLD inline Extents expected_shape(const Segment& s, Layout layout) {
  const Extents d = extents_of(s);
  if (layout == Layout::hwio || d.size() == 1) return d;
  if (d.size() == 2) return {d[1], d[0]};
  if (d.size() == 3) return {d[2], 1, d[0], d[1]};
  return {d[3], d[2], d[0], d[1]};
}
/// Whether a file's shape serves: the expected one, or one that differs in rank and in extents of 1 only (a 1 x 1 convolution
/// for a Dense, a depthwise HWC1 kernel for HWC).
inline bool shape_fits(const Extents& file, const Extents& expected) {
  return file == expected || (file.size() != expected.size() && without_ones(file) == without_ones(expected));
}

/// Where number `i` of a segment lies in a file of PyTorch's layout; `image`: what its first extent was flattened from.
class TorchOrder {
 public:
  TorchOrder(const Segment& s, Shape image) : rank_(s.rank), image_(image) {
    for (std::size_t i = 0; i < 4; ++i) d_[i] = static_cast<std::size_t>(s.dims[i]);
  }
  [[nodiscard]] std::size_t operator()(std::size_t i) const {
    if (rank_ == 1) return input(i);
    if (rank_ == 2) return (i % d_[1]) * d_[0] + input(i / d_[1]);
    if (rank_ == 3) return (i % d_[2]) * d_[0] * d_[1] + i / d_[2];
    const std::size_t out = i % d_[3], in = i / d_[3] % d_[2], tap = i / d_[3] / d_[2];
    return (out * d_[2] + in) * d_[0] * d_[1] + tap;
  }

 private:
  /// H, W, C -> C, H, W.
  [[nodiscard]] std::size_t input(std::size_t i) const {
    if (!is_flattened(image_)) return i;
    const std::size_t c = static_cast<std::size_t>(image_.c);
    return i % c * (static_cast<std::size_t>(image_.h) * static_cast<std::size_t>(image_.w)) + i / c;
  }
  int rank_;
  Shape image_;
  std::array<std::size_t, 4> d_{};
};

/// The first candidate that the file has, or an empty text.
template <class S>
std::string find_array(const S& source, const std::vector<std::string>& candidates) {
  for (const std::string& name : candidates) {
    if (source.tensors().count(name) != 0) return name;
  }
  return "";
}

/// Compares the forward pass with the one that the file recorded. Throws Error when they differ.
template <class M, class S>
GRAFT_COLD void verify(M& model, const S& source, const LoadOptions& options, double unit_roundoff, LoadReport& report) {
  const auto& metadata = source.metadata();
  const auto print = metadata.find("graft.fingerprint");
  if (print == metadata.end()) {
    report.verification = "not verified: the file was not written by io::save";
    return;
  }
  if (print->second != fingerprint(model)) {
    const auto text = metadata.find("graft.architecture");
    const std::string difference =
        first_difference(text == metadata.end() ? "" : text->second, architecture<typename M::Network>());
    if (options.strict && !options.allow_unused) {
      fail("'", source.path(), "' holds the weights of another architecture: ", difference,
           "; build the net that was saved, or load with strict = false.");
    }
    report.verification = "not verified: the file holds another architecture (" + difference + ")";
    return;
  }
  const auto stored = metadata.find("graft.verification");
  if (stored == metadata.end() || !report.complete()) {
    report.verification = "not verified: the file has no verification vector";
    if (!report.complete()) report.verification = "not verified: not all arrays were loaded";
    return;
  }
  const double distance = Verification::parse(stored->second).distance(Verification::of(model));
  const double tolerance = verification_tolerance(model, unit_roundoff);
  if (!(distance <= tolerance)) {
    fail("'", source.path(),
         "': the loaded net does not compute what it computed when it was saved: for the stored input the outputs differ by ",
         distance, " of their norm, but rounding explains ", tolerance,
         ". An option that shapes do not show (an epsilon, a slope, padding) differs, or the weights were changed; load with "
         "verify = false to go on.");
  }
  report.verified = true;
  std::ostringstream text;
  text << "verified: the forward pass agrees with the stored one to " << distance << " (allowed: " << tolerance << ")";
  report.verification = text.str();
}

}  // namespace detail

/// Copies a file's arrays into the model's, converted to its type and permuted to its layout. Nothing is changed when an Error
/// is thrown: when strict and an array is missing, not used or of another shape; when nothing fits at all; when the file says
/// that it is of another architecture (strict), or that the same architecture gave another output.
template <class M, ArraySource S>
GRAFT_COLD LoadReport load(M& model, const S& source, const LoadOptions& options = {}) {
  using T = typename M::Scalar;
  struct Copy {
    std::string from;
    const Segment* segment;
    Shape image;
    T* to;
    T fill{};
  };
  LoadReport report;
  report.path = source.path();
  std::vector<Copy> copies;
  std::set<std::string> used;
  double unit_roundoff = 0.0;
  const Layout layout = options.names.layout();
  const auto images = detail::flattened<typename M::Network>(options.flattened);

  const auto plan = [&](const std::vector<Segment>& segments, const std::vector<Shape>& from, T* buffer) {
    for (std::size_t i = 0; i < segments.size(); ++i) {
      const Segment& s = segments[i];
      const auto candidates = options.names.candidates(s.name);
      const std::string name = detail::find_array(source, candidates);
      LoadReport::Line line{s.name, shape_text(detail::extents_of(s)), name.empty() ? candidates.front() : name, ""};
      const auto filling = options.names.filling(s.name);
      if (name.empty() && filling) {
        line.in_file = "not there: filled";
        report.loaded.push_back(std::move(line));
        copies.push_back({"", &s, detail::not_flattened, buffer + s.offset, static_cast<T>(*filling)});
        continue;
      }
      if (name.empty()) {
        report.missing.push_back(std::move(line));
        continue;
      }
      used.insert(name);
      const TensorInfo& info = source.tensors().at(name);
      line.file_shape = shape_text(info.shape);
      const detail::Extents expected = detail::expected_shape(s, layout);
      if (!detail::shape_fits(info.shape, expected)) {
        line.note = shape_text(expected);
        report.mismatched.push_back(std::move(line));
        continue;
      }
      report.loaded.push_back(std::move(line));
      report.numbers += s.count;
      unit_roundoff = std::max(unit_roundoff, detail::roundoff<T>(info.dtype));
      copies.push_back({name, &s, from[i], buffer + s.offset});
    }
  };
  plan(model.segments(), images.parameters, model.values().data());
  plan(model.statistic_segments(), images.statistics, model.statistics().data());
  for (const auto& [name, info] : source.tensors()) {
    if (used.count(name) == 0 && !options.names.ignores(name)) report.unused.push_back({"", "", name, shape_text(info.shape)});
  }
  const bool whole = report.complete() && (options.allow_unused || report.unused.empty());
  if ((options.strict && !whole) || (copies.empty() && !(report.complete() && report.unused.empty()))) {
    fail("'", report.path, "' does not fit the model: ", report.summary(), ".\n", report.table(false, 20),
         "Give a name map that fits (io::names), ", options.strict ? "or load with strict = false." : "nothing was loaded.");
  }

  const auto values = model.values();
  const auto statistics = model.statistics();
  try {
    for (const Copy& copy : copies) {
      if (copy.from.empty()) {
        std::fill_n(copy.to, copy.segment->count, copy.fill);
        continue;
      }
      const std::vector<T> numbers = source.template get<T>(copy.from);
      if (layout == Layout::hwio) {
        std::copy(numbers.begin(), numbers.end(), copy.to);
        continue;
      }
      const detail::TorchOrder order(*copy.segment, copy.image);
      for (std::size_t i = 0; i < numbers.size(); ++i) copy.to[i] = numbers[order(i)];
    }
    if (options.verify) detail::verify(model, source, options, unit_roundoff, report);
  } catch (...) {
    std::copy(values.begin(), values.end(), model.values().begin());
    std::copy(statistics.begin(), statistics.end(), model.statistics().begin());
    throw;
  }
  return report;
}

}  // namespace io
GRAFT_END

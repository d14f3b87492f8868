#pragma once
/// \file names.hpp  How a model's arrays are called in a file. A model's array is "PATH/LEAF": the path of its layer ("0",
/// "conv1", "layer1.0/bn2") and what it is there (w, b, gamma, beta, running_mean, running_var).
///
///   names::torch().layer("0", "features.0").prefix("block/", "backbone.")     // layers by pairs or by what they begin with
///   names::keras().layers({"conv1", "conv1_bn"})                              // the net's layers with arrays, in order
///   names::plain().array("0/w", "first_kernel")                               // one array by its whole name
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/core/parameters.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

GRAFT_BEGIN
namespace io {

/// The order of a file's extents: as graft and Keras keep them (HWIO, depthwise HWC1 or HWC, dense (in, out), features of a
/// flattened image H, W, C) or as PyTorch does (OIHW, depthwise C1HW, dense (out, in), flattened C, H, W).
enum class Layout { hwio, oihw };

namespace detail {

/// `text` matched to `pattern` (`*`: any text, also none), or nothing; what each `*` stood for is put in `parts`.
GRAFT_COLD inline bool capture(std::string_view pattern, std::string_view text, std::vector<std::string>& parts) {
  const std::size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == text;
  if (text.substr(0, star) != pattern.substr(0, star)) return false;
  const std::string_view rest = pattern.substr(star + 1);
  const std::size_t depth = parts.size();
  for (std::size_t end = star; end <= text.size(); ++end) {
    // Cheap refusals first: what stands between this star and the next must begin here.
    const std::string_view literal = rest.substr(0, rest.find('*'));
    if (text.substr(end, literal.size()) != literal) continue;
    if (!graft::matches(rest, text.substr(end))) continue;
    parts.emplace_back(text.substr(star, end - star));
    if (capture(rest, text.substr(end), parts)) return true;
    parts.resize(depth);
  }
  return false;
}

/// `pattern` with each `*` replaced by the part of its turn.
GRAFT_COLD inline std::string substitute(std::string_view pattern, const std::vector<std::string>& parts) {
  std::string result;
  std::size_t next = 0;
  for (const char letter : pattern) {
    if (letter != '*') {
      result += letter;
    } else if (next < parts.size()) {
      result += parts[next++];
    }
  }
  return result;
}

}  // namespace detail

/// A map from a model's array names to a file's. Rules are tried in the order in which they were given; of the names that a
/// leaf may have (Keras: kernel or depthwise_kernel) the first that the file has is taken.
class NameMap {
 public:
  /// `separator` stands between the parts of a file's names.
  explicit NameMap(Layout layout = Layout::hwio, char separator = '/') : layout_(layout), separator_(separator) {}

  /// The array `name` (or all that fit a pattern with `*`) is called `in_file`, in which each `*` takes what that of `name`
  /// stood for.
  NameMap&& array(std::string name, std::string in_file) && { return std::move(array(std::move(name), std::move(in_file))); }
  NameMap& array(std::string name, std::string in_file) & {
    check(name, in_file);
    arrays_.emplace_back(std::move(name), std::move(in_file));
    return *this;
  }
  /// The layer `path` (or all that fit a pattern) is called `in_file`; its arrays by the leaves' rules.
  NameMap&& layer(std::string path, std::string in_file) && { return std::move(layer(std::move(path), std::move(in_file))); }
  NameMap& layer(std::string path, std::string in_file) & {
    check(path, in_file);
    layers_.emplace_back(std::move(path), std::move(in_file));
    return *this;
  }
  /// Layers whose path begins with `path` are called `in_file` and the rest of their path: `prefix("", "backbone.")`.
  NameMap&& prefix(const std::string& path, const std::string& in_file) && { return std::move(prefix(path, in_file)); }
  NameMap& prefix(const std::string& path, const std::string& in_file) & { return layer(path + "*", in_file + "*"); }
  /// The layers with arrays of a net whose layers have no names, in their order: "0", "1", ...
  NameMap&& layers(const std::vector<std::string>& in_file) && { return std::move(layers(in_file)); }
  NameMap& layers(const std::vector<std::string>& in_file) & {
    for (std::size_t i = 0; i < in_file.size(); ++i) layers_.emplace_back(std::to_string(i), in_file[i]);
    return *this;
  }
  /// What a leaf may be called in the file.
  NameMap&& leaf(std::string name, std::string in_file) && { return std::move(leaf(std::move(name), std::move(in_file))); }
  NameMap& leaf(std::string name, std::string in_file) & {
    leaves_.emplace_back(std::move(name), std::move(in_file));
    return *this;
  }
  /// Arrays of the file that fit `pattern` are not for the model and not reported.
  NameMap&& ignore(std::string pattern) && { return std::move(ignore(std::move(pattern))); }
  NameMap& ignore(std::string pattern) & {
    ignored_.push_back(std::move(pattern));
    return *this;
  }

  /// Arrays of the model that fit `pattern` and that the file does not have get this value: `fill("*/gamma", 1)` for a
  /// BatchNorm that was trained without a scale.
  NameMap&& fill(std::string pattern, double value) && { return std::move(fill(std::move(pattern), value)); }
  NameMap& fill(std::string pattern, double value) & {
    fills_.emplace_back(std::move(pattern), value);
    return *this;
  }

  [[nodiscard]] Layout layout() const { return layout_; }
  [[nodiscard]] std::optional<double> filling(const std::string& name) const {
    for (const auto& [pattern, value] : fills_) {
      if (graft::matches(pattern, name)) return value;
    }
    return std::nullopt;
  }
  [[nodiscard]] bool ignores(const std::string& in_file) const {
    return std::any_of(ignored_.begin(), ignored_.end(), [&](const std::string& p) { return graft::matches(p, in_file); });
  }

  /// What the model's array `name` may be called in a file, most likely first.
  [[nodiscard]] GRAFT_COLD std::vector<std::string> candidates(const std::string& name) const {
    std::vector<std::string> parts;
    for (const auto& [from, to] : arrays_) {
      parts.clear();
      if (detail::capture(from, name, parts)) return {detail::substitute(to, parts)};
    }
    const std::size_t slash = name.rfind('/');
    std::string path = slash == std::string::npos ? "" : name.substr(0, slash);
    const std::string leaf = slash == std::string::npos ? name : name.substr(slash + 1);
    for (const auto& [from, to] : layers_) {
      parts.clear();
      if (!detail::capture(from, path, parts)) continue;
      path = detail::substitute(to, parts);
      break;
    }
    std::replace(path.begin(), path.end(), '/', separator_);
    std::vector<std::string> names;
    for (const auto& [from, to] : leaves_) {
      if (from == leaf) names.push_back(path.empty() ? to : path + separator_ + to);
    }
    if (names.empty()) names.push_back(path.empty() ? leaf : path + separator_ + leaf);
    return names;
  }

 private:
  static void check(const std::string& from, const std::string& to) {
    if (std::count(from.begin(), from.end(), '*') < std::count(to.begin(), to.end(), '*'))
      fail("the name rule '", from, "' -> '", to,
           "' has more '*' on its right side than on its left; each takes one from there.");
  }
  Layout layout_;
  char separator_;
  std::vector<std::pair<std::string, std::string>> arrays_, layers_, leaves_;
  std::vector<std::string> ignored_;
  std::vector<std::pair<std::string, double>> fills_;
};

namespace names {

/// Files that graft wrote: names and layouts are the model's own.
GRAFT_COLD inline NameMap plain() { return NameMap(); }

/// Keras: kernel, depthwise_kernel, bias, gamma, beta, moving_mean, moving_variance, or (NAME.weights.h5) vars/0, vars/1, ...;
/// layouts as they are.
GRAFT_COLD inline NameMap keras() {
  return NameMap()
      .leaf("w", "kernel")
      .leaf("w", "depthwise_kernel")
      .leaf("w", "vars/0")
      .leaf("b", "bias")
      .leaf("b", "vars/1")
      .leaf("gamma", "gamma")
      .leaf("gamma", "vars/0")
      .leaf("beta", "beta")
      .leaf("beta", "vars/1")
      .leaf("running_mean", "moving_mean")
      .leaf("running_mean", "vars/2")
      .leaf("running_var", "moving_variance")
      .leaf("running_var", "vars/3");
}

/// PyTorch state dicts: weight, bias, running_mean, running_var, dots between names; layouts are permuted.
GRAFT_COLD inline NameMap torch() {
  return NameMap(Layout::oihw, '.')
      .leaf("w", "weight")
      .leaf("b", "bias")
      .leaf("gamma", "weight")
      .leaf("beta", "bias")
      .ignore("*num_batches_tracked");
}

}  // namespace names
}  // namespace io
GRAFT_END

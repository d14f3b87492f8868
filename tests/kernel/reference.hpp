#pragma once
/// \file reference.hpp  What the kernel tests share: PyTorch's vectors (folder GRAFT_REFERENCE_DIR), the distance of two
/// arrays, central differences, and the same run on one thread and on two.
#include "graft/core/parallel.hpp"
#include "graft/core/random.hpp"
#include "graft/io/safetensors.hpp"

#include "catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace reference {

/// The file `name` of the reference folder, or nothing, in words, where the folder is not given.
inline std::optional<graft::io::TensorFile> open(const std::string& name) {
  const char* folder = std::getenv("GRAFT_REFERENCE_DIR");
  if (folder == nullptr) {
    WARN("GRAFT_REFERENCE_DIR is not set: the comparison with " << name << " is skipped.");
    return std::nullopt;
  }
  return graft::io::TensorFile(std::filesystem::path(folder) / name);
}

/// max |a - b| / max |b|; infinite where the sizes differ or a number is NaN.
template <class T, class U>
double distance(const std::vector<T>& a, const std::vector<U>& b) {
  double worst = a.size() == b.size() ? 0.0 : std::numeric_limits<double>::infinity();
  double scale = std::numeric_limits<double>::min();
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const double d = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    worst = d == d ? std::max(worst, d) : std::numeric_limits<double>::infinity();
    scale = std::max(scale, std::abs(static_cast<double>(b[i])));
  }
  return worst / scale;
}

/// How near a kernel must come to PyTorch's float64.
template <class T>
inline constexpr double tolerance = std::is_same_v<T, double> ? 1e-9 : 1e-4;

/// Normal numbers.
template <class T = double>
std::vector<T> normal(std::size_t count, std::uint64_t stream, double scale = 1.0) {
  graft::Random random(2026, stream);
  std::vector<T> out(count);
  for (T& x : out) x = static_cast<T>(scale * random.normal());
  return out;
}

template <class T>
bool finite(const std::vector<T>& values) {
  return std::all_of(values.begin(), values.end(), [](T x) { return std::isfinite(x); });
}

/// The gradient of f at x by central differences.
template <class F>
std::vector<double> differences(std::vector<double> x, F&& f, double step = 1e-5) {
  std::vector<double> gradient(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double kept = x[i];
    x[i] = kept + step;
    const double above = f(x);
    x[i] = kept - step;
    gradient[i] = (above - f(x)) / (2.0 * step);
    x[i] = kept;
  }
  return gradient;
}

/// sum of a * b, to make one number of an array.
inline double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// Whether run() gives the same bits on one, two and three threads. run returns a vector.
template <class Run>
bool same_on_threads(Run&& run) {
  const int before = graft::threads();
  graft::set_threads(1);
  const auto one = run();
  bool same = true;
  for (int count : {2, 3}) {
    graft::set_threads(count);
    const auto many = run();
    same = same && many.size() == one.size() && std::memcmp(many.data(), one.data(), one.size() * sizeof(one[0])) == 0;
  }
  graft::set_threads(before);
  return same;
}

template <class T>
void append(std::vector<T>& to, const std::vector<T>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

}  // namespace reference

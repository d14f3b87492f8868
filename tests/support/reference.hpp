#pragma once
/// \file reference.hpp  Reference vectors, folders of real data, and the norm in which numbers are compared.
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <graft/io/safetensors.hpp>
#include <optional>
#include <string>
#include <vector>

#include "catch.hpp"

namespace reference {

/// The folder that an environment variable names, or nothing, with a word.
inline std::optional<std::filesystem::path> folder(const char* variable) {
  const char* value = std::getenv(variable);
  if (value == nullptr || *value == 0) {
    WARN(variable << " is not set: this test is skipped");
    return std::nullopt;
  }
  return std::filesystem::path(value);
}

inline std::optional<graft::io::TensorFile> file(const char* name) {
  const auto where = folder("GRAFT_REFERENCE_DIR");
  if (!where) return std::nullopt;
  return graft::io::TensorFile(*where / name);
}

/// max |a - b| / max |b|, the relative error in the largest-number norm; the sizes must agree.
template <class A, class B>
double error(const A& a, const B& b) {
  REQUIRE(a.size() == b.size());
  double difference = 0.0, size = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    if (d > difference || std::isnan(d)) difference = d;  // a NaN stays
    size = std::max(size, std::abs(static_cast<double>(b[i])));
  }
  return size > 0.0 ? difference / size : difference;
}

/// What a reference vector must be met to: 1e-9 in double, 1e-4 in float, in the norm of error().
template <class T>
inline constexpr double tolerance = sizeof(T) == 8 ? 1e-9 : 1e-4;

}  // namespace reference

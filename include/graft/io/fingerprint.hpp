#pragma once
/// \file fingerprint.hpp  What saved weights say of the net they are for: its architecture as text, a hash of that and of its
/// arrays' names and shapes, and the output that a fixed input gave when they were saved.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/core/parameters.hpp"
#include "graft/core/random.hpp"
#include "graft/io/array.hpp"
#include "graft/io/flattened.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

GRAFT_BEGIN
namespace io {

namespace detail {

inline std::string shape_word(Shape shape) {
  if (shape.is_vector()) return std::to_string(shape.c);
  return std::to_string(shape.h) + "x" + std::to_string(shape.w) + "x" + std::to_string(shape.c);
}

GRAFT_COLD inline void describe(const ChainRules& chain, Shape in, std::string& text) {
  for (int i = 0; i < chain.count; ++i) {
    const LayerRules& layer = chain.layer[i];
    text.append(1, ' ').append(layer.name);
    for (int b = 0; b < layer.branches; ++b) {
      text += " [";
      describe(layer.branch[b], in, text);
      text += " ]";
    }
    in = layer.fit(in).out;
    text.append(1, ' ').append(shape_word(in));
  }
}

}  // namespace detail

/// A net's kinds of layers with the shapes between them: "28x28x1 Conv2D 24x24x20 ReLU 24x24x20 ...".
template <class N>
std::string architecture() {
  std::string text = detail::shape_word(N::input);
  detail::describe(N::Layers::chain_rules(), N::input, text);
  return text;
}

/// FNV-1a, 64 bits, of the architecture and of the names and shapes of all arrays, as 16 hexadecimal digits.
template <class M>
GRAFT_COLD std::string fingerprint(const M& model) {
  std::string text = architecture<typename M::Network>();
  for (const auto* segments : {&model.segments(), &model.statistic_segments()}) {
    for (const Segment& s : *segments) {
      text += '\n';
      text += s.name;
      for (int i = 0; i < s.rank; ++i) text.append(1, ' ').append(std::to_string(s.dims[static_cast<std::size_t>(i)]));
    }
  }
  std::uint64_t hash = 0xCBF29CE484222325ull;
  for (const char letter : text) hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001B3ull;
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(hash));
  return digits;
}

/// What a net gives for one fixed input: the output's Euclidean norm and up to 16 of its numbers, evenly spaced.
struct Verification {
  double norm = 0.0;
  std::vector<double> numbers;

  /// The input is uniform in [-1, 1), from Philox, so it is the same everywhere.
  template <class M>
  GRAFT_COLD static Verification of(M& model) {
    using T = typename M::Scalar;
    Random random(0x6772616674, 0x766572696679);
    std::vector<T> x(M::input.size());
    for (T& value : x) value = static_cast<T>(random.uniform(-1.0, 1.0));
    std::vector<T> y(M::output.size());
    model.predict(x.data(), 1, y.data());
    Verification result;
    const std::size_t count = y.size() < 16 ? y.size() : 16;
    for (std::size_t i = 0; i < count; ++i) result.numbers.push_back(static_cast<double>(y[i * y.size() / count]));
    for (const T value : y) result.norm += static_cast<double>(value) * static_cast<double>(value);
    result.norm = std::sqrt(result.norm);
    return result;
  }

  /// How far two are apart, relative to the norm.
  [[nodiscard]] double distance(const Verification& other) const {
    if (numbers.size() != other.numbers.size()) return HUGE_VAL;
    double most = std::abs(norm - other.norm);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      const double difference = std::abs(numbers[i] - other.numbers[i]);
      if (!(difference <= most)) most = difference;  // a NaN stays
    }
    return most == 0.0 ? 0.0 : most / std::max(norm, std::numeric_limits<double>::min());
  }

  [[nodiscard]] GRAFT_COLD std::string text() const {
    std::ostringstream out;
    out.precision(17);
    out << norm;
    for (const double number : numbers) out << ' ' << number;
    return out.str();
  }
  /// Reads text(); no numbers when it is none.
  GRAFT_COLD static Verification parse(const std::string& text) {
    Verification result;
    std::istringstream in(text);
    double number = 0.0;
    if (!(in >> result.norm)) return {};
    while (result.numbers.size() < 16 && in >> number) result.numbers.push_back(number);
    return result;
  }
};

/// How far the same weights may be apart on another instruction set. The result of a sum of k products in arithmetic of unit
/// roundoff u carries an error of about u sqrt(k / 2) of its typical size (k roundings of either sign, each relative to a
/// partial sum; Higham 2002, section 4.2, rule of thumb). Layers pass errors on relative to their own outputs' size, so those
/// of D layers add in quadrature: u sqrt(sum of k / 2). Two programs, and rounding of the weights at load (another u), make it
/// a few times that; the factor 64 leaves room for layers that cancel, such as BatchNorm over channels of small variance. On
/// one instruction set the distance is 0.
template <class M>
double verification_tolerance(const M& model, double unit_roundoff) {
  double products = 1.0;
  for (const Segment& s : model.segments()) {
    if (s.rank < 2) continue;
    const bool depthwise = s.rank == 3;
    products += static_cast<double>(s.count) / (depthwise ? s.dims[2] : s.dims[static_cast<std::size_t>(s.rank - 1)]);
  }
  return 64.0 * unit_roundoff * std::sqrt(products);
}

namespace detail {

/// The unit roundoff with which numbers of a stored type, or of T, were rounded.
template <class T>
double roundoff(std::string_view dtype) {
  const double own = static_cast<double>(std::numeric_limits<T>::epsilon()) / 2;
  const double stored = dtype == "BF16" ? 0x1p-9 : dtype == "F16" ? 0x1p-11 : dtype == "F32" ? 0x1p-24 : 0.0;
  return std::max(own, stored);
}

/// The first place at which two descriptions part, for a person: "layer 7: the file has 'ELU 10', the net 'ReLU 10'".
GRAFT_COLD inline std::string first_difference(const std::string& file, const std::string& net) {
  std::istringstream a(file), b(net);
  std::string left, right;
  for (int word = 0;; ++word) {
    const bool more_left = static_cast<bool>(a >> left), more_right = static_cast<bool>(b >> right);
    if (!more_left && !more_right) return "the layers are the same, their arrays' names differ";
    if (!more_left) left = "nothing";
    if (!more_right) right = "nothing";
    if (left == right) continue;
    std::ostringstream text;
    text << "after " << word << " words the file has '" << left << "', the net '" << right << "'";
    return text.str();
  }
}

}  // namespace detail
}  // namespace io
GRAFT_END

#pragma once
/// \file array.hpp  What the readers share: an array of a file as its header describes it, and its numbers converted to the
/// type that the program wants.
#include "graft/config.hpp"
#include "graft/core/error.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

GRAFT_BEGIN
namespace io {

static_assert(std::endian::native == std::endian::little,
              "graft: the readers and writers of files assume a little-endian machine.");

/// One array of a file: type as safetensors calls it ("F32", "I64", ...), shape, how many numbers, and the bytes of the file
/// (of its data part) in which they lie, where the format has such.
struct TensorInfo {
  std::string dtype;
  std::vector<std::size_t> shape;
  std::size_t count = 0;
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// `3 x 3 x 16`; `()` for a single number without extents.
inline std::string shape_text(const std::vector<std::size_t>& shape) {
  if (shape.empty()) return "()";
  std::string text;
  for (const std::size_t extent : shape) {
    if (!text.empty()) text += " x ";
    text += std::to_string(extent);
  }
  return text;
}

namespace detail {

/// Bytes of one number of a type; 0 for a type that is not known.
inline std::size_t bytes_of(std::string_view dtype) {
  if (dtype == "F64" || dtype == "I64" || dtype == "U64") return 8;
  if (dtype == "F32" || dtype == "I32" || dtype == "U32") return 4;
  if (dtype == "F16" || dtype == "BF16" || dtype == "I16" || dtype == "U16") return 2;
  if (dtype == "I8" || dtype == "U8" || dtype == "BOOL") return 1;
  return 0;
}

/// A type's name in safetensors.
template <class T>
std::string dtype_of() {
  static_assert(std::is_arithmetic_v<T>);
  if constexpr (std::is_same_v<T, bool>) return "BOOL";
  std::string name = std::is_floating_point_v<T> ? "F" : std::is_signed_v<T> ? "I" : "U";
  name += std::to_string(8 * sizeof(T));
  return name;
}

/// IEEE 754 binary16.
inline double half(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const double fraction = (bits & 1023) / 1024.0;
  const double sign = bits >> 15 != 0 ? -1.0 : 1.0;
  if (exponent == 31) return fraction == 0.0 ? sign * HUGE_VAL : static_cast<double>(NAN);
  return sign * (exponent == 0 ? std::ldexp(fraction, -14) : std::ldexp(1.0 + fraction, exponent - 15));
}
/// The binary16 nearest to a float, ties to even: the part below the kept bits is rounded as an integer.
inline std::uint16_t to_half(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = bits >> 16 & 0x8000u;
  const std::uint32_t size = bits & 0x7FFFFFFFu;
  if (size > 0x7F800000u) return static_cast<std::uint16_t>(sign | 0x7E00u);
  if (size >= 0x477FF000u) return static_cast<std::uint16_t>(sign | 0x7C00u);  // 65520 and above
  if (size < 0x38800000u) {                                                    // below 2^-14: units of 2^-24
    const float units = std::nearbyint(std::ldexp(std::bit_cast<float>(size), 24));
    return static_cast<std::uint16_t>(sign | static_cast<std::uint32_t>(units));
  }
  return static_cast<std::uint16_t>(sign | (size - 0x38000000u + 0xFFFu + (size >> 13 & 1u)) >> 13);
}
/// The bfloat16 nearest to a float, ties to even.
inline std::uint16_t to_brain(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return static_cast<std::uint16_t>(bits >> 16 | 0x40u);
  return static_cast<std::uint16_t>((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
}
inline float brain(std::uint16_t bits) { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

/// A stored number as T. A number that an integer T cannot hold (a NaN, too large) is an Error, not undefined behaviour.
template <class T, class Stored>
T convert(Stored value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value != Stored{};
  } else if constexpr (std::is_integral_v<T> && std::is_floating_point_v<Stored>) {
    // 2^digits is exact in Stored, max() may not be.
    const double limit = std::ldexp(1.0, std::numeric_limits<T>::digits);
    const double low = std::is_signed_v<T> ? -limit : 0.0;
    const double whole = std::trunc(static_cast<double>(value));
    if (!(whole >= low && whole < limit))
      fail("the stored number ", value, " is no ", dtype_of<T>(), "; read the array as double.");
    return static_cast<T>(value);
  } else if constexpr (std::is_floating_point_v<T> && std::is_same_v<Stored, double>) {
    // Beyond float's range static_cast is undefined; infinity is what every machine gives.
    if (std::abs(value) > static_cast<double>(std::numeric_limits<T>::max()) && !std::isinf(value) && sizeof(T) < 8)
      return std::copysign(std::numeric_limits<T>::infinity(), static_cast<T>(value < 0 ? -1 : 1));
    return static_cast<T>(value);
  } else {
    return static_cast<T>(value);
  }
}

/// `count` numbers of type `dtype` at `from` (little-endian, any alignment) as T.
template <class T>
void convert_all(std::string_view dtype, const char* from, std::size_t count, T* to) {
  if (count == 0) return;
  if (dtype == dtype_of<T>() && !std::is_same_v<T, bool>) {
    std::memcpy(static_cast<void*>(to), from, count * sizeof(T));
    return;
  }
  const auto each = [&]<class Stored>(Stored, auto&& widen) {
    for (std::size_t i = 0; i < count; ++i) {
      Stored value;
      std::memcpy(&value, from + i * sizeof(Stored), sizeof(Stored));
      to[i] = convert<T>(widen(value));
    }
  };
  const auto same = [](auto value) { return value; };
  if (dtype == "F64") return each(double{}, same);
  if (dtype == "F32") return each(float{}, same);
  if (dtype == "F16") return each(std::uint16_t{}, half);
  if (dtype == "BF16") return each(std::uint16_t{}, brain);
  if (dtype == "I64") return each(std::int64_t{}, same);
  if (dtype == "U64") return each(std::uint64_t{}, same);
  if (dtype == "I32") return each(std::int32_t{}, same);
  if (dtype == "U32") return each(std::uint32_t{}, same);
  if (dtype == "I16") return each(std::int16_t{}, same);
  if (dtype == "U16") return each(std::uint16_t{}, same);
  if (dtype == "I8") return each(std::int8_t{}, same);
  if (dtype == "U8") return each(std::uint8_t{}, same);
  if (dtype == "BOOL") return each(std::uint8_t{}, [](std::uint8_t value) { return value != 0; });
  fail("an array has the type '", dtype, "', which graft does not read; store it as F32.");
}

}  // namespace detail
}  // namespace io
GRAFT_END

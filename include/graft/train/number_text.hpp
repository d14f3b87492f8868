#pragma once
/// \file number_text.hpp  Numbers as text and back, the same in every locale.
#include "graft/config.hpp"

#include <charconv>
#include <cmath>
#include <string>
#include <string_view>

GRAFT_BEGIN

/// The shortest text that reads back as the same double; "nan", "inf", "-inf" for those.
inline std::string number_text(double value) {
  if (std::isnan(value)) return "nan";
  char text[64];
  const std::to_chars_result end = std::to_chars(text, text + sizeof text, value);
  return {text, end.ptr};
}

/// `value` with `decimals` digits after the point.
inline std::string fixed_text(double value, int decimals) {
  char text[400];
  const std::to_chars_result end = std::to_chars(text, text + sizeof text, value, std::chars_format::fixed, decimals);
  return end.ec == std::errc{} ? std::string(text, end.ptr) : number_text(value);
}

/// `value` with `digits` significant digits.
inline std::string short_text(double value, int digits) {
  char text[64];
  const std::to_chars_result end = std::to_chars(text, text + sizeof text, value, std::chars_format::general, digits);
  return end.ec == std::errc{} ? std::string(text, end.ptr) : number_text(value);
}

/// Reads the whole of `text` as a number; false where it is none.
inline bool read_number(std::string_view text, double& value) {
  const std::from_chars_result end = std::from_chars(text.data(), text.data() + text.size(), value);
  return !text.empty() && end.ec == std::errc{} && end.ptr == text.data() + text.size();
}

GRAFT_END

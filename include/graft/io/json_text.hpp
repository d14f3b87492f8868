#pragma once
/// \file json_text.hpp  As much JSON (RFC 8259) as the head of a safetensors file needs: objects, lists, texts and sizes, read
/// once from front to back. docs/decisions/0010 says why this is not a library's.
#include "graft/config.hpp"
#include "graft/core/error.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <utility>

GRAFT_BEGIN
namespace io::detail {

/// Bytes of the UTF-8 sequence at the front of `text`, 0 where there is none (also for overlong ones and surrogates).
GRAFT_COLD inline std::size_t utf8_length(std::string_view text) {
  const auto at = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const unsigned first = at(0);
  if (text.empty()) return 0;
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xC2 && first <= 0xDF   ? 2
                             : first >> 4 == 0xE              ? 3
                             : first >= 0xF0 && first <= 0xF4 ? 4
                                                              : 0;
  for (std::size_t i = 1; i < length; ++i) {
    if (at(i) >> 6 != 2) return 0;
  }
  const bool overlong = (first == 0xE0 && at(1) < 0xA0) || (first == 0xF0 && at(1) < 0x90);
  const bool outside = (first == 0xED && at(1) >= 0xA0) || (first == 0xF4 && at(1) >= 0x90);
  return overlong || outside ? 0 : length;
}

inline void append_utf8(std::string& to, std::uint32_t point) {
  const auto add = [&](std::uint32_t byte) { to += static_cast<char>(static_cast<unsigned char>(byte)); };
  if (point < 0x80) return add(point);
  if (point < 0x800) return add(0xC0 | point >> 6), add(0x80 | (point & 63));
  if (point < 0x10000) return add(0xE0 | point >> 12), add(0x80 | (point >> 6 & 63)), add(0x80 | (point & 63));
  add(0xF0 | point >> 18), add(0x80 | (point >> 12 & 63)), add(0x80 | (point >> 6 & 63)), add(0x80 | (point & 63));
}

/// Reads a text from front to back. All functions pass white space first and throw Error, a sentence that begins with
/// `complaint`, where something else stands than they ask for.
class JsonText {
 public:
  JsonText(std::string_view text, std::string complaint) : text_(text), complaint_(std::move(complaint)) {}

  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    fail(complaint_, parts..., "; write or copy it again.");
  }

  /// The next sign, 0 at the end.
  [[nodiscard]] char next() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool take(char sign) {
    if (next() != sign || at_ == text_.size()) return false;
    ++at_;
    return true;
  }
  GRAFT_COLD void expect(char sign, const char* what) {
    if (!take(sign)) refuse("its header has no ", what, " at byte ", at_);
  }
  void end() {
    if (next() != '\0' || at_ != text_.size()) refuse("its header goes on after the JSON text, at byte ", at_);
  }

  /// value(key) must read the value of each entry; keys that come twice are refused.
  template <class F>
  GRAFT_COLD void object(const char* what, const F& value) {
    expect('{', what);
    std::set<std::string> keys;
    if (take('}')) return;
    do {
      std::string key = text();
      expect(':', "colon");
      value(std::as_const(key));
      if (!keys.insert(key).second) refuse("its header names '", key, "' twice");
    } while (take(','));
    expect('}', "end of an object");
  }
  /// value() must read each entry.
  template <class F>
  GRAFT_COLD void list(const char* what, const F& value) {
    expect('[', what);
    if (take(']')) return;
    do value();
    while (take(','));
    expect(']', "end of a list");
  }

  GRAFT_COLD std::string text() {
    expect('"', "text");
    std::string result;
    for (;;) {
      const std::size_t length = utf8_length(text_.substr(at_));
      if (length == 0) refuse("a text of its header does not end, or is no UTF-8, at byte ", at_);
      const char sign = text_[at_];
      if (sign == '"') return ++at_, result;
      if (static_cast<unsigned char>(sign) < 0x20) refuse("a text of its header holds a control sign at byte ", at_);
      if (sign == '\\') {
        ++at_;
        escaped(result);
      } else {
        result.append(text_, at_, length);
        at_ += length;
      }
    }
  }

  /// A whole number without a sign, a point or an exponent.
  GRAFT_COLD std::size_t size(const char* what) {
    const char first = next();
    std::size_t value = 0, digits = 0;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_, ++digits) {
      const std::size_t digit = static_cast<std::size_t>(text_[at_] - '0');
      if (value > (std::numeric_limits<std::size_t>::max() - digit) / 10)
        refuse(what, " is larger than any file, at byte ", at_);
      value = value * 10 + digit;
    }
    const char behind = at_ < text_.size() ? text_[at_] : '\0';
    if (digits == 0 || (first == '0' && digits > 1) || behind == '.' || behind == 'e' || behind == 'E')
      refuse(what, " is not a size, at byte ", at_);
    return value;
  }

  /// Reads whatever value stands here, nested up to `depth` times.
  GRAFT_COLD void skip(int depth) {
    if (depth < 0) refuse("its header is nested more deeply than the format allows");
    const char first = next();
    if (first == '{') return object("object", [&](const std::string&) { skip(depth - 1); });
    if (first == '[') return list("list", [&] { skip(depth - 1); });
    if (first == '"') return static_cast<void>(text());
    const std::size_t begin = at_;
    while (at_ < text_.size() && word_signs.find(text_[at_]) != std::string_view::npos) ++at_;
    if (at_ == begin) refuse("its header has no value at byte ", at_);
  }

 private:
  static constexpr std::string_view word_signs = "0123456789+-.eEtrufalsn";  // of numbers, true, false and null

  GRAFT_COLD void escaped(std::string& result) {
    const char sign = at_ < text_.size() ? text_[at_++] : '\0';
    constexpr std::string_view letters = "\"\\/bfnrt", meant = "\"\\/\b\f\n\r\t";
    const std::size_t found = letters.find(sign);
    if (sign != 'u' && (found == std::string_view::npos || sign == '\0')) refuse("a text of its header has an unknown escape");
    if (sign != 'u') {
      result += meant[found];
      return;
    }
    std::uint32_t point = four_digits();
    if (point >> 10 == 0x36 && text_.substr(at_, 2) == "\\u") {
      at_ += 2;
      const std::uint32_t low = four_digits();
      if (low >> 10 != 0x37) refuse("a text of its header has half a surrogate pair");
      point = 0x10000 + ((point & 1023) << 10) + (low & 1023);
    }
    if (point >> 11 == 0x1B) refuse("a text of its header has half a surrogate pair");
    append_utf8(result, point);
  }
  GRAFT_COLD std::uint32_t four_digits() {
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i) {
      const char sign = at_ < text_.size() ? text_[at_++] : '\0';
      const std::size_t digit = std::string_view("0123456789abcdefABCDEF").find(sign);
      if (digit == std::string_view::npos) refuse("a text of its header has an escape that is no number");
      value = value * 16 + static_cast<std::uint32_t>(digit < 16 ? digit : digit - 6);
    }
    return value;
  }

  std::string_view text_;
  std::string complaint_;
  std::size_t at_ = 0;
};

/// `text` as JSON writes it, with its quotes. Throws Error where it is no UTF-8.
GRAFT_COLD inline std::string json_quoted(std::string_view text) {
  std::string result = "\"";
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = utf8_length(text.substr(i));
    if (length == 0) fail("write_safetensors: a name or metadata text is not UTF-8; safetensors files hold nothing else.");
    if (text[i] == '"' || text[i] == '\\') result += '\\';
    if (static_cast<unsigned char>(text[i]) < 0x20) {
      char code[8];
      std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned>(text[i]));
      result += code;
    } else {
      result.append(text, i, length);
    }
    i += length;
  }
  return result + '"';
}

}  // namespace io::detail
GRAFT_END

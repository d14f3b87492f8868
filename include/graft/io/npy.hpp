#pragma once
/// \file npy.hpp  NumPy's .npy files (opt-in include, needs no library): versions 1 to 3, C and Fortran order, either byte
/// order, floats of 2, 4 and 8 bytes, integers of 1 to 8, bool. A header is checked against the bytes that are there before
/// memory is taken. The format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/io/array.hpp"
#include "graft/io/mapped_file.hpp"
#include "graft/train/atomic_file.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

GRAFT_BEGIN
namespace io {

namespace detail {

/// What an .npy header says. `bytes` is where the numbers begin.
struct NpyHeader {
  TensorInfo info;
  std::string descr;
  bool fortran = false;
  bool swapped = false;
  std::size_t bytes = 0;
};

/// Reads the Python literal of a header: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.
class NpyLiteral {
 public:
  NpyLiteral(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  void parse(NpyHeader& header) {
    bool descr = false, order = false, shape = false;
    expect('{');
    while (!take('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr" && !descr) {
        descr = true;
        space();
        if (at_ < text_.size() && (text_[at_] == '[' || text_[at_] == '(')) bad("its records have several fields");
        header.descr = quoted();
      } else if (key == "fortran_order" && !order) {
        order = true;
        space();
        header.fortran = text_.substr(at_, 4) == "True";
        if (!header.fortran && text_.substr(at_, 5) != "False") bad("fortran_order is neither True nor False");
        at_ += header.fortran ? 4 : 5;
      } else if (key == "shape" && !shape) {
        shape = true;
        expect('(');
        while (!take(')')) {
          header.info.shape.push_back(number());
          if (header.info.shape.size() > 64) bad("it has more than 64 extents");
          if (!take(',')) {
            expect(')');
            break;
          }
        }
      } else {
        bad("its header has the entry '", key, "' twice or out of place");
      }
      if (!take(',')) {
        expect('}');
        break;
      }
    }
    space();
    if (!descr || !order || !shape || at_ != text_.size())
      bad("its header lacks descr, fortran_order or shape, or goes on after them");
  }

 private:
  template <class... Parts>
  [[noreturn]] void bad(const Parts&... parts) const {
    fail("'", name_, "' is no .npy file that graft reads: ", parts..., "; write it again with numpy.save.");
  }
  void space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
  }
  bool take(char letter) {
    space();
    if (at_ >= text_.size() || text_[at_] != letter) return false;
    ++at_;
    return true;
  }
  void expect(char letter) {
    if (!take(letter)) bad("its header is no Python dictionary ('", letter, "' is missing)");
  }
  std::string quoted() {
    space();
    const char quote = at_ < text_.size() ? text_[at_] : ' ';
    if (quote != '\'' && quote != '"') bad("a text of its header has no quotes");
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) bad("a text of its header does not end");
    std::string result(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return result;
  }
  std::size_t number() {
    space();
    std::size_t value = 0, digits = 0;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_, ++digits) {
      const std::size_t digit = static_cast<std::size_t>(text_[at_] - '0');
      if (value > (SIZE_MAX - digit) / 10) bad("an extent is larger than any memory");
      value = value * 10 + digit;
    }
    if (digits == 0) bad("an extent is no number");
    if (at_ < text_.size() && text_[at_] == 'L') ++at_;  // Python 2
    return value;
  }
  std::string_view text_;
  const std::string& name_;
  std::size_t at_ = 0;
};

/// Type of a descr such as "<f4"; empty when graft does not read it.
inline std::string npy_dtype(const std::string& descr) {
  if (descr.size() != 3 || std::string_view("<>|=").find(descr[0]) == std::string_view::npos) return "";
  if (descr[1] == 'b') return descr[2] == '1' ? "BOOL" : "";
  const char* letter = descr[1] == 'f' ? "F" : descr[1] == 'i' ? "I" : descr[1] == 'u' ? "U" : "X";
  std::string dtype(letter);
  dtype += std::to_string(8 * (descr[2] - '0'));
  const std::size_t bytes = bytes_of(dtype);
  return bytes == 0 || (descr[0] == '|' && bytes > 1) ? "" : dtype;
}

/// Reads the header at the start of an .npy whose whole length is `size`, of which `bytes` holds at least the first 64 KiB (or
/// all). An empty info.dtype: a type that graft does not read. Throws Error when the header lies.
inline NpyHeader parse_npy(std::string_view bytes, std::size_t size, const std::string& name) {
  const auto bad = [&](const auto&... parts) {
    fail("'", name, "' is not a whole .npy file: ", parts..., "; write or copy it again.");
  };
  if (bytes.substr(0, 6) != "\x93NUMPY" || bytes.size() < 12) bad("it does not begin as one");
  const int version = static_cast<unsigned char>(bytes[6]);
  if (version < 1 || version > 3) bad("it has version ", version, ", but graft knows 1 to 3");
  const std::size_t head = version == 1 ? 10 : 12;
  std::size_t length = 0;
  for (std::size_t i = head; i-- > 8;) length = length << 8 | static_cast<unsigned char>(bytes[i]);
  if (length > bytes.size() - head) bad("its header claims ", length, " bytes");
  NpyHeader header;
  header.bytes = head + length;
  NpyLiteral(bytes.substr(head, length), name).parse(header);
  TensorInfo& info = header.info;
  info.dtype = npy_dtype(header.descr);
  if (info.dtype.empty()) return header;
  header.swapped = header.descr[0] == '>' && bytes_of(info.dtype) > 1;
  const std::size_t room = size - header.bytes;
  info.count = 1;
  for (const std::size_t n : info.shape) {
    if (n != 0 && info.count > room / n) bad("its shape has more numbers than its ", size, " bytes");
    info.count *= n;
  }
  if (info.count > room || info.count * bytes_of(info.dtype) != room)
    bad(info.count, " numbers of ", bytes_of(info.dtype), " bytes do not fill its ", room, " bytes of data");
  info.begin = header.bytes;
  info.end = size;
  return header;
}

/// The numbers of an .npy in C order.
template <class T>
std::vector<T> npy_numbers(const NpyHeader& header, const char* data) {
  const TensorInfo& info = header.info;
  std::vector<T> stored(info.count);
  if (header.swapped) {
    const std::size_t bytes = bytes_of(info.dtype);
    std::vector<char> turned(data, data + info.count * bytes);
    for (std::size_t i = 0; i < info.count; ++i) {
      const auto begin = turned.begin() + static_cast<std::ptrdiff_t>(i * bytes);
      std::reverse(begin, begin + static_cast<std::ptrdiff_t>(bytes));
    }
    convert_all(info.dtype, turned.data(), info.count, stored.data());
  } else {
    convert_all(info.dtype, data, info.count, stored.data());
  }
  if (!header.fortran || info.shape.size() < 2 || info.count == 0) return stored;
  std::vector<T> result(info.count);
  std::vector<std::size_t> index(info.shape.size(), 0);  // of the number at `i` in Fortran order: the first index runs fastest
  for (std::size_t i = 0; i < info.count; ++i) {
    std::size_t to = 0;
    for (std::size_t k = 0; k < index.size(); ++k) to = to * info.shape[k] + index[k];
    result[to] = stored[i];
    for (std::size_t k = 0; k < index.size() && ++index[k] == info.shape[k]; ++k) index[k] = 0;
  }
  return result;
}

/// The header that stands before an array's bytes, padded so that they begin at a multiple of 64.
inline std::string npy_header(const std::string& dtype, const std::vector<std::size_t>& shape) {
  const std::size_t bytes = bytes_of(dtype);
  if (bytes == 0 || dtype == "BF16") fail("an .npy file cannot hold numbers of type '", dtype, "'; store them as F32.");
  const char letter = dtype == "BOOL" ? 'b' : dtype[0] == 'F' ? 'f' : dtype[0] == 'I' ? 'i' : 'u';
  std::string text = "{'descr': '";
  text.append(1, bytes == 1 ? '|' : '<').append(1, letter).append(std::to_string(bytes));
  text += "', 'fortran_order': False, 'shape': (";
  for (const std::size_t extent : shape) text.append(std::to_string(extent)).append(", ");
  text += "), }";
  const bool wide = text.size() > 65000;
  const std::size_t head = wide ? 12 : 10;
  text.append(63 - (head + text.size()) % 64, ' ').append(1, '\n');
  std::string result("\x93NUMPY");
  result.append(1, wide ? '\x02' : '\x01').append(1, '\0');
  for (std::size_t i = 0; i < head - 8; ++i) result += static_cast<char>(text.size() >> 8 * i & 255);
  return result + text;
}

}  // namespace detail

/// An .npy file, mapped.
class NpyFile {
 public:
  /// Throws Error, in a sentence, for anything that is not as the format says, and for types that graft does not read.
  explicit NpyFile(const std::filesystem::path& path) : path_(path.string()), file_(path, ".npy file") {
    header_ = detail::parse_npy(file_.bytes(), file_.size(), path_);
    if (header_.info.dtype.empty())
      fail("'", path_, "' holds numbers of NumPy's type '", header_.descr,
           "', which graft does not read; convert them with astype.");
  }
  [[nodiscard]] const TensorInfo& info() const { return header_.info; }
  /// The numbers in C order, converted to T.
  template <class T>
  [[nodiscard]] std::vector<T> get() const {
    return detail::npy_numbers<T>(header_, file_.data() + header_.bytes);
  }

 private:
  std::string path_;
  MappedFile file_;
  detail::NpyHeader header_;
};

inline NpyFile read_npy(const std::filesystem::path& path) { return NpyFile(path); }

/// Writes an array in C order, whole or not at all. Throws Error when the file cannot be written.
template <class T>
void write_npy(const std::filesystem::path& path, const std::vector<std::size_t>& shape, const T* data) {
  std::string file = detail::npy_header(detail::dtype_of<T>(), shape);
  std::size_t count = 1;
  for (const std::size_t extent : shape) count *= extent;
  file.append(reinterpret_cast<const char*>(data), count * sizeof(T));
  atomic_write(path, file);
}

}  // namespace io
GRAFT_END

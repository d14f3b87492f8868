#pragma once
/// \file safetensors.hpp  Reads and writes safetensors files (opt-in include; needs nlohmann_json, CMake component
/// graft::json). A file is hostile until shown otherwise: every size in its header is checked against the file's real size
/// before memory is taken.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/train/atomic_file.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

GRAFT_BEGIN
namespace io {

/// One tensor of a file: type ("F32", "I64", ...), shape, and where its bytes lie.
struct TensorInfo {
  std::string dtype;
  std::vector<std::size_t> shape;
  std::size_t count = 0;
  std::size_t begin = 0;
  std::size_t end = 0;
};

namespace detail {
inline std::size_t bytes_of(std::string_view dtype) {
  if (dtype == "F64" || dtype == "I64" || dtype == "U64") return 8;
  if (dtype == "F32" || dtype == "I32" || dtype == "U32") return 4;
  if (dtype == "F16" || dtype == "BF16" || dtype == "I16" || dtype == "U16") return 2;
  if (dtype == "I8" || dtype == "U8" || dtype == "BOOL") return 1;
  return 0;
}
inline double half(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const double fraction = (bits & 1023) / 1024.0;
  const double sign = bits >> 15 != 0 ? -1.0 : 1.0;
  if (exponent == 31) return fraction == 0.0 ? sign * HUGE_VAL : static_cast<double>(NAN);
  return sign * (exponent == 0 ? std::ldexp(fraction, -14) : std::ldexp(1.0 + fraction, exponent - 15));
}
}  // namespace detail

/// A safetensors file in memory.
class TensorFile {
 public:
  /// Reads and checks a file. Throws Error, in a sentence, for anything that is not as the format says.
  explicit TensorFile(const std::filesystem::path& path) : path_(path.string()) {
    std::ifstream in(path, std::ios::binary | std::ios::ate);
    std::error_code unknown;
    if (!in || !std::filesystem::is_regular_file(path, unknown))
      fail("cannot open '", path_, "': give the path of a safetensors file that can be read.");
    const std::uint64_t size = static_cast<std::uint64_t>(in.tellg());
    if (size < 8) bad("it is shorter than its 8-byte head");
    in.seekg(0);
    unsigned char head[8] = {};
    in.read(reinterpret_cast<char*>(head), 8);
    std::uint64_t length = 0;
    for (int i = 7; i >= 0; --i) length = length << 8 | head[i];
    if (length > size - 8 || length > (std::uint64_t{100} << 20))
      bad("its head claims ", length, " bytes of header, but the file has ", size);
    bytes_.resize(static_cast<std::size_t>(size - 8));
    in.read(bytes_.data(), static_cast<std::streamsize>(bytes_.size()));
    if (!in) bad("it could not be read to its end");
    data_ = static_cast<std::size_t>(length);
    std::set<std::string> names;
    const auto watch = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& value) {
      if (depth > 4) bad("its header is nested more deeply than the format allows");
      if (depth == 1 && event == nlohmann::json::parse_event_t::key && !names.insert(value.get<std::string>()).second) {
        bad("its header names '", value.get<std::string>(), "' twice");
      }
      return true;
    };
    parse(nlohmann::json::parse(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(data_), watch, false));
  }

  [[nodiscard]] const std::map<std::string, TensorInfo>& tensors() const { return tensors_; }
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const { return metadata_; }
  [[nodiscard]] bool contains(const std::string& name) const { return tensors_.count(name) != 0; }
  [[nodiscard]] const TensorInfo& info(const std::string& name) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) fail("'", path_, "' has no tensor named '", name, "'; it has ", tensors_.size(), " others.");
    return found->second;
  }

  /// The tensor's numbers, converted to T.
  template <class T>
  [[nodiscard]] std::vector<T> get(const std::string& name) const {
    const TensorInfo& t = info(name);
    std::vector<T> out(t.count);
    const char* from = bytes_.data() + data_ + t.begin;
    const auto copy = [&]<class Stored>(Stored) {
      for (std::size_t i = 0; i < t.count; ++i) {
        Stored value;
        std::memcpy(&value, from + i * sizeof(Stored), sizeof(Stored));
        out[i] = static_cast<T>(value);
      }
    };
    if (t.dtype == "F64")
      copy(double{});
    else if (t.dtype == "F32")
      copy(float{});
    else if (t.dtype == "I64")
      copy(std::int64_t{});
    else if (t.dtype == "U64")
      copy(std::uint64_t{});
    else if (t.dtype == "I32")
      copy(std::int32_t{});
    else if (t.dtype == "U32")
      copy(std::uint32_t{});
    else if (t.dtype == "I16")
      copy(std::int16_t{});
    else if (t.dtype == "U16")
      copy(std::uint16_t{});
    else if (t.dtype == "I8")
      copy(std::int8_t{});
    else if (t.dtype == "U8" || t.dtype == "BOOL")
      copy(std::uint8_t{});
    else {
      for (std::size_t i = 0; i < t.count; ++i) {
        std::uint16_t bits;
        std::memcpy(&bits, from + 2 * i, 2);
        if (t.dtype == "F16") {
          out[i] = static_cast<T>(detail::half(bits));
        } else {
          const std::uint32_t wide = static_cast<std::uint32_t>(bits) << 16;
          float value;
          std::memcpy(&value, &wide, 4);
          out[i] = static_cast<T>(value);
        }
      }
    }
    return out;
  }

 private:
  template <class... Parts>
  [[noreturn]] void bad(const Parts&... parts) const {
    fail("'", path_, "' is not a whole safetensors file: ", parts..., "; write or copy it again.");
  }

  void parse(const nlohmann::json& header) {
    if (!header.is_object()) bad("its header is not a JSON object");
    std::vector<std::pair<std::size_t, std::size_t>> spans;
    const std::size_t room = bytes_.size() - data_;
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__") {
        if (!entry.is_object()) bad("its metadata is not an object");
        for (const auto& [key, value] : entry.items()) {
          if (!value.is_string()) bad("the metadata '", key, "' is not a text");
          metadata_[key] = value.get<std::string>();
        }
        continue;
      }
      const bool whole = entry.is_object() && entry.contains("dtype") && entry["dtype"].is_string() &&
                         entry.contains("shape") && entry["shape"].is_array() && entry.contains("data_offsets") &&
                         entry["data_offsets"].is_array() && entry["data_offsets"].size() == 2 &&
                         entry["data_offsets"][0].is_number_unsigned() && entry["data_offsets"][1].is_number_unsigned();
      if (!whole) bad("the entry '", name, "' lacks dtype, shape or data_offsets");
      TensorInfo t;
      t.dtype = entry["dtype"].get<std::string>();
      const std::size_t bytes = detail::bytes_of(t.dtype);
      if (bytes == 0) bad("tensor '", name, "' has the unknown type '", t.dtype, "'");
      t.begin = entry["data_offsets"][0].get<std::size_t>();
      t.end = entry["data_offsets"][1].get<std::size_t>();
      if (t.begin > t.end || t.end > room) bad("tensor '", name, "' lies at bytes ", t.begin, " to ", t.end, " of ", room);
      t.count = 1;
      for (const auto& extent : entry["shape"]) {
        if (!extent.is_number_unsigned()) bad("the shape of '", name, "' holds something that is not a size");
        const std::size_t n = extent.get<std::size_t>();
        t.shape.push_back(n);
        if (n != 0 && t.count > room / n) bad("the shape of '", name, "' has more numbers than the file");
        t.count *= n;
      }
      if (t.count * bytes != t.end - t.begin)
        bad("tensor '", name, "' has ", t.count, " numbers of ", bytes, " bytes in ", t.end - t.begin, " bytes");
      if (t.count != 0) spans.emplace_back(t.begin, t.end);
      tensors_[name] = std::move(t);
    }
    std::sort(spans.begin(), spans.end());
    std::size_t reached = 0;
    for (const auto& [begin, end] : spans) {
      if (begin != reached) bad("its tensors overlap or leave a gap at byte ", reached);
      reached = end;
    }
    if (reached != room) bad(room - reached, " bytes follow the last tensor");
  }

  std::string path_;
  std::vector<char> bytes_;
  std::size_t data_ = 0;
  std::map<std::string, TensorInfo> tensors_;
  std::map<std::string, std::string> metadata_;
};

inline TensorFile read_safetensors(const std::filesystem::path& path) { return TensorFile(path); }

/// One tensor to be written; what `bytes` views must live until write_safetensors returns.
struct TensorData {
  std::string name;
  std::string dtype;
  std::vector<std::size_t> shape;
  std::string_view bytes;
};

/// A tensor of `shape` from an array of floats, doubles, 32- or 64-bit or unsigned 8-bit integers.
template <class T>
TensorData tensor(std::string name, std::vector<std::size_t> shape, const T* data) {
  static_assert(std::is_floating_point_v<T> || sizeof(T) >= 4 || std::is_same_v<T, std::uint8_t>);
  const std::string letter = std::is_floating_point_v<T> ? "F" : std::is_signed_v<T> ? "I" : "U";
  std::size_t count = 1;
  for (const std::size_t extent : shape) count *= extent;
  return {std::move(name), letter + std::to_string(8 * sizeof(T)), std::move(shape),
          std::string_view(reinterpret_cast<const char*>(data), count * sizeof(T))};
}

/// Writes tensors, wide types first so that each is aligned, whole or not at all. Throws Error for a name that comes twice or
/// is no UTF-8, and when the file cannot be written.
inline void write_safetensors(const std::filesystem::path& path, std::vector<TensorData> tensors,
                              const std::map<std::string, std::string>& metadata = {}) {
  std::stable_sort(tensors.begin(), tensors.end(), [](const TensorData& a, const TensorData& b) {
    return detail::bytes_of(a.dtype) > detail::bytes_of(b.dtype);
  });
  nlohmann::json header = nlohmann::json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::size_t end = 0;
  for (const TensorData& t : tensors) {
    if (header.contains(t.name)) fail("write_safetensors: two tensors are named '", t.name, "'; give each a name of its own.");
    const std::size_t begin = std::exchange(end, end + t.bytes.size());
    header[t.name] = {{"dtype", t.dtype}, {"shape", t.shape}, {"data_offsets", {begin, end}}};
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::exception&) {
    fail("write_safetensors: a name or metadata text is not UTF-8; safetensors files hold nothing else.");
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::string file;
  for (std::size_t i = 0; i < 8; ++i) file += static_cast<char>(std::uint64_t{text.size()} >> 8 * i & 255);
  file += text;
  file.reserve(file.size() + end);
  for (const TensorData& t : tensors) file += t.bytes;
  atomic_write(path, file);
}

}  // namespace io
GRAFT_END

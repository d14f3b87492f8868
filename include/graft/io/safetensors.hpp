#pragma once
/// \file safetensors.hpp  Reads and writes safetensors files (opt-in include; needs nlohmann_json, CMake component
/// graft::json). The file is mapped, so arrays that are not asked for are not read. A file is hostile until shown otherwise:
/// every size in its header is checked against the file's real size before memory is taken.
/// The format: https://github.com/huggingface/safetensors, "Format".
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/io/array.hpp"
#include "graft/io/mapped_file.hpp"
#include "graft/train/atomic_file.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

GRAFT_BEGIN
namespace io {

/// A safetensors file, mapped.
class TensorFile {
 public:
  /// Opens and checks a file. Throws Error, in a sentence, for anything that is not as the format says.
  explicit TensorFile(const std::filesystem::path& path) : path_(path.string()), file_(path, "safetensors file") {
    const std::uint64_t size = file_.size();
    if (size < 8) bad("it is shorter than its 8-byte head");
    std::uint64_t length = 0;
    std::memcpy(&length, file_.data(), 8);
    if (length > size - 8 || length > (std::uint64_t{100} << 20))
      bad("its head claims ", length, " bytes of header, but the file has ", size);
    const std::string_view header = file_.bytes().substr(8, static_cast<std::size_t>(length));
    data_ = file_.bytes().substr(8 + header.size());
    std::set<std::string> names;
    std::size_t values = 0;
    const auto watch = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& value) {
      if (depth > 4) bad("its header is nested more deeply than the format allows");
      using Event = nlohmann::json::parse_event_t;
      if (event == Event::array_start) values = 0;
      if (event == Event::value && depth == 3 && ++values > most_extents) bad("its header has a list of more than 64 entries");
      if (depth == 1 && event == Event::key && !names.insert(value.get<std::string>()).second)
        bad("its header names '", value.get<std::string>(), "' twice");
      return true;
    };
    parse(nlohmann::json::parse(header.begin(), header.end(), watch, false));
  }

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const std::map<std::string, TensorInfo>& tensors() const { return tensors_; }
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const { return metadata_; }
  [[nodiscard]] bool contains(const std::string& name) const { return tensors_.count(name) != 0; }
  [[nodiscard]] const TensorInfo& info(const std::string& name) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) fail("'", path_, "' has no tensor named '", name, "'; it has ", tensors_.size(), " others.");
    return found->second;
  }

  /// The tensor's numbers, converted to T. Throws Error when T is an integer type that does not hold one of them.
  template <class T>
  [[nodiscard]] std::vector<T> get(const std::string& name) const {
    const TensorInfo& t = info(name);
    std::vector<T> out(t.count);
    detail::convert_all(t.dtype, data_.data() + t.begin, t.count, out.data());
    return out;
  }

  /// The tensor's bytes as stored, valid as long as the file object; they may lie at any alignment.
  [[nodiscard]] std::string_view bytes(const std::string& name) const {
    const TensorInfo& t = info(name);
    return data_.substr(t.begin, t.end - t.begin);
  }

 private:
  static constexpr std::size_t most_extents = 64;
  template <class... Parts>
  [[noreturn]] void bad(const Parts&... parts) const {
    fail("'", path_, "' is not a whole safetensors file: ", parts..., "; write or copy it again.");
  }

  void parse(const nlohmann::json& header) {
    if (!header.is_object()) bad("its header is not a JSON object");
    std::vector<std::pair<std::size_t, std::size_t>> spans;
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__") {
        if (!entry.is_object()) bad("its metadata is not an object");
        for (const auto& [key, value] : entry.items()) {
          if (!value.is_string()) bad("the metadata '", key, "' is not a text");
          metadata_[key] = value.get<std::string>();
        }
        continue;
      }
      TensorInfo t = read_entry(name, entry);
      if (t.count != 0) spans.emplace_back(t.begin, t.end);
      tensors_[name] = std::move(t);
    }
    std::sort(spans.begin(), spans.end());
    std::size_t reached = 0;
    for (const auto& [begin, end] : spans) {
      if (begin != reached) bad("its tensors overlap or leave a gap at byte ", reached);
      reached = end;
    }
    if (reached != data_.size()) bad(data_.size() - reached, " bytes follow the last tensor");
  }

  [[nodiscard]] TensorInfo read_entry(const std::string& name, const nlohmann::json& entry) const {
    const std::size_t room = data_.size();
    const bool whole = entry.is_object() && entry.contains("dtype") && entry["dtype"].is_string() && entry.contains("shape") &&
                       entry["shape"].is_array() && entry.contains("data_offsets") && entry["data_offsets"].is_array() &&
                       entry["data_offsets"].size() == 2 && entry["data_offsets"][0].is_number_unsigned() &&
                       entry["data_offsets"][1].is_number_unsigned();
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
    if (t.count > room || t.count * bytes != t.end - t.begin)
      bad("tensor '", name, "' has ", t.count, " numbers of ", bytes, " bytes in ", t.end - t.begin, " bytes");
    return t;
  }

  std::string path_;
  MappedFile file_;
  std::string_view data_;
  std::map<std::string, TensorInfo> tensors_;
  std::map<std::string, std::string> metadata_;
};

inline TensorFile read_safetensors(const std::filesystem::path& path) { return TensorFile(path); }

/// One tensor to be written; what `bytes` views must live until write_safetensors returns, unless `own` holds them.
struct TensorData {
  std::string name;
  std::string dtype;
  std::vector<std::size_t> shape;
  std::string_view bytes;
  std::string own{};
  [[nodiscard]] std::string_view contents() const { return own.empty() ? bytes : std::string_view(own); }
};

/// A tensor of `shape` from an array of floats, doubles or integers.
template <class T>
TensorData tensor(std::string name, std::vector<std::size_t> shape, const T* data) {
  std::size_t count = 1;
  for (const std::size_t extent : shape) count *= extent;
  return {std::move(name), detail::dtype_of<T>(), std::move(shape),
          std::string_view(reinterpret_cast<const char*>(data), count * sizeof(T))};
}

/// The same stored as "F16" or "BF16", each number rounded to the nearest, ties to even.
inline TensorData narrow_tensor(const std::string& dtype, std::string name, std::vector<std::size_t> shape, const float* data) {
  if (dtype != "F16" && dtype != "BF16") fail("narrow_tensor: '", dtype, "' is not F16 or BF16; use tensor() for other types.");
  std::size_t count = 1;
  for (const std::size_t extent : shape) count *= extent;
  TensorData result{std::move(name), dtype, std::move(shape), {}, std::string(2 * count, '\0')};
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint16_t bits = dtype == "F16" ? detail::to_half(data[i]) : detail::to_brain(data[i]);
    std::memcpy(result.own.data() + 2 * i, &bits, 2);
  }
  return result;
}

/// Writes tensors, wide types first so that each is aligned, whole or not at all. Throws Error for a name that comes twice or
/// is no UTF-8, for bytes that do not go with the shape, and when the file cannot be written.
inline void write_safetensors(const std::filesystem::path& path, std::vector<TensorData> tensors,
                              const std::map<std::string, std::string>& metadata = {}) {
  std::stable_sort(tensors.begin(), tensors.end(), [](const TensorData& a, const TensorData& b) {
    return detail::bytes_of(a.dtype) > detail::bytes_of(b.dtype);
  });
  nlohmann::json header = nlohmann::json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::size_t end = 0;
  for (const TensorData& t : tensors) {
    std::size_t bytes = detail::bytes_of(t.dtype);
    for (const std::size_t extent : t.shape) bytes *= extent;
    if (t.contents().size() != bytes || detail::bytes_of(t.dtype) == 0) {
      fail("write_safetensors: '", t.name, "' has ", t.contents().size(), " bytes, but ", shape_text(t.shape), " of ", t.dtype,
           " are ", bytes, ".");
    }
    if (header.contains(t.name)) fail("write_safetensors: two tensors are named '", t.name, "'; give each a name of its own.");
    const std::size_t begin = std::exchange(end, end + bytes);
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
  for (const TensorData& t : tensors) file += t.contents();
  atomic_write(path, file);
}

}  // namespace io
GRAFT_END

#pragma once
/// \file safetensors.hpp  Reads and writes safetensors files (opt-in include). The file is mapped, so arrays that are not asked
/// for are not read. A file is hostile until shown otherwise: every size in its header is checked against the file's real size
/// before memory is taken. The format: https://github.com/huggingface/safetensors, "Format".
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/io/array.hpp"
#include "graft/io/json_text.hpp"
#include "graft/io/mapped_file.hpp"
#include "graft/io/tensor_data.hpp"
#include "graft/train/atomic_file.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
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
  GRAFT_COLD explicit TensorFile(const std::filesystem::path& path) : path_(path.string()), file_(path, "safetensors file") {
    const std::uint64_t size = file_.size();
    if (size < 8) bad("it is shorter than its 8-byte head");
    std::uint64_t length = 0;
    std::memcpy(&length, file_.data(), 8);
    if (length > size - 8 || length > (std::uint64_t{100} << 20))
      bad("its head claims ", length, " bytes of header, but the file has ", size);
    const std::string_view header = file_.bytes().substr(8, static_cast<std::size_t>(length));
    data_ = file_.bytes().substr(8 + header.size());
    parse(detail::JsonText(header, complaint()));
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
  [[nodiscard]] std::string complaint() const { return "'" + path_ + "' is not a whole safetensors file: "; }
  template <class... Parts>
  [[noreturn]] void bad(const Parts&... parts) const {
    fail(complaint(), parts..., "; write or copy it again.");
  }

  GRAFT_COLD void parse(detail::JsonText header) {
    std::vector<std::pair<std::size_t, std::size_t>> spans;
    header.object("JSON object", [&](const std::string& name) {
      if (name == "__metadata__") {
        header.object("metadata object", [&](const std::string& key) { metadata_[key] = header.text(); });
        return;
      }
      TensorInfo t = read_entry(name, header);
      if (t.count != 0) spans.emplace_back(t.begin, t.end);
      tensors_[name] = std::move(t);
    });
    header.end();
    std::sort(spans.begin(), spans.end());
    std::size_t reached = 0;
    for (const auto& [begin, end] : spans) {
      if (begin != reached) bad("its tensors overlap or leave a gap at byte ", reached);
      reached = end;
    }
    if (reached != data_.size()) bad(data_.size() - reached, " bytes follow the last tensor");
  }

  [[nodiscard]] GRAFT_COLD TensorInfo read_entry(const std::string& name, detail::JsonText& header) const {
    TensorInfo t;
    std::vector<std::size_t> offsets;
    bool has_shape = false;
    header.object("entry", [&](const std::string& key) {
      if (key == "dtype") {
        t.dtype = header.text();
      } else if (key == "shape") {
        has_shape = true;
        header.list("shape", [&] {
          t.shape.push_back(header.size("an extent"));
          if (t.shape.size() > most_extents) bad("its header has a list of more than 64 entries");
        });
      } else if (key == "data_offsets") {
        header.list("offsets", [&] {
          offsets.push_back(header.size("an offset"));
          if (offsets.size() > 2) bad("tensor '", name, "' has more than two offsets");
        });
      } else {
        header.skip(1);
      }
    });
    if (t.dtype.empty() || !has_shape || offsets.size() != 2) bad("the entry '", name, "' lacks dtype, shape or data_offsets");
    const std::size_t room = data_.size(), bytes = detail::bytes_of(t.dtype);
    if (bytes == 0) bad("tensor '", name, "' has the unknown type '", t.dtype, "'");
    t.begin = offsets[0];
    t.end = offsets[1];
    if (t.begin > t.end || t.end > room) bad("tensor '", name, "' lies at bytes ", t.begin, " to ", t.end, " of ", room);
    t.count = 1;
    for (const std::size_t n : t.shape) {
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

/// Writes tensors, wide types first so that each is aligned, whole or not at all. Throws Error for a name that comes twice or
/// is no UTF-8, for bytes that do not go with the shape, and when the file cannot be written.
inline void write_safetensors(const std::filesystem::path& path, std::vector<TensorData> tensors,
                              const std::map<std::string, std::string>& metadata = {}) {
  std::stable_sort(tensors.begin(), tensors.end(), [](const TensorData& a, const TensorData& b) {
    return detail::bytes_of(a.dtype) > detail::bytes_of(b.dtype);
  });
  std::string text = "{";
  if (!metadata.empty()) {
    text += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata) text += detail::json_quoted(key) + ":" + detail::json_quoted(value) + ",";
    text.back() = '}';
    text += ',';
  }
  std::set<std::string> names;
  std::size_t end = 0;
  for (const TensorData& t : tensors) {
    std::size_t bytes = detail::bytes_of(t.dtype);
    for (const std::size_t extent : t.shape) bytes *= extent;
    if (t.contents().size() != bytes || detail::bytes_of(t.dtype) == 0) {
      fail("write_safetensors: '", t.name, "' has ", t.contents().size(), " bytes, but ", shape_text(t.shape), " of ", t.dtype,
           " are ", bytes, ".");
    }
    if (t.name == "__metadata__" || !names.insert(t.name).second)
      fail("write_safetensors: two tensors are named '", t.name, "'; give each a name of its own.");
    std::string shape;
    for (const std::size_t extent : t.shape) shape += (shape.empty() ? "" : ",") + std::to_string(extent);
    const std::size_t begin = std::exchange(end, end + bytes);
    text += detail::json_quoted(t.name) + ":{\"dtype\":" + detail::json_quoted(t.dtype) + ",\"shape\":[" + shape +
            "],\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(end) + "]},";
  }
  if (text.back() == ',') text.pop_back();
  text += '}';
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

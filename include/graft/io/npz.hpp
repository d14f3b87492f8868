#pragma once
/// \file npz.hpp  NumPy's .npz files, a zip of .npy files (opt-in include; needs zlib, CMake component graft::zlib).
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/io/npy.hpp"
#include "graft/io/tensor_data.hpp"
#include "graft/io/zip.hpp"
#include "graft/train/atomic_file.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

GRAFT_BEGIN
namespace io {

/// An .npz file, mapped; an array is unpacked when it is asked for.
class Npz {
 public:
  /// Reads the directory and every array's header. Throws Error, in a sentence, for anything that is not as the formats say.
  /// Arrays of types that graft does not read (texts, objects) are passed over.
  explicit Npz(const std::filesystem::path& path) : zip_(path) {
    for (const auto& [entry_name, entry] : zip_.entries()) {
      const std::string& name = entry_name;
      if (name.size() < 5 || name.compare(name.size() - 4, 4, ".npy") != 0) continue;
      Array array{detail::parse_npy(zip_.head(entry, 65600), entry.size, zip_.path() + "/" + name), name};
      if (array.header.info.dtype.empty()) continue;
      const std::string key = name.substr(0, name.size() - 4);
      tensors_[key] = array.header.info;
      arrays_.emplace(key, std::move(array));
    }
  }
  [[nodiscard]] const std::string& path() const { return zip_.path(); }
  [[nodiscard]] const std::map<std::string, TensorInfo>& tensors() const { return tensors_; }
  /// Always empty: the format has none.
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const { return metadata_; }
  [[nodiscard]] bool contains(const std::string& name) const { return tensors_.count(name) != 0; }
  [[nodiscard]] const TensorInfo& info(const std::string& name) const { return find(name).header.info; }

  /// The numbers in C order, converted to T. Throws Error when they are damaged.
  template <class T>
  [[nodiscard]] std::vector<T> get(const std::string& name) const {
    const Array& array = find(name);
    const std::string bytes = zip_.contents(zip_.entries().at(array.entry));
    return detail::npy_numbers<T>(array.header, bytes.data() + array.header.bytes);
  }

 private:
  struct Array {
    detail::NpyHeader header;
    std::string entry;
  };
  [[nodiscard]] const Array& find(const std::string& name) const {
    const auto found = arrays_.find(name);
    if (found == arrays_.end()) fail("'", path(), "' has no array named '", name, "'; it has ", arrays_.size(), " others.");
    return found->second;
  }
  detail::ZipFile zip_;
  std::map<std::string, Array> arrays_;
  std::map<std::string, TensorInfo> tensors_;
  std::map<std::string, std::string> metadata_;
};

inline Npz read_npz(const std::filesystem::path& path) { return Npz(path); }

/// Writes arrays (io::tensor), packed by deflate if wanted, whole or not at all. Throws Error for a name that comes twice and
/// when the file cannot be written.
inline void write_npz(const std::filesystem::path& path, const std::vector<TensorData>& arrays, bool compress = false) {
  detail::ZipWriter zip;
  std::map<std::string, int> names;
  for (const TensorData& t : arrays) {
    if (names[t.name]++ > 0) fail("write_npz: two arrays are named '", t.name, "'; give each a name of its own.");
    if (t.name.size() > 60000) fail("write_npz: a name has ", t.name.size(), " bytes, zip files hold up to 65535.");
    std::string bytes = detail::npy_header(t.dtype, t.shape);
    bytes += t.contents();
    zip.add(t.name + ".npy", bytes, compress);
  }
  atomic_write(path, zip.finish());
}

}  // namespace io
GRAFT_END

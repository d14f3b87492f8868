#pragma once
/// \file hdf5.hpp  As much of the HDF5 C library as Keras' files need (CMake component graft::hdf5): handles that close
/// themselves, groups walked link by link, arrays and lists of texts. Only hard links are followed, so no file leads to another
/// one or in a circle; sizes are checked against the file before memory is taken. Like the library, not for several threads at
/// once. What the library itself makes of damaged bytes is the library's: keep it up to date for files from strangers.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/io/array.hpp"

#include <hdf5.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

GRAFT_BEGIN
namespace io::detail {

/// An HDF5 identifier and how it is given back.
class Handle {
 public:
  Handle() = default;
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Handle() {
    if (id_ >= 0 && close_ != nullptr) close_(id_);
  }
  [[nodiscard]] hid_t id() const { return id_; }
  [[nodiscard]] bool ok() const { return id_ >= 0; }

 private:
  hid_t id_ = -1;
  herr_t (*close_)(hid_t) = nullptr;
};

/// While it lives, the library does not print its errors; graft says them in its own words.
class QuietHdf5 {
 public:
  QuietHdf5() {
    H5Eget_auto2(H5E_DEFAULT, &print_, &data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  QuietHdf5(const QuietHdf5&) = delete;
  QuietHdf5& operator=(const QuietHdf5&) = delete;
  ~QuietHdf5() { H5Eset_auto2(H5E_DEFAULT, print_, data_); }

 private:
  H5E_auto2_t print_ = nullptr;
  void* data_ = nullptr;
};

/// An HDF5 file, for reading.
class Hdf5File {
 public:
  explicit Hdf5File(const std::filesystem::path& path) : path_(path.string()) {
    const QuietHdf5 quiet;
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error))
      fail("cannot open '", path_, "': give the path of an HDF5 file that can be read.");
    size_ = std::filesystem::file_size(path, error);
    file_ = Handle(H5Fopen(path_.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
    if (!file_.ok()) bad("the HDF5 library cannot open it");
  }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] hid_t id() const { return file_.id(); }

  template <class... Parts>
  [[noreturn]] void bad(const Parts&... parts) const {
    fail("'", path_, "' is not a whole Keras file (.h5): ", parts..., "; write or copy it again.");
  }

  /// Whether `place` has a link of that name.
  [[nodiscard]] static bool has(const Handle& place, const std::string& name) {
    return H5Lexists(place.id(), name.c_str(), H5P_DEFAULT) > 0;
  }
  /// Opens the object at `path` below `place`, one hard link after the other.
  [[nodiscard]] Handle open(hid_t place, std::string_view path) const {
    Handle here;
    for (std::size_t begin = 0; begin <= path.size();) {
      const std::size_t slash = std::min(path.find('/', begin), path.size());
      const std::string part(path.substr(begin, slash - begin));
      begin = slash + 1;
      const hid_t from = here.ok() ? here.id() : place;
      H5L_info_t link;
      if (part.empty() || part == "." || part.find('\0') != std::string::npos || H5Iget_type(from) == H5I_DATASET ||
          H5Lget_info(from, part.c_str(), &link, H5P_DEFAULT) < 0)
        bad("it has no '", path, "'");
      if (link.type != H5L_TYPE_HARD) bad("'", path, "' is a soft or external link, and those are not followed");
      Handle next(H5Oopen(from, part.c_str(), H5P_DEFAULT), H5Oclose);
      if (!next.ok()) bad("'", path, "' cannot be opened");
      here = std::move(next);
    }
    return here;
  }
  /// Names of a group's links, by name; links other than hard ones are an Error.
  [[nodiscard]] std::vector<std::string> names(hid_t group) const {
    H5G_info_t info;
    if (H5Gget_info(group, &info) < 0) bad("a group is damaged");
    if (info.nlinks > size_) bad("a group claims ", info.nlinks, " links");
    std::vector<std::string> result;
    for (hsize_t i = 0; i < info.nlinks; ++i) {
      const ssize_t length = H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, nullptr, 0, H5P_DEFAULT);
      if (length < 0 || static_cast<std::uint64_t>(length) > size_) bad("a group is damaged");
      std::string name(static_cast<std::size_t>(length) + 1, '\0');
      H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, name.data(), name.size(), H5P_DEFAULT);
      name.resize(static_cast<std::size_t>(length));
      result.push_back(std::move(name));
    }
    return result;
  }
  /// Whatever has one address is one object.
  [[nodiscard]] haddr_t address(hid_t object) const {
    H5O_info_t info;
    if (H5Oget_info(object, &info) < 0) bad("an object is damaged");
    return info.addr;
  }

  /// A list of texts kept as an attribute; Keras cuts a long one into NAME0, NAME1, ...
  [[nodiscard]] std::vector<std::string> texts(hid_t object, const std::string& name) const {
    std::vector<std::string> result;
    if (H5Aexists(object, name.c_str()) > 0) {
      read_texts(object, name, result);
    } else {
      for (int i = 0; H5Aexists(object, (name + std::to_string(i)).c_str()) > 0; ++i)
        read_texts(object, name + std::to_string(i), result);
    }
    return result;
  }
  [[nodiscard]] static bool has_texts(hid_t object, const std::string& name) {
    return H5Aexists(object, name.c_str()) > 0 || H5Aexists(object, (name + "0").c_str()) > 0;
  }

  /// Describes a dataset; its type is that in which it will be read. Throws Error when it is none, or claims what it cannot
  /// hold.
  [[nodiscard]] TensorInfo describe(hid_t dataset, const std::string& name) const {
    if (H5Iget_type(dataset) != H5I_DATASET) bad("'", name, "' is no array");
    const Handle space(H5Dget_space(dataset), H5Sclose), type(H5Dget_type(dataset), H5Tclose);
    const Handle plist(H5Dget_create_plist(dataset), H5Pclose);
    if (!space.ok() || !type.ok() || !plist.ok()) bad("the array '", name, "' is damaged");
    TensorInfo info;
    const H5T_class_t kind = H5Tget_class(type.id());
    const std::size_t bytes = H5Tget_size(type.id());
    if ((kind != H5T_FLOAT && kind != H5T_INTEGER) || (bytes != 1 && bytes != 2 && bytes != 4 && bytes != 8) ||
        (kind == H5T_FLOAT && bytes == 1))
      bad("the array '", name, "' holds something other than numbers of up to 8 bytes");
    info.dtype = kind == H5T_FLOAT ? (bytes == 8 ? "F64" : "F32") : H5Tget_sign(type.id()) == H5T_SGN_NONE ? "U64" : "I64";
    const int rank = H5Sget_simple_extent_ndims(space.id());
    if (rank < 0 || rank > H5S_MAX_RANK || H5Sget_simple_extent_type(space.id()) == H5S_NULL) bad("'", name, "' has no shape");
    std::vector<hsize_t> extents(static_cast<std::size_t>(rank) + 1);
    H5Sget_simple_extent_dims(space.id(), extents.data(), nullptr);
    extents.pop_back();
    const hsize_t stored = H5Dget_storage_size(dataset);
    const H5D_layout_t layout = H5Pget_layout(plist.id());
    if (layout == H5D_VIRTUAL || H5Pget_external_count(plist.id()) != 0)
      bad("'", name, "' lies in other files, and those are not read");
    if (stored > size_) bad("the array '", name, "' claims ", stored, " bytes of ", size_);
    // An array without storage is all fill values; deflate packs 1032-fold at most.
    const hsize_t room = (layout == H5D_CHUNKED ? check_chunks(plist.id(), extents, bytes, name) : 1) * stored / bytes;
    info.count = 1;
    for (const hsize_t n : extents) {
      if (n != 0 && info.count > room / n) bad("the shape of '", name, "' has more numbers than its ", stored, " bytes hold");
      info.count *= static_cast<std::size_t>(n);
      info.shape.push_back(static_cast<std::size_t>(n));
    }
    if (info.count > room) bad("the shape of '", name, "' has more numbers than its ", stored, " bytes hold");
    return info;
  }

  /// A dataset's numbers in the type that describe() names.
  template <class Stored>
  void read(hid_t dataset, hid_t type, const std::string& name, std::vector<Stored>& numbers) const {
    if (!numbers.empty() && H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers.data()) < 0)
      bad("the numbers of '", name, "' cannot be read");
  }

 private:
  /// How far a chunked array's bytes may expand. Filters that graft does not know would have the library load code.
  [[nodiscard]] hsize_t check_chunks(hid_t plist, const std::vector<hsize_t>& extents, std::size_t bytes,
                                     const std::string& name) const {
    std::vector<hsize_t> chunk(H5S_MAX_RANK + 1);
    const int rank = H5Pget_chunk(plist, H5S_MAX_RANK, chunk.data());
    if (rank != static_cast<int>(extents.size())) bad("the array '", name, "' is damaged");
    hsize_t numbers = 1;
    const hsize_t most = 1032 * static_cast<hsize_t>(size_) / bytes;
    for (int i = 0; i < rank; ++i) {
      const hsize_t n = chunk[static_cast<std::size_t>(i)];
      if (n == 0 || numbers > most / n) bad("the array '", name, "' has pieces larger than the file");
      numbers *= n;
    }
    hsize_t factor = 1;
    for (int i = 0, count = H5Pget_nfilters(plist); i < count; ++i) {
      unsigned flags = 0;
      std::size_t values = 0;
      const H5Z_filter_t filter =
          H5Pget_filter2(plist, static_cast<unsigned>(i), &flags, &values, nullptr, 0, nullptr, nullptr);
      if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_FLETCHER32)
        bad("the array '", name, "' is packed by a filter other than gzip");
      if (filter == H5Z_FILTER_DEFLATE && factor > 1) bad("the array '", name, "' is packed twice");
      if (filter == H5Z_FILTER_DEFLATE) factor = 1032;
    }
    return factor;
  }

  void read_texts(hid_t object, const std::string& name, std::vector<std::string>& result) const {
    const Handle attribute(H5Aopen(object, name.c_str(), H5P_DEFAULT), H5Aclose);
    const Handle type(H5Aget_type(attribute.id()), H5Tclose), space(H5Aget_space(attribute.id()), H5Sclose);
    const hssize_t count = space.ok() ? H5Sget_simple_extent_npoints(space.id()) : -1;
    if (!type.ok() || count < 0 || static_cast<std::uint64_t>(count) > size_) bad("the list '", name, "' is damaged");
    if (count == 0) return;
    if (H5Tget_class(type.id()) != H5T_STRING) bad("the list '", name, "' does not hold texts");
    if (H5Tis_variable_str(type.id()) > 0) {
      std::vector<char*> texts(static_cast<std::size_t>(count), nullptr);
      const Handle memory(H5Tcopy(H5T_C_S1), H5Tclose);
      H5Tset_size(memory.id(), H5T_VARIABLE);
      H5Tset_cset(memory.id(), H5Tget_cset(type.id()));
      const bool good = H5Aread(attribute.id(), memory.id(), texts.data()) >= 0;
      for (const char* text : texts) {
        if (text != nullptr) result.emplace_back(text);
      }
      H5Dvlen_reclaim(memory.id(), space.id(), H5P_DEFAULT, texts.data());
      if (!good) bad("the list '", name, "' cannot be read");
      return;
    }
    const std::size_t width = H5Tget_size(type.id());
    if (width == 0 || static_cast<std::uint64_t>(count) > size_ / width) bad("the list '", name, "' is larger than the file");
    std::string bytes(static_cast<std::size_t>(count) * width, '\0');
    if (H5Aread(attribute.id(), type.id(), bytes.data()) < 0) bad("the list '", name, "' cannot be read");
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      const std::string_view text = std::string_view(bytes).substr(i * width, width);
      result.emplace_back(text.substr(0, text.find('\0')));
    }
  }

  std::string path_;
  std::uint64_t size_ = 0;
  Handle file_;
};

}  // namespace io::detail
GRAFT_END

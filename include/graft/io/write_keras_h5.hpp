#pragma once
/// \file write_keras_h5.hpp  A model's weights as a legacy Keras weight file (opt-in include; needs the HDF5 C library, CMake
/// component graft::hdf5), which Keras 2 and 3 load with `model.load_weights("NAME.h5")` into a net of the same layers.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/core/parameters.hpp"
#include "graft/io/hdf5.hpp"
#include "graft/io/names.hpp"
#include "graft/train/atomic_file.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

GRAFT_BEGIN
namespace io {

namespace detail {

inline void need_hdf5(bool good, const std::string& path) {
  if (!good) fail("the HDF5 library could not write '", path, "'; is a layer named as no group can be?");
}

/// A list of texts as an attribute, each of the longest one's length as NumPy keeps them.
inline void put_texts(hid_t object, const char* name, const std::vector<std::string>& texts, const std::string& path) {
  std::size_t width = 1;
  for (const std::string& text : texts) width = std::max(width, text.size());
  std::string bytes(texts.size() * width, '\0');
  for (std::size_t i = 0; i < texts.size(); ++i) texts[i].copy(bytes.data() + i * width, width);
  const Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type.id(), width);
  H5Tset_strpad(type.id(), H5T_STR_NULLPAD);
  const hsize_t count = texts.size();
  const Handle space(H5Screate_simple(1, &count, nullptr), H5Sclose);
  // An attribute holds 64 KiB; Keras reads a longer list in pieces NAME0, NAME1, ...
  if (bytes.size() > 60000) {
    const std::size_t piece = std::max<std::size_t>(1, 60000 / width);
    for (std::size_t i = 0, n = 0; i < texts.size(); i += piece, ++n) {
      const auto begin = texts.begin() + static_cast<std::ptrdiff_t>(i);
      const auto end = texts.begin() + static_cast<std::ptrdiff_t>(std::min(i + piece, texts.size()));
      put_texts(object, (name + std::to_string(n)).c_str(), {begin, end}, path);
    }
    return;
  }
  const Handle attribute(H5Acreate2(object, name, type.id(), space.id(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  need_hdf5(attribute.ok() && H5Awrite(attribute.id(), type.id(), bytes.data()) >= 0, path);
}
inline void put_text(hid_t object, const char* name, const std::string& text, const std::string& path) {
  const Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type.id(), text.size());
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  const Handle attribute(H5Acreate2(object, name, type.id(), space.id(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  need_hdf5(attribute.ok() && H5Awrite(attribute.id(), type.id(), text.data()) >= 0, path);
}

}  // namespace detail

/// Writes a model's parameters and statistics, layer by layer in the net's order, under the names that `names` gives (its first
/// name for each leaf, depthwise_kernel for depthwise kernels, which get Keras' shape HWC1). Throws Error when the file cannot
/// be written.
template <class M>
void write_keras_h5(const M& model, const std::filesystem::path& path, const NameMap& names = names::keras()) {
  using T = typename M::Scalar;
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>);
  const detail::QuietHdf5 quiet;
  const std::string where = path.string();
  struct Array {
    std::string name;
    std::vector<hsize_t> shape;
    const T* data;
  };
  std::vector<std::pair<std::string, std::vector<Array>>> layers;
  const auto collect = [&](const std::vector<Segment>& segments, const T* buffer) {
    for (const Segment& s : segments) {
      auto candidates = names.candidates(s.name);
      std::string name = candidates.front();
      for (const std::string& c : candidates) {
        if (s.rank == 3 && c.size() > 17 && c.compare(c.size() - 17, 17, "/depthwise_kernel") == 0) name = c;
      }
      const std::string layer = name.substr(0, name.rfind('/'));
      auto found = std::find_if(layers.begin(), layers.end(), [&](const auto& l) { return l.first == layer; });
      if (found == layers.end()) found = layers.insert(layers.end(), {layer, {}});
      Array array{name + ":0", {}, buffer + s.offset};
      for (int i = 0; i < s.rank; ++i) array.shape.push_back(static_cast<hsize_t>(s.dims[static_cast<std::size_t>(i)]));
      if (s.rank == 3) array.shape.push_back(1);
      found->second.push_back(std::move(array));
    }
  };
  collect(model.segments(), model.values().data());
  collect(model.statistic_segments(), model.statistics().data());

  // Built in memory, so that the file appears whole or not at all.
  const detail::Handle memory(H5Pcreate(H5P_FILE_ACCESS), H5Pclose), deep(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
  H5Pset_fapl_core(memory.id(), std::size_t{1} << 20, 0);
  H5Pset_create_intermediate_group(deep.id(), 1);
  const detail::Handle file(H5Fcreate(where.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, memory.id()), H5Fclose);
  detail::need_hdf5(file.ok(), where);
  std::vector<std::string> layer_names;
  for (const auto& [layer, arrays] : layers) {
    layer_names.push_back(layer);
    const detail::Handle group(H5Gcreate2(file.id(), layer.c_str(), deep.id(), H5P_DEFAULT, H5P_DEFAULT), H5Gclose);
    detail::need_hdf5(group.ok(), where);
    std::vector<std::string> weights;
    const hid_t type = std::is_same_v<T, float> ? H5T_NATIVE_FLOAT : H5T_NATIVE_DOUBLE;
    for (const Array& a : arrays) {
      weights.push_back(a.name);
      const detail::Handle space(H5Screate_simple(static_cast<int>(a.shape.size()), a.shape.data(), nullptr), H5Sclose);
      const detail::Handle set(H5Dcreate2(group.id(), a.name.c_str(), type, space.id(), deep.id(), H5P_DEFAULT, H5P_DEFAULT),
                               H5Dclose);
      detail::need_hdf5(set.ok() && H5Dwrite(set.id(), type, H5S_ALL, H5S_ALL, H5P_DEFAULT, a.data) >= 0, where);
    }
    detail::put_texts(group.id(), "weight_names", weights, where);
  }
  detail::put_texts(file.id(), "layer_names", layer_names, where);
  detail::put_text(file.id(), "backend", "tensorflow", where);
  detail::put_text(file.id(), "keras_version", "2.15.0", where);  // whose layout this is
  H5Fflush(file.id(), H5F_SCOPE_GLOBAL);
  const ssize_t size = H5Fget_file_image(file.id(), nullptr, 0);
  detail::need_hdf5(size > 0, where);
  std::string image(static_cast<std::size_t>(size), '\0');
  detail::need_hdf5(H5Fget_file_image(file.id(), image.data(), image.size()) == size, where);
  atomic_write(path, image);
}

}  // namespace io
GRAFT_END

#pragma once
/// \file keras_h5.hpp  Keras' .h5 files, weights or whole models, of Keras 2 and 3 (opt-in include; needs the HDF5 C library,
/// CMake component graft::hdf5). Three layouts are read:
///   - legacy weights: attribute layer_names at the root, weight_names at each layer's group;
///   - legacy whole models: the same below /model_weights;
///   - NAME.weights.h5: layers/LAYER/vars/0, 1, ...; the layer's own name is an attribute of vars (Keras 3) or not kept at all.
/// An array is called "LAYER/kernel" or, in the last layout, "LAYER/vars/0", nested models left out; where that would name two
/// arrays, they keep their whole paths. io::names::keras() knows both.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/io/hdf5.hpp"

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

GRAFT_BEGIN
namespace io {

/// The arrays of a Keras file; numbers are read when they are asked for.
class KerasFile {
 public:
  /// Opens the file and describes its arrays. Throws Error, in a sentence, when it is damaged, is no Keras file, or has links
  /// or sizes that such a file has no use for.
  explicit KerasFile(const std::filesystem::path& path) : file_(path) {
    const detail::QuietHdf5 quiet;
    const hid_t root = file_.id();
    const bool whole = H5Lexists(root, "model_weights", H5P_DEFAULT) > 0;
    const detail::Handle place =
        whole ? file_.open(root, "model_weights") : detail::Handle(H5Gopen2(root, "/", H5P_DEFAULT), H5Gclose);
    if (detail::Hdf5File::has_texts(place.id(), "layer_names")) {
      read_legacy(place.id(), whole ? "model_weights/" : "");
    } else {
      std::set<haddr_t> seen;
      walk(place.id(), "", "", seen, 0);
    }
    if (found_.empty()) file_.bad("it holds no weights in a layout that graft knows");
    name_all();
  }

  [[nodiscard]] const std::string& path() const { return file_.path(); }
  [[nodiscard]] const std::map<std::string, TensorInfo>& tensors() const { return tensors_; }
  /// Always empty.
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const { return metadata_; }
  [[nodiscard]] bool contains(const std::string& name) const { return tensors_.count(name) != 0; }
  [[nodiscard]] const TensorInfo& info(const std::string& name) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) fail("'", path(), "' has no array named '", name, "'; it has ", tensors_.size(), " others.");
    return found->second;
  }
  /// The layers that have weights: in the net's order in legacy files, by name in others. For nets whose layers have no names:
  /// `names::keras().layers(file.layers())`.
  [[nodiscard]] const std::vector<std::string>& layers() const { return layers_; }

  /// The numbers, converted to T.
  template <class T>
  [[nodiscard]] std::vector<T> get(const std::string& name) const {
    const TensorInfo& t = info(name);
    const detail::QuietHdf5 quiet;
    const detail::Handle dataset = file_.open(file_.id(), places_.at(name));
    const auto as = [&]<class Stored>(Stored, hid_t type) {
      std::vector<Stored> numbers(t.count);
      file_.read(dataset.id(), type, name, numbers);
      std::vector<T> result(t.count);
      for (std::size_t i = 0; i < t.count; ++i) result[i] = detail::convert<T>(numbers[i]);
      return result;
    };
    if (t.dtype == "F64") return as(double{}, H5T_NATIVE_DOUBLE);
    if (t.dtype == "F32") return as(float{}, H5T_NATIVE_FLOAT);
    if (t.dtype == "U64") return as(std::uint64_t{}, H5T_NATIVE_UINT64);
    return as(std::int64_t{}, H5T_NATIVE_INT64);
  }

 private:
  struct Found {
    std::string name;  // the short one
    std::string layer;
    std::string place;  // from the root
    TensorInfo info;
  };
  static constexpr std::size_t most_arrays = 100000;

  void read_legacy(hid_t place, const std::string& above) {
    for (const std::string& layer : file_.texts(place, "layer_names")) {
      const detail::Handle group = file_.open(place, layer);
      for (const std::string& weight : file_.texts(group.id(), "weight_names")) {
        const detail::Handle dataset = file_.open(group.id(), weight);
        std::string name = weight;
        if (name.size() > 2 && name.compare(name.size() - 2, 2, ":0") == 0) name.resize(name.size() - 2);
        const std::size_t leaf = name.rfind('/');
        if (leaf == std::string::npos) {
          add(layer + "/" + name, layer, above + layer + "/" + weight, dataset.id());
          continue;
        }
        const std::size_t before = leaf == 0 ? std::string::npos : name.rfind('/', leaf - 1);
        const std::string owner =
            before == std::string::npos ? name.substr(0, leaf) : name.substr(before + 1, leaf - before - 1);
        add(owner + name.substr(leaf), owner, above + layer + "/" + weight, dataset.id());
      }
    }
  }

  /// Groups below `place`; `layer` is the name of the one at hand.
  void walk(hid_t place, const std::string& above, const std::string& layer, std::set<haddr_t>& seen, int depth) {
    if (depth > 64) file_.bad("its groups are nested more deeply than 64");
    if (!seen.insert(file_.address(place)).second) file_.bad("its groups run in a circle, or one has two places");
    for (const std::string& name : file_.names(place)) {
      if (depth == 0 && (name == "optimizer" || name == "metrics")) continue;
      const detail::Handle object = file_.open(place, name);
      const H5I_type_t kind = H5Iget_type(object.id());
      if (kind == H5I_GROUP && name == "vars") {
        std::string own = layer;
        if (detail::Hdf5File::has_texts(object.id(), "name")) {
          const auto texts = file_.texts(object.id(), "name");
          if (texts.size() == 1 && !texts.front().empty()) own = texts.front();
        }
        if (!seen.insert(file_.address(object.id())).second) file_.bad("its groups run in a circle, or one has two places");
        std::map<std::size_t, std::string> order;  // "10" comes after "9"
        for (const std::string& number : file_.names(object.id())) {
          if (number.size() > 6 || number.find_first_not_of("0123456789") != std::string::npos)
            file_.bad("'", above, "vars' holds '", number, "', which is no number");
          order[std::stoul(number)] = number;
        }
        for (const auto& [index, number] : order) {
          const detail::Handle dataset = file_.open(object.id(), number);
          add(own + "/vars/" + number, own, above + "vars/" + number, dataset.id());
        }
      } else if (kind == H5I_GROUP) {
        walk(object.id(), above + name + "/", name, seen, depth + 1);
      }
    }
  }

  void add(std::string name, std::string layer, std::string place, hid_t dataset) {
    if (found_.size() >= most_arrays) file_.bad("it has more than ", most_arrays, " arrays");
    TensorInfo info = file_.describe(dataset, place);
    found_.push_back({std::move(name), std::move(layer), std::move(place), std::move(info)});
  }

  void name_all() {
    std::map<std::string, int> uses;
    for (const Found& f : found_) ++uses[f.name];
    std::set<std::string> layers;
    for (Found& f : found_) {
      const std::string& name = uses[f.name] > 1 ? f.place : f.name;
      if (!tensors_.emplace(name, std::move(f.info)).second) file_.bad("its lists name the array '", name, "' twice");
      places_[name] = f.place;
      const std::string layer = uses[f.name] > 1 ? f.place.substr(0, f.place.rfind('/')) : f.layer;
      if (layers.insert(layer).second) layers_.push_back(layer);
    }
    found_.clear();
  }

  detail::Hdf5File file_;
  std::vector<Found> found_;
  std::map<std::string, TensorInfo> tensors_;
  std::map<std::string, std::string> places_;
  std::map<std::string, std::string> metadata_;
  std::vector<std::string> layers_;
};

}  // namespace io
GRAFT_END

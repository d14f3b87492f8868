#pragma once
/// \file weights.hpp  A model's weights to and from a file (opt-in include; safetensors, with the CMake
/// component graft::zlib also .npz, with graft::hdf5 also Keras' .h5).
///
///   io::save(model, "lenet.safetensors");
///   io::load(model, "lenet.safetensors");
///   std::cout << io::load(model, "resnet18.safetensors", {.names = io::names::torch(), .strict = false});
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/io/load.hpp"
#include "graft/io/mapped_file.hpp"
#include "graft/io/safetensors.hpp"

#include <cmath>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#ifdef GRAFT_WITH_ZLIB
#include "graft/io/npz.hpp"
#endif
#ifdef GRAFT_WITH_HDF5
#include "graft/io/keras_h5.hpp"
#endif

GRAFT_BEGIN
namespace io {

/// Loads a file of a kind that is known by its first bytes. Errors as in io/load.hpp, and when the file cannot be read or its
/// reader was not built in.
template <class M>
GRAFT_COLD LoadReport load(M& model, const std::filesystem::path& path, const LoadOptions& options = {}) {
  const std::string start(MappedFile(path, "file of weights").bytes().substr(0, 8));
  if (start.substr(0, 4) == "\x89HDF") {
#ifdef GRAFT_WITH_HDF5
    return load(model, KerasFile(path), options);
#else
    fail("'", path.string(),
         "' is an HDF5 file, but this program was built without HDF5; link the CMake component graft::hdf5.");
#endif
  }
  if (start.substr(0, 2) == "PK") {
#ifdef GRAFT_WITH_ZLIB
    return load(model, Npz(path), options);
#else
    fail("'", path.string(),
         "' is a zip file (.npz), but this program was built without zlib; link the CMake component graft::zlib.");
#endif
  }
  return load(model, TensorFile(path), options);
}

/// Writes all arrays and running statistics to a safetensors file under the model's own names, with the architecture's
/// fingerprint and a verification vector in its metadata ("graft.architecture", "graft.fingerprint", "graft.verification");
/// the latter is left out when the net's output is not finite. Throws Error when the file cannot be written.
template <class M>
GRAFT_COLD void save(M& model, const std::filesystem::path& path, std::map<std::string, std::string> metadata = {}) {
  std::vector<TensorData> tensors;
  for (const Segment& s : model.segments())
    tensors.push_back(tensor(s.name, detail::extents_of(s), model.values().data() + s.offset));
  for (const Segment& s : model.statistic_segments())
    tensors.push_back(tensor(s.name, detail::extents_of(s), model.statistics().data() + s.offset));
  metadata["graft.architecture"] = architecture<typename M::Network>();
  metadata["graft.fingerprint"] = fingerprint(model);
  const Verification verification = Verification::of(model);
  if (std::isfinite(verification.norm)) metadata["graft.verification"] = verification.text();
  write_safetensors(path, std::move(tensors), metadata);
}

}  // namespace io
GRAFT_END

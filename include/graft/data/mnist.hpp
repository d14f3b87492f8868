#pragma once
/// \file mnist.hpp  MNIST (LeCun, Cortes, Burges) and every set in its format.
#include "graft/config.hpp"
#include "graft/data/idx.hpp"

GRAFT_BEGIN
namespace data {

enum class Split { train, test };

/// The training or test part of a folder with MNIST's four IDX files, plain or gzipped. 28 x 28 x 1, labels 0 to 9.
inline Labelled mnist(const std::filesystem::path& folder, Split split = Split::train) {
  const std::string stem = split == Split::train ? "train" : "t10k";
  const std::filesystem::path images = find_idx(folder, stem + "-images", "idx3");
  const std::filesystem::path labels = find_idx(folder, stem + "-labels", "idx1");
  const std::filesystem::path named = folder.filename().empty() ? folder.parent_path() : folder;
  return read_idx_pair(named.filename().string(), images, labels);
}

}  // namespace data
GRAFT_END

#pragma once
// Any two folders as a pair of domains: IDX files or a folder per class, grey or colour, of any size.
#include <graft/data/dataset.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace example {

/// What lies in a folder, before its images are decoded.
struct Folder {
  std::filesystem::path path;
  std::filesystem::path train, test;  ///< of a folder per class; `test` is empty where the folder has no test part
  bool idx = false;
  std::vector<std::string> classes;  ///< names of the classes' folders, sorted; of IDX files the labels' numbers
  int height = 0, width = 0;         ///< of the first image
};

/// Looks into a folder. Throws Error with a sentence when it holds neither IDX files nor a folder per class.
Folder look_into(const std::filesystem::path& folder);

/// Both domains with the classes that they share. The target's training part has no labels; test parts are for scoring only.
struct Pair {
  graft::data::Labelled source, source_test;
  graft::data::Unlabelled target;
  graft::data::Labelled target_test;
  std::vector<std::string> classes;
  std::string source_name, target_name;
};

struct PairOptions {
  int height = 28, width = 28;  ///< all images are resized to it
  double test_share = 0.3;      ///< of each class, of a folder that has no test part
  std::uint64_t split_seed = 0;
};

/// Reads both. Classes are matched by name; which were left out is printed. Throws Error when fewer than two are shared.
Pair read_pair(const Folder& source, const Folder& target, const PairOptions& options);

}  // namespace example

#include "pair.hpp"

#include <graft/data/idx.hpp>
#include <graft/data/image_folder.hpp>
#include <graft/data/mnist.hpp>
#include <graft/data/split.hpp>

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

namespace example {

namespace fs = std::filesystem;
using graft::fail;
using graft::data::Labelled;

namespace {

bool has_idx(const fs::path& folder, const char* stem) {
  for (const char* end : {"-images-idx3-ubyte", "-images.idx3-ubyte"}) {
    for (const char* zip : {"", ".gz"}) {
      if (fs::is_regular_file(folder / (stem + std::string(end) + zip))) return true;
    }
  }
  return false;
}

std::vector<std::string> subfolders(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_directory() && name[0] != '.') names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

Labelled read_idx_part(const fs::path& folder, const char* stem) {
  return graft::data::read_idx_pair(folder.string(), graft::data::find_idx(folder, stem + std::string("-images"), "idx3"),
                                    graft::data::find_idx(folder, stem + std::string("-labels"), "idx1"), 256);
}

/// The images of `classes` alone, with their places in that list as labels, at another size. A set without names of classes is
/// one of IDX files: its classes are called by their numbers.
Labelled only(const Labelled& set, const std::string& name, const std::vector<std::string>& classes,
              const PairOptions& options) {
  std::map<std::string, std::int32_t> place;
  for (const std::string& known : classes) place.emplace(known, static_cast<std::int32_t>(place.size()));
  std::vector<std::size_t> keep;
  std::vector<std::int32_t> labels;
  for (std::size_t i = 0; i < set.size(); ++i) {
    const int label = set.label(i);
    const auto found =
        place.find(set.class_names().empty() ? std::to_string(label) : set.class_names()[static_cast<std::size_t>(label)]);
    if (found == place.end()) continue;
    keep.push_back(i);
    labels.push_back(found->second);
  }
  if (keep.empty()) fail("a part of '", name, "' has no image of the classes that both domains share.");
  const graft::Shape shape = set.shape();
  const std::size_t height = static_cast<std::size_t>(options.height), width = static_cast<std::size_t>(options.width);
  const int channels = shape.c == 1 ? 1 : 3;
  const std::size_t size = height * width * static_cast<std::size_t>(channels);
  graft::data::Pixels pixels(std::array<std::size_t, 4>{keep.size(), height, width, static_cast<std::size_t>(channels)});
  graft::parallel_for(static_cast<int>(keep.size()), [&](int k) {
    const std::uint8_t* from = set.pixels(keep[static_cast<std::size_t>(k)]);
    graft::data::Bitmap image{shape.h, shape.w, shape.c, std::vector<std::uint8_t>(from, from + shape.size())};
    image = graft::data::with_channels(std::move(image), channels);
    if (shape.h != options.height || shape.w != options.width) {
      image = graft::data::resize(image, options.height, options.width);
    }
    std::copy(image.pixels.begin(), image.pixels.end(), pixels.data() + static_cast<std::size_t>(k) * size);
  });
  return {name, std::move(pixels), std::move(labels), classes};
}

struct Parts {
  Labelled train, test;
};

Parts read_parts(const Folder& folder, const std::vector<std::string>& classes, const PairOptions& options) {
  const std::string name = graft::data::detail::folder_name(folder.path);
  const auto read = [&](const fs::path& part, const char* stem) {
    if (folder.idx) return only(read_idx_part(folder.path, stem), name, classes, options);
    graft::data::FolderReport report;
    const Labelled set = graft::data::image_folder(part, {.image = {.height = options.height, .width = options.width},
                                                          .bad_files = graft::data::BadFiles::skip,
                                                          .empty_classes = true,
                                                          .report = &report});
    for (const auto& bad : report.skipped) std::fprintf(stderr, "left out: %s\n", bad.reason.c_str());
    return only(set, name, classes, options);
  };
  const Labelled train = read(folder.train, "train");
  if (folder.idx ? has_idx(folder.path, "t10k") : !folder.test.empty()) return {train, read(folder.test, "t10k")};
  auto parts = graft::data::split_stratified(train, 1.0 - options.test_share, options.split_seed);
  return {std::move(parts.train), std::move(parts.rest)};
}

std::string list(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i == 12) return text + ", ... (" + std::to_string(names.size()) + " in all)";
    text += (i == 0 ? "" : ", ") + names[i];
  }
  return text.empty() ? "none" : text;
}

std::vector<std::string> without(const std::vector<std::string>& all, const std::vector<std::string>& some) {
  std::vector<std::string> rest;
  std::set_difference(all.begin(), all.end(), some.begin(), some.end(), std::back_inserter(rest));
  return rest;
}

}  // namespace

Folder look_into(const fs::path& path) {
  graft::data::detail::check_folder(path, "a folder with IDX files or with a folder of images for each class");
  Folder folder;
  folder.path = path;
  if (has_idx(path, "train")) {
    folder.idx = true;
    const auto labels = graft::data::read_idx(graft::data::find_idx(path, "train-labels", "idx1"), 1);
    std::set<std::string> seen;
    for (const std::uint8_t label : labels.bytes) seen.insert(std::to_string(label));
    folder.classes.assign(seen.begin(), seen.end());
    const fs::path images = graft::data::find_idx(path, "train-images", "idx3");
    graft::data::detail::ByteSource head(images.string());
    std::uint8_t bytes[16] = {};
    head.read(bytes, 16);
    folder.height = std::min(1 << 15, bytes[8] << 24 | bytes[9] << 16 | bytes[10] << 8 | bytes[11]);
    folder.width = std::min(1 << 15, bytes[12] << 24 | bytes[13] << 16 | bytes[14] << 8 | bytes[15]);
    return folder;
  }
  folder.train = path;
  for (const char* train : {"train", "training"}) {
    for (const char* test : {"test", "val", "valid", "validation"}) {
      if (folder.test.empty() && fs::is_directory(path / train) && fs::is_directory(path / test) &&
          !subfolders(path / train).empty())
        folder.train = path / train, folder.test = path / test;
    }
  }
  for (const std::string& name : subfolders(folder.train)) {
    graft::data::FolderReport unused;
    const auto files = graft::data::detail::images_below(folder.train / name, true, unused, folder.train);
    if (files.empty()) continue;
    folder.classes.push_back(name);
    for (std::size_t i = 0; folder.height == 0 && i < files.size(); ++i) {
      try {
        const auto first = graft::data::decode_image(files[i]);
        folder.height = first.height, folder.width = first.width;
      } catch (const graft::Error&) {  // told when the folder is read
      }
    }
  }
  if (folder.height == 0) {
    fail("'", path.string(), "' holds neither IDX files (train-images-idx3-ubyte, train-labels-idx1-ubyte) nor folders with ",
         "images that can be read; put the images of each class into a folder of its name.");
  }
  return folder;
}

Pair read_pair(const Folder& source, const Folder& target, const PairOptions& options) {
  Pair pair;
  std::set_intersection(source.classes.begin(), source.classes.end(), target.classes.begin(), target.classes.end(),
                        std::back_inserter(pair.classes));
  if (pair.classes.size() < 2) {
    fail("'", source.path.string(), "' and '", target.path.string(), "' share ", pair.classes.size(),
         " classes, at least 2 are needed; classes are matched by their folders' names. Source: ", list(source.classes),
         ". Target: ", list(target.classes), ".");
  }
  for (const Folder* folder : {&source, &target}) {
    const auto rest = without(folder->classes, pair.classes);
    if (!rest.empty())
      std::printf("left out of '%s', because the other domain has no such class: %s\n", folder->path.string().c_str(),
                  list(rest).c_str());
  }
  const bool numbers = std::all_of(pair.classes.begin(), pair.classes.end(), [](const std::string& name) {
    return name.find_first_not_of("0123456789") == std::string::npos && name.size() < 6;
  });
  if (numbers) {
    std::sort(pair.classes.begin(), pair.classes.end(),
              [](const std::string& a, const std::string& b) { return std::stoi(a) < std::stoi(b); });
  }
  Parts from = read_parts(source, pair.classes, options), to = read_parts(target, pair.classes, options);
  pair.source = std::move(from.train), pair.source_test = std::move(from.test);
  pair.target = to.train.without_labels(), pair.target_test = std::move(to.test);
  pair.source_name = pair.source.name(), pair.target_name = pair.target.name();
  std::printf("%zu shared classes: %s\n", pair.classes.size(), list(pair.classes).c_str());
  return pair;
}

}  // namespace example

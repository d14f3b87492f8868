#pragma once
/// \file image_folder.hpp  Folders of images as sets: a folder per class, or one flat folder without labels. Files are decoded
/// once, on all threads, into bytes of one size; the order is that of the names, whatever the threads.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/core/parallel.hpp"
#include "graft/data/dataset.hpp"
#include "graft/data/decode.hpp"
#include "graft/data/resize.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

GRAFT_BEGIN
namespace data {

/// What every image becomes after it was decoded.
struct ImageOptions {
  int height = 0;  ///< of the result; 0, with width 0, keeps the image's own size
  int width = 0;
  int channels = 3;      ///< 1 grey, 3 RGB, 4 RGBA
  int shorter_side = 0;  ///< above 0: this side first, aspect kept, then the centre crop of height x width; 0: stretched
  Filter filter = Filter::antialiased;
  Alpha alpha = Alpha::drop;
};

/// A decoded image as the options want it. Throws Error for options that contradict each other.
inline Bitmap prepare(Bitmap image, const ImageOptions& options) {
  if (options.height < 0 || options.width < 0 || (options.height == 0) != (options.width == 0))
    fail("images of ", options.height, " x ", options.width,
         " were asked for; give both sides, or 0 and 0 for their own size.");
  image = with_channels(std::move(image), options.channels, options.alpha);
  if (options.shorter_side > 0) image = resize_shorter_side(image, options.shorter_side, options.filter);
  if (options.height == 0) return image;
  return options.shorter_side > 0 ? centre_crop(image, options.height, options.width)
                                  : resize(image, options.height, options.width, options.filter);
}

/// One image file, decoded and prepared. Throws Error, with the file's name, as decode_image.
inline Bitmap read_image(const std::filesystem::path& path, const ImageOptions& options = {}) {
  return prepare(decode_image(path), options);
}

/// What to do about a file that cannot be decoded.
enum class BadFiles { stop, skip };

/// What came of a folder.
struct FolderReport {
  struct Skipped {
    std::string file, reason;
  };
  std::vector<std::string> files;    ///< of the set's images, in its order, relative to the folder
  std::vector<Skipped> skipped;      ///< images that could not be decoded
  std::vector<std::string> ignored;  ///< files that are no images by their name, or lie outside of the classes' folders
  /// A sentence, and a line for each file that was skipped.
  [[nodiscard]] std::string summary() const {
    std::string text = std::to_string(files.size()) + " images read, " + std::to_string(skipped.size()) + " skipped, " +
                       std::to_string(ignored.size()) + " other files ignored.\n";
    for (const Skipped& s : skipped) text += "  skipped " + s.file + ": " + s.reason + "\n";
    return text;
  }
};

struct FolderOptions {
  ImageOptions image{};
  BadFiles bad_files = BadFiles::stop;
  bool empty_classes = false;                     ///< whether a class may have no images
  std::uint64_t memory = std::uint64_t{8} << 30;  ///< bytes that the decoded set may take
  FolderReport* report = nullptr;                 ///< filled when given; else skipped files are told on stderr
};

namespace detail {

inline bool hidden(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  return name.empty() || name[0] == '.';
}

/// All images below `folder`, by name; what is none goes to `ignored`.
inline std::vector<std::filesystem::path> images_below(const std::filesystem::path& folder, bool deep, FolderReport& report,
                                                       const std::filesystem::path& root) {
  std::vector<std::filesystem::path> files;
  const auto look = [&](const std::filesystem::directory_entry& entry) {
    if (!entry.is_regular_file()) return;
    if (is_image_name(entry.path()) && !hidden(entry.path()))
      files.push_back(entry.path());
    else
      report.ignored.push_back(entry.path().lexically_relative(root).string());
  };
  if (deep) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) look(entry);
  } else {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) look(entry);
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// Decodes `files` into one array, on all threads. Those that cannot be decoded are dropped from `files` and `labels`, or stop
/// the reading; whatever else is wrong always stops it. Of several errors the first by name is told.
inline Pixels decode_all(const std::filesystem::path& root, std::vector<std::filesystem::path>& files,
                         std::vector<std::int32_t>& labels, const FolderOptions& options, FolderReport& report) {
  std::vector<std::string> undecodable(files.size()), unfit(files.size());
  const auto read = [&](std::size_t i, auto&& take) {
    Bitmap one;
    try {
      one = decode_image(files[i]);
    } catch (const Error& error) {
      undecodable[i] = error.what();
      return false;
    }
    try {
      take(prepare(std::move(one), options.image));
    } catch (const Error& error) {
      unfit[i] = "'" + files[i].string() + "': " + error.what();
    }
    return unfit[i].empty();
  };
  const auto check = [&](std::size_t i) {
    if (!unfit[i].empty()) fail(unfit[i]);
    if (!undecodable[i].empty() && options.bad_files == BadFiles::stop)
      fail(undecodable[i], " To leave such files out, read the folder with BadFiles::skip.");
  };
  int height = options.image.height, width = options.image.width;
  const int channels = options.image.channels;
  (void)prepare(Bitmap{1, 1, 1, {0}}, {.height = height, .width = width, .channels = channels});  // the options alone
  std::string model;
  for (std::size_t i = 0; height == 0 && i < files.size(); ++i) {  // the first image that can be read says the size
    if (read(i, [&](const Bitmap& one) { height = one.height, width = one.width; })) model = files[i].string();
    check(i);
  }
  const std::size_t bytes =
      static_cast<std::size_t>(height) * static_cast<std::size_t>(width) * static_cast<std::size_t>(channels);
  if (bytes != 0 && files.size() > options.memory / bytes) {
    fail("the folder '", root.string(), "' needs ", files.size(), " x ", bytes, " bytes (", height, " x ", width, " x ",
         channels, " each), more than the ", options.memory, " allowed; read smaller images or allow more memory.");
  }
  std::array<std::size_t, 4> extents{files.size(), static_cast<std::size_t>(height), static_cast<std::size_t>(width),
                                     static_cast<std::size_t>(channels)};
  Pixels pixels(extents);
  parallel_for(static_cast<int>(files.size()), [&](int index) {
    const std::size_t i = static_cast<std::size_t>(index);
    if (!undecodable[i].empty()) return;
    read(i, [&](const Bitmap& one) {
      if (one.height != height || one.width != width) {
        fail("it has ", one.height, " x ", one.width, " pixels but '", model, "' has ", height, " x ", width,
             "; give the height and width that all images are to be resized to.");
      }
      std::copy(one.pixels.begin(), one.pixels.end(), pixels.data() + i * bytes);
    });
  });
  std::size_t kept = 0;
  for (std::size_t i = 0; i < files.size(); ++i) {
    check(i);
    const std::string name = files[i].lexically_relative(root).string();
    if (!undecodable[i].empty()) {
      report.skipped.push_back({name, undecodable[i]});
      continue;
    }
    report.files.push_back(name);
    if (kept != i) std::copy(pixels.data() + i * bytes, pixels.data() + (i + 1) * bytes, pixels.data() + kept * bytes);
    labels[kept++] = labels[i];
  }
  if (!report.skipped.empty() && options.report == nullptr)
    std::fprintf(stderr, "'%s': %s", root.string().c_str(), report.summary().c_str());
  if (kept == files.size()) return pixels;
  labels.resize(kept);
  extents[0] = kept;
  Pixels rest(extents);
  std::copy(pixels.data(), pixels.data() + kept * bytes, rest.data());
  return rest;
}

inline std::string folder_name(const std::filesystem::path& folder) {
  const std::string name = folder.lexically_normal().filename().string();
  return name.empty() || name == "." ? folder.lexically_normal().parent_path().filename().string() : name;
}
inline void check_folder(const std::filesystem::path& folder, const char* what) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored)) fail("'", folder.string(), "' is not a folder; give ", what, ".");
}

}  // namespace detail

/// A set from a folder per class: the subfolders' names, sorted by their bytes, are the classes 0, 1, ...; images below them
/// count at any depth, hidden files and folders do not. Throws Error for a folder that is missing or holds no class or no
/// image, for a class without images (unless allowed), for images of several sizes when none is asked for, for a set beyond the
/// memory allowed, and, by name, for a file that cannot be decoded (unless those are skipped).
inline Labelled image_folder(const std::filesystem::path& folder, const FolderOptions& options = {}) {
  detail::check_folder(folder, "a folder that holds a folder of images for each class");
  FolderReport own;
  FolderReport& report = options.report != nullptr ? *options.report : own;
  report = {};
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.is_directory() && !detail::hidden(entry.path())) names.push_back(entry.path().filename().string());
  }
  if (names.empty()) {
    fail("the folder '", folder.string(), "' has no folders in it; put the images of each class into a folder of its name, or ",
         "read it without labels with data::flat_image_folder.");
  }
  std::sort(names.begin(), names.end());
  std::vector<std::filesystem::path> files = detail::images_below(folder, false, report, folder);
  for (const auto& file : files) report.ignored.push_back(file.filename().string());
  files.clear();
  std::vector<std::int32_t> labels;
  for (std::size_t c = 0; c < names.size(); ++c) {
    const auto some = detail::images_below(folder / names[c], true, report, folder);
    files.insert(files.end(), some.begin(), some.end());
    labels.resize(files.size(), static_cast<std::int32_t>(c));
  }
  if (files.empty()) fail("the folders in '", folder.string(), "' hold no images; put JPEG, PNG, BMP or TIFF files there.");
  const auto check_classes = [&](const char* readable) {
    std::vector<bool> seen(names.size(), options.empty_classes);
    for (const std::int32_t label : labels) seen[static_cast<std::size_t>(label)] = true;
    for (std::size_t c = 0; c < names.size(); ++c) {
      if (!seen[c])
        fail("the class '", names[c], "' of '", folder.string(), "' has no ", readable, "; remove the folder or fill it.");
    }
  };
  check_classes("images");
  Pixels pixels = detail::decode_all(folder, files, labels, options, report);
  if (labels.empty()) fail("no image below '", folder.string(), "' can be decoded; ", report.summary());
  check_classes("images that can be decoded");
  return {detail::folder_name(folder), std::move(pixels), std::move(labels), std::move(names)};
}

/// A set without labels from the images of one folder, in the order of their names; folders in it are not looked at. Throws
/// Error as image_folder.
inline Unlabelled flat_image_folder(const std::filesystem::path& folder, const FolderOptions& options = {}) {
  detail::check_folder(folder, "a folder of images");
  FolderReport own;
  FolderReport& report = options.report != nullptr ? *options.report : own;
  report = {};
  std::vector<std::filesystem::path> files = detail::images_below(folder, false, report, folder);
  if (files.empty()) fail("the folder '", folder.string(), "' holds no images; put JPEG, PNG, BMP or TIFF files there.");
  std::vector<std::int32_t> labels(files.size(), 0);
  Pixels pixels = detail::decode_all(folder, files, labels, options, report);
  if (labels.empty()) fail("no image in '", folder.string(), "' can be decoded; ", report.summary());
  return {detail::folder_name(folder), std::make_shared<const Pixels>(std::move(pixels))};
}

}  // namespace data
GRAFT_END

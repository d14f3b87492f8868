#pragma once
/// \file idx.hpp  The IDX files of MNIST and its kin, plain or (with the CMake component graft::zlib) gzipped. Sizes in the
/// header are checked against the file before memory is taken on their word.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/data/dataset.hpp"

#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#ifdef GRAFT_WITH_ZLIB
#include <zlib.h>
#endif

GRAFT_BEGIN
namespace data {

namespace detail {

inline bool is_gzip_name(const std::string& path) { return path.size() > 3 && path.compare(path.size() - 3, 3, ".gz") == 0; }

/// Reads a plain or gzipped file from its start.
class ByteSource {
 public:
  explicit ByteSource(std::string path) : path_(std::move(path)), zipped_(is_gzip_name(path_)) {
#ifdef GRAFT_WITH_ZLIB
    if (zipped_) {
      gz_ = gzopen(path_.c_str(), "rb");
      if (gz_ == nullptr) fail("cannot open '", path_, "': give a file that can be read.");
      return;
    }
#else
    if (zipped_) {
      fail("'", path_,
           "' is gzipped, but this program was built without zlib; link the CMake component graft::zlib, or unpack the file "
           "with gunzip.");
    }
#endif
    file_ = std::fopen(path_.c_str(), "rb");
    if (file_ == nullptr) fail("cannot open '", path_, "': give a file that can be read.");
  }
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;
  ~ByteSource() {
    if (file_ != nullptr) std::fclose(file_);
#ifdef GRAFT_WITH_ZLIB
    if (gz_ != nullptr) gzclose(gz_);
#endif
  }

  /// Up to `count` bytes; fewer at the end. Throws Error when the gzip stream is damaged.
  std::size_t read(std::uint8_t* to, std::size_t count) {
    if (file_ != nullptr) return std::fread(to, 1, count, file_);
    std::size_t done = 0;
#ifdef GRAFT_WITH_ZLIB
    while (done < count) {
      const int got = gzread(gz_, to + done, static_cast<unsigned>(std::min<std::size_t>(count - done, 1u << 20)));
      int code = Z_OK;
      const char* text = gzerror(gz_, &code);
      if (got < 0 || (code != Z_OK && code != Z_STREAM_END))
        fail("'", path_, "' is damaged (", text, "); download or copy it again.");
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
#else
    (void)to, (void)count;
#endif
    return done;
  }

 private:
  std::string path_;
  bool zipped_;
  std::FILE* file_ = nullptr;
#ifdef GRAFT_WITH_ZLIB
  gzFile gz_ = nullptr;
#endif
};

}  // namespace detail

/// The contents of an IDX file of bytes: its extents and its numbers.
struct IdxFile {
  std::vector<std::size_t> extents;
  std::vector<std::uint8_t> bytes;
};

/// Reads an IDX file of unsigned bytes with `dimensions` extents. Throws Error, naming the file, when it is cut short, too
/// long, of another kind, or damaged.
inline IdxFile read_idx(const std::filesystem::path& path, int dimensions) {
  const std::string name = path.string();
  detail::ByteSource source(name);
  std::array<std::uint8_t, 4> word{};
  const auto next = [&] {
    if (source.read(word.data(), 4) != 4)
      fail("'", name, "' is cut short: it ends inside its header; download or copy it again.");
    return std::uint32_t{word[0]} << 24 | std::uint32_t{word[1]} << 16 | std::uint32_t{word[2]} << 8 | word[3];
  };
  const std::uint32_t magic = next();
  if (magic >> 16 != 0 || (magic >> 8 & 0xff) != 0x08 || (magic & 0xff) != static_cast<std::uint32_t>(dimensions)) {
    char text[16];
    std::snprintf(text, sizeof text, "0x%08x", magic);
    fail("'", name, "' is not an IDX file of bytes with ", dimensions, " extents: it begins with ", text,
         ", expected 0x0000080", dimensions, "; were the image and the label file exchanged?");
  }
  IdxFile file;
  constexpr std::size_t most = std::size_t{1} << 33;
  std::size_t total = 1;
  for (int i = 0; i < dimensions; ++i) {
    const std::size_t extent = next();
    if (extent == 0) fail("'", name, "' holds nothing: extent ", i, " is 0.");
    if (total > most / extent)
      fail("'", name, "' claims more than ", most, " bytes; its header is damaged, or it is no such file.");
    total *= extent;
    file.extents.push_back(extent);
  }
  // Memory is taken as the data arrives, so that a lying header costs no more than the file holds.
  constexpr std::size_t piece = std::size_t{1} << 22;
  while (file.bytes.size() < total) {
    const std::size_t have = file.bytes.size();
    const std::size_t want = std::min(piece, total - have);
    file.bytes.resize(have + want);
    const std::size_t got = source.read(file.bytes.data() + have, want);
    if (got != want)
      fail("'", name, "' is cut short: its header promises ", total, " bytes, but only ", have + got,
           " are there; download or copy it again.");
  }
  std::uint8_t extra = 0;
  if (source.read(&extra, 1) != 0)
    fail("'", name, "' is too long: more bytes follow the ", total, " that its header promises; download or copy it again.");
  return file;
}

/// Writes an IDX file of bytes; a half-written file never takes the name.
inline void write_idx(const std::filesystem::path& path, const std::vector<std::size_t>& extents, const std::uint8_t* bytes) {
  const std::string temporary = path.string() + ".partial";
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(temporary.c_str(), "wb"), &std::fclose);
  if (!file) fail("cannot write '", temporary, "': give a folder that exists and may be written.");
  std::vector<std::uint8_t> head{0, 0, 8, static_cast<std::uint8_t>(extents.size())};
  std::size_t total = 1;
  for (const std::size_t extent : extents) {
    for (int shift = 24; shift >= 0; shift -= 8) head.push_back(static_cast<std::uint8_t>(extent >> shift & 0xff));
    total *= extent;
  }
  const bool ok = std::fwrite(head.data(), 1, head.size(), file.get()) == head.size() &&
                  std::fwrite(bytes, 1, total, file.get()) == total && std::fflush(file.get()) == 0;
  file.reset();
  if (!ok) {
    std::filesystem::remove(temporary);
    fail("cannot write '", path.string(), "': is the disk full?");
  }
  std::filesystem::rename(temporary, path);
}

/// A pair of IDX files as a set: images of 3 extents (grey) or 4 (colour), labels of 1.
inline Labelled read_idx_pair(const std::string& name, const std::filesystem::path& images, const std::filesystem::path& labels,
                              int classes = 10) {
  IdxFile marks = read_idx(labels, 1);
  detail::ByteSource probe(images.string());
  std::array<std::uint8_t, 4> magic{};
  probe.read(magic.data(), 4);
  const int dimensions = magic[3] == 4 ? 4 : 3;
  IdxFile pictures = read_idx(images, dimensions);
  if (pictures.extents[0] != marks.extents[0]) {
    fail("'", images.string(), "' holds ", pictures.extents[0], " images but '", labels.string(), "' holds ", marks.extents[0],
         " labels; they do not belong together.");
  }
  for (std::size_t i = 0; i < marks.bytes.size(); ++i) {
    if (marks.bytes[i] >= classes) {
      fail("'", labels.string(), "': label ", i, " is ", static_cast<int>(marks.bytes[i]), ", but labels go from 0 to ",
           classes - 1, ".");
    }
  }
  Pixels pixels(std::array<std::size_t, 4>{pictures.extents[0], pictures.extents[1], pictures.extents[2],
                                           dimensions == 4 ? pictures.extents[3] : 1});
  std::copy(pictures.bytes.begin(), pictures.bytes.end(), pixels.data());
  return {name, std::move(pixels), std::vector<std::int32_t>(marks.bytes.begin(), marks.bytes.end()), classes};
}

/// `folder` / `stem`, as plain or gzipped file, with a dash or a dot before "idx": the names that are about.
inline std::filesystem::path find_idx(const std::filesystem::path& folder, const std::string& stem, const std::string& kind) {
  if (!std::filesystem::is_directory(folder))
    fail("'", folder.string(), "' is not a folder; give the folder that holds ", stem, "-", kind, "-ubyte[.gz].");
  for (const char* dash : {"-", "."}) {
    for (const char* end : {"-ubyte", "-ubyte.gz"}) {
      std::filesystem::path path = folder / (stem + dash + kind + end);
      if (std::filesystem::is_regular_file(path)) return path;
    }
  }
  fail("the folder '", folder.string(), "' has no ", stem, "-", kind, "-ubyte or ", stem, "-", kind,
       "-ubyte.gz; give the folder of an MNIST-like set.");
}

}  // namespace data
GRAFT_END

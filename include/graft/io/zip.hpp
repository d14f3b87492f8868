#pragma once
/// \file zip.hpp  As much of zip as .npz files need (needs zlib, CMake component graft::zlib): entries stored or deflated,
/// zip64. Every size is checked against the file before memory is taken, and deflate cannot expand more than 1032-fold, so a
/// file costs at most that much. The format: PKWARE's APPNOTE 6.3.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/io/mapped_file.hpp"

#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

GRAFT_BEGIN
namespace io::detail {

inline std::uint32_t zip_crc(std::string_view bytes) {
  return static_cast<std::uint32_t>(::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

/// A zip archive, mapped.
class ZipFile {
 public:
  struct Entry {
    bool deflated = false;
    std::uint32_t crc = 0;
    std::size_t size = 0;  ///< unpacked
    std::string_view packed;
  };

  explicit ZipFile(const std::filesystem::path& path) : path_(path.string()), file_(path, ".npz file") { read_directory(); }

  [[nodiscard]] const std::map<std::string, Entry>& entries() const { return entries_; }
  [[nodiscard]] const std::string& path() const { return path_; }

  /// The first bytes of an entry, at most `most`; not yet checked by its checksum.
  [[nodiscard]] std::string head(const Entry& entry, std::size_t most) const {
    if (!entry.deflated) return std::string(entry.packed.substr(0, most));
    return inflate(entry, std::min(most, entry.size), false);
  }
  /// All bytes of an entry. Throws Error when they are damaged or not as many as the directory says.
  [[nodiscard]] std::string contents(const Entry& entry) const {
    std::string bytes = entry.deflated ? inflate(entry, entry.size, true) : std::string(entry.packed);
    if (zip_crc(bytes) != entry.crc) bad("an entry's checksum does not agree");
    return bytes;
  }

 private:
  template <class... Parts>
  [[noreturn]] void bad(const Parts&... parts) const {
    fail("'", path_, "' is not a whole zip file (.npz): ", parts..., "; write or copy it again.");
  }
  /// A little-endian number of `width` bytes at `at`.
  [[nodiscard]] std::uint64_t number(std::uint64_t at, unsigned width) const {
    if (at > file_.size() || width > file_.size() - at) bad("it ends within its directory");
    std::uint64_t value = 0;
    for (unsigned i = width; i-- > 0;) value = value << 8 | static_cast<unsigned char>(file_.data()[at + i]);
    return value;
  }
  [[nodiscard]] std::string_view text(std::uint64_t at, std::uint64_t length) const {
    if (at > file_.size() || length > file_.size() - at) bad("it ends within an entry");
    return file_.bytes().substr(static_cast<std::size_t>(at), static_cast<std::size_t>(length));
  }

  void read_directory() {
    const std::uint64_t size = file_.size();
    if (size < 22) bad("it is shorter than an empty one");
    std::uint64_t end = size - 22;
    const std::uint64_t first = end > 65535 ? end - 65535 : 0;
    while (number(end, 4) != 0x06054b50 || number(end + 20, 2) != size - end - 22) {
      if (end == first) bad("the directory at its end is missing");
      --end;
    }
    std::uint64_t count = number(end + 10, 2), bytes = number(end + 12, 4), at = number(end + 16, 4);
    if (end >= 20 && number(end - 20, 4) == 0x07064b50) {
      const std::uint64_t wide = number(end - 12, 8);
      if (wide > size || number(wide, 4) != 0x06064b50) bad("its zip64 directory is missing");
      count = number(wide + 32, 8);
      bytes = number(wide + 40, 8);
      at = number(wide + 48, 8);
    }
    if (at > end || bytes > end - at) bad("its directory lies outside of it");
    if (count > bytes / 46) bad("its directory claims ", count, " entries in ", bytes, " bytes");
    std::vector<std::pair<std::uint64_t, std::uint64_t>> spans;
    for (std::uint64_t i = 0; i < count; ++i) at = read_entry(at, spans);
    std::sort(spans.begin(), spans.end());
    for (std::size_t i = 1; i < spans.size(); ++i) {
      if (spans[i].first < spans[i - 1].second) bad("its entries overlap");
    }
  }

  /// One entry of the directory; returns where the next begins.
  std::uint64_t read_entry(std::uint64_t at, std::vector<std::pair<std::uint64_t, std::uint64_t>>& spans) {
    if (number(at, 4) != 0x02014b50) bad("its directory is damaged");
    const std::uint64_t flags = number(at + 8, 2), method = number(at + 10, 2);
    std::uint64_t packed = number(at + 20, 4), size = number(at + 24, 4), local = number(at + 42, 4);
    const std::uint64_t name_length = number(at + 28, 2), extra = number(at + 30, 2), comment = number(at + 32, 2);
    const std::string name(text(at + 46, name_length));
    const std::uint64_t extra_end = at + 46 + name_length + extra;
    for (std::uint64_t field = at + 46 + name_length; field + 4 <= extra_end; field += 4 + number(field + 2, 2)) {
      if (number(field, 2) != 1) continue;
      std::uint64_t next = field + 4;
      for (std::uint64_t* value : {&size, &packed, &local}) {
        if (*value != 0xFFFFFFFFu) continue;
        if (next + 8 > extra_end) bad("the zip64 sizes of '", name, "' are missing");
        *value = number(next, 8);
        next += 8;
      }
    }
    if ((flags & 1) != 0) bad("'", name, "' is encrypted");
    if (method != 0 && method != 8) bad("'", name, "' is packed by method ", method, ", graft knows stored and deflate");
    if (local > file_.size() || number(local, 4) != 0x04034b50) bad("'", name, "' does not begin where the directory says");
    const std::uint64_t data = local + 30 + number(local + 26, 2) + number(local + 28, 2);
    Entry entry;
    entry.deflated = method == 8;
    entry.crc = static_cast<std::uint32_t>(number(at + 16, 4));
    entry.packed = text(data, packed);
    if (!entry.deflated && size != packed) bad("'", name, "' is stored, but its two sizes differ");
    // 1032: 258 bytes for two bits; Deflate 1.3, "maximum expansion" in zlib's technical notes.
    if (size > 1032 * (packed + 1)) bad("'", name, "' claims ", size, " bytes from ", packed, ", more than deflate can hold");
    entry.size = static_cast<std::size_t>(size);
    spans.emplace_back(local, data + packed);
    if (!entries_.emplace(name, entry).second) bad("it has two entries named '", name, "'");
    return extra_end + comment;
  }

  /// `size` bytes of a deflated entry; with `whole` its stream must end there.
  [[nodiscard]] std::string inflate(const Entry& entry, std::size_t size, bool whole) const {
    z_stream stream{};
    if (inflateInit2(&stream, -15) != Z_OK) fail("zlib has no memory to unpack '", path_, "'.");
    struct Close {
      z_stream* stream;
      ~Close() { inflateEnd(stream); }
    } close{&stream};
    std::string out;
    std::size_t fed = 0;
    int code = Z_OK;
    // One byte more than wanted: a stream that is longer than its directory says is found, and costs nothing.
    const std::size_t most = size + (whole ? 1 : 0);
    while (code == Z_OK && out.size() < most) {
      const std::size_t have = out.size();
      out.resize(have + std::min<std::size_t>(most - have, std::size_t{1} << 22));
      stream.next_out = reinterpret_cast<Bytef*>(out.data() + have);
      stream.avail_out = static_cast<uInt>(out.size() - have);
      while (code == Z_OK && stream.avail_out > 0) {
        if (stream.avail_in == 0) {
          const std::size_t piece = std::min<std::size_t>(entry.packed.size() - fed, std::size_t{1} << 22);
          stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(entry.packed.data() + fed));
          stream.avail_in = static_cast<uInt>(piece);
          fed += piece;
        }
        code = ::inflate(&stream, Z_NO_FLUSH);
      }
      out.resize(out.size() - stream.avail_out);
    }
    const bool good = whole ? code == Z_STREAM_END && out.size() == size : code == Z_OK || code == Z_STREAM_END;
    if (!good || out.size() > size) bad("a deflated entry is damaged or not as long as the directory says");
    return out;
  }

  std::string path_;
  MappedFile file_;
  std::map<std::string, Entry> entries_;
};

/// Builds a zip archive in memory. All entries carry zip64 fields, so that there is one form for every size.
class ZipWriter {
 public:
  void add(const std::string& name, std::string_view bytes, bool deflate) {
    const std::string packed = deflate ? deflated(bytes) : std::string();
    const std::string_view stored = deflate ? std::string_view(packed) : bytes;
    const std::uint64_t local = file_.size();
    const std::uint64_t crc = zip_crc(bytes);
    const auto common = [&](std::string& to) {  // from "version needed" to the length of the extra field
      put(to, 45, 2), put(to, 0x800, 2), put(to, deflate ? 8 : 0, 2), put(to, 0, 2), put(to, 0x21, 2), put(to, crc, 4);
      put(to, 0xFFFFFFFFu, 4), put(to, 0xFFFFFFFFu, 4), put(to, name.size(), 2);
    };
    put(file_, 0x04034b50, 4);
    common(file_);
    put(file_, 20, 2);
    file_ += name;
    put(file_, 1, 2), put(file_, 16, 2), put(file_, bytes.size(), 8), put(file_, stored.size(), 8);
    file_ += stored;
    put(directory_, 0x02014b50, 4), put(directory_, 45, 2);
    common(directory_);
    put(directory_, 28, 2), put(directory_, 0, 2), put(directory_, 0, 2), put(directory_, 0, 2), put(directory_, 0, 4);
    put(directory_, 0xFFFFFFFFu, 4);
    directory_ += name;
    put(directory_, 1, 2), put(directory_, 24, 2), put(directory_, bytes.size(), 8), put(directory_, stored.size(), 8);
    put(directory_, local, 8);
    ++count_;
  }
  /// The whole archive.
  std::string finish() {
    const std::uint64_t at = file_.size(), bytes = directory_.size(), end = at + bytes;
    file_ += directory_;
    put(file_, 0x06064b50, 4), put(file_, 44, 8), put(file_, 45, 2), put(file_, 45, 2), put(file_, 0, 4), put(file_, 0, 4);
    put(file_, count_, 8), put(file_, count_, 8), put(file_, bytes, 8), put(file_, at, 8);
    put(file_, 0x07064b50, 4), put(file_, 0, 4), put(file_, end, 8), put(file_, 1, 4);
    put(file_, 0x06054b50, 4), put(file_, 0, 2), put(file_, 0, 2), put(file_, 0xFFFF, 2), put(file_, 0xFFFF, 2);
    put(file_, 0xFFFFFFFFu, 4), put(file_, 0xFFFFFFFFu, 4), put(file_, 0, 2);
    return std::move(file_);
  }

 private:
  static void put(std::string& to, std::uint64_t value, unsigned width) {
    for (unsigned i = 0; i < width; ++i) to += static_cast<char>(value >> 8 * i & 255);
  }
  static std::string deflated(std::string_view bytes) {
    z_stream stream{};
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK)
      fail("zlib has no memory to pack an array; write the file without compression.");
    std::string out;
    std::size_t fed = 0;
    std::vector<char> piece(std::size_t{1} << 18);
    int code = Z_OK;
    while (code == Z_OK) {
      if (stream.avail_in == 0 && fed < bytes.size()) {
        const std::size_t next = std::min<std::size_t>(bytes.size() - fed, std::size_t{1} << 22);
        stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data() + fed));
        stream.avail_in = static_cast<uInt>(next);
        fed += next;
      }
      stream.next_out = reinterpret_cast<Bytef*>(piece.data());
      stream.avail_out = static_cast<uInt>(piece.size());
      code = ::deflate(&stream, fed == bytes.size() ? Z_FINISH : Z_NO_FLUSH);
      out.append(piece.data(), piece.size() - stream.avail_out);
    }
    deflateEnd(&stream);
    return out;
  }
  std::string file_, directory_;
  std::uint64_t count_ = 0;
};

}  // namespace io::detail
GRAFT_END

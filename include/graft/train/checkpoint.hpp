#pragma once
/// \file checkpoint.hpp  Everything a run needs to go on, as named arrays in one file: "GRAFTCKP", a version, a count, then for
/// each array its name, type, count and bytes, and a CRC-32 of all that; little-endian. Read whole and checked whole before
/// anything is used.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/train/atomic_file.hpp"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

GRAFT_BEGIN

namespace detail {
inline constexpr std::string_view checkpoint_magic = "GRAFTCKP";
inline constexpr std::uint32_t checkpoint_version = 1;

/// CRC-32 as in zip and PNG.
inline std::uint32_t crc32(std::string_view bytes) {
  static const std::array<std::uint32_t, 256> table = [] {
    std::array<std::uint32_t, 256> t{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t c = i;
      for (int k = 0; k < 8; ++k) c = (c & 1) != 0 ? 0xEDB88320u ^ c >> 1 : c >> 1;
      t[i] = c;
    }
    return t;
  }();
  std::uint32_t crc = 0xFFFFFFFFu;
  for (const char byte : bytes) crc = table[(crc ^ static_cast<unsigned char>(byte)) & 0xFF] ^ crc >> 8;
  return ~crc;
}

template <class T>
constexpr std::uint32_t type_code() {
  if constexpr (std::is_same_v<T, float>) return 1;
  if constexpr (std::is_same_v<T, double>) return 2;
  return 3;
}
inline const char* type_name(std::uint32_t code) { return code == 1 ? "float" : code == 2 ? "double" : "text"; }
inline std::size_t type_bytes(std::uint32_t code) { return code == 1 ? 4 : code == 2 ? 8 : 1; }
}  // namespace detail

static_assert(std::endian::native == std::endian::little, "graft: checkpoints are written little-endian.");

class CheckpointWriter {
 public:
  template <class T>
  void add(const std::string& name, const T* data, std::size_t count) {
    static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>, "graft: a checkpoint holds float, double and text.");
    put(name, detail::type_code<T>(), std::string_view(reinterpret_cast<const char*>(data), count * sizeof(T)), count);
  }
  void add_text(const std::string& name, const std::string& text) { put(name, 3, text, text.size()); }
  void add_number(const std::string& name, double value) { add(name, &value, 1); }

  /// What the file holds.
  [[nodiscard]] std::string bytes() const {
    std::string all(detail::checkpoint_magic);
    append(all, detail::checkpoint_version);
    append(all, count_);
    all += body_;
    append(all, detail::crc32(all));
    return all;
  }
  /// Writes the file whole or not at all. Throws Error when it cannot.
  void write(const std::filesystem::path& path) const { atomic_write(path, bytes()); }

 private:
  template <class N>
  static void append(std::string& to, N value) {
    char raw[sizeof(N)];
    std::memcpy(raw, &value, sizeof(N));
    to.append(raw, sizeof(N));
  }
  void put(const std::string& name, std::uint32_t type, std::string_view bytes, std::size_t count) {
    if (!names_.insert(name).second)
      fail("a checkpoint was given two arrays named '", name, "'; give each model a name of its own.");
    append(body_, static_cast<std::uint32_t>(name.size()));
    body_ += name;
    append(body_, type);
    append(body_, static_cast<std::uint64_t>(count));
    body_.append(bytes);
    ++count_;
  }
  std::string body_;
  std::set<std::string> names_;
  std::uint32_t count_ = 0;
};

class CheckpointReader {
 public:
  /// Reads and checks a file. Throws Error, in a sentence, when it is missing, cut short, damaged, or no checkpoint.
  explicit CheckpointReader(const std::filesystem::path& path) : path_(path.string()) {
    std::ifstream in(path, std::ios::binary);
    std::error_code unknown;
    if (!in || !std::filesystem::is_regular_file(path, unknown))
      fail("cannot open the checkpoint '", path_, "'; give a file that exists and can be read.");
    bytes_.assign(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    parse();
  }
  /// The same from bytes() of a writer.
  static CheckpointReader of_bytes(std::string bytes, std::string name) {
    CheckpointReader reader;
    reader.path_ = std::move(name);
    reader.bytes_ = std::move(bytes);
    reader.parse();
    return reader;
  }

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] bool has(const std::string& name) const {
    for (const Entry& e : entries_) {
      if (e.name == name) return true;
    }
    return false;
  }
  /// Copies the named array, which must have this type and count.
  template <class T>
  void get(const std::string& name, T* to, std::size_t count) const {
    static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>, "graft: a checkpoint holds float, double and text.");
    const Entry& e = find(name, detail::type_code<T>());
    if (e.count != count) {
      fail("the checkpoint '", path_, "' is of another network: '", name, "' has ", e.count, " numbers there but ", count,
           " here; build the network it was made with.");
    }
    if (count != 0) std::memcpy(to, bytes_.data() + e.begin, count * sizeof(T));
  }
  [[nodiscard]] std::string text(const std::string& name) const {
    const Entry& e = find(name, 3);
    return bytes_.substr(e.begin, e.count);
  }
  [[nodiscard]] double number(const std::string& name) const {
    double value = 0.0;
    get(name, &value, 1);
    return value;
  }

 private:
  struct Entry {
    std::string name;
    std::uint32_t type = 0;
    std::size_t count = 0;
    std::size_t begin = 0;
  };
  CheckpointReader() = default;
  void parse() {
    if (bytes_.size() < 20 || std::string_view(bytes_).substr(0, 8) != detail::checkpoint_magic) {
      fail("'", path_, "' is not a checkpoint of graft, or is cut short; give a file that a run wrote.");
    }
    const std::string_view all(bytes_);
    std::uint32_t crc = 0;
    std::memcpy(&crc, bytes_.data() + bytes_.size() - 4, 4);
    if (crc != detail::crc32(all.substr(0, all.size() - 4))) {
      fail("the checkpoint '", path_,
           "' is damaged or cut short (its checksum does not agree); use an earlier one or start afresh.");
    }
    position_ = 8;
    end_ = bytes_.size() - 4;
    const std::uint32_t version = take<std::uint32_t>();
    if (version != detail::checkpoint_version) {
      fail("the checkpoint '", path_, "' has format ", version, " but this program reads ", detail::checkpoint_version,
           "; use the version of graft that wrote it.");
    }
    const std::uint32_t count = take<std::uint32_t>();
    for (std::uint32_t i = 0; i < count; ++i) {
      Entry entry;
      const std::uint32_t length = take<std::uint32_t>();
      need(length);
      entry.name = bytes_.substr(position_, length);
      position_ += length;
      entry.type = take<std::uint32_t>();
      if (entry.type < 1 || entry.type > 3) damaged();
      const std::uint64_t numbers = take<std::uint64_t>();
      if (numbers > end_ / detail::type_bytes(entry.type)) damaged();
      entry.count = static_cast<std::size_t>(numbers);
      entry.begin = position_;
      need(entry.count * detail::type_bytes(entry.type));
      position_ += entry.count * detail::type_bytes(entry.type);
      entries_.push_back(std::move(entry));
    }
    if (position_ != end_) damaged();
  }
  [[noreturn]] void damaged() const { fail("the checkpoint '", path_, "' is damaged; use an earlier one or start afresh."); }
  void need(std::size_t bytes) const {
    if (bytes > end_ - position_) damaged();
  }
  template <class N>
  N take() {
    need(sizeof(N));
    N value;
    std::memcpy(&value, bytes_.data() + position_, sizeof(N));
    position_ += sizeof(N);
    return value;
  }
  const Entry& find(const std::string& name, std::uint32_t type) const {
    for (const Entry& e : entries_) {
      if (e.name != name) continue;
      if (e.type != type) {
        fail("the checkpoint '", path_, "' is of another network: '", name, "' is ", detail::type_name(e.type), " there but ",
             detail::type_name(type), " here.");
      }
      return e;
    }
    fail("the checkpoint '", path_, "' is of another network or method: it has no '", name, "'; build what it was made with.");
  }

  std::string path_;
  std::string bytes_;
  std::size_t position_ = 0;
  std::size_t end_ = 0;
  std::vector<Entry> entries_;
};

GRAFT_END

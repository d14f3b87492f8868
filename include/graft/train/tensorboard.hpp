#pragma once
/// \file tensorboard.hpp  TensorBoard event files: scalars and PNG images, written without TensorFlow or protobuf. A file is a
/// list of TFRecords (length, masked CRC-32C of it, bytes, masked CRC-32C of them), each a tensorflow.Event message.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/io/protobuf.hpp"
#include "graft/train/atomic_file.hpp"
#include "graft/train/trainer.hpp"

#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

GRAFT_BEGIN
namespace detail {

/// CRC-32C (Castagnoli), rotated and shifted as TFRecords have it.
inline std::uint32_t masked_crc32c(std::string_view bytes) {
  static const std::array<std::uint32_t, 256> table = [] {
    std::array<std::uint32_t, 256> t{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t c = i;
      for (int k = 0; k < 8; ++k) c = (c & 1) != 0 ? 0x82F63B78u ^ c >> 1 : c >> 1;
      t[i] = c;
    }
    return t;
  }();
  std::uint32_t crc = 0xFFFFFFFFu;
  for (const char byte : bytes) crc = table[(crc ^ static_cast<unsigned char>(byte)) & 0xFF] ^ crc >> 8;
  return std::rotr(~crc, 15) + 0xA282EAD8u;
}

inline std::string tf_record(const std::string& data) {
  const std::string length = little_endian(static_cast<std::uint64_t>(data.size()));
  return length + little_endian(masked_crc32c(length)) + data + little_endian(masked_crc32c(data));
}

/// An event of a time (seconds since 1970) and step with one summary value.
inline std::string event(double time, std::int64_t step, const std::string& value) {
  return std::string("\x09", 1) + little_endian(time) + (step != 0 ? proto_int(2, step) : std::string()) +
         proto_bytes(5, proto_bytes(1, value));
}
inline std::string scalar_value(const std::string& tag, float value) { return proto_bytes(1, tag) + proto_float(2, value); }
inline std::string image_value(const std::string& tag, int height, int width, int channels, const std::string& png) {
  return proto_bytes(1, tag) +
         proto_bytes(4, proto_int(1, height) + proto_int(2, width) + proto_int(3, channels) + proto_bytes(4, png));
}

}  // namespace detail

/// Writes one event file, events.out.tfevents.SECONDS.graft.N, into a folder that TensorBoard is pointed at.
class EventFile {
 public:
  /// Makes the folder and a new file in it; `time` stands in its first record. Throws Error when it cannot.
  explicit EventFile(const std::filesystem::path& folder, double time = now()) {
    make_folder(folder);
    for (int n = 0; file_ == nullptr; ++n) {
      path_ = folder / ("events.out.tfevents." + std::to_string(static_cast<long long>(time)) + ".graft." + std::to_string(n));
      file_.reset(std::fopen(path_.string().c_str(), "wbx"));
      if (file_ == nullptr && errno != EEXIST)
        fail("cannot write '", path_.string(), "' (", std::strerror(errno), "); give a folder that may be written.");
    }
    put(std::string("\x09", 1) + detail::little_endian(time) + detail::proto_bytes(3, "brain.Event:2"));
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  void scalar(const std::string& tag, std::int64_t step, double value, double time = now()) {
    put(detail::event(time, step, detail::scalar_value(tag, static_cast<float>(value))));
  }
  /// An image as the bytes of a PNG file.
  void image(const std::string& tag, std::int64_t step, int height, int width, int channels, const std::string& png,
             double time = now()) {
    put(detail::event(time, step, detail::image_value(tag, height, width, channels, png)));
  }
  /// Seconds since 1970.
  static double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  void put(const std::string& event) {
    const std::string record = detail::tf_record(event);
    if (std::fwrite(record.data(), 1, record.size(), file_.get()) != record.size() || std::fflush(file_.get()) != 0)
      fail("cannot write '", path_.string(), "' (", std::strerror(errno), "); is the disk full?");
  }
  std::filesystem::path path_;
  std::unique_ptr<std::FILE, Close> file_;
};

/// Every column of the history as a scalar, step by epoch: `TensorBoard{"runs/one"}`, then `tensorboard --logdir runs`. A
/// resumed run goes on in a new file of the same folder.
class TensorBoard {
 public:
  explicit TensorBoard(std::filesystem::path folder) : folder_(std::move(folder)) {}
  void on_begin(const RunInfo&) { file_ = std::make_unique<EventFile>(folder_); }
  void on_epoch(const EpochInfo& info) {
    if (file_ == nullptr) file_ = std::make_unique<EventFile>(folder_);
    for (const auto& [name, value] : info.row->values()) {
      if (name != "epoch") file_->scalar(name, info.epoch + 1, value);
    }
  }
  void on_end(const History&) { file_.reset(); }
  /// The file, for more scalars and for images, while a run goes on; else null.
  [[nodiscard]] EventFile* file() { return file_.get(); }

 private:
  std::filesystem::path folder_;
  std::unique_ptr<EventFile> file_;
};

GRAFT_END

#pragma once
/// \file mapped_file.hpp  A file's bytes, mapped into memory where the system can (POSIX), read into it elsewhere: of a large
/// file only the pages that are looked at are ever loaded. The file must not be cut while it is mapped; graft's own writers
/// replace files by renaming, which leaves a mapping whole.
#include "graft/config.hpp"
#include "graft/core/error.hpp"

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#if defined(__unix__) || defined(__APPLE__)
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#define GRAFT_HAS_MMAP 1
#else
#include <fstream>
#include <vector>
#define GRAFT_HAS_MMAP 0
#endif

GRAFT_BEGIN
namespace io {

/// A regular file's bytes, for reading.
class MappedFile {
 public:
  /// Throws Error when there is no regular file that can be read. `what` names the kind of file in that sentence.
  explicit MappedFile(const std::filesystem::path& path, const char* what = "file") {
    const std::string name = path.string();
#if GRAFT_HAS_MMAP
    // O_NONBLOCK: a pipe of that name must not hold the program up.
    const int file = ::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    const int reason = errno;
    struct stat status {};
    if (file < 0 || ::fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
      if (file >= 0) ::close(file);
      fail("cannot open '", name, "' (", file < 0 ? std::strerror(reason) : "it is no regular file", "): give the path of a ",
           what, " that can be read.");
    }
    size_ = static_cast<std::size_t>(status.st_size);
    if (size_ > 0) {
      void* at = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0);
      const int mapping = errno;
      if (at == MAP_FAILED) {
        ::close(file);
        fail("cannot map '", name, "' into memory (", std::strerror(mapping), "): copy it to a local disk.");
      }
      data_ = static_cast<const char*>(at);
    }
    ::close(file);
#else
    std::ifstream in(path, std::ios::binary | std::ios::ate);
    std::error_code unknown;
    if (!in || !std::filesystem::is_regular_file(path, unknown))
      fail("cannot open '", name, "': give the path of a ", what, " that can be read.");
    bytes_.resize(static_cast<std::size_t>(in.tellg()));
    in.seekg(0);
    in.read(bytes_.data(), static_cast<std::streamsize>(bytes_.size()));
    if (!in) fail("'", name, "' could not be read to its end; copy it again.");
    data_ = bytes_.data();
    size_ = bytes_.size();
#endif
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  MappedFile(MappedFile&& other) noexcept : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {
#if !GRAFT_HAS_MMAP
    bytes_ = std::move(other.bytes_);
#endif
  }
  MappedFile& operator=(MappedFile&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
#if !GRAFT_HAS_MMAP
    std::swap(bytes_, other.bytes_);
#endif
    return *this;
  }
  ~MappedFile() {
#if GRAFT_HAS_MMAP
    if (data_ != nullptr) ::munmap(const_cast<char*>(data_), size_);
#endif
  }

  [[nodiscard]] const char* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::string_view bytes() const { return {data_, size_}; }

 private:
  const char* data_ = nullptr;
  std::size_t size_ = 0;
#if !GRAFT_HAS_MMAP
  std::vector<char> bytes_;
#endif
};

}  // namespace io
GRAFT_END

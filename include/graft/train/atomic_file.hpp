#pragma once
/// \file atomic_file.hpp  Files that are written whole or not at all: a temporary file beside the target, fsync, rename, fsync
/// of the folder.
#include "graft/config.hpp"
#include "graft/core/error.hpp"

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

GRAFT_BEGIN

namespace detail {
/// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  [[nodiscard]] int get() const { return number_; }
  /// Closes now; false where the system reports an error that it had kept back.
  bool close() { return ::close(std::exchange(number_, -1)) == 0; }

 private:
  int number_;
};

inline std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

inline bool write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ::ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}
}  // namespace detail

/// Puts `bytes` into the file `path`. Readers see the old file or the new one, never a part, also after a crash or a full disk.
/// Throws Error when the folder is missing, not writable or full; then the old file is as it was and nothing is left behind.
inline void atomic_write(const std::string& path, std::string_view bytes) {
  const std::string temporary = path + ".tmp" + std::to_string(::getpid());
  const auto give_up = [&](const char* what) {
    const int why = errno;
    ::unlink(temporary.c_str());
    fail("cannot write '", path, "': ", what, " failed (", std::strerror(why),
         "); give a folder that exists, is writable and has ", bytes.size(),
         " bytes free. The file that was there before is unchanged.");
  };
  detail::Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (file.get() < 0) give_up("creating a file beside it");
  if (!detail::write_all(file.get(), bytes)) give_up("writing");
  if (::fsync(file.get()) != 0) give_up("fsync");
  if (!file.close()) give_up("closing");
  if (::rename(temporary.c_str(), path.c_str()) != 0) give_up("renaming");
  const detail::Descriptor folder(::open(detail::folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() >= 0) ::fsync(folder.get());  // some file systems cannot; the rename itself is done
}

/// Whether there is a file (or folder) of that name.
inline bool file_exists(const std::string& path) {
  struct ::stat status {};
  return ::stat(path.c_str(), &status) == 0;
}

/// The whole file; its size is the system's word, not the file's. Throws Error when it cannot be read.
inline std::string read_file(const std::string& path) {
  const auto give_up = [&] {
    fail("cannot read '", path, "': ", std::strerror(errno), "; give the path of a file that can be read.");
  };
  const detail::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct ::stat status {};
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0) give_up();
  if (!S_ISREG(status.st_mode)) fail("cannot read '", path, "': it is not a regular file.");
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    const ::ssize_t got = ::read(file.get(), bytes.data() + filled, bytes.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) give_up();
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  bytes.resize(filled);
  return bytes;
}

/// Makes a folder and the folders above it where they are missing. Throws Error when that cannot be.
inline void make_folder(const std::string& path) {
  for (std::size_t end = path.find('/', 1); !path.empty(); end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (::mkdir(part.c_str(), 0777) != 0 && errno != EEXIST && !file_exists(part)) {
      fail("cannot make the folder '", part, "': ", std::strerror(errno), "; give a folder that can be made.");
    }
    if (end == std::string::npos) break;
  }
}

GRAFT_END

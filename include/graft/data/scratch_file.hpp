#pragma once
/// \file scratch_file.hpp  Memory that lies on a disk: a file without a name, mapped, gone when the program ends, however it
/// ends.
#include "graft/config.hpp"
#include "graft/core/error.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>

#if defined(__unix__) || defined(__APPLE__)
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#endif

GRAFT_BEGIN
namespace data {

/// `count` numbers, zero at first, in a mapped file in `folder`. Throws Error when the folder has no room for them or cannot be
/// written, and where the system maps no files.
template <class T>
std::shared_ptr<T> scratch_on_disk(const std::filesystem::path& folder, std::size_t count) {
  if (count == 0 || count > static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max()) / sizeof(T)) {
    fail("a scratch file of ", count, " numbers was asked for; it takes from 1 to what an address can reach.");
  }
#if defined(__unix__) || defined(__APPLE__)
  const std::size_t bytes = count * sizeof(T);
  std::string name = (folder / "graft-scratch-XXXXXX").string();
  const int file = ::mkstemp(name.data());
  if (file < 0)
    fail("cannot make a file in '", folder.string(), "' (", std::strerror(errno), "); name a folder for scratch files.");
  ::unlink(name.c_str());
#if defined(__APPLE__)
  const int error = ::ftruncate(file, static_cast<off_t>(bytes)) == 0 ? 0 : errno;
#else
  const int error = ::posix_fallocate(file, 0, static_cast<off_t>(bytes));  // a full disk shows here, not as a signal later
#endif
  if (error != 0) {
    ::close(file);
    fail("'", folder.string(), "' has no room for a scratch file of ", bytes, " bytes (", std::strerror(error), ").");
  }
  void* at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  const int mapping = errno;
  ::close(file);
  if (at == MAP_FAILED) fail("a scratch file of ", bytes, " bytes could not be mapped (", std::strerror(mapping), ").");
  return {static_cast<T*>(at), [bytes](T* numbers) { ::munmap(numbers, bytes); }};
#else
  fail("scratch files need a system that maps files; give a budget of memory for what was to lie in '", folder.string(), "'.");
#endif
}

}  // namespace data
GRAFT_END

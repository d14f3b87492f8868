#pragma once
/// \file atomic_file.hpp  Files appear whole or not at all: written beside their place, flushed to the disk, then renamed.
#include "graft/config.hpp"
#include "graft/core/error.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>

#if defined(__unix__) || defined(__APPLE__)
#include <fcntl.h>
#include <unistd.h>
#endif

GRAFT_BEGIN

/// Makes a folder and those above it. Throws Error when it cannot.
inline void make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error || !std::filesystem::is_directory(folder)) {
    fail("cannot make the folder '", folder.string(), "' (", error ? error.message() : "a file of that name stands there",
         "); give a place that may be written.");
  }
}

/// Writes `bytes` to `path`: whole, or Error and the old file, if there was one, untouched.
inline void atomic_write(const std::filesystem::path& path, std::string_view bytes) {
  const std::string temporary = path.string() + ".partial";
  std::FILE* file = std::fopen(temporary.c_str(), "wb");
  if (file == nullptr)
    fail("cannot write '", path.string(), "' (", std::strerror(errno), "); give a folder that exists and may be written.");
  bool ok = std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size() && std::fflush(file) == 0;
#if defined(__unix__) || defined(__APPLE__)
  ok = ok && fsync(fileno(file)) == 0;
#endif
  int reason = errno;
  if (std::fclose(file) != 0 && ok) {
    ok = false;
    reason = errno;
  }
  if (ok && std::rename(temporary.c_str(), path.string().c_str()) != 0) {
    ok = false;
    reason = errno;
  }
  if (!ok) {
    std::remove(temporary.c_str());
    fail("cannot write '", path.string(), "' (", std::strerror(reason), "); is the disk full?");
  }
#if defined(__unix__) || defined(__APPLE__)
  const std::string folder = path.has_parent_path() ? path.parent_path().string() : std::string(".");
  const int directory = open(folder.c_str(), O_RDONLY);
  if (directory >= 0) {
    fsync(directory);
    close(directory);
  }
#endif
}

GRAFT_END

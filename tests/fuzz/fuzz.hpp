#pragma once
/// \file fuzz.hpp  What the fuzz targets share: the bytes as a file of this process' own, and an Error as the right answer.
#include <graft/core/error.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <unistd.h>

/// Puts the bytes into a file and hands its path to `read`. graft::Error is expected; anything else ends the process.
template <class F>
int with_file(const std::uint8_t* data, std::size_t size, const char* end, F&& read) {
  static const std::string path = [&] {
    const char* folder = std::getenv("TMPDIR");
    return std::string(folder != nullptr ? folder : "/dev/shm") + "/graft-fuzz-" + std::to_string(getpid()) + end;
  }();
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) std::abort();
  if (size != 0 && std::fwrite(data, 1, size, file) != size) std::abort();
  std::fclose(file);
  try {
    read(path);
  } catch (const graft::Error& error) {
    if (std::string(error.what()).size() < 20) std::abort();  // a sentence, not a word
  }
  std::remove(path.c_str());
  return 0;
}

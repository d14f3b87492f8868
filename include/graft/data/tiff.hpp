#pragma once
/// \file tiff.hpp  TIFF through libtiff; needs the CMake component graft::tiff. Without it a TIFF is refused with a sentence.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/data/bitmap.hpp"

#include <algorithm>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#ifdef GRAFT_WITH_TIFF
#include <tiffio.h>
#endif

GRAFT_BEGIN
namespace data {
namespace detail {

/// Throws Error for an image that claims to be larger than 20000 pixels on a side or 2^27 (134 million) in all, or to be empty.
inline void check_image_size(const std::string& name, std::uint64_t width, std::uint64_t height) {
  constexpr std::uint64_t side = 20000, all = std::uint64_t{1} << 27;
  if (width == 0 || height == 0) fail("'", name, "' claims ", width, " x ", height, " pixels; an image has at least one.");
  if (width > side || height > side || width * height > all) {
    fail("'", name, "' claims ", width, " x ", height, " pixels; at most ", side, " on a side and ", all, " in all are read.");
  }
}

#ifdef GRAFT_WITH_TIFF
/// A TIFF in memory, as libtiff reads it.
struct TiffBytes {
  const std::vector<std::uint8_t>& bytes;
  std::uint64_t position = 0;
  std::string error{};

  static tmsize_t read(thandle_t handle, void* to, tmsize_t count) {
    TiffBytes& self = *static_cast<TiffBytes*>(handle);
    if (count <= 0 || self.position >= self.bytes.size()) return 0;
    const std::uint64_t taken = std::min<std::uint64_t>(static_cast<std::uint64_t>(count), self.bytes.size() - self.position);
    std::memcpy(to, self.bytes.data() + self.position, taken);
    self.position += taken;
    return static_cast<tmsize_t>(taken);
  }
  static tmsize_t write(thandle_t, void*, tmsize_t) { return 0; }
  static toff_t seek(thandle_t handle, toff_t offset, int whence) {
    TiffBytes& self = *static_cast<TiffBytes*>(handle);
    const std::uint64_t from = whence == SEEK_CUR ? self.position : whence == SEEK_END ? self.bytes.size() : 0;
    self.position = from + offset;
    return self.position;
  }
  static int close(thandle_t) { return 0; }
  static toff_t size(thandle_t handle) { return static_cast<const TiffBytes*>(handle)->bytes.size(); }
#if TIFFLIB_VERSION >= 20221213
  static int keep(TIFF*, void* user, const char*, const char* pattern, va_list arguments) {
    char text[256];
    std::vsnprintf(text, sizeof text, pattern, arguments);
    static_cast<TiffBytes*>(user)->error = text;
    return 1;
  }
  static int drop(TIFF*, void*, const char*, const char*, va_list) { return 1; }
#endif
};

/// The first image of a TIFF, upright, as RGBA, RGB or grey. Half-transparent pixels come multiplied by their alpha.
inline Bitmap decode_tiff(const std::vector<std::uint8_t>& bytes, const std::string& name) {
  TiffBytes source{bytes};
#if TIFFLIB_VERSION >= 20221213  // 4.5: errors belong to the file; before, libtiff prints them
  const std::unique_ptr<TIFFOpenOptions, void (*)(TIFFOpenOptions*)> options(TIFFOpenOptionsAlloc(), TIFFOpenOptionsFree);
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), &TiffBytes::keep, &source);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), &TiffBytes::drop, nullptr);
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), tmsize_t{1} << 30);
  TIFF* opened = TIFFClientOpenExt(name.c_str(), "rm", &source, &TiffBytes::read, &TiffBytes::write, &TiffBytes::seek,
                                   &TiffBytes::close, &TiffBytes::size, nullptr, nullptr, options.get());
#else
  TIFF* opened = TIFFClientOpen(name.c_str(), "rm", &source, &TiffBytes::read, &TiffBytes::write, &TiffBytes::seek,
                                &TiffBytes::close, &TiffBytes::size, nullptr, nullptr);
#endif
  const auto refuse = [&](const std::string& reason) {
    fail("'", name, "' cannot be decoded (", source.error.empty() ? reason : source.error, "); remove it or replace it.");
  };
  if (opened == nullptr) refuse("not a TIFF that libtiff reads");
  const std::unique_ptr<TIFF, void (*)(TIFF*)> file(opened, TIFFClose);
  std::uint32_t w = 0, h = 0;
  std::uint16_t samples = 1, extra_count = 0, photometric = PHOTOMETRIC_MINISBLACK;
  std::uint16_t* extra = nullptr;
  if (TIFFGetField(opened, TIFFTAG_IMAGEWIDTH, &w) == 0 || TIFFGetField(opened, TIFFTAG_IMAGELENGTH, &h) == 0)
    refuse("it has no width or height");
  check_image_size(name, w, h);
  TIFFGetFieldDefaulted(opened, TIFFTAG_SAMPLESPERPIXEL, &samples);
  TIFFGetFieldDefaulted(opened, TIFFTAG_EXTRASAMPLES, &extra_count, &extra);
  TIFFGetField(opened, TIFFTAG_PHOTOMETRIC, &photometric);
  char reason[1024] = "";
  if (TIFFRGBAImageOK(opened, reason) == 0) refuse(reason);
  std::vector<std::uint32_t> raster(static_cast<std::size_t>(w) * h);
  if (TIFFReadRGBAImageOriented(opened, w, h, raster.data(), ORIENTATION_TOPLEFT, 1) == 0) refuse("its pixels are damaged");
  const bool grey = photometric == PHOTOMETRIC_MINISBLACK || photometric == PHOTOMETRIC_MINISWHITE;
  const int channels = (grey ? 1 : 3) + (extra_count > 0 ? 1 : 0);
  Bitmap image{static_cast<int>(h), static_cast<int>(w), channels, {}};
  image.pixels.reserve(raster.size() * static_cast<std::size_t>(channels));
  for (const std::uint32_t p : raster) {
    image.pixels.push_back(static_cast<std::uint8_t>(TIFFGetR(p)));
    if (!grey) {
      image.pixels.push_back(static_cast<std::uint8_t>(TIFFGetG(p)));
      image.pixels.push_back(static_cast<std::uint8_t>(TIFFGetB(p)));
    }
    if (extra_count > 0) image.pixels.push_back(static_cast<std::uint8_t>(TIFFGetA(p)));
  }
  return image;
}
#else
[[noreturn]] inline Bitmap decode_tiff(const std::vector<std::uint8_t>&, const std::string& name) {
  fail("'", name, "' is a TIFF and this program was built without libtiff; link the CMake component graft::tiff.");
}
#endif

}  // namespace detail
}  // namespace data
GRAFT_END

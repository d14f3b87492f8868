#pragma once
/// \file pixels.cuh  Rows of numbers from images of bytes, which may change on the way: augmentation whose draws the host made.
#include "graft/data/pixel_math.hpp"
#include "graft/kernel/cuda/reduce.cuh"
#include "graft/kernel/cuda/vectors.hpp"
#include "graft/kernel/cuda/words.cuh"

#include <cstdint>

GRAFT_CUDA_BEGIN
namespace detail {

template <class T>
struct DrawPixels {
  PixelRows how;
  const std::uint8_t* images;
  const std::uint32_t* which;
  T* to;
  __device__ void operator()(std::ptrdiff_t i) const {
    const std::ptrdiff_t size = static_cast<std::ptrdiff_t>(how.pixels) * how.to_channels;
    const std::ptrdiff_t in_row = i % size, pixel = in_row / how.to_channels, channel = in_row % how.to_channels;
    const std::ptrdiff_t image = static_cast<std::ptrdiff_t>(which[i / size]) * how.pixels * how.from_channels;
    const std::uint8_t byte = images[image + (how.from_channels == how.to_channels ? in_row : pixel)];
    to[i] = static_cast<T>(byte) * static_cast<T>(how.scale[channel & 3]) + static_cast<T>(how.shift[channel & 3]);
  }
};

/// An image in the block's own memory, as data::Canvas. All threads of the block call its functions.
struct CanvasOfBlock {
  int height, width, channels;
  float* pixels;
  float* room;

  __device__ int size() const { return height * width * channels; }
  __device__ int colours() const { return channels >= 3 ? 3 : 1; }
  /// f(i) for i in [0, count), after which all see what was written.
  template <class F>
  __device__ void each(int count, const F& f) const {
    for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) f(i);
    __syncthreads();
  }
  __device__ void turn() {
    float* const before = pixels;
    pixels = room;
    room = before;
  }

  __device__ void affine(const PixelChange& how) {
    each(height * width, [&](int i) {
      const int y = i / width, x = i % width;
      data::detail::Taps v, u;
      const data::Fill fill = static_cast<data::Fill>(how.fill);
      float* out = room + i * channels;
      if (!data::detail::taps(how.map[0][0] * y + how.map[0][1] * x + how.map[0][2], height, fill, v) ||
          !data::detail::taps(how.map[1][0] * y + how.map[1][1] * x + how.map[1][2], width, fill, u)) {
        for (int c = 0; c < channels; ++c) out[c] = how.value;
        return;
      }
      const float* top = pixels + v.low * width * channels;
      const float* bottom = pixels + v.high * width * channels;
      for (int c = 0; c < channels; ++c) {
        out[c] = data::detail::between(top[u.low * channels + c], top[u.high * channels + c], bottom[u.low * channels + c],
                                       bottom[u.high * channels + c], u.part, v.part);
      }
    });
    turn();
  }
  __device__ void flip(bool horizontal) {
    each(size(), [&](int i) {
      const int c = i % channels, x = i / channels % width, y = i / channels / width;
      room[i] = pixels[((horizontal ? y : height - 1 - y) * width + (horizontal ? width - 1 - x : x)) * channels + c];
    });
    turn();
  }
  __device__ void crop(const PixelChange& how) {
    each(how.height * how.width * channels, [&](int i) {
      const int c = i % channels, x = i / channels % how.width + how.left, y = i / channels / how.width + how.top;
      const bool inside = y >= 0 && x >= 0 && y < height && x < width;
      room[i] = inside ? pixels[(y * width + x) * channels + c] : how.value;
    });
    height = how.height;
    width = how.width;
    turn();
  }
  __device__ void colour(const PixelChange& how) {
    if (how.colours & PixelChange::brightness) {
      each_colour([&](float, float v) { return data::detail::byte_range(v * how.factor[0]); });
    }
    if (how.colours & PixelChange::contrast) {
      double sum = 0.0;
      for (int i = static_cast<int>(threadIdx.x); i < height * width; i += static_cast<int>(blockDim.x))
        sum += static_cast<double>(data::detail::luma(pixels + i * channels, channels));
      const float mean = static_cast<float>(block_sum(sum) / static_cast<double>(height * width));
      each_colour([&](float, float v) { return data::detail::apart_from(mean, v, how.factor[1]); });
    }
    if (channels < 3) return;
    if (how.colours & PixelChange::saturation)
      each_colour([&](float grey, float v) { return data::detail::apart_from(grey, v, how.factor[2]); });
    if (how.colours & PixelChange::hue)
      each(height * width, [&](int i) { data::detail::turn_hue(pixels + i * channels, how.factor[3]); });
  }
  /// Each colour becomes f(the pixel's grey, the colour).
  template <class F>
  __device__ void each_colour(const F& f) const {
    each(height * width, [&](int i) {
      float* p = pixels + i * channels;
      const float grey = data::detail::luma(p, channels);
      for (int c = 0; c < colours(); ++c) p[c] = f(grey, p[c]);
    });
  }
  /// As fill_normals(): of 128 numbers the first 64 are the cosines of 64 pairs of words, the others their sines.
  __device__ void noise(const PixelChange& how) const {
    each((size() + 127) / 128 * 32, [&](int i) {
      const Words words(static_cast<std::uint64_t>(i), how.stream, how.seed);
      for (int pair = 0; pair < 2; ++pair) {
        const float u = static_cast<float>(1.0 - unit_of(words.word[2 * pair]));
        const float v = static_cast<float>(6.283185307179586 * unit_of(words.word[2 * pair + 1]));
        const float radius = std::sqrt(-2.0f * std::log(u));
        const int cosine = i / 32 * 128 + i % 32 * 2 + pair;
        add(cosine, how.value * (radius * std::cos(v)));
        add(cosine + 64, how.value * (radius * std::sin(v)));
      }
    });
  }
  __device__ void add(int i, float v) const {
    if (i < size()) pixels[i] = data::detail::byte_range(pixels[i] + v);
  }
  __device__ void cover(const PixelChange& how) const {
    each(how.height * how.width * channels, [&](int i) {
      const int c = i % channels, x = i / channels % how.width + how.left, y = i / channels / how.width + how.top;
      float value = how.value;
      if (how.random) {
        const std::uint64_t word = how.word + static_cast<std::uint64_t>(i);
        value = static_cast<float>(255.0 * unit_of(Words(word / 4, how.stream, how.seed).word[word % 4]));
      }
      pixels[(y * width + x) * channels + c] = value;
    });
  }
  __device__ void change(const PixelChange& how) {
    using Kind = PixelChange::Kind;
    switch (how.kind) {
      case Kind::none:
        return;
      case Kind::affine:
        return affine(how);
      case Kind::flip_horizontal:
      case Kind::flip_vertical:
        return flip(how.kind == Kind::flip_horizontal);
      case Kind::crop:
        return crop(how);
      case Kind::colours:
        return colour(how);
      case Kind::invert:
        return each_colour([](float, float v) { return 255.0f - v; });
      case Kind::noise:
        return noise(how);
      case Kind::cover:
        return cover(how);
    }
  }
  /// Factor and offset of a channel by the image's own mean and deviation, as data::Normalize::of_each_image().
  __device__ void measure(int channel, double& scale, double& shift) const {
    const int count = height * width;
    double sum = 0.0, squares = 0.0;
    for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x))
      sum += static_cast<double>(pixels[i * channels + channel]);
    const double mean = block_sum(sum) / (count * 255.0);
    for (int i = static_cast<int>(threadIdx.x); i < count; i += static_cast<int>(blockDim.x)) {
      const double apart = static_cast<double>(pixels[i * channels + channel]) / 255.0 - mean;
      squares += apart * apart;
    }
    const double deviation = std::sqrt(block_sum(squares) / count + 1e-5);
    scale = 1.0 / (255.0 * deviation);
    shift = -mean / deviation;
  }
};

/// A block makes one row after the other; it has room for two canvases.
template <class T>
__global__ void change_pixels_kernel(ChangedRows how, const std::uint8_t* images, const std::uint32_t* which,
                                     const PixelChange* changes, float* room, T* to) {
  const int channels = how.out.from_channels, wide = how.out.to_channels;
  float* const own = room + static_cast<std::size_t>(blockIdx.x) * 2 * how.canvas;
  for (int row = static_cast<int>(blockIdx.x); row < how.out.rows; row += static_cast<int>(gridDim.x)) {
    CanvasOfBlock image{how.height, how.width, channels, own, own + how.canvas};
    const std::uint8_t* from = images + static_cast<std::size_t>(which[row]) * static_cast<std::size_t>(image.size());
    image.each(image.size(), [&](int i) { image.pixels[i] = static_cast<float>(from[i]); });
    for (int s = 0; s < how.steps; ++s) image.change(changes[static_cast<std::ptrdiff_t>(row) * how.steps + s]);
    T* const out = to + static_cast<std::ptrdiff_t>(row) * how.out.pixels * wide;
    const auto write = [&](int i, double scale, double shift) {
      out[i] = static_cast<T>(image.pixels[channels == wide ? i : i / wide]) * static_cast<T>(scale) + static_cast<T>(shift);
    };
    if (!how.each_image) {
      image.each(how.out.pixels * wide, [&](int i) { write(i, how.out.scale[i % wide & 3], how.out.shift[i % wide & 3]); });
      continue;
    }
    double scale = 0.0, shift = 0.0;
    for (int c = 0; c < wide; ++c) {
      if (c == 0 || channels > 1) image.measure((c & 3) % channels, scale, shift);
      image.each(how.out.pixels, [&](int p) { write(p * wide + c, scale, shift); });
    }
  }
}

}  // namespace detail

template <class T>
void draw_pixels(Cuda, const PixelRows& how, const std::uint8_t* images, const std::uint32_t* which, T* to) {
  detail::each("draw_pixels", static_cast<std::ptrdiff_t>(how.rows) * how.pixels * how.to_channels,
               detail::DrawPixels<T>{how, images, which, to});
}
template <class T>
void change_pixels(Cuda, const ChangedRows& how, const std::uint8_t* images, const std::uint32_t* which,
                   const PixelChange* changes, T* to) {
  constexpr std::size_t most = std::size_t{64} << 20;  // numbers of room
  const std::size_t fit = most / (2 * how.canvas + 1) + 1, rows = static_cast<std::size_t>(how.out.rows);
  const unsigned blocks = static_cast<unsigned>(rows < fit ? rows : fit);
  float* room = detail::room<float>(detail::Room::canvas, blocks * 2 * how.canvas);
  detail::launch("change_pixels", detail::change_pixels_kernel<T>, dim3(blocks), 256, how, images, which, changes, room, to);
}

GRAFT_CUDA_END

#pragma once
// W1/lenet as the peers in C++ build it: channels before rows, everything from the streams that graft's side takes.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "../works/work.hpp"

namespace lenet {

constexpr int batch = 256;
constexpr float learning_rate = 1e-3f, momentum = 0.9f;
constexpr float checked_rate = 0.1f;  ///< of the steps whose losses are compared
constexpr int checked_steps = 5;

/// An array of `count` weights as it lies in graft, in [-6, 6) / sqrt(count).
inline std::vector<float> weights(std::size_t count, std::uint32_t stream) {
  std::vector<float> all(count);
  const float scale = 6.0f / std::sqrt(static_cast<float>(count));
  for (std::size_t i = 0; i < count; ++i) all[i] = scale * works::hashed(static_cast<std::uint32_t>(i), stream);
  return all;
}

/// outer x rows x columns -> outer x columns x rows.
inline std::vector<float> turned(const std::vector<float>& x, std::size_t outer, std::size_t rows, std::size_t columns) {
  std::vector<float> out(x.size());
  for (std::size_t o = 0; o < outer; ++o) {
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t c = 0; c < columns; ++c) out[(o * columns + c) * rows + r] = x[(o * rows + r) * columns + c];
    }
  }
  return out;
}

/// batch x 3 x 28 x 28
inline std::vector<float> images() {
  std::vector<float> x(static_cast<std::size_t>(batch) * 28 * 28 * 3);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = 0.5f * works::hashed(static_cast<std::uint32_t>(i), 1);
  return turned(x, batch, 28 * 28, 3);
}
inline int label(int sample) { return sample * 7 % 10; }

/// filters x channels x 5 x 5
inline std::vector<float> convolution(std::size_t channels, std::size_t filters, std::uint32_t stream) {
  return turned(turned(weights(25 * channels * filters, stream), 1, 25 * channels, filters), filters, 25, channels);
}
/// inputs x units; the 768 that come from 48 maps of 4 x 4 in this side's order.
inline std::vector<float> dense(std::size_t inputs, std::size_t units, std::uint32_t stream) {
  const std::vector<float> w = weights(inputs * units, stream);
  if (inputs != 768) return w;
  std::vector<float> out(w.size());
  for (std::size_t pixel = 0; pixel < 16; ++pixel) {
    for (std::size_t c = 0; c < 48; ++c) {
      for (std::size_t u = 0; u < units; ++u) out[(c * 16 + pixel) * units + u] = w[(pixel * 48 + c) * units + u];
    }
  }
  return out;
}

}  // namespace lenet

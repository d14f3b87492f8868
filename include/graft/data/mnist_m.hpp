#pragma once
/// \file mnist_m.hpp  MNIST-M, made from MNIST and photographs (Ganin et al. 2016, section 5.2.1): each digit inverts a random
/// patch of a random photograph.
#include "graft/config.hpp"
#include "graft/core/parallel.hpp"
#include "graft/core/random.hpp"
#include "graft/data/dataset.hpp"
#include "graft/data/photographs.hpp"

#include <cstdlib>

GRAFT_BEGIN
namespace data {

struct MnistMOptions {
  std::uint64_t seed = 0;
  bool binarise =
      true;  ///< any ink counts as full ink (x > 0), as in the published archive's generator; false keeps the grey of the digit
};

/// |photograph - digit| per channel on a random crop of the digit's size: n x h x w x 3, labels kept. Image i depends on (seed,
/// i) only, so give the training and the test part different seeds.
inline Labelled mnist_m(const Labelled& digits, const std::vector<Photograph>& photographs, const MnistMOptions& options = {}) {
  const Shape shape = digits.shape();
  if (shape.c != 1) fail("mnist_m: the set '", digits.name(), "' has ", shape.c, " channels; give grey digits.");
  if (photographs.empty()) fail("mnist_m: no photographs were given; give at least one.");
  for (const Photograph& p : photographs) {
    if (p.height < shape.h || p.width < shape.w)
      fail("mnist_m: a photograph has ", p.width, " x ", p.height, " pixels; at least ", shape.w, " x ", shape.h,
           " are needed.");
  }
  Pixels pixels(
      std::array<std::size_t, 4>{digits.size(), static_cast<std::size_t>(shape.h), static_cast<std::size_t>(shape.w), 3});
  const int pieces = static_cast<int>((digits.size() + 255) / 256);
  parallel_for(pieces, [&](int piece) {
    const Range range = chunk(static_cast<std::ptrdiff_t>(digits.size()), pieces, piece);
    for (std::ptrdiff_t i = range.begin; i < range.end; ++i) {
      Random random(options.seed, mix(0x6d6e6973742d6d, static_cast<std::uint64_t>(i)));
      const Photograph& photograph = photographs[random.below(static_cast<std::uint32_t>(photographs.size()))];
      const std::size_t top = random.below(static_cast<std::uint32_t>(photograph.height - shape.h + 1));
      const std::size_t left = random.below(static_cast<std::uint32_t>(photograph.width - shape.w + 1));
      const std::uint8_t* digit = digits.pixels(static_cast<std::size_t>(i));
      std::uint8_t* out = pixels.data() + static_cast<std::size_t>(i) * shape.size() * 3;
      for (std::size_t y = 0; y < static_cast<std::size_t>(shape.h); ++y) {
        const std::uint8_t* row =
            photograph.pixels.data() + ((top + y) * static_cast<std::size_t>(photograph.width) + left) * 3;
        for (std::size_t x = 0; x < static_cast<std::size_t>(shape.w); ++x, ++digit) {
          const int ink = options.binarise ? (*digit > 0 ? 255 : 0) : *digit;
          for (int k = 0; k < 3; ++k) *out++ = static_cast<std::uint8_t>(std::abs(static_cast<int>(*row++) - ink));
        }
      }
    }
  });
  return {digits.name() + "-m", std::move(pixels), digits.labels(), digits.classes()};
}

/// The same from folders: MNIST's, and one of photographs.
inline Labelled mnist_m(const Labelled& digits, const std::filesystem::path& folder, const MnistMOptions& options = {}) {
  return mnist_m(digits, photographs(folder, std::max(digits.shape().h, digits.shape().w)), options);
}

}  // namespace data
GRAFT_END

#include "supervised.hpp"

namespace example {

FeatureParts split(const data::Features<float>& set, double share, std::uint64_t seed) {
  // Four bytes a sample hold its number in an image set of the same labels, which is split in its place.
  data::Pixels numbers(std::array<std::size_t, 4>{set.size(), 1, 1, 4});
  for (std::size_t i = 0; i < set.size(); ++i) {
    for (std::size_t k = 0; k < 4; ++k) numbers.data()[4 * i + k] = static_cast<std::uint8_t>(i >> 8 * k & 255);
  }
  const auto parts =
      data::split_stratified(data::Labelled(set.name(), std::move(numbers), set.labels(), set.classes()), share, seed);
  const auto take = [&](const data::Labelled& part) {
    const std::size_t row = set.shape().size();
    std::vector<float> samples(part.size() * row);
    for (std::size_t i = 0; i < part.size(); ++i) {
      std::size_t at = 0;
      for (std::size_t k = 0; k < 4; ++k) at |= std::size_t{part.pixels(i)[k]} << 8 * k;
      std::copy_n(set.sample(at), row, samples.data() + i * row);
    }
    return data::Features<float>(set.name(), set.shape(), std::move(samples), part.labels(), set.classes());
  };
  return {take(parts.train), take(parts.rest)};
}

}  // namespace example

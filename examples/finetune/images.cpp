#include "methods.hpp"

#include <chrono>

namespace example {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

data::Labelled turned(const data::Labelled& set, int turns) {
  const std::size_t side = static_cast<std::size_t>(set.shape().h), c = static_cast<std::size_t>(set.shape().c);
  const std::size_t width = static_cast<std::size_t>(set.shape().w);
  if (turns != 1 && turns != 2 && turns != 8) fail("--turns ", turns, ": give 1 (none), 2 (mirrored) or 8.");
  data::Pixels pixels(std::array<std::size_t, 4>{set.size() * static_cast<std::size_t>(turns), side, width, c});
  std::vector<std::int32_t> labels;
  std::uint8_t* out = pixels.data();
  for (int turn = 0; turn < turns; ++turn) {
    for (std::size_t i = 0; i < set.size(); ++i) {
      labels.push_back(set.label(i));
      for (std::size_t y = 0; y < side; ++y) {
        for (std::size_t x = 0; x < width; ++x) {
          std::size_t from_x = (turn & 1) != 0 ? width - 1 - x : x, from_y = (turn & 2) != 0 ? side - 1 - y : y;
          if ((turn & 4) != 0) std::swap(from_x, from_y);  // a square's
          out = std::copy_n(set.pixels(i) + (from_y * width + from_x) * c, c, out);
        }
      }
    }
  }
  return {set.name(), std::move(pixels), std::move(labels), set.classes()};
}

}  // namespace example

// Photographs: PNG, the order of names, what is passed over, and files whose header lies.
#include <zlib.h>

#include <graft/data/photographs.hpp>

#include "catch.hpp"
#include "io/scratch.hpp"

using namespace graft;
using Catch::Matchers::Contains;
using Bytes = std::vector<std::uint8_t>;

namespace {

std::string word(std::uint32_t x) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(x >> shift & 0xff);
  return out;
}
std::string piece(const std::string& body) {  // type and data, between length and checksum
  const auto sum = crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  return word(static_cast<std::uint32_t>(body.size() - 4)) + body + word(static_cast<std::uint32_t>(sum));
}
/// A PNG of 8 bits a channel: 3 channels, or 1.
std::string png(std::uint32_t height, std::uint32_t width, const Bytes& pixels, std::uint32_t channels) {
  std::string rows;
  for (std::uint32_t y = 0; y < height && !pixels.empty(); ++y) {
    rows += '\0';  // no filter
    rows.append(reinterpret_cast<const char*>(pixels.data()) + y * width * channels, width * channels);
  }
  uLongf size = compressBound(static_cast<uLong>(rows.size()));
  std::string packed(size, '\0');
  compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(rows.data()),
           static_cast<uLong>(rows.size()));
  packed.resize(size);
  const std::string head = word(width) + word(height) + std::string{8, static_cast<char>(channels == 3 ? 2 : 0), 0, 0, 0};
  return "\x89PNG\r\n\x1a\n" + piece("IHDR" + head) + piece("IDAT" + packed) + piece("IEND");
}

}  // namespace

TEST_CASE("photographs come in the order of their names, as colour, and other files are passed over", "[data]") {
  const Scratch scratch;
  const Bytes colour{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18};
  scratch.put("b.PNG", png(2, 3, colour, 3));
  scratch.put("a.png", png(1, 2, {7, 200}, 1));
  scratch.put("readme.txt", "no picture");
  const auto read = data::photographs(scratch / "");
  REQUIRE(read.size() == 2);
  CHECK(read[0].pixels == Bytes{7, 7, 7, 200, 200, 200});
  CHECK(read[1].height == 2);
  CHECK(read[1].width == 3);
  CHECK(read[1].pixels == colour);
  CHECK_THROWS_WITH(data::photographs(scratch / "", 2), Contains("a.png") && Contains("2 x 1 pixels"));
}

TEST_CASE("a photograph that is cut, or whose header claims the absurd, is named", "[data]") {
  const Scratch scratch;
  const std::string whole = png(2, 2, Bytes(12, 77), 3);
  for (std::size_t cut : {std::size_t{0}, std::size_t{10}, std::size_t{37}, std::size_t{45}}) {
    CAPTURE(cut);
    scratch.put("p.png", whole.substr(0, cut));
    CHECK_THROWS_WITH(data::photographs(scratch / ""), Contains("p.png") && Contains("cannot be decoded"));
  }
  scratch.put("p.png", png(30000, 30000, {}, 3));
  CHECK_THROWS_WITH(data::photographs(scratch / ""), Contains("p.png") && Contains("30000 x 30000"));
  scratch.put("p.png", whole);
  CHECK(data::photographs(scratch / "").front().pixels == Bytes(12, 77));
}

TEST_CASE("a folder without photographs is a sentence", "[data]") {
  const Scratch scratch;
  scratch.put("notes.txt", "x");
  CHECK_THROWS_WITH(data::photographs(scratch / ""), Contains("holds no photographs") && Contains("graft-test-"));
  CHECK_THROWS_WITH(data::photographs(scratch / "notes.txt"), Contains("is not a folder") && Contains("notes.txt"));
}

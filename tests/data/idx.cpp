// IDX files at their edges: every message names its file, gzip damaged anywhere, colour, the names that are about, failed
// writes.
#include <zlib.h>

#include <graft/data/mnist.hpp>

#include "catch.hpp"
#include "io/scratch.hpp"

using namespace graft;
using Catch::Matchers::Contains;

namespace {

std::string zipped(const Scratch& scratch, const std::string& bytes) {
  const std::string path = (scratch / "zip").string();
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
  return scratch.get("zip");
}

/// Two images of 3 x 4, as an IDX file.
std::string good(const Scratch& scratch) {
  std::vector<std::uint8_t> pixels(24);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(37 * i + 5);
  data::write_idx(scratch / "good", {2, 3, 4}, pixels.data());
  return scratch.get("good");
}

}  // namespace

TEST_CASE("write_idx writes the format's bytes, replaces a file, and leaves nothing half-written", "[data]") {
  const Scratch scratch;
  scratch.put("good", "what was there before");
  const std::string bytes = good(scratch);
  REQUIRE(bytes.size() == 4 + 3 * 4 + 24);
  CHECK(bytes.substr(0, 16) == std::string("\0\0\x08\x03\0\0\0\x02\0\0\0\x03\0\0\0\x04", 16));
  CHECK(static_cast<std::uint8_t>(bytes[17]) == 42);
  CHECK(scratch.files() == 1);
  const std::uint8_t one = 1;
  CHECK_THROWS_WITH(data::write_idx(scratch / "nowhere" / "x", {1}, &one), Contains("cannot write") && Contains("nowhere"));
  CHECK(scratch.files() == 1);
  const auto file = data::read_idx(scratch / "good", 3);
  CHECK(file.extents == std::vector<std::size_t>{2, 3, 4});
  CHECK(file.bytes[23] == static_cast<std::uint8_t>(37 * 23 + 5));
}

TEST_CASE("what is wrong with an IDX file is said with its name", "[data]") {
  const Scratch scratch;
  const std::string bytes = good(scratch);
  const auto says = [&](const std::string& content, const char* phrase) {
    for (const char* name : {"broken-file", "broken-file.gz"}) {
      scratch.put(name, name[11] == 0 ? content : zipped(scratch, content));
      CHECK_THROWS_WITH(data::read_idx(scratch / name, 3), Contains(phrase) && Contains(name));
    }
  };
  says("", "cut short");
  says(bytes.substr(0, 3), "ends inside its header");
  says(bytes.substr(0, 14), "ends inside its header");
  says(bytes.substr(0, 16), "only 0 are there");
  says(bytes.substr(0, bytes.size() - 1), "promises 24 bytes, but only 23");
  says(bytes + '\0', "too long");
  std::string wrong = bytes;
  wrong[3] = 1;  // a label file where images are wanted
  says(wrong, "exchanged");
  wrong[3] = 3;
  wrong[2] = 0x0d;  // floats
  says(wrong, "0x00000d03");
  wrong = bytes;
  wrong[11] = 0;
  says(wrong, "extent 1 is 0");
  wrong = bytes;
  wrong[4] = wrong[8] = '\x7f';
  says(wrong, "claims more than");
}

TEST_CASE("a gzipped IDX file that is cut or changed anywhere is refused", "[data]") {
  const Scratch scratch;
  const std::string zip = zipped(scratch, good(scratch));
  for (std::size_t cut = 0; cut < zip.size(); ++cut) {
    CAPTURE(cut, zip.size());
    scratch.put("x.gz", zip.substr(0, cut));
    CHECK_THROWS_WITH(data::read_idx(scratch / "x.gz", 3), Contains("x.gz"));
  }
  for (std::size_t at = 10; at < zip.size(); ++at) {  // the ten bytes before are the gzip header: time, system
    CAPTURE(at, zip.size());
    std::string changed = zip;
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    scratch.put("x.gz", changed);
    CHECK_THROWS_WITH(data::read_idx(scratch / "x.gz", 3), Contains("x.gz"));
  }
}

TEST_CASE("pairs: colour, exchanged files, labels of another number of classes", "[data]") {
  const Scratch scratch;
  std::vector<std::uint8_t> pixels(2 * 2 * 2 * 3), labels{0, 4};
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(i);
  data::write_idx(scratch / "colour", {2, 2, 2, 3}, pixels.data());
  data::write_idx(scratch / "labels", {2}, labels.data());
  const auto set = data::read_idx_pair("rgb", scratch / "colour", scratch / "labels", 5);
  CHECK(set.shape() == image_shape(2, 2, 3));
  CHECK(set.name() == "rgb");
  CHECK(set.classes() == 5);
  CHECK(std::equal(pixels.begin() + 12, pixels.end(), set.pixels(1)));
  CHECK_THROWS_WITH(data::read_idx_pair("rgb", scratch / "colour", scratch / "labels", 4),
                    Contains("label 1 is 4") && Contains("labels") && Contains("0 to 3"));
  CHECK_THROWS_WITH(data::read_idx_pair("rgb", scratch / "labels", scratch / "colour"),
                    Contains("exchanged") && Contains("colour"));
  CHECK_THROWS_WITH(data::read_idx_pair("rgb", scratch / "absent", scratch / "labels"),
                    Contains("cannot open") && Contains("absent"));
}

TEST_CASE("MNIST's files are found by all their names", "[data]") {
  const Scratch scratch;
  std::vector<std::uint8_t> pixels(4, 9), label{7};
  data::write_idx(scratch / "t10k-images.idx3-ubyte", {1, 2, 2}, pixels.data());
  CHECK_THROWS_WITH(data::mnist(scratch / "", data::Split::test), Contains("t10k-labels-idx1-ubyte"));
  data::write_idx(scratch / "t10k-labels-idx1-ubyte", {1}, label.data());
  const auto set = data::mnist(scratch / "", data::Split::test);
  CHECK(set.label(0) == 7);
  CHECK(set.name().rfind("graft-test-", 0) == 0);  // the folder's name, also behind a slash
  CHECK_THROWS_WITH(data::mnist(scratch / ""), Contains("train-images-idx3-ubyte"));
  CHECK_THROWS_WITH(data::mnist(scratch / "t10k-labels-idx1-ubyte"), Contains("is not a folder"));
}

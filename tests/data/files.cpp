// IDX files, photographs, MNIST-M: round trips, and every kind of bad file as a sentence that names it.
#include <zlib.h>

#include <fstream>
#include <graft/data/mnist.hpp>
#include <graft/data/mnist_m.hpp>
#include <unistd.h>

#include "catch.hpp"
#include "support/reference.hpp"

namespace test_files {
using namespace graft;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;

namespace {

/// A folder that goes away with the test.
struct Scratch {
  fs::path path = fs::temp_directory_path() / ("graft_data_" + std::to_string(getpid()));
  Scratch() { fs::create_directories(path); }
  ~Scratch() { fs::remove_all(path); }
};
std::string bytes_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void put(const fs::path& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }
void zip(const fs::path& path, const std::string& bytes) {
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
}

}  // namespace

TEST_CASE("IDX files come back as written, plain and gzipped", "[data]") {
  Scratch scratch;
  std::vector<std::uint8_t> pixels(5 * 4 * 3), labels{0, 1, 2, 3, 9};
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(i * 7);
  data::write_idx(scratch.path / "train-images-idx3-ubyte", {5, 4, 3}, pixels.data());
  data::write_idx(scratch.path / "train-labels-idx1-ubyte", {5}, labels.data());
  for (const bool zipped : {false, true}) {
    if (zipped) {
      for (const char* name : {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"}) {
        zip(scratch.path / (std::string(name) + ".gz"), bytes_of(scratch.path / name));
        fs::remove(scratch.path / name);
      }
    }
    const auto set = data::mnist(scratch.path);
    REQUIRE(set.size() == 5);
    CHECK(set.shape() == image_shape(4, 3, 1));
    CHECK(set.label(4) == 9);
    CHECK(std::equal(pixels.begin(), pixels.end(), set.pixels(0)));
  }
}

TEST_CASE("a bad IDX file is a sentence", "[data]") {
  Scratch scratch;
  const fs::path file = scratch.path / "x-idx3-ubyte";
  std::vector<std::uint8_t> pixels(24, 1);
  data::write_idx(file, {2, 4, 3}, pixels.data());
  const std::string good = bytes_of(file);
  for (std::size_t cut = 0; cut < good.size(); ++cut) {
    put(file, good.substr(0, cut));
    CHECK_THROWS_AS(data::read_idx(file, 3), Error);
  }
  put(file, good.substr(0, 20));
  CHECK_THROWS_WITH(data::read_idx(file, 3), ContainsSubstring("cut short") && ContainsSubstring("x-idx3-ubyte"));
  put(file, good + "z");
  CHECK_THROWS_WITH(data::read_idx(file, 3), ContainsSubstring("too long"));
  put(file, "PNG!" + good.substr(4));
  CHECK_THROWS_WITH(data::read_idx(file, 3), ContainsSubstring("not an IDX file"));
  std::string huge = good;
  for (std::size_t i = 4; i < 16; ++i) huge[i] = '\xff';
  put(file, huge);
  CHECK_THROWS_WITH(data::read_idx(file, 3), ContainsSubstring("claims more than"));
  std::string large = good;
  large[4] = 0x01;  // 2^24 images: the file ends long before, and no memory is taken for them
  put(file, large);
  CHECK_THROWS_WITH(data::read_idx(file, 3), ContainsSubstring("cut short"));
  const fs::path zipped = scratch.path / "x-idx3-ubyte.gz";
  zip(zipped, good);
  std::string damaged = bytes_of(zipped);
  damaged[damaged.size() - 6] = static_cast<char>(damaged[damaged.size() - 6] ^ 0x55);
  put(zipped, damaged);
  CHECK_THROWS_WITH(data::read_idx(zipped, 3), ContainsSubstring("damaged"));
  zip(zipped, good);
  const std::string packed = bytes_of(zipped);
  for (std::size_t cut = 0; cut < packed.size(); ++cut) {
    INFO(cut);
    put(zipped, packed.substr(0, cut));
    CHECK_THROWS_AS(data::read_idx(zipped, 3), Error);
  }
  CHECK_THROWS_WITH(data::read_idx(scratch.path / "nothing", 3), ContainsSubstring("cannot open"));
  CHECK_THROWS_WITH(data::mnist(scratch.path / "nowhere"), ContainsSubstring("is not a folder"));
  CHECK_THROWS_WITH(data::mnist(scratch.path), ContainsSubstring("has no train-"));
}

TEST_CASE("labels out of range and counts that differ are sentences", "[data]") {
  Scratch scratch;
  std::vector<std::uint8_t> pixels(24, 1), labels{3, 10};
  data::write_idx(scratch.path / "i", {2, 4, 3}, pixels.data());
  data::write_idx(scratch.path / "l", {2}, labels.data());
  CHECK_THROWS_WITH(data::read_idx_pair("set", scratch.path / "i", scratch.path / "l"), ContainsSubstring("label 1 is 10"));
  labels = {1, 2, 3};
  data::write_idx(scratch.path / "l", {3}, labels.data());
  CHECK_THROWS_WITH(data::read_idx_pair("set", scratch.path / "i", scratch.path / "l"),
                    ContainsSubstring("holds 2 images") && ContainsSubstring("3 labels"));
  CHECK_THROWS_WITH(data::Labelled("s", data::Pixels(std::array<std::size_t, 4>{1, 2, 2, 1}), {5}, 3),
                    ContainsSubstring("label of image 0 is 5"));
}

TEST_CASE("photographs: an empty folder, a broken file, one too small", "[data]") {
  Scratch scratch;
  CHECK_THROWS_WITH(data::photographs(scratch.path), ContainsSubstring("holds no photographs"));
  CHECK_THROWS_WITH(data::photographs(scratch.path / "nowhere"), ContainsSubstring("is not a folder"));
  std::string bmp("BM", 2);  // 2 x 1 pixels of 24 bits
  const unsigned char rest[] = {62, 0, 0, 0, 0, 0, 0, 0, 54, 0, 0, 0, 40, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 24, 0, 0, 0,
                                0,  0, 8, 0, 0, 0, 0, 0, 0,  0, 0, 0, 0,  0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 2, 1, 6, 5,  4, 0, 0};
  bmp.append(reinterpret_cast<const char*>(rest), sizeof rest);
  put(scratch.path / "a.bmp", bmp);
  const auto one = data::photographs(scratch.path);
  REQUIRE(one.size() == 1);
  CHECK(one[0].pixels == std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6});
  CHECK_THROWS_WITH(data::photographs(scratch.path, 28), ContainsSubstring("a.bmp") && ContainsSubstring("at least 28"));
  put(scratch.path / "b.jpg", "this is no picture");
  CHECK_THROWS_WITH(data::photographs(scratch.path), ContainsSubstring("b.jpg") && ContainsSubstring("cannot be decoded"));
}

TEST_CASE("MNIST-M is the difference of digit and photograph, the same for any number of threads", "[data]") {
  data::Pixels pixels(std::array<std::size_t, 4>{2, 2, 2, 1});
  const std::uint8_t ink[] = {0, 200, 1, 0, 0, 0, 255, 9};
  std::copy(ink, ink + 8, pixels.data());
  const data::Labelled digits("d", std::move(pixels), {1, 2}, 10);
  const data::Photograph photograph{2, 2, {10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120}};
  const auto m = data::mnist_m(digits, std::vector<data::Photograph>{photograph});
  CHECK(m.label(1) == 2);
  CHECK(std::vector<std::uint8_t>(m.pixels(0), m.pixels(0) + 12) ==
        std::vector<std::uint8_t>{10, 20, 30, 215, 205, 195, 185, 175, 165, 100, 110, 120});
  const auto grey = data::mnist_m(digits, std::vector<data::Photograph>{photograph}, {.binarise = false});
  CHECK(grey.pixels(0)[3] == 160);
  CHECK_THROWS_WITH(data::mnist_m(digits, std::vector<data::Photograph>{}), ContainsSubstring("no photographs"));
}

TEST_CASE("real MNIST and MNIST-M", "[data]") {
  const auto folder = reference::folder("GRAFT_DATA_DIR");
  if (!folder) return;
  const auto train = data::mnist(*folder / "mnist");
  const auto test = data::mnist(*folder / "mnist", data::Split::test);
  CHECK(train.size() == 60000);
  CHECK(test.size() == 10000);
  CHECK(train.label(0) == 5);
  const int before = threads();
  set_threads(1);
  const auto one = data::mnist_m(test, *folder / "bsds500" / "train");
  set_threads(2);
  const auto two = data::mnist_m(test, *folder / "bsds500" / "train");
  set_threads(before);
  CHECK(one.all() == two.all());
}

}  // namespace test_files

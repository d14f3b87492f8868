// Image files, resizing, folders of classes and their splits; expected pixels are PIL's and PyTorch's (make_images.py).
#include <graft/data/image_folder.hpp>
#include <graft/data/split.hpp>

#include <algorithm>
#include <cstdlib>

#include "catch.hpp"
#include "io/scratch.hpp"
#include "support/reference.hpp"

namespace test_images {
using namespace graft;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;

namespace {

const fs::path images = fs::path(__FILE__).parent_path() / "images";

data::Bitmap fixture(const std::string& name) { return data::decode_image(images / name); }
bool equal(const data::Bitmap& a, const data::Bitmap& b) {
  return a.height == b.height && a.width == b.width && a.channels == b.channels && a.pixels == b.pixels;
}
int largest_difference(const data::Bitmap& a, const data::Bitmap& b) {
  REQUIRE(a.pixels.size() == b.pixels.size());
  int most = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) most = std::max(most, std::abs(int{a.pixels[i]} - int{b.pixels[i]}));
  return most;
}
std::string bytes(const std::string& name) {
  std::ifstream in(images / name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
/// A BMP of one colour, 24 bits.
std::string bmp(int height, int width, int r, int g, int b) {
  const int row = (width * 3 + 3) / 4 * 4;
  std::string text = "BM";
  const auto number = [&](int value, int count) {
    for (int i = 0; i < count; ++i) text += static_cast<char>(value >> (8 * i) & 255);
  };
  number(54 + row * height, 4), number(0, 4), number(54, 4), number(40, 4), number(width, 4), number(height, 4);
  number(1, 2), number(24, 2), number(0, 4), number(row * height, 4), number(0, 4), number(0, 4), number(0, 4), number(0, 4);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) number(b, 1), number(g, 1), number(r, 1);
    number(0, row - 3 * width);
  }
  return text;
}
std::vector<int> counts(const data::Labelled& set) {
  std::vector<int> result(static_cast<std::size_t>(set.classes()));
  for (const std::int32_t label : set.labels()) ++result[static_cast<std::size_t>(label)];
  return result;
}

}  // namespace

TEST_CASE("every format decodes to the pixels that PIL gives", "[data]") {
  const data::Bitmap rgb = fixture("rgb.png");
  CHECK((rgb.height == 37 && rgb.width == 29 && rgb.channels == 3));
  CHECK(equal(fixture("rgb.bmp"), rgb));
  CHECK(largest_difference(fixture("rgb.jpg"), fixture("jpg_as_rgb.png")) <= 2);  // two inverse DCTs may round differently
  CHECK(largest_difference(fixture("rgb.jpeg"), fixture("jpg_as_rgb.png")) <= 2);
  CHECK(fixture("grey.jpg").channels == 1);
  CHECK(fixture("grey16.png").pixels == fixture("grey.png").pixels);
  CHECK(equal(fixture("palette.png"), fixture("palette_as_rgb.png")));
#ifdef GRAFT_WITH_TIFF
  CHECK(equal(fixture("rgb.tif"), rgb));
  CHECK(equal(fixture("deflate.tif"), rgb));
  CHECK(equal(fixture("grey.tiff"), fixture("grey.png")));
#else
  CHECK_THROWS_WITH(fixture("rgb.tif"), ContainsSubstring("graft::tiff"));
#endif
}

TEST_CASE("grey, colour and transparency become one another as PIL has it", "[data]") {
  const data::Bitmap rgb = fixture("rgb.png"), rgba = fixture("rgba.png"), grey = fixture("grey.png");
  CHECK(equal(data::with_channels(rgb, 1), grey));
  CHECK(equal(data::with_channels(rgba, 3), rgb));
  CHECK(equal(data::with_channels(data::with_channels(grey, 3), 1), grey));
  CHECK(equal(data::with_channels(fixture("grey_alpha.png"), 1), grey));
  CHECK(data::with_channels(rgb, 4).pixels[3] == 255);
  const data::Bitmap half{1, 1, 4, {200, 100, 0, 51}};
  CHECK(data::with_channels(half, 3, data::Alpha::over_black).pixels == std::vector<std::uint8_t>{40, 20, 0});
  CHECK(data::with_channels(half, 3, data::Alpha::over_white).pixels == std::vector<std::uint8_t>{244, 224, 204});
  CHECK_THROWS_WITH(data::with_channels(rgb, 2), ContainsSubstring("2 channels"));
}

TEST_CASE("resized images are PIL's and PyTorch's, bit for bit", "[data]") {
  const data::Bitmap rgb = fixture("rgb.png");
  for (const auto& [h, w] : std::vector<std::pair<int, int>>{{37, 13}, {11, 29}, {12, 9}, {74, 58}, {5, 60}, {1, 1}}) {
    const std::string size = "resized_" + std::to_string(h) + "_" + std::to_string(w) + "_";
    INFO(size);
    CHECK(equal(data::resize(rgb, h, w), fixture(size + "antialiased.png")));
    CHECK(equal(data::resize(rgb, h, w, data::Filter::bicubic), fixture(size + "bicubic.png")));
    CHECK(equal(data::resize(rgb, h, w, data::Filter::bilinear), fixture(size + "bilinear.png")));
  }
  CHECK(equal(data::resize(rgb, 37, 29), rgb));
  CHECK(equal(data::read_image(images / "rgb.png", {.height = 17, .width = 17, .shorter_side = 20}),
              fixture("shorter_20_crop_17.png")));
  CHECK_THROWS_WITH(data::resize(rgb, 0, 5), ContainsSubstring("0 x 5"));
  CHECK_THROWS_WITH(data::centre_crop(rgb, 38, 3), ContainsSubstring("beyond an image of 37 x 29"));
  CHECK_THROWS_WITH(data::read_image(images / "rgb.png", {.height = 17}), ContainsSubstring("both sides"));
  CHECK_THROWS_WITH(data::read_image(images / "rgb.png", {.height = 9, .width = 9, .shorter_side = 1}),
                    ContainsSubstring("beyond"));
}

TEST_CASE("a file cut anywhere is refused by name, and lies about sizes cost no memory", "[data]") {
  const Scratch scratch;
  for (const std::string name : {"rgb.png", "rgb.jpg", "rgb.jpeg", "rgb.bmp", "rgb.tif", "grey.tiff"}) {
    const std::string whole = bytes(name);
    for (std::size_t length = 0; length + 20 < whole.size(); length += 97) {
      INFO(name << " cut at " << length);
      scratch.put(name, whole.substr(0, length));
      CHECK_THROWS_WITH(data::decode_image(scratch / name), ContainsSubstring(name));
    }
  }
  std::string large = bmp(1, 1, 0, 0, 0);
  large[20] = 1;  // 65537 wide
  scratch.put("large.bmp", large);
  CHECK_THROWS_WITH(data::decode_image(scratch / "large.bmp"), ContainsSubstring("large.bmp") && ContainsSubstring("65537"));
  CHECK_THROWS_WITH(data::decode_image(scratch / "none.bmp"), ContainsSubstring("cannot be read"));
}

TEST_CASE("a folder per class: sorted names, order of files, sizes made equal", "[data]") {
  const Scratch scratch;
  for (const char* folder : {"b", "a", "c/deep", ".hidden"}) fs::create_directories(scratch / folder);
  scratch.put("a/2.bmp", bmp(4, 6, 10, 20, 30));
  scratch.put("a/1.BMP", bmp(4, 6, 40, 50, 60));
  scratch.put("b/x.bmp", bmp(4, 6, 1, 2, 3));
  scratch.put("c/deep/y.bmp", bmp(4, 6, 7, 8, 9));
  scratch.put("c/readme.txt", "no image");
  scratch.put("loose.bmp", bmp(1, 1, 0, 0, 0));
  scratch.put(".hidden/z.bmp", bmp(1, 1, 0, 0, 0));
  data::FolderReport report;
  const auto set = data::image_folder(scratch / "", {.report = &report});
  CHECK(set.class_names() == std::vector<std::string>{"a", "b", "c"});
  CHECK(set.labels() == std::vector<std::int32_t>{0, 0, 1, 2});
  CHECK(set.shape() == image_shape(4, 6, 3));
  CHECK(set.pixels(0)[0] == 40);
  CHECK(set.pixels(3)[2] == 9);
  CHECK(report.files == std::vector<std::string>{"a/1.BMP", "a/2.bmp", "b/x.bmp", "c/deep/y.bmp"});
  CHECK(report.ignored.size() == 2);
  CHECK(set.take(3).class_names() == set.class_names());
  const auto grey = data::image_folder(scratch / "", {.image = {.height = 2, .width = 2, .channels = 1}});
  CHECK(grey.shape() == image_shape(2, 2, 1));

  scratch.put("b/y.bmp", bmp(3, 3, 9, 9, 9));
  CHECK_THROWS_WITH(data::image_folder(scratch / ""),
                    ContainsSubstring("b/y.bmp") && ContainsSubstring("3 x 3") && ContainsSubstring("4 x 6"));
  CHECK(data::image_folder(scratch / "", {.image = {.height = 3, .width = 3}}).size() == 5);
  CHECK_THROWS_WITH(data::image_folder(scratch / "", {.image = {.height = 3, .width = 3}, .memory = 134}),
                    ContainsSubstring("5 x 27 bytes"));
  CHECK_THROWS_WITH(data::image_folder(scratch / "", {.image = {.height = 4, .width = 4, .shorter_side = 3},
                                                      .bad_files = data::BadFiles::skip}),
                    ContainsSubstring("a/1.BMP") && ContainsSubstring("beyond"));  // no bad file but a bad wish
}

TEST_CASE("corrupt files stop the reading or are left out, by name", "[data]") {
  const Scratch scratch;
  for (const char* folder : {"a", "b"}) fs::create_directories(scratch / folder);
  scratch.put("a/0.jpg", bytes("rgb.jpg").substr(0, 900));
  scratch.put("a/1.bmp", bmp(2, 2, 5, 5, 5));
  scratch.put("b/1.png", "text");
  scratch.put("b/2.bmp", bmp(2, 2, 6, 6, 6));
  CHECK_THROWS_WITH(data::image_folder(scratch / ""), ContainsSubstring("a/0.jpg") && ContainsSubstring("BadFiles::skip"));
  data::FolderReport report;
  const auto set = data::image_folder(scratch / "", {.bad_files = data::BadFiles::skip, .report = &report});
  CHECK(set.labels() == std::vector<std::int32_t>{0, 1});
  CHECK(set.pixels(1)[0] == 6);
  REQUIRE(report.skipped.size() == 2);
  CHECK(report.skipped[0].file == "a/0.jpg");
  CHECK_THAT(report.summary(), ContainsSubstring("2 images read, 2 skipped") && ContainsSubstring("b/1.png"));
  fs::remove(scratch / "b/2.bmp");
  CHECK_THROWS_WITH(data::image_folder(scratch / "", {.bad_files = data::BadFiles::skip, .report = &report}),
                    ContainsSubstring("'b'") && ContainsSubstring("can be decoded"));
  CHECK(data::image_folder(scratch / "", {.bad_files = data::BadFiles::skip, .empty_classes = true, .report = &report})
            .classes() == 2);
  fs::remove(scratch / "b/1.png");
  CHECK_THROWS_WITH(data::image_folder(scratch / ""), ContainsSubstring("class 'b'") && ContainsSubstring("no images"));
  fs::remove(scratch / "a/1.bmp");
  fs::remove(scratch / "a/0.jpg");
  CHECK_THROWS_WITH(data::image_folder(scratch / ""), ContainsSubstring("hold no images"));
  CHECK_THROWS_WITH(data::image_folder(scratch / "a"), ContainsSubstring("flat_image_folder"));
  CHECK_THROWS_WITH(data::flat_image_folder(scratch / "a"), ContainsSubstring("holds no images"));
  CHECK_THROWS_WITH(data::image_folder(scratch / "nowhere"), ContainsSubstring("is not a folder"));
}

TEST_CASE("a stratified split takes its share of each class, by the seed alone", "[data]") {
  data::Pixels pixels(std::array<std::size_t, 4>{24, 1, 1, 1});
  std::vector<std::int32_t> labels;
  for (std::size_t i = 0; i < 24; ++i) {
    pixels.data()[i] = static_cast<std::uint8_t>(i);
    labels.push_back(i % 4 == 0 ? 2 : i < 23 ? 0 : 1);  // 6 of class 2, 17 of class 0, 1 of class 1
  }
  const data::Labelled set("s", std::move(pixels), labels, std::vector<std::string>{"x", "y", "z"});
  const auto [train, rest] = data::split_stratified(set, 0.2, 1);
  CHECK(counts(train) == std::vector<int>{3, 0, 1});
  CHECK(counts(rest) == std::vector<int>{14, 1, 5});
  CHECK(train.class_names()[2] == "z");
  std::vector<int> seen;
  for (const auto* part : {&train, &rest}) {
    for (std::size_t i = 0; i < part->size(); ++i) {
      CHECK(labels[*part->pixels(i)] == part->label(i));
      seen.push_back(*part->pixels(i));
    }
  }
  std::sort(seen.begin(), seen.end());
  for (int i = 0; i < 24; ++i) CHECK(seen[static_cast<std::size_t>(i)] == i);
  CHECK(data::split_stratified(set, 0.2, 1).train.all() == train.all());
  CHECK_FALSE(data::split_stratified(set, 0.2, 2).train.all() == train.all());
  CHECK_THROWS_WITH(data::split_stratified(set, 1.0, 1), ContainsSubstring("between 0 and 1"));
  CHECK_THROWS_WITH(data::split_stratified(set.take(1), 0.5, 1), ContainsSubstring("too small"));
}

TEST_CASE("real aerial images: five classes, the same for any number of threads", "[data]") {
  const auto folder = reference::folder("GRAFT_DATA_DIR");
  if (!folder) return;
  const int before = threads();
  set_threads(1);
  const auto one = data::image_folder(*folder / "rsscn7", {.image = {.height = 64, .width = 64}});
  set_threads(2);
  const auto two = data::image_folder(*folder / "rsscn7", {.image = {.height = 64, .width = 64}});
  set_threads(before);
  CHECK(one.all() == two.all());
  CHECK(one.size() == 400);
  CHECK(one.class_names() == std::vector<std::string>{"agriculture", "industrial", "meadow", "residential", "river"});
  CHECK(counts(data::split_stratified(one, 0.2, 0).train) == std::vector<int>(5, 16));
}

}  // namespace test_images

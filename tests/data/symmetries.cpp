// Every image's mirror images and turns.
#include <graft/data/symmetries.hpp>
#include <set>

#include "catch.hpp"

namespace test_symmetries {
using namespace graft;

namespace {

std::vector<std::uint8_t> image(const data::Unlabelled& set, std::size_t i) {
  return {set.pixels(i), set.pixels(i) + set.shape().size()};
}
data::Pixels counted(std::size_t n, std::size_t h, std::size_t w, std::size_t c) {
  data::Pixels pixels(std::array<std::size_t, 4>{n, h, w, c});
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels.data()[i] = static_cast<std::uint8_t>(i);
  return pixels;
}
}  // namespace

TEST_CASE("symmetries gives a square image's eight views, itself first, with its label", "[data]") {
  const data::Labelled set("two", counted(2, 2, 2, 1), {1, 0}, std::vector<std::string>{"field", "river"});
  const data::Labelled all = data::symmetries(set);
  REQUIRE(all.size() == 16);
  CHECK(all.class_names() == set.class_names());
  const data::Unlabelled images = all.without_labels();
  using Image = std::vector<std::uint8_t>;
  CHECK(image(images, 0) == Image{0, 1, 2, 3});
  CHECK(image(images, 1) == Image{4, 5, 6, 7});
  CHECK(image(images, 2) == Image{2, 3, 0, 1});   // upside down
  CHECK(image(images, 4) == Image{1, 0, 3, 2});   // mirrored
  CHECK(image(images, 6) == Image{3, 2, 1, 0});   // half a turn
  CHECK(image(images, 8) == Image{0, 2, 1, 3});   // rows and columns exchanged
  CHECK(image(images, 10) == Image{1, 3, 0, 2});  // a quarter turn
  std::set<Image> views;
  for (std::size_t i = 0; i < 16; ++i) {
    CHECK(all.label(i) == set.label(i % 2));
    if (i % 2 == 0) views.insert(image(images, i));
  }
  CHECK(views.size() == 8);
}

TEST_CASE("The views of a view are those of the image, in colour", "[data]") {
  const data::Unlabelled set("one", std::make_shared<const data::Pixels>(counted(1, 5, 5, 3)));
  const auto views_of = [](const data::Unlabelled& all) {
    std::set<std::vector<std::uint8_t>> views;
    for (std::size_t i = 0; i < all.size(); ++i) views.insert(image(all, i));
    return views;
  };
  const data::Unlabelled all = data::symmetries(set);
  const auto views = views_of(all);
  CHECK(views.size() == 8);
  CHECK(views_of(data::symmetries(all)) == views);
}

TEST_CASE("An image that is no square has the four views of its shape", "[data]") {
  const data::Unlabelled all =
      data::symmetries(data::Unlabelled("wide", std::make_shared<const data::Pixels>(counted(1, 1, 3, 2))));
  REQUIRE(all.size() == 4);
  CHECK(all.shape() == image_shape(1, 3, 2));
  CHECK(image(all, 0) == std::vector<std::uint8_t>{0, 1, 2, 3, 4, 5});
  CHECK(image(all, 1) == std::vector<std::uint8_t>{0, 1, 2, 3, 4, 5});
  CHECK(image(all, 2) == std::vector<std::uint8_t>{4, 5, 2, 3, 0, 1});
}

}  // namespace test_symmetries

// PNG files come back as written; the picture of a prediction holds the image and the most probable classes in order.
#include <graft/data/image_folder.hpp>
#include <graft/train/picture.hpp>

#include "catch.hpp"
#include "io/scratch.hpp"

#include <limits>

namespace test_picture {
using namespace graft;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("a PNG that was written decodes to the same bytes", "[train]") {
  const Scratch scratch;
  for (const int channels : {1, 2, 3, 4}) {
    data::Bitmap image{5, 7, channels, std::vector<std::uint8_t>(static_cast<std::size_t>(35 * channels))};
    for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<std::uint8_t>(i * 41);
    write_png(scratch / "x.png", image);
    const data::Bitmap back = data::decode_image(scratch / "x.png");
    CHECK(back.channels == channels);
    CHECK(back.width == 7);
    CHECK(back.pixels == image.pixels);
  }
  CHECK_THROWS_WITH(png_bytes({2, 2, 3, std::vector<std::uint8_t>(11)}), ContainsSubstring("2 x 2 x 3 with 11 bytes"));
  data::Pixels pixels(std::array<std::size_t, 4>{2, 1, 2, 1});
  for (std::size_t i = 0; i < 4; ++i) pixels.data()[i] = static_cast<std::uint8_t>(i);
  const data::Labelled set("s", std::move(pixels), {0, 1}, 2);
  CHECK(bitmap_of(set, 1).pixels == std::vector<std::uint8_t>{2, 3});
  CHECK_THROWS_WITH(bitmap_of(set, 2), ContainsSubstring("which has 2"));
}

TEST_CASE("base64 as in RFC 4648, section 10", "[train]") {
  CHECK(detail::base64("") == "");
  CHECK(detail::base64("f") == "Zg==");
  CHECK(detail::base64("fo") == "Zm8=");
  CHECK(detail::base64("foo") == "Zm9v");
  CHECK(detail::base64("foobar") == "Zm9vYmFy");
}

TEST_CASE("a prediction as a picture", "[train]") {
  const data::Bitmap image{2, 2, 1, {0, 50, 100, 150}};
  const std::string svg =
      prediction_picture(image, std::vector<float>{0.1f, 0.7f, 0.05f, 0.15f}, {"a", "b & c", "d"}, {.top = 3, .label = 0});
  CHECK_THAT(svg, ContainsSubstring("data:image/png;base64," + detail::base64(png_bytes(image))) &&
                      ContainsSubstring("label: a") && ContainsSubstring("b &amp; c") && ContainsSubstring("0.700") &&
                      !ContainsSubstring("0.050"));
  CHECK(svg.find(">b &amp; c</text>") < svg.find(">class 3</text>"));
  CHECK(svg.find(">class 3</text>") < svg.rfind(">a</text>"));
  CHECK_THROWS_WITH(prediction_picture(image, std::vector<double>{3.0, -1.0}), ContainsSubstring("softmax"));
  CHECK_THROWS_WITH(prediction_picture(image, std::vector<double>{std::numeric_limits<double>::quiet_NaN()}),
                    ContainsSubstring("softmax"));
  CHECK_THROWS_WITH(prediction_picture(image, std::vector<double>{}), ContainsSubstring("no probabilities"));
}

}  // namespace test_picture

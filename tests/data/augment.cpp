// Augmentations: values against Keras, scipy and torchvision (make_augmented.py); draws that depend on (seed, pass, index)
// alone; loaders that give the same bits for any number of threads and allocate nothing.
#include <graft/data/augment.hpp>
#include <graft/data/loader.hpp>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>

#include "catch.hpp"
#include "support/allocations.hpp"

namespace test_augment {
using namespace graft;
using Catch::Matchers::ContainsSubstring;

namespace {

/// A canvas with memory of its own.
struct Picture {
  std::vector<float> memory;
  data::Canvas canvas;
  Picture(int h, int w, int c, int most = 0) : memory(static_cast<std::size_t>(2 * std::max(h * w * c, most))) {
    canvas = {h, w, c, memory.data(), memory.data() + memory.size() / 2};
  }
  Picture(const Picture& other) : memory(other.memory), canvas(other.canvas) {
    const bool first = other.canvas.pixels == other.memory.data();
    canvas.pixels = memory.data() + (first ? 0 : memory.size() / 2);
    canvas.room = memory.data() + (first ? memory.size() / 2 : 0);
  }
  Picture& operator=(const Picture&) = delete;
  [[nodiscard]] std::vector<float> values() const { return {canvas.pixels, canvas.pixels + canvas.size()}; }
};
Picture filled(int h, int w, int c, float value) {
  Picture p(h, w, c);
  std::fill(p.memory.begin(), p.memory.end(), value);
  return p;
}

const std::map<std::string, Picture>& blocks() {
  static const std::map<std::string, Picture> all = [] {
    std::map<std::string, Picture> result;
    std::ifstream in(std::filesystem::path(__FILE__).parent_path() / "augmented.txt");
    std::string name;
    int h = 0, w = 0, c = 0;
    while (in >> name >> h >> w >> c) {
      Picture p(h, w, c);
      for (std::size_t i = 0; i < p.canvas.size(); ++i) in >> p.canvas.pixels[i];
      result.emplace(name, p);
    }
    return result;
  }();
  REQUIRE(all.size() == 20);
  return all;
}
/// The largest difference between an image after `change` and the block `name`.
template <class F>
double difference(const std::string& name, F&& change, const char* from = "image") {
  Picture p = blocks().at(from);
  change(p.canvas);
  const std::vector<float> is = p.values(), should = blocks().at(name).values();
  REQUIRE(is.size() == should.size());
  double most = 0.0;
  for (std::size_t i = 0; i < is.size(); ++i) most = std::max(most, std::abs(static_cast<double>(is[i] - should[i])));
  return most;
}
data::Labelled images(std::size_t n, std::size_t side, std::size_t channels) {
  data::Pixels pixels(std::array<std::size_t, 4>{n, side, side, channels});
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels.data()[i] = static_cast<std::uint8_t>(i * 37 % 251);
  std::vector<std::int32_t> labels(n);
  for (std::size_t i = 0; i < n; ++i) labels[i] = static_cast<std::int32_t>(i);
  return {"set", std::move(pixels), std::move(labels), static_cast<int>(n)};
}
const data::Augment everything{
    data::rotate(20),
    data::shear(5),
    data::zoom(0.2),
    data::shift(0.1, 0.1),
    data::random_crop(2),
    data::flip_horizontal(),
    data::flip_vertical(),
    data::invert(0.3),
    data::colour_jitter(0.2, 0.2, 0.2, 0.1),
    data::noise(0.02),
    data::cutout(3),
    data::random_erasing(),
    data::change([](data::Canvas& image, Random& random) { image.pixels[0] = float(random.uniform()); })};

}  // namespace

TEST_CASE("affine maps are Keras's, in all its fill modes", "[data]") {
  const std::map<std::string, data::Fill> modes{{"constant", data::Fill::constant},
                                                {"nearest", data::Fill::nearest},
                                                {"reflect", data::Fill::reflect},
                                                {"wrap", data::Fill::wrap}};
  for (const auto& [name, fill] : modes) {
    INFO(name);
    const auto with = [&, f = fill](const data::AffineMap& map) {
      return [=](data::Canvas& image) { data::apply_affine(image, map, f, 17.0f); };
    };
    // float against double on numbers up to 255: 4 roundings of 2^-24 of 255, and the file's seven digits
    CHECK(difference("keras_a_" + name, with(data::affine_map(8, 8, 23.0, 1.3, -0.7, 12.0, 1.2, 0.8))) < 2e-4);
    CHECK(difference("keras_b_" + name, with(data::affine_map(8, 8, -70.0, -9.6, 14.2, -30.0, 2.3, 1.9))) < 2e-4);
    CHECK(difference("scipy_" + name, with({{{0.9, -0.4, -7.25}, {0.3, 1.6, -3.5}}}), "wide") < 2e-4);
  }
  // the centre of an image that is not square stays where it is
  const data::AffineMap turn = data::affine_map(5, 9, 33.0, 0.0, 0.0, 0.0, 1.0, 1.0);
  CHECK(turn[0][0] * 2 + turn[0][1] * 4 + turn[0][2] == Approx(2.0));
  CHECK(turn[1][0] * 2 + turn[1][1] * 4 + turn[1][2] == Approx(4.0));
}

TEST_CASE("colours change as torchvision changes them", "[data]") {
  CHECK(difference("brightness", [](data::Canvas& c) { data::apply_brightness(c, 1.7f); }) < 1e-3);
  CHECK(difference("contrast", [](data::Canvas& c) { data::apply_contrast(c, 1.6f); }) < 1e-3);
  CHECK(difference("saturation", [](data::Canvas& c) { data::apply_saturation(c, 0.3f); }) < 1e-3);
  CHECK(difference("saturation_more", [](data::Canvas& c) { data::apply_saturation(c, 1.8f); }) < 1e-3);
  CHECK(difference("hue", [](data::Canvas& c) { data::apply_hue(c, 0.21f); }) < 1e-3);
  CHECK(difference("hue_back", [](data::Canvas& c) { data::apply_hue(c, -0.45f); }) < 1e-3);
  CHECK(difference("image", [](data::Canvas& c) { data::apply_invert(c), data::apply_invert(c); }) == 0.0);
}

TEST_CASE("flips, crops, boxes and noise do what they say", "[data]") {
  Picture p(2, 2, 1, 16);
  const float numbers[] = {1, 2, 3, 4};
  std::copy(numbers, numbers + 4, p.canvas.pixels);
  data::apply_flip(p.canvas, true);
  CHECK(p.values() == std::vector<float>{2, 1, 4, 3});
  data::apply_flip(p.canvas, false);
  CHECK(p.values() == std::vector<float>{4, 3, 2, 1});
  data::apply_crop(p.canvas, -1, 1, 2, 3, 9.0f);
  CHECK(p.values() == std::vector<float>{9, 9, 9, 3, 9, 9});
  CHECK(p.canvas.width == 3);

  const auto covered = [](const data::Augment& augment, std::uint64_t key) {
    Picture picture = filled(20, 30, 1, 200.0f);
    augment.apply(picture.canvas, Image<20, 30, 1>, 1, key);
    int count = 0;
    for (const float v : picture.values()) count += v != 200.0f ? 1 : 0;
    return count;
  };
  int squares = 0, boxes = 0, erased = 0;
  for (std::uint64_t key = 0; key < 400; ++key) {
    const int cut = covered({data::cutout(6)}, key);
    CHECK((cut >= 9 && cut <= 36));  // a quarter at a corner
    squares += cut == 36 ? 1 : 0;
    const int box = covered({data::random_erasing({.random = false})}, key);
    boxes += box > 0 ? 1 : 0;
    erased += box;
    CHECK(box <= 0.45 * 600);
  }
  CHECK((squares > 200 && squares < 320));  // (14 + 1)(24 + 1) / 600 of the centres: 0.625
  CHECK((boxes > 160 && boxes < 240));      // p = 0.5
  CHECK(erased / std::max(boxes, 1) > 60);
  Picture grey = filled(50, 50, 3, 128.0f);
  data::Augment{data::noise(0.1)}.apply(grey.canvas, Image<50, 50, 3>, 1, 2);
  double sum = 0.0, squared = 0.0;
  for (const float v : grey.values()) sum += v - 128.0, squared += (v - 128.0) * (v - 128.0);
  CHECK(std::abs(sum / 7500) < 4 * 25.5 / std::sqrt(7500.0));
  CHECK(std::sqrt(squared / 7500) == Approx(25.5).epsilon(0.05));
}

TEST_CASE("neighbouring affine steps become one, and what cannot be meant is a sentence", "[data]") {
  CHECK(everything.steps().size() == 10);
  const data::Augment one{data::Affine{.rotation = 20, .shear = 5, .shift_y = 0.1, .zoom_low = 0.8, .zoom_high = 1.2}};
  const data::Augment four{data::rotate(20), data::shear(5), data::zoom(0.2), data::shift(0.1, 0)};
  Picture a = blocks().at("image"), b = a;
  one.apply(a.canvas, Image<8, 8, 3>, 3, 4);
  four.apply(b.canvas, Image<8, 8, 3>, 3, 4);
  CHECK(a.values() == b.values());
  CHECK(data::Augment{data::rotate(3), data::rotate(4)}.steps().size() == 2);
  CHECK(data::Augment{data::rotate(3), data::shear(4, data::Fill::wrap)}.steps().size() == 2);
  CHECK(data::Augment{data::mixup(0.4)}.empty());
  CHECK_THROWS_WITH(data::Augment{data::zoom(1.0)}, ContainsSubstring("zoom"));
  CHECK_THROWS_WITH(data::Augment{data::flip_vertical(1.1)}, ContainsSubstring("probability"));
  CHECK_THROWS_WITH(data::Augment{data::mixup(0)}, ContainsSubstring("mixup"));
  CHECK_THROWS_WITH((data::Loader<float>(images(3, 6, 1), Image<8, 8, 1>, {.augment = {data::random_crop()}})),
                    ContainsSubstring("too small for random_crop"));
  CHECK_THROWS_WITH((data::Loader<float>(images(3, 6, 1), Image<4, 4, 1>, {.augment = {data::rotate(3)}})),
                    ContainsSubstring("6 x 6 x 1"));
  CHECK_THROWS_WITH((data::PairedLoader<float>(images(3, 4, 1), images(3, 4, 1).without_labels(), Image<4, 4, 1>,
                                               {.augment = {data::mixup(1.0)}})),
                    ContainsSubstring("mixup"));
}

TEST_CASE("an augmented stream: the same bits for any threads, prefetch or resume; other passes and seeds differ", "[data]") {
  const auto set = images(7, 10, 3);
  const auto read = [&](data::LoaderOptions options, std::uint64_t from, int steps) {
    options.batch = 5;
    data::Loader<float> loader(set, Image<8, 8, 3>, options);
    loader.seek(from);
    std::vector<float> all;
    for (int s = 0; s < steps; ++s) {
      const auto batch = loader.next();
      all.insert(all.end(), batch.images, batch.images + 5 * 192);
    }
    return all;
  };
  data::LoaderOptions options{.seed = 3, .prefetch = false, .augment = everything};
  options.augment.add(data::mixup(0.5));
  const auto plain = read(options, 0, 14);
  for (const bool prefetch : {false, true}) {
    for (const int count : {1, 2, 5}) {
      options.prefetch = prefetch;
      options.threads = count;
      CHECK(read(options, 0, 14) == plain);
    }
  }
  CHECK(read(options, 9, 5) == std::vector<float>(plain.begin() + 9 * 960, plain.end()));
  options.seed = 4;
  CHECK(read(options, 0, 14) != plain);
  // one image a pass, in order, changed anew each time
  data::Loader<float> one(images(1, 8, 3), Image<8, 8, 3>, {.batch = 1, .augment = {data::rotate(40)}});
  const auto batch = one.next();
  const std::vector<float> first(batch.images, batch.images + 192);
  const auto again = one.next();
  CHECK_FALSE(std::equal(first.begin(), first.end(), again.images));

  const auto target = images(9, 8, 1).without_labels();
  const auto paired = [&](int count) {
    data::PairedLoader<float> loader(set, target, Image<8, 8, 3>,
                                     {.source_batch = 3,
                                      .target_batch = 4,
                                      .augment = everything,
                                      .target_augment = {data::shift(0.3, 0.3, data::Fill::reflect)},
                                      .threads = count});
    std::vector<float> all;
    for (int s = 0; s < 6; ++s) {
      const auto batch = loader.next();
      all.insert(all.end(), batch.images, batch.images + 7 * 192);
    }
    return all;
  };
  CHECK(paired(1) == paired(3));
}

TEST_CASE("mixup mixes each image with the next one and tells both labels and the share", "[data]") {
  const auto set = images(6, 2, 1);
  data::Loader<double> plain(set, Image<2, 2, 1>, {.batch = 4, .seed = 1});
  data::Loader<double> mixed(set, Image<2, 2, 1>, {.batch = 4, .seed = 1, .augment = {data::mixup(0.4)}});
  double shares = 0.0;
  for (int step = 0; step < 200; ++step) {
    const auto a = plain.next();
    const auto b = mixed.next();
    const auto labels = b.mixed_labels();
    CHECK((labels.share >= 0.0 && labels.share <= 1.0));
    shares += labels.share;
    for (int i = 0; i < 4; ++i) {
      CHECK(labels.first[i] == a.labels[i]);
      CHECK(labels.second[i] == a.labels[(i + 1) % 4]);
      for (int k = 0; k < 4; ++k) {
        const double expected = labels.share * a.images[4 * i + k] + (1 - labels.share) * a.images[4 * ((i + 1) % 4) + k];
        CHECK(b.images[4 * i + k] == Approx(expected));
      }
    }
  }
  CHECK(shares / 200 == Approx(0.5).margin(0.1));  // deviation of Beta(0.4, 0.4): 0.37; of the mean of 200: 0.026
  CHECK(plain.next().mixed_labels().share == 1.0);
  for (const double alpha : {0.01, 0.3, 1.0, 4.0}) {
    double sum = 0.0, squares = 0.0;
    Random random(5, 6);
    for (int i = 0; i < 20000; ++i) {
      const double x = data::detail::draw_beta(alpha, random) - 0.5;
      sum += x, squares += x * x;
    }
    const double variance = 0.25 / (2 * alpha + 1);
    CHECK(std::abs(sum / 20000) < 4 * std::sqrt(variance / 20000));
    CHECK(squares / 20000 == Approx(variance).epsilon(0.06));
  }
}

TEST_CASE("an augmented batch allocates nothing after the first", "[data]") {
  const auto set = images(40, 12, 3);
  for (const int count : {1, 3}) {
    data::LoaderOptions options{.batch = 16, .augment = everything, .threads = count};
    options.augment.add(data::mixup(0.5));
    data::Loader<float> loader(set, Image<12, 12, 3>, options);
    for (int i = 0; i < 4; ++i) loader.next();
    const std::size_t before = support::allocations();
    for (int i = 0; i < 20; ++i) loader.next();
    CHECK(support::allocations() == before);
  }
}

TEST_CASE("an error in a crew is the first by index, and the crew goes on", "[data]") {
  data::detail::Crew crew(4);
  for (int turn = 0; turn < 50; ++turn) {
    CHECK_THROWS_WITH(crew.run(64,
                               [](std::size_t i, int) {
                                 if (i % 10 == 7) fail("item ", i);
                               }),
                      ContainsSubstring("item 7"));
    std::vector<int> done(64);
    crew.run(64, [&](std::size_t i, int) { done[i] = 1; });
    CHECK(done == std::vector<int>(64, 1));
  }
}

}  // namespace test_augment

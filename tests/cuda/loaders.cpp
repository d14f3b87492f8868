// Loaders that make their batches on a device, against those that make them on the host.
#include <graft/cuda.hpp>
#include <graft/data/loader.hpp>

#include "catch.hpp"
#include "cuda/device.hpp"

#include <string>
#include <vector>

using namespace graft;

namespace test_loaders {

data::Labelled images(const std::string& name, int count, int height, int width, int channels, unsigned step) {
  data::Pixels pixels = xt::zeros<std::uint8_t>({count, height, width, channels});
  unsigned value = 3;
  for (auto& byte : pixels) byte = static_cast<std::uint8_t>((value += step) % 251);
  std::vector<int> labels(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int>(i) % 3;
  return {name, std::move(pixels), labels, 3};
}

template <class T>
std::vector<T> fetched(const T* from, std::size_t count) {
  const Accelerator<T>* const device = AcceleratorOf<Cuda, T>::get();
  CHECK(device->holds(from));
  std::vector<T> rows(count);
  device->fetch(count * sizeof(T), from, rows.data());
  return rows;
}

/// Some batches of the set, made on the host and, in all orders of threads, on the device.
template <class T = float>
void compare(const std::string& what, const data::Labelled& set, Shape to, const data::LoaderOptions& options) {
  INFO(what);
  for (int order = 0; device::set_order(order); ++order) {
    data::Loader<T> here(set, to, options), there(set, to, options, AcceleratorOf<Cuda, T>::get());
    CHECK_FALSE(here.settled());
    REQUIRE(there.settled());
    for (int step = 0; step < 5; ++step) {
      const auto a = here.next(), b = there.next();
      const std::size_t count = static_cast<std::size_t>(a.count) * to.size();
      const auto expected = std::vector<T>(a.images, a.images + count), got = fetched(b.images, count);
      // Both compute places in double and pixels in float; what a compiler fuses differs, and so do logarithms.
      CHECK(reference::distance(got, expected) < 2e-5);
      CHECK(std::equal(a.labels, a.labels + a.count, b.labels));
      CHECK(a.share == b.share);
      if (a.partner_labels != nullptr) CHECK(std::equal(a.partner_labels, a.partner_labels + a.count, b.partner_labels));
    }
  }
  device::set_order(0);
}

TEST_CASE("a device draws and changes images as the host does", "[cuda][engine]") {
  using namespace graft::data;
  const auto colour = images("colour", 11, 9, 7, 3, 17), grey = images("grey", 11, 9, 7, 1, 29);
  const Shape same = Image<9, 7, 3>, smaller = Image<6, 5, 3>;
  const std::vector<std::pair<std::string, Augment>> lists{
      {"none", {}},
      {"constant", {rotate(40, Fill::constant, 9), shear(10, Fill::constant, 9)}},
      {"nearest", {rotate(40), zoom(0.3), shift(0.2, 0.3)}},
      {"reflect", {shift(0.9, 0.9, Fill::reflect)}},
      {"wrap", {shift(0.9, 0.9, Fill::wrap)}},
      {"flips", {flip_horizontal(), flip_vertical()}},
      {"crop with a frame", {random_crop(2, 50)}},
      {"colours", {colour_jitter(0.5, 0.5, 0.5, 0.3)}},
      {"brightness alone", {colour_jitter(0.5, 0, 0)}},
      {"noise and inversion", {invert(), noise(0.1)}},
      {"boxes", {cutout(4, 3), random_erasing({.probability = 0.9})}},
      {"a box of one value", {random_erasing({.probability = 0.9, .random = false, .value = 5})}},
      {"all", {flip_horizontal(), rotate(20), colour_jitter(0.2, 0.2, 0.2, 0.1), noise(0.05), random_erasing()}}};
  for (const auto& [name, list] : lists) {
    LoaderOptions options{.batch = 4, .seed = 3, .normalize = Normalize::standard(3, colour), .augment = list};
    compare(name, colour, same, options);
    compare(name + ", grey", grey, same, options);
    compare<double>(name + ", double", colour, same, options);
    options.normalize = Normalize::of_each_image();
    compare(name + ", each by itself", colour, same, options);
    compare(name + ", grey, each by itself", grey, same, options);
  }
  const Augment cut{random_crop(), rotate(30), noise(0.1)};
  compare("cut", colour, smaller, {.batch = 5, .augment = cut});
  compare("a vector", colour, Vector<9 * 7 * 3>, {.batch = 5, .normalize = Normalize::centred(), .augment = {noise(0.1)}});
  compare("mixup", colour, same, {.batch = 4, .augment = {flip_horizontal(), mixup(0.4)}});
}

TEST_CASE("a loader makes its batches on the device when the sets fit there", "[cuda][engine]") {
  const auto source = images("grey", 21, 4, 5, 1, 17);
  const auto target = images("colour", 10, 4, 5, 3, 29).without_labels();
  const data::Augment turned{data::flip_horizontal(), data::noise(0.1)};
  for (const bool clean : {false, true}) {
    const data::PairedOptions options{.source_batch = 5,
                                      .target_batch = 4,
                                      .seed = 3,
                                      .normalize = data::Normalize::standard(3, source, target),
                                      .augment = clean ? turned : data::Augment{},
                                      .target_augment = clean ? turned : data::Augment{},
                                      .clean_target = clean};
    const Accelerator<float>* const device = AcceleratorOf<Cuda, float>::get();
    data::PairedLoader<float> here(source, target, Image<4, 5, 3>, options),
        there(source, target, Image<4, 5, 3>, options, device);
    CHECK_FALSE(here.settled());
    REQUIRE(there.settled());
    for (int step = 0; step < 12; ++step) {
      const auto a = here.next(), b = there.next();
      const std::size_t count = 9 * a.row;
      CHECK(reference::distance(fetched(b.images, count), std::vector<float>(a.images, a.images + count)) < 2e-5);
      CHECK(std::equal(a.labels, a.labels + 5, b.labels));
      CHECK(std::equal(a.target_index, a.target_index + 4, b.target_index));
      const auto unchanged = a.clean_target(), there_too = b.clean_target();
      CHECK((unchanged.data == a.target().data) == !clean);
      const std::vector<float> expected(unchanged.data, unchanged.data + 4 * a.row);
      CHECK(reference::distance(fetched(there_too.data, 4 * b.row), expected) < 1e-6);
    }
  }
}

TEST_CASE("a function of the user's changes images on the host", "[cuda][engine]") {
  const auto set = images("colour", 6, 4, 5, 3, 17);
  const data::LoaderOptions options{.batch = 2, .augment = {data::change([](data::Canvas&, Random&) {})}};
  CHECK_FALSE(data::Loader<float>(set, Image<4, 5, 3>, options, AcceleratorOf<Cuda, float>::get()).settled());
}

}  // namespace test_loaders

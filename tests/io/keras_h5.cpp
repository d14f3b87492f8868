#include "graft/io/keras_h5.hpp"

#include "catch.hpp"
#include "graft/io/weights.hpp"
#include "graft/io/write_keras_h5.hpp"
#include "graft/ops/list.hpp"
#include "io/fixture.hpp"
#include "io/scratch.hpp"
#include "support/reference.hpp"

namespace test_keras_h5 {
using namespace graft;
using Catch::Matchers::ContainsSubstring;

namespace {

/// The net of make_fixtures.py.
struct Flat : Net<Image<6, 5, 2>, Conv2D<4, 3, Conv{.groups = 2}>, BatchNorm<>, ReLU, DepthwiseConv2D<3, Conv{.padding = same}>,
                  Flatten, Dense<3>, ReLU, Dense<2>> {};
const std::vector<std::string> own_names{"conv", "bn", "dw", "fc", "logits"};
const std::vector<std::string> class_names{"conv2d", "batch_normalization", "depthwise_conv2d", "dense", "dense_1"};

double output_error(Model<Flat>& model) {
  const io::TensorFile expected(fixture("keras_output.safetensors"));
  const auto x = expected.get<float>("x");
  std::vector<float> y(4);
  model.predict(x.data(), 2, y.data());
  return reference::error(y, expected.get<float>("y"));
}
std::string reading(const std::filesystem::path& path) {
  return complaint_of([&] {
    const io::KerasFile file(path);
    for (const auto& [name, info] : file.tensors()) (void)file.get<float>(name);
  });
}
std::string slurp(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// An HDF5 file of a test's own with layer "a", which lists the weight "w".
struct Draft {
  io::detail::Handle file, group;
  explicit Draft(const std::filesystem::path& path)
      : file(H5Fcreate(path.string().c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose),
        group(H5Gcreate2(file.id(), "a", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose) {
    io::detail::put_texts(file.id(), "layer_names", {"a"}, "draft");
    io::detail::put_texts(group.id(), "weight_names", {"w"}, "draft");
  }
  void array(const char* name, const std::vector<hsize_t>& shape, hid_t type, hid_t plist = H5P_DEFAULT) const {
    const io::detail::Handle space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), H5Sclose);
    const io::detail::Handle set(H5Dcreate2(group.id(), name, type, space.id(), H5P_DEFAULT, plist, H5P_DEFAULT), H5Dclose);
    REQUIRE(set.ok());
  }
};

}  // namespace

TEST_CASE("files of Keras 2 and 3 load, weights and whole models, flat and nested, and give Keras' output", "[io]") {
  for (const char* name : {"keras2_flat_legacy", "keras2_nested_legacy", "keras2_flat_model", "keras2_nested_model",
                           "keras3_flat_model", "keras3_nested_model", "keras3_flat.weights", "keras3_nested.weights",
                           "keras2_flat.weights", "keras2_nested.weights"}) {
    INFO(name);
    const bool nameless = std::string(name).find("keras2") == 0 && std::string(name).find(".weights") != std::string::npos;
    Model<Flat> model;
    const auto report = io::load(model, fixture(std::string(name) + ".h5"),
                                 {.names = io::names::keras().layers(nameless ? class_names : own_names)});
    INFO(report);
    CHECK(report.loaded.size() == 12);
    CHECK(output_error(model) < 1e-6);
  }
  const io::KerasFile file(fixture("keras2_flat_model.h5"));
  CHECK(file.layers() == own_names);
  Model<Flat> model;
  CHECK(io::load(model, file, {.names = io::names::keras().layers(file.layers())}).complete());
}

TEST_CASE("a Keras weight file is written and read back", "[io]") {
  const Scratch scratch;
  Model<Flat> model, other;
  const auto names = io::names::keras().layers(own_names);
  io::load(model, fixture("keras3_flat_model.h5"), {.names = names});
  io::write_keras_h5(model, scratch / "own.h5", names);
  CHECK(scratch.files() == 1);
  const auto report = io::load(other, scratch / "own.h5", {.names = names});
  CHECK(report.complete());
  CHECK(output_error(other) < 1e-6);
  CHECK(io::KerasFile(scratch / "own.h5").info("dw/depthwise_kernel").shape == std::vector<std::size_t>{3, 3, 4, 1});
}

TEST_CASE("Keras files cut short are refused", "[io]") {
  const Scratch scratch;
  for (const char* name : {"keras2_flat_model.h5", "keras3_nested.weights.h5", "keras2_flat_legacy.h5"}) {
    const std::string whole = slurp(fixture(name));
    REQUIRE(reading(fixture(name)) == "");
    for (std::size_t length = 0; length < whole.size(); length += 97) {
      INFO(name << " " << length);
      scratch.put("cut", whole.substr(0, length));
      REQUIRE_THAT(reading(scratch / "cut"), ContainsSubstring("cut"));
    }
  }
  CHECK_THAT(reading(scratch / "absent"), ContainsSubstring("absent"));
  CHECK_THAT(reading(fixture("real.safetensors")), ContainsSubstring("real.safetensors"));
}

TEST_CASE("cyclic, linked and absurd HDF5 is refused in sentences", "[io]") {
  const Scratch scratch;
  const auto path = scratch / "hostile";
  const auto refuse = [&](const char* word, auto&& build) {
    {
      const Draft draft(path);
      build(draft);
    }
    INFO(word);
    CHECK_THAT(reading(path), ContainsSubstring("hostile") && ContainsSubstring(word));
  };
  refuse("has no 'w'", [](const Draft&) {});
  refuse("link", [](const Draft& d) { H5Lcreate_soft("/a/w", d.group.id(), "w", H5P_DEFAULT, H5P_DEFAULT); });
  refuse("link", [](const Draft& d) { H5Lcreate_external("/etc/passwd", "/x", d.group.id(), "w", H5P_DEFAULT, H5P_DEFAULT); });
  refuse("no array", [](const Draft& d) { H5Lcreate_hard(d.file.id(), "/a", d.group.id(), "w", H5P_DEFAULT, H5P_DEFAULT); });
  refuse("other than numbers", [](const Draft& d) { d.array("w", {2}, H5T_C_S1); });
  refuse("hold", [](const Draft& d) { d.array("w", {hsize_t{1} << 60}, H5T_IEEE_F32LE); });  // contiguous, never allocated
  refuse("hold", [](const Draft& d) { d.array("w", {hsize_t{1} << 30, hsize_t{1} << 25}, H5T_IEEE_F32LE); });
  const auto chunked = [](std::vector<hsize_t> chunk) {
    io::detail::Handle plist(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    H5Pset_chunk(plist.id(), static_cast<int>(chunk.size()), chunk.data());
    return plist;
  };
  refuse("hold", [&](const Draft& d) { d.array("w", {hsize_t{1} << 60}, H5T_IEEE_F32LE, chunked({16}).id()); });
  refuse("pieces", [&](const Draft& d) { d.array("w", {hsize_t{1} << 29}, H5T_IEEE_F32LE, chunked({hsize_t{1} << 29}).id()); });
  refuse("filter", [&](const Draft& d) {
    const auto plist = chunked({4});
    H5Pset_scaleoffset(plist.id(), H5Z_SO_INT, 0);
    d.array("w", {4}, H5T_STD_I32LE, plist.id());
  });
  refuse("other files", [](const Draft& d) {
    const io::detail::Handle plist(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    H5Pset_external(plist.id(), "/etc/passwd", 0, 16);
    d.array("w", {4}, H5T_IEEE_F32LE, plist.id());
  });
  refuse("texts", [](const Draft& d) {
    H5Adelete(d.group.id(), "weight_names");
    const hsize_t two = 2;
    const io::detail::Handle space(H5Screate_simple(1, &two, nullptr), H5Sclose);
    const io::detail::Handle list(
        H5Acreate2(d.group.id(), "weight_names", H5T_IEEE_F32LE, space.id(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  });
  // Without lists the groups are walked: a circle of hard links, and a soft one.
  refuse("circle", [](const Draft& d) {
    H5Adelete(d.file.id(), "layer_names");
    H5Lcreate_hard(d.file.id(), "/", d.group.id(), "back", H5P_DEFAULT, H5P_DEFAULT);
  });
  refuse("link", [](const Draft& d) {
    H5Adelete(d.file.id(), "layer_names");
    H5Lcreate_soft("/a", d.group.id(), "back", H5P_DEFAULT, H5P_DEFAULT);
  });
  refuse("no weights", [](const Draft& d) { H5Adelete(d.file.id(), "layer_names"); });
}

}  // namespace test_keras_h5

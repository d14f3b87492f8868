#include "catch.hpp"
#include "graft/io/weights.hpp"
#include "graft/ops/list.hpp"
#include "io/scratch.hpp"
#include "support/naive.hpp"
#include "support/reference.hpp"

#include <numeric>

namespace test_load {
using namespace graft;
using Catch::Matchers::ContainsSubstring;

namespace {

struct Small : Net<Image<6, 5, 2>, Conv2D<4, 3, Conv{.groups = 2}>, BatchNorm<>, ReLU,
                   DepthwiseConv2D<3, Conv{.padding = same}>, Flatten, BatchNorm<>, Dropout<0.5>, Dense<3>, ReLU, Dense<2>> {};
struct OtherSlope
    : Net<Image<6, 5, 2>, Conv2D<4, 3, Conv{.groups = 2}>, BatchNorm<>, ELU, DepthwiseConv2D<3, Conv{.padding = same}>, Flatten,
          BatchNorm<>, Dropout<0.5>, Dense<3>, ReLU, Dense<2>> {};
struct OtherEpsilon
    : Net<Image<6, 5, 2>, Conv2D<4, 3, Conv{.groups = 2}>, BatchNorm<Norm{.epsilon = 0.1}>, ReLU,
          DepthwiseConv2D<3, Conv{.padding = same}>, Flatten, BatchNorm<>, Dropout<0.5>, Dense<3>, ReLU, Dense<2>> {};
struct Trunk : Net<Image<6, 5, 2>, Conv2D<4, 3, Conv{.groups = 2}>, BatchNorm<>, ReLU> {};
struct Wider : Net<Image<6, 5, 2>, Conv2D<6, 3, Conv{.groups = 2}>, BatchNorm<>, ReLU> {};

/// A model none of whose numbers are alike.
template <class N, class T = float>
Model<N, Cpu, T> filled() {
  Model<N, Cpu, T> model;
  T next = T(0.01);
  for (T& value : model.values()) value = next += T(0.003);
  for (T& value : model.statistics()) value = next += T(0.003);
  return model;
}
template <class M>
std::vector<float> all(const M& model) {
  std::vector<float> numbers(model.values().begin(), model.values().end());
  numbers.insert(numbers.end(), model.statistics().begin(), model.statistics().end());
  return numbers;
}
template <class F>
std::string complaint(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a model is saved and loaded, in float and double, and its forward pass is compared", "[io]") {
  const Scratch scratch;
  auto saved = filled<Small>();
  io::save(saved, scratch / "s", {{"epochs", "3"}});
  Model<Small> loaded;
  const io::LoadReport report = io::load(loaded, scratch / "s");
  CHECK(all(loaded) == all(saved));
  CHECK(report.verified);
  CHECK(report.complete());
  CHECK(report.numbers == all(saved).size());
  CHECK(report.loaded.size() == loaded.segments().size() + loaded.statistic_segments().size());
  CHECK(io::TensorFile(scratch / "s").metadata().at("epochs") == "3");
  Model<Small, Cpu, double> wide;
  CHECK(io::load(wide, scratch / "s").verified);  // other rounding, within the tolerance
  CHECK(static_cast<float>(wide.values()[5]) == saved.values()[5]);
  std::ostringstream table;
  table << report;
  CHECK_THAT(table.str(),
             ContainsSubstring("0/w") && ContainsSubstring("3 x 3 x 1 x 4") && ContainsSubstring("loaded 16 arrays"));
}

TEST_CASE("a file that does not compute what it did is refused, and the model stays as it was", "[io]") {
  const Scratch scratch;
  auto saved = filled<Small>();
  io::save(saved, scratch / "s");
  auto slope = filled<OtherSlope>();
  auto epsilon = filled<OtherEpsilon>();
  slope.values()[0] = epsilon.values()[0] = 7.0f;
  const auto before = all(slope);
  CHECK_THAT(complaint([&] { io::load(slope, scratch / "s"); }), ContainsSubstring("'ReLU'") && ContainsSubstring("'ELU'"));
  CHECK(all(slope) == before);
  CHECK_THAT(complaint([&] { io::load(epsilon, scratch / "s"); }), ContainsSubstring("differ by"));
  CHECK(all(epsilon) == before);
  CHECK_FALSE(io::load(epsilon, scratch / "s", {.verify = false}).verified);
  CHECK(all(epsilon) == all(saved));
  CHECK_FALSE(io::load(slope, scratch / "s", {.strict = false}).verified);

  // One weight changed behind graft's back.
  const io::TensorFile file(scratch / "s");
  std::vector<std::vector<float>> kept;
  std::vector<io::TensorData> tensors;
  kept.reserve(file.tensors().size());
  for (const auto& [name, info] : file.tensors()) {
    kept.push_back(file.get<float>(name));
    if (name == "4/w") kept.back()[1] += 0.01f;
    tensors.push_back(io::tensor(name, info.shape, kept.back().data()));
  }
  io::write_safetensors(scratch / "changed", tensors, file.metadata());
  Model<Small> other;
  CHECK_THAT(complaint([&] { io::load(other, scratch / "changed"); }), ContainsSubstring("differ by"));
}

TEST_CASE("a trunk takes its part of a larger file; strict loading names what does not fit", "[io]") {
  const Scratch scratch;
  auto saved = filled<Small>();
  io::save(saved, scratch / "s");
  Model<Trunk> trunk;
  CHECK_THAT(complaint([&] { io::load(trunk, scratch / "s"); }), ContainsSubstring("unused") && ContainsSubstring("4/w"));
  const auto report = io::load(trunk, scratch / "s", {.strict = false});
  CHECK(report.complete());
  CHECK(report.unused.size() == 10);
  CHECK_THAT(report.verification, ContainsSubstring("not verified"));
  CHECK(trunk.values()[3] == saved.values()[3]);
  CHECK(io::load(trunk, scratch / "s", {.allow_unused = true}).complete());

  Model<Wider> wider;
  const auto before = all(wider);
  CHECK_THAT(complaint([&] { io::load(wider, scratch / "s", {.allow_unused = true}); }),
             ContainsSubstring("3 x 3 x 1 x 6") && ContainsSubstring("3 x 3 x 1 x 4"));
  CHECK_THAT(complaint([&] { io::load(wider, scratch / "s", {.strict = false}); }), ContainsSubstring("nothing was loaded"));
  CHECK(all(wider) == before);
  Model<Small> small;
  io::save(trunk, scratch / "t");
  CHECK_THAT(complaint([&] { io::load(small, scratch / "t"); }), ContainsSubstring("missing") && ContainsSubstring("5/b"));
  CHECK(io::load(small, scratch / "t", {.strict = false}).missing.size() == 10);
  CHECK_THAT(complaint([&] { io::load(small, scratch / "absent"); }), ContainsSubstring("absent"));
}

TEST_CASE("PyTorch's layouts are permuted, behind a flatten too, from every stored type", "[io]") {
  const Scratch scratch;
  auto expected = filled<Small, double>();
  // What PyTorch would hold: every array transposed by index arithmetic that owes nothing to the reader's.
  std::vector<std::vector<double>> kept;
  std::vector<io::TensorData> tensors;
  kept.reserve(32);
  const auto put = [&](const std::string& name, std::vector<std::size_t> shape, std::vector<double> numbers) {
    kept.push_back(std::move(numbers));
    tensors.push_back(io::tensor(name, std::move(shape), kept.back().data()));
  };
  const auto copy = [&](const char* segment, std::size_t count) {
    return std::vector<double>(expected.array(segment), expected.array(segment) + count);
  };
  std::vector<double> conv(4 * 1 * 3 * 3), depthwise(4 * 3 * 3), first(3 * 48), second(2 * 3);
  for (std::size_t o = 0; o < 4; ++o) {
    for (std::size_t y = 0; y < 3; ++y) {
      for (std::size_t x = 0; x < 3; ++x) {
        conv[(o * 3 + y) * 3 + x] = expected.array("0/w")[(y * 3 + x) * 4 + o];
        depthwise[(o * 3 + y) * 3 + x] = expected.array("2/w")[(y * 3 + x) * 4 + o];
      }
    }
  }
  const auto flat = [](const double* hwc) {
    std::vector<double> chw(48);
    for (std::size_t y = 0; y < 4; ++y) {
      for (std::size_t x = 0; x < 3; ++x) {
        for (std::size_t c = 0; c < 4; ++c) chw[(c * 4 + y) * 3 + x] = hwc[(y * 3 + x) * 4 + c];
      }
    }
    return chw;
  };
  for (std::size_t o = 0; o < 3; ++o) {
    std::vector<double> column(48);
    for (std::size_t i = 0; i < 48; ++i) column[i] = expected.array("4/w")[i * 3 + o];
    const auto moved = flat(column.data());
    std::copy(moved.begin(), moved.end(), first.begin() + static_cast<std::ptrdiff_t>(o * 48));
  }
  for (std::size_t o = 0; o < 2; ++o) {
    for (std::size_t i = 0; i < 3; ++i) second[o * 3 + i] = expected.array("5/w")[i * 2 + o];
  }
  put("net.conv.weight", {4, 1, 3, 3}, conv);
  put("net.conv.bias", {4}, copy("0/b", 4));
  for (const auto& [leaf, name] :
       {std::pair{"gamma", "weight"}, {"beta", "bias"}, {"running_mean", "running_mean"}, {"running_var", "running_var"}}) {
    put(std::string("net.bn.") + name, {4}, copy((std::string("1/") + leaf).c_str(), 4));
    put(std::string("net.bn1d.") + name, {48}, flat(expected.array(std::string("3/") + leaf)));
  }
  put("net.dw.weight", {4, 1, 3, 3}, depthwise);
  put("net.dw.bias", {4}, copy("2/b", 4));
  put("head.0.weight", {3, 48}, first);
  put("head.0.bias", {3}, copy("4/b", 3));
  put("head.2.weight", {2, 3}, second);
  put("head.2.bias", {2}, copy("5/b", 2));
  put("net.bn.num_batches_tracked", {}, {17.0});
  const auto map = io::names::torch().layers({"net.conv", "net.bn", "net.dw", "net.bn1d", "head.0", "head.2"});
  io::write_safetensors(scratch / "f64", tensors);
  Model<Small, Cpu, double> loaded;
  const auto report = io::load(loaded, scratch / "f64", {.names = map});
  CHECK(report.unused.empty());
  CHECK(std::equal(expected.values().begin(), expected.values().end(), loaded.values().begin()));
  CHECK(std::equal(expected.statistics().begin(), expected.statistics().end(), loaded.statistics().begin()));

  for (const auto& [dtype, error] : {std::pair{"F16", 0x1p-11}, {"BF16", 0x1p-8}}) {
    std::vector<io::TensorData> narrow;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      const std::vector<float> numbers(kept[i].begin(), kept[i].end());
      narrow.push_back(io::narrow_tensor(dtype, tensors[i].name, tensors[i].shape, numbers.data()));
    }
    io::write_safetensors(scratch / dtype, narrow);
    Model<Small> half;
    io::load(half, scratch / dtype, {.names = map});
    for (std::size_t i = 0; i < half.values().size(); ++i)
      CHECK(half.values()[i] == Approx(expected.values()[i]).epsilon(error));
  }

  // A head of its own must be told what its input vector was.
  struct Head : Net<Vector<48>, Dense<3>, ReLU, Dense<2>> {};
  Model<Head, Cpu, double> head;
  const auto head_map = io::names::torch().layers({"head.0", "head.2"});
  io::load(head, scratch / "f64", {.names = head_map, .allow_unused = true, .flattened = Image<4, 3, 4>});
  CHECK(std::equal(head.values().begin(), head.values().end(), expected.array("4/w")));
  io::load(head, scratch / "f64", {.names = head_map, .allow_unused = true});
  CHECK_FALSE(std::equal(head.values().begin(), head.values().end(), expected.array("4/w")));
}

TEST_CASE("half precisions are rounded to the nearest, ties to even", "[io]") {
  for (std::uint32_t bits = 0; bits < 0x10000u; ++bits) {
    const double value = io::detail::half(static_cast<std::uint16_t>(bits));
    if (std::isnan(value)) continue;
    REQUIRE(io::detail::to_half(static_cast<float>(value)) == bits);
    const std::uint32_t up = bits + 1;
    const double next = io::detail::half(static_cast<std::uint16_t>(up));
    if (std::isnan(next) || (up & 0x7FFFu) >= 0x7C00u || (bits & 0x7FFFu) >= 0x7C00u) continue;
    const float middle = static_cast<float>((value + next) / 2);  // exact: binary16 has 11 bits
    REQUIRE(io::detail::to_half(middle) == (bits % 2 == 0 ? bits : up));
  }
  CHECK(io::detail::to_half(65519.9f) == 0x7BFFu);
  CHECK(io::detail::to_half(65520.0f) == 0x7C00u);
  CHECK(io::detail::to_brain(1.00390625f) == 0x3F80u);  // 1 + 2^-8 lies between 1 and 1 + 2^-7
  CHECK(io::detail::to_brain(1.01171875f) == 0x3F82u);  // 1 + 3 * 2^-8
  CHECK(std::isnan(io::detail::brain(io::detail::to_brain(NAN))));
}

TEST_CASE("name maps: exact, prefix, pattern, first rule wins", "[io]") {
  using Names = std::vector<std::string>;
  CHECK(io::names::plain().candidates("0/w") == Names{"0/w"});
  CHECK(io::names::keras().candidates("conv1/w") == Names{"conv1/kernel", "conv1/depthwise_kernel", "conv1/vars/0"});
  CHECK(io::names::torch().candidates("layer1.0/bn1/running_var") == Names{"layer1.0.bn1.running_var"});
  const auto map = io::names::torch()
                       .array("odd/w", "strange")
                       .layer("block*/conv*", "features.*.conv*.0")
                       .layer("head", "fc")
                       .prefix("", "backbone.");
  CHECK(map.candidates("odd/w") == Names{"strange"});
  CHECK(map.candidates("odd/b") == Names{"backbone.odd.bias"});
  CHECK(map.candidates("block3/conv12/w") == Names{"features.3.conv12.0.weight"});
  CHECK(map.candidates("head/b") == Names{"fc.bias"});
  CHECK(io::names::torch().array("*/conv/*", "*-*").candidates("a/conv/conv/w") == Names{"a-conv/w"});
  CHECK(map.ignores("backbone.bn.num_batches_tracked"));
  CHECK_THROWS_AS(io::names::torch().layer("a*", "*b*"), Error);
}

TEST_CASE("named and nested layers find their arrays without a list", "[io]") {
  const Scratch scratch;
  using Block = Residual<Named<"conv1", Conv2D<4, 3, Conv{.padding = same, .bias = false}>>, Named<"bn1", BatchNorm<>>, ReLU>;
  struct Named_ : Net<Image<5, 5, 3>, Named<"conv1", Conv2D<4, 1>>, Named<"layer1.0", Block>, Flatten, Named<"fc", Dense<2>>> {
  };
  auto saved = filled<Named_>();
  std::vector<io::TensorData> tensors;
  std::vector<std::vector<float>> kept;
  kept.reserve(16);
  const auto put = [&](const char* name, std::vector<std::size_t> shape) {
    std::size_t count = 1;
    for (const std::size_t n : shape) count *= n;
    kept.emplace_back(count);
    std::iota(kept.back().begin(), kept.back().end(), static_cast<float>(100 * kept.size()));
    tensors.push_back(io::tensor(name, std::move(shape), kept.back().data()));
  };
  put("m.conv1.weight", {4, 3, 1, 1});
  put("m.conv1.bias", {4});
  put("m.layer1.0.conv1.weight", {4, 4, 3, 3});
  for (const char* leaf : {"weight", "bias", "running_mean", "running_var"})
    put((std::string("m.layer1.0.bn1.") + leaf).c_str(), {4});
  put("m.fc.weight", {2, 100});
  put("m.fc.bias", {2});
  io::write_safetensors(scratch / "t", tensors);
  const auto report = io::load(saved, scratch / "t", {.names = io::names::torch().prefix("", "m.")});
  CHECK(report.loaded.size() == 9);
  CHECK(saved.array("layer1.0/bn1/running_var")[1] == 701.0f);
  CHECK(saved.array("layer1.0/conv1/w")[(1 * 3 + 2) * 16 + 3 * 4 + 2] == 300.0f + (2 * 4 + 3) * 9 + 5);  // [1][2] from 3 to 2
  CHECK(saved.array("fc/w")[(7 * 4 + 3) * 2 + 1] == 800.0f + 100 + 3 * 25 + 7);  // pixel 7, channel 3, output 1
  io::save(saved, scratch / "own");
  Model<Named_> again;
  CHECK(io::load(again, scratch / "own").verified);
}

TEST_CASE("an array that the file lacks can be filled", "[io]") {
  const Scratch scratch;
  struct Norms : Net<Vector<3>, BatchNorm<>> {};
  const float numbers[] = {1, 2, 3};
  io::write_safetensors(scratch / "t", {io::tensor("bn/beta", {3}, numbers), io::tensor("bn/moving_mean", {3}, numbers),
                                        io::tensor("bn/moving_variance", {3}, numbers)});
  auto model = filled<Norms>();
  const auto names = io::names::keras().layers({"bn"});
  CHECK_THAT(complaint([&] { io::load(model, scratch / "t", {.names = names}); }), ContainsSubstring("bn/gamma"));
  auto with = names;
  with.fill("*/gamma", 1);
  CHECK(io::load(model, scratch / "t", {.names = with}).complete());
  CHECK(model.array("0/gamma")[2] == 1.0f);
  CHECK(model.array("0/beta")[2] == 3.0f);
}

TEST_CASE("the pretrained MobileNet's names are found", "[io]") {
  const auto folder = reference::folder("GRAFT_WEIGHTS_DIR");
  if (!folder) return;
  struct Stem : Net<Image<224, 224, 3>, Conv2D<8, 3, Conv{.stride = 2, .padding = Padding(0, 1, 0, 1), .bias = false}>,
                    BatchNorm<>, ReLU6, DepthwiseConv2D<3, Conv{.padding = same, .bias = false}>, BatchNorm<>, ReLU6,
                    Conv2D<16, 1, Conv{.bias = false}>, BatchNorm<>, ReLU6> {};
  Model<Stem> stem;
  const auto names = io::names::keras().layers({"conv1", "conv1_bn", "conv_dw_1", "conv_dw_1_bn", "conv_pw_1", "conv_pw_1_bn"});
  const auto report = io::load(stem, *folder / "mobilenet_v1_0.25_224.safetensors", {.names = names, .strict = false});
  INFO(report);
  CHECK(report.complete());
  CHECK(report.loaded.size() == 15);
  // The head is a 1x1 convolution; a Dense takes it.
  struct Head : Net<Vector<256>, Dense<1000>> {};
  Model<Head> head;
  CHECK(io::load(head, *folder / "mobilenet_v1_0.25_224.safetensors",
                 {.names = io::names::keras().layers({"conv_preds"}), .allow_unused = true})
            .numbers == 257000);
  // F16 kernels.
  struct Wide : Net<Image<224, 224, 3>, Conv2D<32, 3, Conv{.stride = 2, .padding = Padding(0, 1, 0, 1), .bias = false}>> {};
  Model<Wide> wide;
  const io::TensorFile file(*folder / "mobilenet_v1_1.0_224_trunk12.safetensors");
  CHECK(file.info("conv1/kernel").dtype == "F16");
  CHECK(io::load(wide, file, {.names = io::names::keras().layers({"conv1"}), .allow_unused = true}).complete());
  CHECK(wide.array("0/w")[7] == file.get<float>("conv1/kernel")[7]);
}

}  // namespace test_load

// ONNX files as bytes. What ONNX Runtime makes of them: tests/io/peers/run_onnx.py.
#include <graft/io/onnx.hpp>
#include <graft/ops/deploy.hpp>

#include "catch.hpp"
#include "scratch.hpp"

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace test_onnx {
using namespace graft;
using Catch::Matchers::ContainsSubstring;

namespace {
/// The fields of a protobuf message: number, and value as bytes (a number's as 8).
using Fields = std::vector<std::pair<int, std::string>>;
std::uint64_t number(const std::string& bytes, std::size_t& at) {
  std::uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.at(at++));
    value |= static_cast<std::uint64_t>(byte & 127) << shift;
    if (byte < 128) return value;
  }
}
Fields fields(const std::string& bytes) {
  Fields all;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::uint64_t key = number(bytes, at);
    std::string value;
    if ((key & 7) == 0) {
      value = graft::detail::little_endian(number(bytes, at));
    } else {
      const std::size_t count = (key & 7) == 2 ? static_cast<std::size_t>(number(bytes, at)) : 4;
      REQUIRE(at + count <= bytes.size());
      value = bytes.substr(at, count);
      at += count;
    }
    all.emplace_back(static_cast<int>(key >> 3), value);
  }
  return all;
}
std::vector<std::string> all(const Fields& message, int field) {
  std::vector<std::string> values;
  for (const auto& [key, value] : message) {
    if (key == field) values.push_back(value);
  }
  return values;
}
Fields graph_of(const std::string& file) { return fields(all(fields(file), 7).at(0)); }
std::vector<std::string> operators(const Fields& graph) {
  std::vector<std::string> names;
  for (const std::string& node : all(graph, 1)) names.push_back(all(fields(node), 4).at(0));
  return names;
}

struct Twice {
  static constexpr const char* name = "Twice";
  static constexpr Traits traits{};
  static constexpr Fit fit(Shape in) { return {Reason::fits, in}; }
  template <class V>
  static constexpr void visit(Shape, V&&) {}
  template <class T>
  static void* forward(Run<T>& run, const Place<T>& at, const T* x, T* y) {
    for (std::size_t i = 0; i < static_cast<std::size_t>(run.n) * at.in.size(); ++i) y[i] = 2 * x[i];
    return nullptr;
  }
  template <class T>
  static void backward(Run<T>&, const Place<T>&, const T*, const T*, void*, T*, T*) {}
  static std::string onnx(io::OnnxAt& at) { return at.graph.node("Add", {at.x, at.x}); }
};
struct Body : Net<Image<6, 6, 3>, Conv2D<4, 3, Conv{.bias = false}>, BatchNorm<>, ReLU, MaxPool2D<2>, Dropout<0.5>> {};
struct Head : Net<Body::output, Flatten, Dense<5>, Twice> {};
}  // namespace

TEST_CASE("A deployed model is written as an ONNX graph, with what a layer of one's own adds", "[io]") {
  const Scratch scratch;
  Model<Body> body{{.seed = 1}};
  Model<Head> head{{.seed = 2}};
  const std::vector<std::string> tail{"Relu", "MaxPool", "Transpose", "Flatten", "Gemm", "Add"};
  const auto with = [&](std::vector<std::string> before, std::vector<std::string> after) {
    before.insert(before.end(), tail.begin(), tail.end());
    before.insert(before.end(), after.begin(), after.end());
    return before;
  };
  auto deployed = deploy(body, head);
  io::save_onnx(deployed, scratch / "a.onnx");
  const Fields graph = graph_of(scratch.get("a.onnx"));
  CHECK(operators(graph) == with({"Conv"}, {"Identity"}));
  CHECK(all(fields(all(graph, 11).at(0)), 1).at(0) == "input");

  // The first constant is the kernel, filters x channels x height x width.
  const Fields kernel = fields(all(graph, 5).at(0));
  CHECK(all(kernel, 1) == std::vector<std::string>{
                              graft::detail::little_endian(std::uint64_t{4}), graft::detail::little_endian(std::uint64_t{3}),
                              graft::detail::little_endian(std::uint64_t{3}), graft::detail::little_endian(std::uint64_t{3})});
  std::vector<float> w(108);
  REQUIRE(all(kernel, 9).at(0).size() == w.size() * sizeof(float));
  std::memcpy(w.data(), all(kernel, 9).at(0).data(), w.size() * sizeof(float));
  const float* own = deployed.array("0/w");
  CHECK(w[((2 * 3 + 1) * 3 + 0) * 3 + 2] == own[((0 * 3 + 2) * 3 + 1) * 4 + 2]);  // filter 2, channel 1, row 0, column 2

  io::save_onnx(deployed, scratch / "b.onnx",
                {.output = "p", .channels_last = true, .probabilities = true, .normalize = data::Normalize::centred()});
  CHECK(operators(graph_of(scratch.get("b.onnx"))) == with({"Transpose", "Sub", "Div", "Conv"}, {"Softmax", "Identity"}));
  io::save_onnx(deployed, scratch / "c.onnx", {.normalize = data::Normalize::of_each_image()});
  CHECK(operators(graph_of(scratch.get("c.onnx"))) == with({"InstanceNormalization", "Conv"}, {"Identity"}));
  io::save_onnx(body, scratch / "d.onnx");
  CHECK(operators(graph_of(scratch.get("d.onnx"))) ==
        std::vector<std::string>{"Conv", "BatchNormalization", "Relu", "MaxPool", "Identity"});
}

TEST_CASE("What an ONNX file cannot say is an Error in a sentence", "[io]") {
  const Scratch scratch;
  struct Wide : Net<Image<2, 2, 5>, Conv2D<1, 1>> {};
  Model<Wide> wide;
  CHECK_THROWS_WITH(io::save_onnx(wide, scratch / "a.onnx", {.normalize = data::Normalize::centred()}),
                    ContainsSubstring("images of 5 channels cannot be normalised"));
  CHECK_THROWS_WITH(io::save_onnx(wide, scratch / "no" / "a.onnx"), ContainsSubstring("cannot write"));
}

}  // namespace test_onnx

#pragma once
/// \file onnx_graph.hpp  The graph of an ONNX file in the making (opt-in include, by io/onnx.hpp). The format:
/// https://github.com/onnx/onnx, docs/IR.md and onnx.proto; operator set 17.
#include "graft/config.hpp"
#include "graft/core/shape.hpp"
#include "graft/data/normalize.hpp"
#include "graft/io/protobuf.hpp"

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

GRAFT_BEGIN
namespace io {

struct OnnxOptions {
  std::string input = "input";    ///< name of the graph's input: N x C x H x W or N x C, float
  std::string output = "output";  ///< name of its output
  bool channels_last = false;     ///< images come, and go, as N x H x W x C
  bool probabilities = false;     ///< a softmax stands behind the net's output
  /// Given: the graph takes pixels / 255, from 0 to 1, and normalises them so. Else it takes what the net takes.
  std::optional<data::Normalize> normalize{};
};

/// A graph in the making. Values are told by name; images in it are N x C x H x W.
class OnnxGraph {
 public:
  using Ints = std::vector<std::int64_t>;

  /// Adds a node and returns the name of its output. `attributes` are those made by number(), integer() and integers().
  std::string node(const std::string& op, std::initializer_list<std::string> inputs, const std::string& attributes = {}) {
    return named_node(op, op + "_" + std::to_string(nodes_), {inputs.begin(), inputs.end()}, attributes);
  }
  std::string named_node(const std::string& op, const std::string& output, const std::vector<std::string>& inputs,
                         const std::string& attributes = {}) {
    std::string text;
    for (const std::string& input : inputs) text += graft::detail::proto_bytes(1, input);
    text += graft::detail::proto_bytes(2, output) + graft::detail::proto_bytes(3, output) + graft::detail::proto_bytes(4, op);
    graph_ += graft::detail::proto_bytes(1, text + attributes);
    ++nodes_;
    return output;
  }
  static std::string number(const std::string& name, double value) {
    return attribute(name, 1, graft::detail::proto_float(2, static_cast<float>(value)));
  }
  static std::string integer(const std::string& name, std::int64_t value) {
    return attribute(name, 2, graft::detail::proto_int(3, value));
  }
  static std::string integers(const std::string& name, const Ints& values) {
    std::string text;
    for (const std::int64_t value : values) text += graft::detail::proto_int(8, value);
    return attribute(name, 7, text);
  }

  /// Adds constants and returns their name. No dims: one number.
  std::string constant(const Ints& dims, const std::vector<float>& values) {
    return tensor(dims, 1, {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
  }
  std::string constant(const Ints& dims, const Ints& values) {
    return tensor(dims, 7, {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(std::int64_t)});
  }

  /// The whole file; input and output are N of these shapes.
  [[nodiscard]] std::string file(const OnnxOptions& options, const Ints& input, const Ints& output) const {
    using graft::detail::proto_bytes, graft::detail::proto_int;
    const std::string graph =
        graph_ + proto_bytes(2, "graft") + constants_ + value(11, options.input, input) + value(12, options.output, output);
    return proto_int(1, 8) + proto_bytes(2, "graft") + proto_bytes(7, graph) + proto_bytes(8, proto_int(2, 17));
  }

 private:
  static std::string attribute(const std::string& name, int type, const std::string& value) {
    using graft::detail::proto_bytes, graft::detail::proto_int;
    return proto_bytes(5, proto_bytes(1, name) + value + proto_int(20, type));
  }
  std::string tensor(const Ints& dims, int type, std::string_view bytes) {
    using graft::detail::proto_bytes, graft::detail::proto_int;
    const std::string name = "constant_" + std::to_string(tensors_++);
    std::string text;
    for (const std::int64_t extent : dims) text += proto_int(1, extent);
    constants_ += proto_bytes(5, text + proto_int(2, type) + proto_bytes(8, name) + proto_bytes(9, bytes));
    return name;
  }
  /// A float tensor of N samples.
  static std::string value(int field, const std::string& name, const Ints& extents) {
    using graft::detail::proto_bytes, graft::detail::proto_int;
    std::string dims = proto_bytes(1, proto_bytes(2, "N"));
    for (const std::int64_t extent : extents) dims += proto_bytes(1, proto_int(1, extent));
    return proto_bytes(field, proto_bytes(1, name) + proto_bytes(2, proto_bytes(1, proto_int(1, 1) + proto_bytes(2, dims))));
  }
  std::string graph_, constants_;
  int nodes_ = 0, tensors_ = 0;
};

/// Where a layer is written: the graph, what comes in, and the layer's numbers in float. A layer of one's own may have
/// `static std::string onnx(io::OnnxAt& at)`, which adds its nodes and returns the name of its output.
struct OnnxAt {
  OnnxGraph& graph;
  Shape in;
  std::string x;
  const float* weights;
  const float* statistics;

  [[nodiscard]] std::vector<float> some(std::size_t begin, std::size_t count) const {
    return {weights + begin, weights + begin + count};
  }
  /// x as N rows of numbers, in the order of this library: height, width, channel.
  [[nodiscard]] std::string rows() const {
    if (in.is_vector()) return x;
    const bool moves = in.h * in.w > 1;
    return graph.node("Flatten", {moves ? graph.node("Transpose", {x}, OnnxGraph::integers("perm", {0, 2, 3, 1})) : x});
  }
};

}  // namespace io
GRAFT_END

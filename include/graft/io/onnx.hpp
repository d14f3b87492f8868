#pragma once
/// \file onnx.hpp  A model as an ONNX file, for ONNX Runtime and others (opt-in include). The format:
/// https://github.com/onnx/onnx, docs/IR.md and onnx.proto; operator set 17.
///
///   auto deployed = deploy(features, labels);                                   // ops/deploy.hpp
///   io::save_onnx(deployed, "digits.onnx", {.normalize = data::Normalize::centred()});
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/core/model.hpp"
#include "graft/data/normalize.hpp"
#include "graft/io/onnx_graph.hpp"
#include "graft/ops/list.hpp"
#include "graft/train/atomic_file.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

GRAFT_BEGIN
namespace io {
namespace detail {

/// kernel_shape, strides and pads; the widths that `slide` says, as far as the output needs them.
inline std::string onnx_window(Shape in, Size kernel, Size stride, Padding padding, Size dilation = 1) {
  const Window window = slide(in.h, in.w, kernel, stride, padding, dilation);
  const auto after = [](int out, int step, int extent, int gap, int size, int before) {
    return std::max(0, (out - 1) * step + (extent - 1) * gap + 1 - size - before);
  };
  return OnnxGraph::integers("kernel_shape", {kernel.h, kernel.w}) + OnnxGraph::integers("strides", {stride.h, stride.w}) +
         OnnxGraph::integers("pads",
                             {window.top, window.left, after(window.oh, stride.h, kernel.h, dilation.h, in.h, window.top),
                              after(window.ow, stride.w, kernel.w, dilation.w, in.w, window.left)});
}

/// A convolution with `filters` kernels over `depth` channels each. The kernels, h x w x depth x filters (depthwise: h x w x
/// channels, the depth being 1), become filters x depth x h x w.
inline std::string onnx_conv(OnnxAt& at, int filters, int depth, Size kernel, const Conv& o, int groups) {
  const std::size_t taps = static_cast<std::size_t>(kernel.h * kernel.w), f = static_cast<std::size_t>(filters);
  const std::size_t d = static_cast<std::size_t>(depth);
  std::vector<float> w(taps * d * f);
  for (std::size_t t = 0; t < taps; ++t) {
    for (std::size_t c = 0; c < d; ++c) {
      for (std::size_t k = 0; k < f; ++k) w[(k * d + c) * taps + t] = at.weights[(t * d + c) * f + k];
    }
  }
  std::vector<std::string> inputs{at.x, at.graph.constant({filters, depth, kernel.h, kernel.w}, w)};
  if (o.bias) inputs.push_back(at.graph.constant({filters}, at.some(w.size(), f)));
  return at.graph.named_node("Conv", inputs[1] + "_out", inputs,
                             onnx_window(at.in, kernel, o.stride, o.padding, o.dilation) + OnnxGraph::integer("group", groups) +
                                 OnnxGraph::integers("dilations", {o.dilation.h, o.dilation.w}));
}
template <int F, Size K, Conv O>
std::string onnx_layer(const Conv2D<F, K, O>*, OnnxAt& at) {
  return onnx_conv(at, F, at.in.c / O.groups, K, O, O.groups);
}
template <Size K, Conv O>
std::string onnx_layer(const DepthwiseConv2D<K, O>*, OnnxAt& at) {
  return onnx_conv(at, at.in.c, 1, K, O, at.in.c);
}
template <int Units, bool Bias>
std::string onnx_layer(const Dense<Units, Bias>*, OnnxAt& at) {
  const std::string x = at.rows();
  const std::size_t kernel = at.in.size() * Units;
  const std::string w = at.graph.constant({static_cast<std::int64_t>(at.in.size()), Units}, at.some(0, kernel));
  if (!Bias) return at.graph.node("MatMul", {x, w});
  return at.graph.node("Gemm", {x, w, at.graph.constant({Units}, at.some(kernel, Units))});
}
template <class L, int Rank, Number Alpha>
std::string onnx_layer(const Lora<L, Rank, Alpha>*, OnnxAt& at) {
  std::vector<float> merged(counts_of<L>(at.in).parameters);
  Lora<L, Rank, Alpha>::merge(at.in, at.weights, merged.data());
  OnnxAt plain{at.graph, at.in, at.x, merged.data(), at.statistics};
  return onnx_layer(static_cast<const L*>(nullptr), plain);
}
template <Norm O>
std::string onnx_layer(const BatchNorm<O>*, OnnxAt& at) {
  const std::size_t c = static_cast<std::size_t>(at.in.c);
  const auto constant = [&](std::vector<float> values) { return at.graph.constant({at.in.c}, values); };
  const std::string gamma = constant(O.scale ? at.some(0, c) : std::vector<float>(c, 1.0f));
  const std::string beta = constant(at.some(O.scale ? c : 0, c));
  const std::string mean = constant({at.statistics, at.statistics + c});
  return at.graph.node("BatchNormalization", {at.x, gamma, beta, mean, constant({at.statistics + c, at.statistics + 2 * c})},
                       OnnxGraph::number("epsilon", O.epsilon));
}

template <kernel::Activation A, Number Alpha>
std::string onnx_layer(const graft::detail::Elementwise<A, Alpha>*, OnnxAt& at) {
  using kernel::Activation;
  OnnxGraph& g = at.graph;
  const auto scalar = [&](double value) { return g.constant({}, std::vector<float>{static_cast<float>(value)}); };
  switch (A) {
    case Activation::relu:
      return g.node("Relu", {at.x});
    case Activation::relu6:
      return g.node("Clip", {at.x, scalar(0.0), scalar(6.0)});
    case Activation::leaky_relu:
      return g.node("LeakyRelu", {at.x}, OnnxGraph::number("alpha", Alpha.value));
    case Activation::elu:
      return g.node("Elu", {at.x}, OnnxGraph::number("alpha", Alpha.value));
    case Activation::gelu: {  // x (1 + erf(x / sqrt 2)) / 2: a node of its own came with set 20
      const std::string erf = g.node("Erf", {g.node("Mul", {at.x, scalar(std::sqrt(0.5))})});
      return g.node("Mul", {g.node("Mul", {at.x, scalar(0.5)}), g.node("Add", {erf, scalar(1.0)})});
    }
    case Activation::silu:
      return g.node("Mul", {at.x, g.node("Sigmoid", {at.x})});
    case Activation::hard_swish:
      return g.node("HardSwish", {at.x});
    case Activation::sigmoid:
      return g.node("Sigmoid", {at.x});
    case Activation::tanh:
      return g.node("Tanh", {at.x});
    case Activation::softplus:
      return g.node("Softplus", {at.x});
  }
  return {};
}
inline std::string onnx_layer(const Softmax*, OnnxAt& at) {
  return at.graph.node("Softmax", {at.x}, OnnxGraph::integer("axis", 1));
}

template <Size K, Size Stride, Padding P>
std::string onnx_layer(const MaxPool2D<K, Stride, P>*, OnnxAt& at) {
  return at.graph.node("MaxPool", {at.x}, onnx_window(at.in, K, graft::detail::pool_stride(K, Stride), P));
}
template <Size K, Size Stride, Padding P>
std::string onnx_layer(const AvgPool2D<K, Stride, P>*, OnnxAt& at) {
  return at.graph.node("AveragePool", {at.x}, onnx_window(at.in, K, graft::detail::pool_stride(K, Stride), P));
}
inline std::string onnx_layer(const GlobalAveragePool*, OnnxAt& at) {
  return at.graph.node("Flatten", {at.graph.node("GlobalAveragePool", {at.x})});
}
inline std::string onnx_layer(const Flatten*, OnnxAt& at) { return at.rows(); }
template <Number Rate>
std::string onnx_layer(const Dropout<Rate>*, OnnxAt& at) {
  return at.x;
}
template <Padding P>
std::string onnx_layer(const ZeroPad<P>*, OnnxAt& at) {
  return at.graph.node("Pad", {at.x, at.graph.constant({8}, OnnxGraph::Ints{0, 0, P.top, P.left, 0, 0, P.bottom, P.right})});
}

template <class L>
std::string onnx_of(OnnxAt& at);

/// Layers in sequence; at.x, weights and statistics are those behind them then.
template <class... Ls>
std::string onnx_chain(const Chain<Ls...>*, OnnxAt& at) {
  [[maybe_unused]] const auto layer = [&]<class L>(const L*) {
    const Counts counts = counts_of<L>(at.in);
    at.x = onnx_of<L>(at);
    at.weights += counts.parameters, at.statistics += counts.statistics;
    at.in = L::fit(at.in).out;
  };
  (layer(static_cast<const Ls*>(nullptr)), ...);
  return at.x;
}
/// Each branch on the one input.
template <class... Bs>
std::vector<std::string> onnx_branches(OnnxAt at) {
  const OnnxAt begin = at;
  const auto branch = [&]<class B>(const B* b) {
    at.in = begin.in, at.x = begin.x;
    return onnx_chain(b, at);
  };
  return {branch(static_cast<const Bs*>(nullptr))...};
}
template <class... Bs>
std::string onnx_layer(const Sum<Bs...>*, OnnxAt& at) {
  const auto parts = onnx_branches<Bs...>(at);
  std::string sum = parts[0];
  for (std::size_t i = 1; i < parts.size(); ++i) sum = at.graph.node("Add", {sum, parts[i]});
  return sum;
}
template <class... Bs>
std::string onnx_layer(const Concat<Bs...>*, OnnxAt& at) {
  const auto parts = onnx_branches<Bs...>(at);
  return at.graph.named_node("Concat", parts[0] + "_joined", parts, OnnxGraph::integer("axis", 1));
}

template <class L>
std::string onnx_of(OnnxAt& at) {
  if constexpr (requires { L::onnx(at); }) {
    return L::onnx(at);
  } else {
    static_assert(
        requires { onnx_layer(static_cast<const L*>(nullptr), at); },
        "graft: io::save_onnx does not know this layer; give it `static std::string onnx(io::OnnxAt&)`.");
    return onnx_layer(static_cast<const L*>(nullptr), at);
  }
}

/// As Normalize::write() of pixels that were divided by 255.
inline std::string onnx_normalized(const data::Normalize& normalize, OnnxAt& at) {
  const std::size_t c = static_cast<std::size_t>(at.in.c);
  if (c > normalize.mean.size()) fail("save_onnx: images of ", at.in.c, " channels cannot be normalised; at most 4 can.");
  const auto constant = [&](const OnnxGraph::Ints& dims, auto&& of_channel) {
    std::vector<float> values(c);
    for (std::size_t i = 0; i < c; ++i) values[i] = static_cast<float>(of_channel(i));
    return at.graph.constant(dims, values);
  };
  if (normalize.each_image) {
    const std::string one = constant({at.in.c}, [](std::size_t) { return 1.0; });
    const std::string zero = constant({at.in.c}, [](std::size_t) { return 0.0; });
    return at.graph.node("InstanceNormalization", {at.x, one, zero}, OnnxGraph::number("epsilon", 1e-5));
  }
  const OnnxGraph::Ints dims = at.in.is_image() ? OnnxGraph::Ints{1, at.in.c, 1, 1} : OnnxGraph::Ints{1, at.in.c};
  const std::string mean = constant(dims, [&](std::size_t i) { return normalize.mean[i]; });
  const std::string deviation = constant(dims, [&](std::size_t i) { return normalize.deviation[i]; });
  return at.graph.node("Div", {at.graph.node("Sub", {at.x, mean}), deviation});
}

template <Shape In, class... Ls>
std::string onnx_net(const Net<In, Ls...>*, OnnxAt& at) {
  return onnx_chain(static_cast<const Chain<Ls...>*>(nullptr), at);
}

}  // namespace detail

/// Writes the model in inference mode, its numbers as floats. Throws Error when the file cannot be written or would be larger
/// than the format allows.
template <class N, class Device, class T>
GRAFT_COLD void save_onnx(const Model<N, Device, T>& model, const std::filesystem::path& path,
                          const OnnxOptions& options = {}) {
  OnnxGraph graph;
  const std::vector<float> weights(model.values().begin(), model.values().end());
  const std::vector<float> statistics(model.statistics().begin(), model.statistics().end());
  if (weights.size() + statistics.size() > (std::size_t{2} << 30) / sizeof(float) - (std::size_t{1} << 20)) {
    fail("save_onnx: this net has ", weights.size(),
         " numbers, and an ONNX file holds no more than 2 GiB; save it as safetensors.");
  }
  OnnxAt at{graph, N::input, options.input, weights.data(), statistics.data()};
  const auto turned = [&](const Shape& shape, const std::string& x, OnnxGraph::Ints axes) {
    return options.channels_last && shape.is_image() ? graph.node("Transpose", {x}, OnnxGraph::integers("perm", axes)) : x;
  };
  const auto extents = [&](const Shape& s) {
    if (s.is_vector()) return OnnxGraph::Ints{s.c};
    return options.channels_last ? OnnxGraph::Ints{s.h, s.w, s.c} : OnnxGraph::Ints{s.c, s.h, s.w};
  };
  at.x = turned(N::input, at.x, {0, 3, 1, 2});
  if (options.normalize) at.x = detail::onnx_normalized(*options.normalize, at);
  detail::onnx_net(static_cast<const N*>(nullptr), at);
  if (options.probabilities) at.x = graph.node("Softmax", {at.x}, OnnxGraph::integer("axis", 1));
  graph.named_node("Identity", options.output, {turned(N::output, at.x, {0, 2, 3, 1})});
  atomic_write(path, graph.file(options, extents(N::input), extents(N::output)));
}

}  // namespace io
GRAFT_END

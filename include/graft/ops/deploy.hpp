#pragma once
/// \file deploy.hpp  What a trained classifier needs where it is used, and nothing else: body and head as one net, without
/// dropout, BatchNorm folded into the layer before it.
///
///   auto deployed = deploy(features, labels);       // Model<Deployed<Features, Labels>>
///   io::save(deployed, "digits.safetensors");       // io/weights.hpp
///   io::save_onnx(deployed, "digits.onnx");         // io/onnx.hpp
#include "graft/config.hpp"
#include "graft/core/model.hpp"
#include "graft/core/surgery.hpp"
#include "graft/ops/batch_norm.hpp"
#include "graft/ops/branches.hpp"
#include "graft/ops/conv2d.hpp"
#include "graft/ops/dense.hpp"
#include "graft/ops/depthwise_conv2d.hpp"
#include "graft/ops/dropout.hpp"
#include "graft/ops/lora.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <type_traits>
#include <vector>

GRAFT_BEGIN

namespace detail {

/// Where a walk over a trained net reads, and where it writes the numbers of the deployed one.
template <class T>
struct FoldAt {
  const T* weights;
  const T* statistics;
  T* to;
  T* to_statistics;
};

// How a layer is deployed: `layer`, what stands in the new net, and run(in, at), which writes its numbers and returns the shape
// of its output.

template <class L>
struct Kept {
  using layer = L;
  template <class T>
  static Shape run(Shape in, FoldAt<T>& at) {
    const Counts counts = counts_of<L>(in);
    at.to = std::copy_n(at.weights, counts.parameters, at.to);
    at.to_statistics = std::copy_n(at.statistics, counts.statistics, at.to_statistics);
    at.weights += counts.parameters, at.statistics += counts.statistics;
    return L::fit(in).out;
  }
};
template <class L, Norm O>
struct KeptNorm : Kept<L> {};
/// May take what follows; Biased is L with a bias.
template <class L, class Biased>
struct KeptKernel : Kept<L> {
  using biased = Biased;
};
/// A Lora as the layer that it changes.
template <class L, class Plain, class Biased>
struct Merged {
  using layer = Plain;
  using biased = Biased;
  template <class T>
  static Shape run(Shape in, FoldAt<T>& at) {
    at.to = L::merge(in, at.weights, at.to);
    at.weights += counts_of<L>(in).parameters;
    return L::fit(in).out;
  }
};

/// The layer of S, and BatchNorm<Os>... behind it, as one with a bias: w' = w s, b' = (b - mean) s + beta with s = gamma /
/// sqrt(variance + epsilon), for each output channel; these are the last extent of every kernel.
template <class S, Norm... Os>
struct Folded {
  using layer = typename S::biased;
  template <class T>
  static Shape run(Shape in, FoldAt<T>& at) {
    T* w = at.to;
    const Shape out = S::run(in, at);
    const std::size_t channels = static_cast<std::size_t>(out.c), kernel = counts_of<layer>(in).parameters - channels;
    T* b = w + kernel;
    std::fill(at.to, b + channels, T{0});
    at.to = b + channels;
    (fold<Os>(kernel, channels, w, b, at), ...);
    return out;
  }

 private:
  template <Norm O, class T>
  static void fold(std::size_t kernel, std::size_t channels, T* w, T* b, FoldAt<T>& at) {
    const T* gamma = at.weights;
    const T* beta = O.scale ? gamma + channels : gamma;
    const T* mean = at.statistics;
    for (std::size_t c = 0; c < channels; ++c) {
      const double scale = O.scale ? static_cast<double>(gamma[c]) : 1.0;
      const double s = scale / std::sqrt(static_cast<double>(mean[channels + c]) + O.epsilon);
      for (std::size_t i = c; i < kernel; i += channels) w[i] = static_cast<T>(static_cast<double>(w[i]) * s);
      b[c] = static_cast<T>(static_cast<double>(b[c] - mean[c]) * s + static_cast<double>(beta[c]));
    }
    at.weights = beta + channels, at.statistics += 2 * channels;
  }
};

/// L, a join of branches, with each branch folded.
template <class Layer, class... Branches>
struct FoldedJoin {
  using layer = Layer;
  template <class T>
  static Shape run(Shape in, FoldAt<T>& at) {
    (Branches::run(in, at), ...);
    return Layer::fit(in).out;
  }
};

struct Left {};     // out of the new net
struct Nothing {};  // stands before the first layer

/// New under the name of L.
template <class L, class New>
struct NameOf {
  using type = New;
};
template <class L, class New>
requires is_named<L>
struct NameOf<L, New> {
  using type = Named<L::label, New>;
};
template <class L, class New>
using named_as = typename NameOf<L, New>::type;

constexpr Conv with_bias(Conv o) {
  o.bias = true;
  return o;
}

template <class... Ss>
struct FoldedLayers {
  using chain = Chain<typename Ss::layer...>;
  template <class T>
  static void run([[maybe_unused]] Shape in, FoldAt<T>& at) {
    ((in = Ss::run(in, at)), ...);
  }
};
template <class B>
struct FoldBranch;

// Found by what L is beneath its names.
template <class L>
Kept<L> folding(const void*);
template <class L, Norm O>
KeptNorm<L, O> folding(const BatchNorm<O>*);
template <class L, Number Rate>
Left folding(const Dropout<Rate>*);
template <class L, int F, Size K, Conv O>
KeptKernel<L, named_as<L, Conv2D<F, K, with_bias(O)>>> folding(const Conv2D<F, K, O>*);
template <class L, Size K, Conv O>
KeptKernel<L, named_as<L, DepthwiseConv2D<K, with_bias(O)>>> folding(const DepthwiseConv2D<K, O>*);
template <class L, int Units, bool Bias>
KeptKernel<L, named_as<L, Dense<Units, true>>> folding(const Dense<Units, Bias>*);
template <class L, class Plain, int Rank, Number Alpha>
Merged<L, named_as<L, Plain>, typename decltype(folding<named_as<L, Plain>>(static_cast<const Plain*>(nullptr)))::biased>
folding(const Lora<Plain, Rank, Alpha>*);
template <class L, class... Bs>
FoldedJoin<named_as<L, Sum<typename FoldBranch<Bs>::branch...>>, FoldBranch<Bs>...> folding(const Sum<Bs...>*);
template <class L, class... Bs>
FoldedJoin<named_as<L, Concat<typename FoldBranch<Bs>::branch...>>, FoldBranch<Bs>...> folding(const Concat<Bs...>*);

// What stands for a layer and a BatchNorm behind it; nothing, where they stay two.
template <class S, class Next>
struct Takes {};
template <class S, class M, Norm O>
requires requires { typename S::biased; }
struct Takes<S, KeptNorm<M, O>> {
  using type = Folded<S, O>;
};
template <class S, Norm... Os, class M, Norm O>
struct Takes<Folded<S, Os...>, KeptNorm<M, O>> {
  using type = Folded<S, Os..., O>;
};

template <class... Ls>
struct LayerList {};
template <class... Ss, class Last>
constexpr auto fold_layers(FoldedLayers<Ss...>, Last, LayerList<>) {
  if constexpr (std::is_same_v<Last, Nothing>) {
    return FoldedLayers<>{};
  } else {
    return FoldedLayers<Ss..., Last>{};
  }
}
template <class... Ss, class Last, class L, class... Ls>
constexpr auto fold_layers(FoldedLayers<Ss...> done, Last last, LayerList<L, Ls...>) {
  using Next = decltype(folding<L>(static_cast<const L*>(nullptr)));
  constexpr LayerList<Ls...> rest{};
  if constexpr (std::is_same_v<Next, Left>) {
    return fold_layers(done, last, rest);
  } else if constexpr (std::is_same_v<Last, Nothing>) {
    return fold_layers(done, Next{}, rest);
  } else if constexpr (requires { typename Takes<Last, Next>::type; }) {
    return fold_layers(done, typename Takes<Last, Next>::type{}, rest);
  } else {
    return fold_layers(FoldedLayers<Ss..., Last>{}, Next{}, rest);
  }
}
template <class... Ls>
using FoldOf = decltype(fold_layers(FoldedLayers<>{}, Nothing{}, LayerList<Ls...>{}));

template <class... Ls>
FoldOf<Ls...> fold_of_chain(const Chain<Ls...>*);
template <class B>
struct FoldBranch : decltype(fold_of_chain(static_cast<const B*>(nullptr))) {
  using branch = named_as<B, typename FoldBranch::chain>;
};

template <class... Ls, class... Ms>
constexpr LayerList<Ls..., Ms...> operator+(LayerList<Ls...>, LayerList<Ms...>) {
  return {};
}
template <Shape In, class... Ls>
LayerList<Ls...> layers_of(const Net<In, Ls...>*);
template <class... Ls>
FoldOf<Ls...> fold_of_list(LayerList<Ls...>);
template <Shape In, class... Ls>
Net<In, Ls...> net_of_chain(const Chain<Ls...>*);

template <class First, class... Nets>
constexpr bool follow_each_other() {
  [[maybe_unused]] Shape out = First::output;
  bool fits = true;
  ((fits = fits && Nets::input == out, out = Nets::output), ...);
  return fits;
}
template <class First, class... Nets>
struct Joined {
  static_assert(follow_each_other<First, Nets...>(),
                "graft: Deployed<Body, Head>: each net must take what the one before it gives; is the order right?");
  using folding = decltype(fold_of_list(
      (layers_of(static_cast<const First*>(nullptr)) + ... + layers_of(static_cast<const Nets*>(nullptr)))));
  using net = decltype(net_of_chain<First::input>(static_cast<const typename folding::chain*>(nullptr)));
};

}  // namespace detail

/// The nets, one after the other, as one net in inference mode: Dropout is left out, a Lora is the layer that it changes, and
/// BatchNorm that follows a Conv2D, DepthwiseConv2D or Dense is folded into it. Layers keep the names that Named<> gave them.
template <class... Nets>
struct Deployed : detail::Joined<Nets...>::net {};

/// The models as one of their Deployed net, which predicts what they predict in turn, to rounding. Of running statistics that
/// were kept apart for two domains, the target's are taken. Throws Error when two layers have one name.
template <class... Ns, class Device, class T>
GRAFT_COLD Model<Deployed<Ns...>, Device, T> deploy(Model<Ns, Device, T>&... models) {
  Model<Deployed<Ns...>, Device, T> deployed;
  std::vector<T> weights, statistics;
  (weights.insert(weights.end(), models.values().begin(), models.values().end()), ...);
  const auto add = [&](Buffer<T>& of) { statistics.insert(statistics.end(), of.begin(), of.end()); };
  (add(models.statistics_of(models.has_target_statistics() ? 1 : 0)), ...);
  detail::FoldAt<T> at{weights.data(), statistics.data(), deployed.values().data(), deployed.statistics().data()};
  detail::Joined<Ns...>::folding::run(Deployed<Ns...>::input, at);
  return deployed;
}

GRAFT_END

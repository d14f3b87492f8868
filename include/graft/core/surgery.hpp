#pragma once
/// \file surgery.hpp  Nets made from nets, as types: cut at a layer, with a new head on top, frozen up to a layer.
///
///   using Trunk = Cut<MobileNet, "pool">;                             // the layers up to and with "pool"
///   using Tuned = WithHead<Trunk, Named<"head", Dense<12>>>;          // and a new classifier on it
///   Model<TrainFromNamed<Tuned, "conv_pw_11">> model;                 // what stands before that layer is frozen
///
/// Names are those that Named<> gives to layers of the net itself; a layer within a block is not a place to cut at. The layers
/// that a new net shares with the old one keep their place, so that copy_weights() (core/copy_weights.hpp) finds their arrays
/// by name.
#include "graft/config.hpp"
#include "graft/core/net.hpp"

#include <cstddef>
#include <string_view>
#include <utility>

GRAFT_BEGIN

namespace detail {

template <Shape In, class... Ls>
Net<In, Ls...> net_of(const Net<In, Ls...>*);
/// The Net that a user's net is made of: `struct Body : Net<...> {}` is not one itself.
template <class N>
using NetOf = decltype(net_of(static_cast<const N*>(nullptr)));

template <class N, class Indices, int First, class... More>
struct PartOf;
template <Shape In, class... Ls, std::size_t... Is, int First, class... More>
struct PartOf<Net<In, Ls...>, std::index_sequence<Is...>, First, More...> {
  using type = Net<Chain<Ls...>::plan(In).shape[static_cast<std::size_t>(First)],
                   layer_at<static_cast<int>(Is) + First, Ls...>..., More...>;
};

/// The place of the layer of that name, -1 where there is none.
template <Shape In, class... Ls>
constexpr int find_layer(const Net<In, Ls...>*, std::string_view text) {
  int found = -1, i = 0;
  ((found = found < 0 && is_named<Ls> && label_of<Ls>() == text ? i : found, ++i), ...);
  return found;
}

/// Layers [First, End) of N as a net of their own, and `More` behind them.
template <class N, int First, int End, class... More>
using Slice = typename PartOf<NetOf<N>, std::make_index_sequence<static_cast<std::size_t>(End - First)>, First, More...>::type;

}  // namespace detail

/// The place of the layer called `Text` among the layers of the net N: 0 is the first; all are counted as written.
template <class N, Name Text>
constexpr int layer_index() {
  constexpr int found = detail::find_layer(static_cast<const detail::NetOf<N>*>(nullptr), Text.view());
  static_assert(found >= 0,
                "graft: no layer of this net has that name; only layers that stand as Named<\"name\", Layer> in the net's own "
                "list can be told by name.");
  return found;
}

/// The first K layers of N, activations and pools counted.
template <class N, int K>
struct FirstLayers : detail::Slice<N, 0, K> {
  static_assert(K >= 0 && K <= N::layers, "graft: FirstLayers<Net, K>: K must lie between 0 and the number of layers.");
  static constexpr int first_trained = N::first_trained < K ? N::first_trained : K;
};

/// The layers of N up to and with the one called `Text`, and `More` beyond it: `Cut<Vgg, "conv5_4", 1>` takes the activation
/// along where that has no name of its own.
template <class N, Name Text, int More = 0>
struct Cut : FirstLayers<N, layer_index<N, Text>() + 1 + More> {};

/// The layers of N behind the one called `Text`: what is left to run, or to train, on the outputs of a frozen Cut<N, Text>.
/// Layers without names are counted from here.
template <class N, Name Text>
struct Behind : detail::Slice<N, layer_index<N, Text>() + 1, N::layers> {
  static constexpr int first_trained = N::first_trained > layer_index<N, Text>() ? N::first_trained - layer_index<N, Text>() - 1
                                                                                 : 0;
};
/// The net N with more layers behind it.
template <class N, class... Ls>
struct WithHead : detail::Slice<N, 0, N::layers, Ls...> {
  static constexpr int first_trained = N::first_trained;
};

/// TrainFrom by name: the layers before the one called `Text` are frozen by type.
template <class N, Name Text>
struct TrainFromNamed : TrainFrom<N, layer_index<N, Text>()> {};

GRAFT_END

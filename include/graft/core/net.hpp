#pragma once
/// \file net.hpp  A network as a type: an input shape and a pack of layers, checked and planned when it is compiled.
#include "graft/config.hpp"
#include "graft/core/chain.hpp"

#include <cstddef>
#include <tuple>

GRAFT_BEGIN

/// One readable error for the first layer that does not fit. The compiler prints this template's arguments: the layer's place
/// (1 is the first), the layer, the shape that comes in (or the first branch gives) and the other shape where there are two
/// (what another branch gives), as {rank, height, width, channels}.
template <int Position, class Layer, Shape Incoming, Shape Other, Reason Why>
struct LayerDoesNotFit {
  static_assert(Why != Reason::needs_image,
                "graft: this layer works on images but a vector comes in; put it before Flatten, or use Dense.");
  static_assert(Why != Reason::kernel_larger_than_input,
                "graft: the kernel is larger than its input; use a smaller kernel, pad with `same`, or pool less before it.");
  static_assert(Why != Reason::bad_option,
                "graft: an option of this layer is out of range; sizes and strides are at least 1, rates in [0, 1).");
  static_assert(Why != Reason::groups_do_not_divide_input,
                "graft: groups do not divide the input channels; choose groups that divide them.");
  static_assert(Why != Reason::groups_do_not_divide_filters,
                "graft: groups do not divide the filters; choose a number of filters that is a multiple of groups.");
  static_assert(Why != Reason::pool_is_all_padding, "graft: padding is as large as the pooling window; use less padding.");
  static_assert(Why != Reason::residual_changes_shape,
                "graft: a branch of Residual changes the shape it is added to; keep stride 1, `same` padding and the channel "
                "count, or give a shortcut that changes it likewise.");
  static_assert(Why != Reason::branches_differ_in_size,
                "graft: branches of Concat differ in height or width; use the same strides and padding in each.");
};

namespace detail {
template <int I, class L>
struct Slot {
  using type = L;
};
template <class Indices, class... Ls>
struct Slots;
template <std::size_t... Is, class... Ls>
struct Slots<std::index_sequence<Is...>, Ls...> : Slot<static_cast<int>(Is), Ls>... {};
template <int I, class L>
Slot<I, L> find_slot(const Slot<I, L>*);
/// The I-th layer of a pack, found by overload resolution over indexed bases: one step, however long the pack.
template <int I, class... Ls>
using layer_at = typename decltype(find_slot<I>(static_cast<Slots<std::index_sequence_for<Ls...>, Ls...>*>(nullptr)))::type;

template <bool Fits, Shape In, class... Ls>
struct CheckNet {};
template <Shape In, class... Ls>
struct CheckNet<false, In, Ls...> {
  static constexpr auto plan = Chain<Ls...>::plan(In);
  static constexpr bool two =
      plan.fit.reason == Reason::residual_changes_shape || plan.fit.reason == Reason::branches_differ_in_size;
  static constexpr Shape incoming = two ? plan.fit.out : plan.shape[static_cast<std::size_t>(plan.bad)];
  LayerDoesNotFit<plan.bad + 1, layer_at<plan.bad, Ls...>, incoming, plan.fit.other, plan.fit.reason> error;
};
}  // namespace detail

/// A network: `struct Body : Net<Image<28, 28, 3>, Conv2D<32, 5>, ReLU, MaxPool2D<2>, Flatten> {};`.
/// A layer that does not fit its input is a compile error which names the layer's place, both shapes and the cure.
template <Shape Input, class... Ls>
struct Net {
  using Layers = Chain<Ls...>;
  static constexpr Shape input = Input;
  static constexpr auto plan = Layers::plan(Input);
  static constexpr detail::CheckNet<(plan.bad < 0), Input, Ls...> checked{};
  /// Shape of one output sample: the input of the next net.
  static constexpr Shape output = plan.out();
  /// What the output means: features, logits (the last layer is Dense) or probabilities (Softmax, Sigmoid).
  static constexpr Kind kind = plan.kind;
  static constexpr int layers = static_cast<int>(sizeof...(Ls));
  /// Numbers trained, and numbers kept as running statistics.
  static constexpr std::size_t parameter_count = plan.parameters[sizeof...(Ls)];
  static constexpr std::size_t statistic_count = plan.statistics[sizeof...(Ls)];
  static constexpr int statistic_arrays = plan.statistic_arrays[sizeof...(Ls)];
  /// The first layer that is trained; those before it run in inference mode and keep nothing for a backward pass.
  static constexpr int first_trained = 0;
};

/// The net `N` with its first `K` layers (counted as written, activations and pools included) frozen by type: they keep no
/// activations and their backward pass is never instantiated.
template <class N, int K>
struct TrainFrom : N {
  static_assert(K >= 0 && K <= N::layers, "graft: TrainFrom<Net, K>: K must lie between 0 and the number of layers.");
  static constexpr int first_trained = K;
};

GRAFT_END

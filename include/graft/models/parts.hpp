#pragma once
/// \file parts.hpp  What the models are written with: packs of layers put together to nets, names made of texts and numbers,
/// and wrappers that name the arrays of a block while equal blocks stay one type, so that their code is compiled once.
#include "graft/config.hpp"
#include "graft/core/named.hpp"
#include "graft/core/net.hpp"
#include "graft/ops/list.hpp"

#include <string>
#include <utility>

GRAFT_BEGIN
namespace models {

/// Layers in sequence that are not yet a net.
template <class... Ls>
struct Pack {};

namespace detail {
template <class Done, class... Parts>
struct Join;
template <class... Ls>
struct Join<Pack<Ls...>> {
  using type = Pack<Ls...>;
};
template <class... Ls, class... Ms, class... Rest>
struct Join<Pack<Ls...>, Pack<Ms...>, Rest...> : Join<Pack<Ls..., Ms...>, Rest...> {};
template <class... Ls, class L, class... Rest>
struct Join<Pack<Ls...>, L, Rest...> : Join<Pack<Ls..., L>, Rest...> {};

template <Shape Input, class P>
struct NetOf;
template <Shape Input, class... Ls>
struct NetOf<Input, Pack<Ls...>> {
  using type = Net<Input, Ls...>;
};
template <class P>
struct BranchOf;
template <class... Ls>
struct BranchOf<Pack<Ls...>> {
  using type = Branch<Ls...>;
};

template <int I>
constexpr auto digits() {
  static_assert(I >= 0 && I < 100);
  if constexpr (I < 10) {
    const char text[2] = {static_cast<char>('0' + I), 0};
    return Name<2>(text);
  } else {
    const char text[3] = {static_cast<char>('0' + I / 10), static_cast<char>('0' + I % 10), 0};
    return Name<3>(text);
  }
}

template <std::size_t A, std::size_t B>
constexpr Name<A + B - 1> concatenated(const Name<A>& a, const Name<B>& b) {
  char text[A + B - 1] = {};
  for (std::size_t i = 0; i + 1 < A; ++i) text[i] = a.text[i];
  for (std::size_t i = 0; i < B; ++i) text[A - 1 + i] = b.text[i];
  return Name<A + B - 1>(text);
}

/// A path without its last part: what stands before the block that is called `label`.
inline std::string before(const std::string& path, std::string_view label) {
  return label.empty() ? path : path.substr(0, path.size() - label.size() - 1);
}
}  // namespace detail

/// Layers and packs of layers, one after the other.
template <class... Parts>
using Joined = typename detail::Join<Pack<>, Parts...>::type;
/// The same as a net on `Input`, or as a branch.
template <Shape Input, class... Parts>
using JoinedNet = typename detail::NetOf<Input, Joined<Parts...>>::type;
template <class... Parts>
using JoinedBranch = typename detail::BranchOf<Joined<Parts...>>::type;

/// The text `Before`, the number `I` and the text `After` as one name: `numbered<"conv_dw_", 3, "_bn">`.
template <Name Before, int I, Name After = "">
inline constexpr auto numbered = detail::concatenated(detail::concatenated(Before, detail::digits<I>()), After);

/// The block L, called `Label`, whose arrays are called `Prefix` and what they are called in L, without a slash between:
/// "block_2_" and "expand/w" make "block_2_expand/w".
template <Name Label, Name Prefix, class L>
struct Prefixed : L {
  static constexpr Name label = Label;
  static void visit_names(const LayerRules& layer, Shape in, const std::string& path, NameVisitor& visitor) {
    graft::detail::visit_arrays(layer, in, graft::models::detail::before(path, label.view()) + std::string(Prefix.view()),
                                visitor);
  }
};

}  // namespace models
GRAFT_END

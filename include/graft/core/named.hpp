#pragma once
/// \file named.hpp  Names of layers: `Named<"conv1", Conv2D<64, 7>>`. A layer's arrays are called by a path of names,
/// "conv1/w", "layer1.0/bn2/gamma"; where a layer has no name, its ordinal among the layers with arrays at its level stands for
/// it, "0/w".
#include "graft/config.hpp"
#include "graft/core/layer.hpp"

#include <cstddef>
#include <string_view>

GRAFT_BEGIN

/// A text as a template argument.
template <std::size_t Size>
struct Name {
  char text[Size]{};
  constexpr Name(const char (&from)[Size]) {
    for (std::size_t i = 0; i < Size; ++i) text[i] = from[i];
  }
  [[nodiscard]] constexpr std::string_view view() const { return {text, Size - 1}; }
};

/// The layer (or branch) L under a name; it is L in everything else, so neighbours fuse as before and nothing is compiled
/// twice. An empty name leaves no trace in the path: `Sum<Named<"", Branch<...>>, Named<"downsample", Branch<...>>>`.
template <Name Text, class L>
struct Named : L {
  static_assert(Text.view().find('*') == std::string_view::npos,
                "graft: a layer's name holds no '*', which stands for any text in patterns.");
  static constexpr Name label = Text;
};

namespace detail {

template <class L>
inline constexpr bool is_named = requires {
  L::label;
};

/// The name of L, or an empty text.
template <class L>
constexpr std::string_view label_of() {
  if constexpr (is_named<L>) {
    return L::label.view();
  } else {
    return {};
  }
}

}  // namespace detail

GRAFT_END

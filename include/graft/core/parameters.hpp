#pragma once
/// \file parameters.hpp  Named pieces of a model's flat buffers, as optimisers and checkpoints see them.
#include "graft/config.hpp"

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

GRAFT_BEGIN

template <class T>
class Accelerator;

/// One named array inside a flat buffer: "0/w", "1/gamma".
struct Segment {
  std::string name;
  std::size_t offset = 0;
  std::size_t count = 0;
  std::array<int, 4> dims{1, 1, 1, 1};
  int rank = 1;
  int layer = 0;          ///< which layer of the net it belongs to, from 0, all counted as written
  bool trainable = true;  ///< false: the optimiser leaves it as it is
  bool decay = true;      ///< whether weight decay acts on it
  bool fixed = false;     ///< never trainable: a Lora's own weights
};

/// A non-owning view of a model's parameters; `value` and `gradient` have the same layout and are 64-byte aligned.
template <class T>
struct Parameters {
  std::string name;
  T* value = nullptr;
  T* gradient = nullptr;
  std::size_t size = 0;
  std::vector<Segment>* segments = nullptr;
  const Accelerator<T>* device = nullptr;  ///< what runs the model; null: the Cpu

  using Scalar = T;
  /// Itself, so that it can stand where a model can.
  [[nodiscard]] Parameters parameters() const { return *this; }
};

/// The proof that backward() has run: what an optimiser's step takes.
struct Gradients {};

/// Whether `text` fits `pattern`, in which `*` stands for any text, also none.
inline bool matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

GRAFT_END

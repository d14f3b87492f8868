#pragma once
/// \file var.hpp  Values on a tape: a node with its numbers and gradient, a view of some of its rows, and a batch whose sample
/// shape and meaning are in its type.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/core/layer.hpp"
#include "graft/core/shape.hpp"

#include <cstddef>

GRAFT_BEGIN

/// n rows of samples that come from outside, for example a batch; `split` is the number of source rows when both domains are in
/// it.
template <class T>
struct Rows {
  const T* data = nullptr;
  int count = 0;
  int split = 0;
};

/// A value on the tape and, once backward has reached it, its gradient.
template <class T>
struct Node {
  const T* value = nullptr;
  T* gradient = nullptr;  ///< null until something contributes to it
  std::size_t row = 1;    ///< numbers in one row
  int rows = 1;
  bool wanted = false;         ///< whether anything trained lies behind it
  bool outside = false;        ///< its value is the caller's, in the host's memory
  bool scalar = false;         ///< a loss, whose gradient is a number of the host
  const char* name = nullptr;  ///< of a loss that a method reports
};

template <class T>
class Tape;

/// Some rows of a node, as an operation takes them: `scale` multiplies the gradient that goes back (reversal is scale =
/// -lambda).
template <class T>
struct View {
  Node<T>* node = nullptr;
  int begin = 0;
  int count = 0;
  double scale = 1.0;
  [[nodiscard]] const T* value() const { return node->value + static_cast<std::size_t>(begin) * node->row; }
  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(count) * node->row; }
  [[nodiscard]] bool wanted() const { return node->wanted && scale != 0.0; }
};

/// A batch of values on a tape, with the sample's shape and meaning in its type.
template <Shape S, Kind K, class T>
struct Var {
  static constexpr Shape shape = S;
  static constexpr Kind kind = K;
  Tape<T>* tape = nullptr;
  View<T> view{};
  int split = 0;  ///< rows of the source domain, when both domains are in this batch

  [[nodiscard]] int count() const { return view.count; }
  /// The numbers, for the host: on a device this waits for them, and they are to be read before the next thing is recorded.
  [[nodiscard]] const T* value() const {
    tape->synchronise();
    return view.value();
  }
  /// `n` rows from `begin` on; nothing is copied.
  [[nodiscard]] Var rows(int begin, int n) const {
    if (begin < 0 || n < 0 || begin + n > view.count) {
      fail("rows(", begin, ", ", n, ") of a batch of ", view.count, ": both must lie inside the batch.");
    }
    Var part = *this;
    part.view.begin += begin;
    part.view.count = n;
    part.split = 0;
    return part;
  }
  /// The rows of the source domain, which come first in a paired batch.
  [[nodiscard]] Var source() const {
    Var part = rows(0, split);
    part.split = split;
    return part;
  }
  /// The rows of the target domain.
  [[nodiscard]] Var target() const { return rows(split, view.count - split); }
  /// The same values; no gradient goes back through them.
  [[nodiscard]] Var detached() const {
    Var cut = *this;
    cut.view.scale = 0.0;
    return cut;
  }
};

/// A Var whose gradient goes back with a factor -lambda: made by reverse_gradient(), accepted by domain heads only.
template <class V>
struct Reversed {
  V var{};
};

GRAFT_END

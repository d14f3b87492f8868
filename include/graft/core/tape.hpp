#pragma once
/// \file tape.hpp  The tape between nets and losses. A record is a function pointer and a trivially destructible payload in an
/// arena; a step takes all its memory from that arena and gives it back at once, so it allocates nothing after the first.
#include "graft/config.hpp"
#include "graft/core/arena.hpp"
#include "graft/core/error.hpp"
#include "graft/core/model.hpp"
#include "graft/core/vector_math.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>

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
  bool wanted = false;  ///< whether anything trained lies behind it
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
  [[nodiscard]] const T* value() const { return view.value(); }
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
  [[nodiscard]] Var source() const { return rows(0, split); }
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

/// A scalar on a tape; losses add up and take weights: `cross_entropy(...) + 0.25 * mmd(...)`.
template <class T>
struct Loss {
  Tape<T>* tape = nullptr;
  Node<T>* node = nullptr;
  /// The loss, valid until the next step records.
  [[nodiscard]] T value() const { return *node->value; }
};

/// A model used without training it: gradients pass through, its parameters get none.
template <class M>
struct Fixed {
  M& model;
};
template <class M>
Fixed<M> fixed(M& model) {
  return {model};
}

/// The compile error of a net that is given what it does not take.
template <class Net, Shape Given, Shape Taken>
struct NetTakesAnotherShape {
  static_assert(Given == Taken,
                "graft: this net does not take that shape (Given, then Taken, as {rank, height, width, channels}); "
                "declare the head as Net<Body::output, ...>, or check which models were swapped.");
};

/// Records nets, losses and their sums, and runs them backward.
///
///   Tape tape;
///   auto f = tape(features, batch);
///   auto loss = cross_entropy(tape(labels, f.source()), batch.labels) + ...;
///   optimizer.step(backward(loss));
///
/// A step ends with backward(); the next recording starts a new one and invalidates what the last one returned.
template <class T = float>
class Tape {
 public:
  Tape() = default;
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  /// False: dropout off, running statistics in BatchNorm.
  bool training = true;

  /// Runs a model on rows from outside.
  template <class N, class Device>
  Var<N::output, N::kind, T> operator()(Model<N, Device, T>& model, Rows<T> rows) {
    return run<N::kind>(model, input(rows, N::input.size()), rows.split, true);
  }
  /// Runs a model on a batch: anything with `images` and `count`, or `source_count` and `target_count`.
  template <class N, class Device, class Batch>
  requires requires(const Batch& batch) { batch.rows(); }
  Var<N::output, N::kind, T> operator()(Model<N, Device, T>& model, const Batch& batch) { return (*this)(model, batch.rows()); }
  /// Runs a model on what another model gave.
  template <class N, class Device, Shape S, Kind K>
  Var<N::output, N::kind, T> operator()(Model<N, Device, T>& model, const Var<S, K, T>& x) {
    [[maybe_unused]] constexpr NetTakesAnotherShape<N, S, N::input> fits{};
    return run<N::kind>(model, x.view, x.split, true);
  }
  /// Runs a domain head on reversed features.
  template <class N, class Device, class V>
  Var<N::output, N::kind, T> operator()(Model<N, Device, T>& model, const Reversed<V>& x) {
    static_assert(
        N::output.is_vector() && N::output.c <= 2,
        "graft: a reversed gradient goes into a domain head only: a net with 2 outputs, or 1. Were two models swapped?");
    [[maybe_unused]] constexpr NetTakesAnotherShape<N, V::shape, N::input> fits{};
    return run<N::kind>(model, x.var.view, x.var.split, true);
  }
  /// The same for a model that is not trained here.
  template <class N, class Device, Shape S, Kind K>
  Var<N::output, N::kind, T> operator()(Fixed<Model<N, Device, T>> model, const Var<S, K, T>& x) {
    [[maybe_unused]] constexpr NetTakesAnotherShape<N, S, N::input> fits{};
    return run<N::kind>(model.model, x.view, x.split, false);
  }

  /// The step number: dropout draws from (model's seed, step), so a resumed run sets it.
  [[nodiscard]] std::uint64_t step() const { return step_; }
  void set_step(std::uint64_t step) { step_ = step; }
  /// Memory held.
  [[nodiscard]] std::size_t capacity() const { return arena_.capacity(); }

  // ---- for those who write operations --------------------------------------------------------------------------------------
  Arena& arena() { return arena_; }
  /// Starts a new step if the last one has ended.
  void open() {
    if (!ended_) return;
    arena_.reset();
    last_ = nullptr;
    ended_ = false;
  }
  /// A new value.
  Node<T>* node(const T* value, std::size_t row, int rows, bool wanted) {
    Node<T>* made = arena_.template make<Node<T>>();
    made->value = value;
    made->row = row;
    made->rows = rows;
    made->wanted = wanted;
    return made;
  }
  /// Rows from outside as a node of `row` numbers each, which wants no gradient; starts a new step if the last one has ended.
  View<T> input(Rows<T> rows, std::size_t row) {
    open();
    return {node(rows.data, row, rows.count, false), 0, rows.count, 1.0};
  }
  /// Runs `model`, a Model or a part of one that lives as long as the step, and records it where something is to be trained.
  template <Kind K, class M>
  Var<M::Network::output, K, T> run(M& model, View<T> in, int split, bool train_parameters) {
    const bool parameters = train_parameters && model.trains();
    Run<T> run;
    run.n = in.count;
    run.training = training;
    run.parameter_gradients = parameters;
    run.input_gradient = in.wanted();
    run.keep = training && (parameters || run.input_gradient);
    run.step = step_;
    run.arena = &arena_;
    auto* made = model.forward(run, in.value());
    Node<T>* out = node(made->output, M::Network::output.size(), in.count, run.keep);
    if (run.keep) record(Call<M>{&model, made, run, in, out});
    Var<M::Network::output, K, T> var;
    var.tape = this;
    var.view = View<T>{out, 0, in.count, 1.0};
    var.split = split;
    return var;
  }
  /// Records `payload`, whose member `void backward(Tape&)` runs on the way back.
  template <class Payload>
  void record(const Payload& payload) {
    static_assert(std::is_trivially_destructible_v<Payload>);
    Record* made = arena_.template make<Record>();
    made->payload = ::new (arena_.template take<Payload>(1)) Payload(payload);
    made->run = [](Tape& tape, void* raw) { static_cast<Payload*>(raw)->backward(tape); };
    made->previous = last_;
    last_ = made;
  }
  /// Adds weight * unit to the gradient of what `view` shows (its own scale included).
  void contribute(const View<T>& view, double weight, const T* unit) {
    if (!view.wanted()) return;
    T* sink = zeroed_gradient(*view.node) + static_cast<std::size_t>(view.begin) * view.node->row;
    detail::add_scaled(view.size(), static_cast<T>(weight * view.scale), unit, sink);
  }
  /// Runs everything recorded backward from `root` with gradient 1 and ends the step.
  void backward(Node<T>& root) {
    T one{1};
    root.gradient = &one;
    for (Record* record = last_; record != nullptr; record = record->previous) record->run(*this, record->payload);
    root.gradient = nullptr;
    ended_ = true;
    ++step_;
  }

 private:
  struct Record {
    void (*run)(Tape&, void*) = nullptr;
    void* payload = nullptr;
    Record* previous = nullptr;
  };

  T* zeroed_gradient(Node<T>& node) {
    if (node.gradient == nullptr) {
      const std::size_t count = node.row * static_cast<std::size_t>(node.rows);
      node.gradient = arena_.template take<T>(count);
      std::memset(node.gradient, 0, count * sizeof(T));
    }
    return node.gradient;
  }

  template <class M>
  struct Call {
    M* model;
    typename M::Record* made;
    Run<T> run;
    View<T> in;
    Node<T>* out;
    void backward(Tape& tape) {
      if (out->gradient == nullptr) return;
      if (!in.wanted()) {
        model->backward(run, *made, out->gradient, nullptr);
        return;
      }
      Node<T>& source = *in.node;
      if (source.gradient == nullptr && in.count == source.rows) {  // the first to reach it, and all of it: written in place
        source.gradient = tape.arena_.template take<T>(in.size());
        model->backward(run, *made, out->gradient, source.gradient);
        if (in.scale != 1.0) detail::scale_by(in.size(), static_cast<T>(in.scale), source.gradient);
        return;
      }
      tape.zeroed_gradient(source);
      ArenaScope scope(tape.arena_);
      T* own = tape.arena_.template take<T>(in.size());
      model->backward(run, *made, out->gradient, own);
      tape.contribute(in, 1.0, own);
    }
  };

  Arena arena_;
  Record* last_ = nullptr;
  bool ended_ = true;
  std::uint64_t step_ = 0;
};

/// Runs the tape backward from `loss`: adds to the gradients of every trained model it reaches, and ends the step.
template <class T>
Gradients backward(const Loss<T>& loss) {
  loss.tape->backward(*loss.node);
  return {};
}

namespace detail {
template <class T>
struct AddLosses {
  Node<T>* a;
  Node<T>* b;
  double weight_a;
  double weight_b;
  Node<T>* out;
  static void add(Tape<T>& tape, Node<T>* node, T amount) { tape.contribute(View<T>{node, 0, 1, 1.0}, 1.0, &amount); }
  void backward(Tape<T>& tape) {
    if (out->gradient == nullptr) return;
    add(tape, a, static_cast<T>(weight_a) * *out->gradient);
    if (b != nullptr) add(tape, b, static_cast<T>(weight_b) * *out->gradient);
  }
};

template <class T>
Loss<T> weighted_sum(Tape<T>& tape, Node<T>* a, double weight_a, Node<T>* b, double weight_b) {
  T* value = tape.arena().template take<T>(1);
  *value = static_cast<T>(weight_a) * *a->value + (b != nullptr ? static_cast<T>(weight_b) * *b->value : T{0});
  Node<T>* out = tape.node(value, 1, 1, a->wanted || (b != nullptr && b->wanted));
  tape.record(AddLosses<T>{a, b, weight_a, weight_b, out});
  return {&tape, out};
}
}  // namespace detail

template <class T>
Loss<T> operator+(const Loss<T>& a, const Loss<T>& b) {
  return detail::weighted_sum(*a.tape, a.node, 1.0, b.node, 1.0);
}
template <class T>
Loss<T> operator-(const Loss<T>& a, const Loss<T>& b) {
  return detail::weighted_sum(*a.tape, a.node, 1.0, b.node, -1.0);
}
template <class T>
Loss<T> operator*(double weight, const Loss<T>& a) {
  return detail::weighted_sum<T>(*a.tape, a.node, weight, nullptr, 0.0);
}

GRAFT_END

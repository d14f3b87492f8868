#pragma once
/// \file tape.hpp  The tape between nets and losses. A record is a function pointer and a trivially destructible payload in an
/// arena; a step takes all its memory from that arena and gives it back at once, so it allocates nothing after the first.
#include "graft/config.hpp"
#include "graft/core/accelerator.hpp"
#include "graft/core/arena.hpp"
#include "graft/core/error.hpp"
#include "graft/core/model.hpp"
#include "graft/core/tape_memory.hpp"
#include "graft/core/var.hpp"
#include "graft/core/vector_math.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

GRAFT_BEGIN

/// How BatchNorm treats a batch of two domains. In training: one mixture (joint); each domain by its own statistics, the
/// running ones updated by both in turn (separate) or kept for each domain (per_domain: Chang et al. 2019, with shared scales
/// and shifts; adabn, whose target statistics are also counted anew on the whole target before it is scored: Li et al. 2018);
/// or the running statistics, which stay as they are (frozen). Without BatchNorm all are the same.
enum class DomainNorm { joint, separate, per_domain, frozen, adabn };

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
/// The first model of a step decides the device: all models of a step are on one.
template <class T = float>
class Tape : public TapeMemory<T> {
  using TapeMemory<T>::arena_;
  using TapeMemory<T>::device_;
  using TapeMemory<T>::decided_;

 public:
  Tape() = default;
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  /// False: dropout off, running statistics in BatchNorm.
  bool training = true;
  /// What BatchNorm does with the two domains of a batch.
  DomainNorm domain_norm = DomainNorm::joint;
  /// True: a layer that gives a number that is not finite is an Error that names model, layer and step.
  bool check_finite = false;
  /// True: reversals pass the gradient on as it is, so that an audit can tell their factor.
  bool plain = false;

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

  /// Rows from outside as a batch of samples of shape S, which gets no gradient.
  template <Shape S>
  Var<S, Kind::features, T> constant(Rows<T> rows) {
    return {this, input(rows, S.size()), rows.split};
  }

  /// The step number: dropout draws from (model's seed, step), so a resumed run sets it.
  [[nodiscard]] std::uint64_t step() const { return step_; }
  void set_step(std::uint64_t step) { step_ = step; }

  // ---- for those who write operations --------------------------------------------------------------------------------------
  /// Gives a loss a name, by which an audit finds it: a literal.
  void name(Node<T>& node, const char* name) {
    node.name = name;
    named_.push_back(&node);
  }
  [[nodiscard]] const std::vector<Node<T>*>& named() const { return named_; }
  /// Gives up what was recorded since the last step, as if it had never been.
  void discard() { ended_ = true; }
  /// Starts a new step if the last one has ended.
  void open() {
    if (!ended_) return;
    arena_.reset();
    named_.clear();
    last_ = nullptr;
    ended_ = decided_ = false;
  }
  /// Has the step run on `device`, that of the model `name`. Throws Error when it runs on another.
  void use(const Accelerator<T>* device, const std::string& name) {
    open();
    this->decide(device, name, step_);
  }
  /// A new value, in the tape's memory.
  Node<T>* node(const T* value, std::size_t row, int rows, bool wanted) {
    Node<T>* made = arena_.template make<Node<T>>();
    made->value = value;
    made->row = row;
    made->rows = rows;
    made->wanted = wanted;
    return made;
  }
  /// A new loss; `value` points to one number in the tape's memory.
  Node<T>* scalar(const T* value, bool wanted) {
    Node<T>* made = node(value, 1, 1, wanted);
    made->scalar = true;
    return made;
  }
  /// Rows from outside as a node of `row` numbers each, which wants no gradient; starts a new step if the last one has ended.
  View<T> input(Rows<T> rows, std::size_t row) {
    open();
    Node<T>* made = node(rows.data, row, rows.count, false);
    made->outside = true;
    return {made, 0, rows.count, 1.0};
  }
  /// Runs `model`, a Model or a part of one that lives as long as the step, and records it where something is to be trained.
  template <Kind K, class M>
  Var<M::Network::output, K, T> run(M& model, View<T> in, int split, bool train_parameters) {
    using Out = Var<M::Network::output, K, T>;
    use(model.device(), model.label());
    this->bring(*in.node);
    const bool apart = domain_norm != DomainNorm::joint && domain_norm != DomainNorm::frozen;
    const bool own = domain_norm == DomainNorm::per_domain || domain_norm == DomainNorm::adabn;
    if constexpr (M::Network::statistic_arrays > 0) {
      if (apart && split > 0 && split < in.count) {
        View<T> source = in, target = in;
        source.count = split;
        target.begin += split;
        target.count -= split;
        const Out first = run_rows<K>(model, source, split, train_parameters, 0);
        const Out second = run_rows<K>(model, target, split, train_parameters, own ? 1 : 0);
        return {this, {join(*first.view.node, *second.view.node), 0, in.count, 1.0}, split};
      }
    }
    return run_rows<K>(model, in, split, train_parameters, own && split < in.count ? 1 : 0);
  }
  /// The same on rows of one domain.
  template <Kind K, class M>
  Var<M::Network::output, K, T> run_rows(M& model, View<T> in, int split, bool train_parameters, int domain) {
    const bool parameters = train_parameters && model.trains();
    Run<T> run;
    run.n = in.count;
    run.training = training;
    run.parameter_gradients = parameters;
    run.input_gradient = in.wanted();
    run.keep = training && (parameters || run.input_gradient);
    run.step = step_;
    run.arena = &arena_;
    run.device = device_;
    run.domain = domain;
    if (domain_norm == DomainNorm::frozen) run.norm = NormBy::running;
    run.check_finite = check_finite;
    auto* made = forward(model, run, in.value());
    Node<T>* out = node(made->output, M::Network::output.size(), in.count, run.keep);
    if (run.keep) record(Call<M>{&model, made, run, in, out});
    Var<M::Network::output, K, T> var;
    var.tape = this;
    var.view = View<T>{out, 0, in.count, 1.0};
    var.split = split;
    return var;
  }
  /// Records `payload`, whose member `void backward(Tape&)` runs on the way back. It finds the device done, unless it says
  /// `static constexpr bool waits_for_nothing = true` because it asks the device for all that it does to numbers.
  template <class Payload>
  void record(const Payload& payload) {
    static_assert(std::is_trivially_destructible_v<Payload>);
    Record* made = arena_.template make<Record>();
    made->payload = ::new (arena_.template take_host<Payload>(1)) Payload(payload);
    made->run = [](Tape& tape, void* raw) {
      if constexpr (!requires { Payload::waits_for_nothing; }) tape.synchronise();
      static_cast<Payload*>(raw)->backward(tape);
    };
    made->previous = last_;
    last_ = made;
  }
  /// The factor that a view puts on gradients.
  [[nodiscard]] double scale_of(const View<T>& view) const { return plain && view.scale != 0.0 ? 1.0 : view.scale; }
  /// Adds weight * unit to the gradient of what `view` shows (its own scale included). `unit` lies in the tape's memory, or, of
  /// a loss, is a number of the host.
  void contribute(const View<T>& view, double weight, const T* unit) {
    if (!view.wanted()) return;
    Node<T>& node = *view.node;
    if (device_ != nullptr && !node.scalar && node.gradient == nullptr && view.count == node.rows) {  // the first, all of it
      node.gradient = arena_.template take<T>(view.size());
      return device_->blend(view.size(), T{0}, static_cast<T>(weight * scale_of(view)), unit, node.gradient);
    }
    T* sink = zeroed_gradient(*view.node) + static_cast<std::size_t>(view.begin) * view.node->row;
    const Accelerator<T>* const device = view.node->scalar ? nullptr : device_;
    detail::add_scaled(device, view.size(), static_cast<T>(weight * scale_of(view)), unit, sink);
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

  struct Joined {
    Node<T>* parts[2];
    Node<T>* out;
    static constexpr bool waits_for_nothing = true;
    void backward(Tape& tape) {
      const T* from = out->gradient;
      for (Node<T>* part : parts) {
        if (from == nullptr) return;
        tape.contribute(View<T>{part, 0, part->rows, 1.0}, 1.0, from);
        from += part->row * static_cast<std::size_t>(part->rows);
      }
    }
  };
  /// The rows of `a` and then those of `b` as one batch.
  Node<T>* join(Node<T>& a, Node<T>& b) {
    const std::size_t first = a.row * static_cast<std::size_t>(a.rows), second = b.row * static_cast<std::size_t>(b.rows);
    T* value = arena_.template take<T>(first + second);
    detail::copy(device_, first, a.value, value);
    detail::copy(device_, second, b.value, value + first);
    Node<T>* out = node(value, a.row, a.rows + b.rows, a.wanted || b.wanted);
    if (out->wanted) record(Joined{{&a, &b}, out});
    return out;
  }
  /// The model's forward pass; with check_finite its complaints get the model's name and the step.
  template <class M>
  auto* forward(M& model, Run<T>& run, const T* x) {
    if (!check_finite) return model.forward(run, x);
    try {
      return model.forward(run, x);
    } catch (const Error& error) {
      fail("step ", step_, ", model '", model.label(), "': ", error.what());
    }
  }
  T* zeroed_gradient(Node<T>& node) {
    if (node.gradient == nullptr) {
      const std::size_t count = node.row * static_cast<std::size_t>(node.rows);
      node.gradient = node.scalar ? arena_.template take_host<T>(count) : arena_.template take<T>(count);
      detail::set_zero(node.scalar ? nullptr : device_, count, node.gradient);
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
    static constexpr bool waits_for_nothing = true;
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
        const double scale = tape.scale_of(in);
        if (scale != 1.0) detail::scale_by(tape.device_, in.size(), static_cast<T>(scale), source.gradient);
        return;
      }
      tape.zeroed_gradient(source);
      ArenaScope scope(tape.arena_);
      T* own = tape.arena_.template take<T>(in.size());
      model->backward(run, *made, out->gradient, own);
      tape.contribute(in, 1.0, own);
    }
  };

  std::vector<Node<T>*> named_;
  Record* last_ = nullptr;
  bool ended_ = true;
  std::uint64_t step_ = 0;
};

GRAFT_END

#include "graft/core/loss.hpp"

#pragma once
/// \file outputs.hpp  Several named outputs of one model at once, as style and perceptual losses or a penalty on many layers
/// want them. A name is that of a layer in the net's own list (core/named.hpp), and its output is what that layer gives: name
/// the activation behind a convolution to have its output after it.
///
///   predict_at<"relu3_1", "relu4_1">(vgg, images, n, low, high);
///   const auto [fc6, fc7, logits] = outputs<"fc6", "fc7", "fc8">(tape, net, batch);
///   optimizer.step(backward(cross_entropy(logits.source(), batch.class_labels()) + mmd(fc6.source(), fc6.target()) + ...));
///
/// The layers run once, in pieces from name to name; those behind the last name do not run.
#include "graft/config.hpp"
#include "graft/core/surgery.hpp"
#include "graft/core/tape.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <utility>

GRAFT_BEGIN

namespace detail {

/// Layers [First, End) of the model M, as the tape takes a model; the numbers are M's.
template <class M, int First, int End>
struct Part {
  using N = typename M::Network;
  using Network = Slice<N, First, End>;
  using T = typename M::Scalar;
  using Record = typename Network::Layers::template Record<T, typename M::RunsOn>;
  static constexpr int first_trained = std::clamp(N::first_trained - First, 0, End - First);
  static constexpr std::size_t first = static_cast<std::size_t>(First);
  M* model = nullptr;
  std::uint64_t counted = 0;  ///< layers that ran before this part and, after forward, with it: dropout draws by it

  Record* forward(Run<T>& run, const T* x) {
    run.seed = model->seed;
    run.place = counted;
    const int from = std::min(model->kept_from(run, First + first_trained), End) - First;
    Record* made = Network::Layers::template forward<first_trained, typename M::RunsOn>(run, Network::plan,
                                                                                        place(false, run.domain), x, from);
    counted = run.place;
    return made;
  }
  void backward(Run<T>& run, Record& record, T* dy, T* dx) {
    const unsigned char* frozen = model->frozen_layers();
    Network::Layers::template backward<first_trained, typename M::RunsOn>(
        run, Network::plan, place(run.parameter_gradients, run.domain), record, dy, dx, frozen + First);
  }
  [[nodiscard]] const std::string& label() const { return model->name; }
  [[nodiscard]] const Accelerator<T>* device() const { return model->device(); }
  [[nodiscard]] bool trains() const {
    return std::any_of(model->segments().begin(), model->segments().end(),
                       [](const Segment& s) { return s.trainable && s.layer >= First && s.layer < End; });
  }

 private:
  Place<T> place(bool with_gradients, int whose) {
    Place<T> place = model->place(with_gradients, whose);
    place.weights += N::plan.parameters[first];
    place.packed = nullptr;
    if (place.gradients != nullptr) place.gradients += N::plan.parameters[first];
    place.statistics += N::plan.statistics[first];
    place.fixed_statistics += N::plan.statistic_arrays[first];
    return place;
  }
};

/// The compile error of names that do not follow the net.
template <bool InOrder>
struct NamesFollowTheNet {
  static_assert(InOrder, "graft: name the outputs in the order in which their layers stand in the net, each once.");
};

/// Where the pieces end: behind each named layer.
template <class N, Name... Names>
struct Ends {
  static constexpr int count = static_cast<int>(sizeof...(Names));
  static constexpr std::array<int, sizeof...(Names) + 1> given{0, layer_index<N, Names>() + 1 ...};
  /// `given` made to rise, so that a wrong order is one error.
  static constexpr std::array<int, sizeof...(Names) + 1> at = [] {
    auto ends = given;
    for (std::size_t i = 1; i < ends.size(); ++i) ends[i] = std::max(ends[i], ends[i - 1]);
    return ends;
  }();
  static constexpr bool in_order() {
    for (std::size_t i = 1; i < given.size(); ++i) {
      if (given[i] <= given[i - 1]) return false;
    }
    return true;
  }
};

template <class M, class E, std::size_t I>
using PartAt = Part<M, E::at[I], E::at[I + 1]>;

template <class E, std::size_t I, class T, class M, class... Vars>
auto add_outputs(Tape<T>& tape, M& model, const View<T>& in, int split, std::uint64_t counted, const Vars&... before) {
  [[maybe_unused]] constexpr NamesFollowTheNet<E::in_order()> order{};
  if constexpr (static_cast<int>(I) == E::count) {
    return std::tuple<Vars...>(before...);
  } else {
    using P = PartAt<M, E, I>;
    P* part = tape.arena().template make<P>();
    part->model = &model;
    part->counted = counted;
    constexpr Kind kind = FirstLayers<typename M::Network, E::at[I + 1]>::kind;
    const auto var = tape.template run<kind>(*part, in, split, true);
    return add_outputs<E, I + 1>(tape, model, var.view, split, part->counted, before..., var);
  }
}

}  // namespace detail

/// The outputs of the named layers of `model` on `rows`, as a tuple of values on the tape, in the order of the names, which is
/// that of the layers. Gradients from all of them meet on the way back.
template <Name... Names, class T, class N, class Device>
auto outputs(Tape<T>& tape, Model<N, Device, T>& model, Rows<T> rows) {
  return detail::add_outputs<detail::Ends<N, Names...>, 0>(tape, model, tape.input(rows, N::input.size()), rows.split, 0);
}
/// The same on a batch.
template <Name... Names, class T, class N, class Device, class Batch>
requires requires(const Batch& batch) { batch.rows(); }
auto outputs(Tape<T>& tape, Model<N, Device, T>& model, const Batch& batch) {
  return outputs<Names...>(tape, model, batch.rows());
}
/// The same on what another model gave.
template <Name... Names, class T, class N, class Device, Shape S, Kind K>
auto outputs(Tape<T>& tape, Model<N, Device, T>& model, const Var<S, K, T>& x) {
  [[maybe_unused]] constexpr NetTakesAnotherShape<N, S, N::input> fits{};
  return detail::add_outputs<detail::Ends<N, Names...>, 0>(tape, model, x.view, x.split, 0);
}

/// Runs n samples through `model` in inference mode and writes the output of each named layer to the pointer that stands in its
/// place: n x that layer's shape.
template <Name... Names, class N, class Device, class T, class... Out>
void predict_at(Model<N, Device, T>& model, const T* x, int n, Out*... out) {
  static_assert(sizeof...(Names) == sizeof...(Out) && (std::is_same_v<Out, T> && ...),
                "graft: predict_at<\"a\", \"b\">(model, x, n, a, b): one pointer to the model's numbers for each name.");
  using E = detail::Ends<N, Names...>;
  [[maybe_unused]] constexpr detail::NamesFollowTheNet<E::in_order()> order{};
  Arena arena(model.device());
  Run<T> run;
  run.n = n;
  run.domain = model.domain;
  run.arena = &arena;
  run.device = model.device();
  x = model.brought(arena, x, static_cast<std::size_t>(n) * N::input.size());
  T* const targets[] = {out...};
  [&]<std::size_t... Is>(std::index_sequence<Is...>) {
    (
        [&] {
          using P = detail::PartAt<Model<N, Device, T>, E, Is>;
          x = P{&model}.forward(run, x)->output;
          model.fetch(x, static_cast<std::size_t>(n) * P::Network::output.size(), targets[Is]);
        }(),
        ...);
  }
  (std::make_index_sequence<sizeof...(Names)>{});
}

GRAFT_END

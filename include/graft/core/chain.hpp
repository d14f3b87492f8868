#pragma once
/// \file chain.hpp  Layers in sequence. The plan (shapes, offsets, which neighbours run as one kernel, what runs in place) is a
/// constexpr value; forward folds over the layers, backward folds in reverse. There is no tape inside.
#include "graft/config.hpp"
#include "graft/core/layer.hpp"
#include "graft/core/named.hpp"

#include <array>
#include <cstddef>
#include <cstring>
#include <string>
#include <utility>

GRAFT_BEGIN

template <int N>
struct Plan {
  Fit fit{};                                    ///< the first misfit, or the chain's output
  int bad = -1;                                 ///< which layer does not fit
  std::array<Shape, N + 1> shape{};             ///< shape[i] comes into layer i
  std::array<std::size_t, N + 1> parameters{};  ///< offset of layer i's parameters
  std::array<std::size_t, N + 1> statistics{};  ///< offset of its statistics
  std::array<int, N + 1> statistic_arrays{};    ///< how many statistic arrays stand before it
  std::array<Epilogue, N + 1> epilogue{};       ///< what layer i takes over from its followers
  std::array<int, N + 1> last{};                ///< the last layer that layer i's kernel covers
  std::array<bool, N + 1> covered{};            ///< runs as part of an earlier layer's kernel
  std::array<bool, N + 1> in_place{};
  std::size_t widest = 0;      ///< largest activation of one sample, in numbers
  Kind kind = Kind::features;  ///< what the output means
  [[nodiscard]] constexpr Shape out() const { return shape[N]; }
};

template <class... Ls>
struct Chain {
  static constexpr int count = static_cast<int>(sizeof...(Ls));
  using PlanType = Plan<count>;
  static constexpr std::array<Traits, count + 1> traits{Ls::traits..., Traits{}};
  static constexpr std::size_t at(int i) { return static_cast<std::size_t>(i); }

  /// The plan for samples of shape `in`. After a misfit the remaining shapes repeat the last good one.
  static constexpr PlanType plan(Shape in) {
    PlanType p;
    p.shape[0] = in;
    p.widest = in.size();
    [[maybe_unused]] int i = 0;
    ((plan_one<Ls>(p, i)), ...);
    if (p.bad < 0) p.fit.out = p.shape[at(count)];
    fuse(p);
    return p;
  }

  template <class V>
  static constexpr void visit(Shape in, V&& v) {
    (void)in;
    (void)v;
    ((Ls::visit(in, v), in = Ls::fit(in).out), ...);
  }

  /// visitor(name, weight) over all arrays, in the order of visit(). A name is a path (core/named.hpp) that begins with `path`.
  template <class V>
  static void visit_names([[maybe_unused]] Shape in, [[maybe_unused]] const std::string& path, [[maybe_unused]] V& visitor) {
    [[maybe_unused]] int ordinal = 0;
    ((visit_one<Ls>(in, path, ordinal, visitor)), ...);
  }

  /// What forward leaves for backward.
  template <class T>
  struct Record {
    std::array<const T*, at(count) + 1> x{};
    std::array<T*, at(count) + 1> y{};
    std::array<void*, at(count) + 1> kept{};
    const T* output = nullptr;
    int kept_from = 0;  ///< backward reaches back to this layer
  };

  /// Runs all layers on x (n samples of plan.shape[0]) and returns the record; record.output is the result. Layers before
  /// `trained` run in inference mode and keep nothing. Those from there to `kept_from`, which must have an array of its own,
  /// run as the others do, but keep nothing either: backward then stops at `kept_from` and gives no gradient of x.
  template <int trained = 0, class T>
  static Record<T>* forward(Run<T>& run, const PlanType& p, const Place<T>& base, const T* x, int kept_from = trained) {
    Record<T>* record = run.arena->template make<Record<T>>();
    const bool training = run.training, keep = run.keep;
    record->kept_from = keep && kept_from > trained ? kept_from : trained;
    const int ends[3] = {trained, record->kept_from, count};
    for (int part = 0, begin = 0; part < 3; begin = ends[part++]) {
      if (begin == ends[part] && part < 2) continue;
      run.training = training && part > 0;
      run.keep = keep && part == 2;
      x = forward_range(run, p, base, *record, x, begin, ends[part]);
    }
    run.training = training;
    run.keep = keep;
    record->output = x;
    return record;
  }

  /// The reverse fold: dy is the gradient of the output (may be overwritten), dx (null: not wanted) that of the input. Layers
  /// flagged in `frozen` (null: none) get no gradients of their parameters.
  template <int trained = 0, class T>
  static void backward(Run<T>& run, const PlanType& p, const Place<T>& base, Record<T>& record, T* dy, T* dx,
                       const unsigned char* frozen = nullptr) {
    ArenaScope scope(*run.arena);
    T* spare[2] = {nullptr, nullptr};
    int turn = 0;
    Way<T> way{run, p, base, record, dy, dx, frozen, spare, turn};
    backward_fold<trained>(way, std::make_index_sequence<sizeof...(Ls)>{});
    if (dx != nullptr && way.gradient != dx) {
      std::memcpy(dx, way.gradient, static_cast<std::size_t>(run.n) * p.shape[0].size() * sizeof(T));
    }
  }

 private:
  template <class L, class V>
  static void visit_one(Shape& in, const std::string& path, int& ordinal, V& visitor) {
    if (counts_of<L>(in).arrays > 0) {
      detail::visit_arrays<L>(in, detail::path_of<L>(path, ordinal), visitor);
      ++ordinal;
    }
    in = L::fit(in).out;
  }

  template <class L>
  static constexpr void plan_one(PlanType& p, int& i) {
    const Shape in = p.shape[at(i)];
    Counts counts{};
    Shape out = in;
    if (p.bad < 0) {
      const Fit fit = L::fit(in);
      if (fit.reason == Reason::fits) {
        out = fit.out;
        counts = counts_of<L>(in);
      } else {
        p.fit = fit;
        p.bad = i;
      }
    }
    p.shape[at(i + 1)] = out;
    p.parameters[at(i + 1)] = p.parameters[at(i)] + counts.parameters;
    p.statistics[at(i + 1)] = p.statistics[at(i)] + counts.statistics;
    p.statistic_arrays[at(i + 1)] = p.statistic_arrays[at(i)] + counts.statistic_arrays;
    if (out.size() > p.widest) p.widest = out.size();
    if (!L::traits.keeps_kind) p.kind = L::traits.kind;
    ++i;
  }

  static constexpr void fuse(PlanType& p) {
    int producer = -1;  // the layer whose buffer holds the current activation; -1: the chain's own input
    for (int i = 0; i < count; ++i) {
      p.last[at(i)] = i;
      if (p.covered[at(i)]) continue;
      const Traits& t = traits[at(i)];
      int next = i + 1;
      if (t.takes_activation && next < count && traits[at(next)].act != Act::none) {
        p.epilogue[at(i)].act = traits[at(next)].act;
        p.epilogue[at(i)].alpha = traits[at(next)].alpha;
        p.covered[at(next)] = true;
        ++next;
      }
      if (t.takes_pool && next < count && traits[at(next)].is_pool2) {
        p.epilogue[at(i)].pool = true;
        p.covered[at(next)] = true;
        ++next;
      }
      p.last[at(i)] = next - 1;
      if (t.is_free) continue;
      if (t.in_place && !t.needs_input && producer >= 0) {
        p.in_place[at(i)] = !traits[at(producer)].needs_output && p.epilogue[at(producer)].act == Act::none;
      }
      if (!p.in_place[at(i)] || t.needs_output) producer = i;
    }
  }

  template <class T>
  static Place<T> place(const PlanType& p, const Place<T>& base, int i) {
    Place<T> here;
    here.in = p.shape[at(i)];
    here.out = p.shape[at(p.last[at(i)] + 1)];
    here.epilogue = p.epilogue[at(i)];
    here.weights = base.weights + p.parameters[at(i)];
    here.gradients = base.gradients != nullptr ? base.gradients + p.parameters[at(i)] : nullptr;
    here.statistics = base.statistics + p.statistics[at(i)];
    here.fixed_statistics = base.fixed_statistics + p.statistic_arrays[at(i)];
    return here;
  }

  template <class T>
  static const T* forward_range(Run<T>& run, const PlanType& p, const Place<T>& base, Record<T>& record, const T* x, int begin,
                                int end) {
    const std::size_t n = static_cast<std::size_t>(run.n);
    const auto layers = std::make_index_sequence<sizeof...(Ls)>{};
    T* const none = nullptr;
    if (run.keep) {
      forward_fold(run, p, base, record, x, none, none, begin, end, layers);
      return x;
    }
    // Nothing is kept: two buffers in turn, and the result in one of its own that outlives them.
    T* result = run.arena->template take<T>(n * p.shape[at(end)].size());
    ArenaScope scope(*run.arena);
    T* ping = run.arena->template take<T>(n * p.widest);
    T* pong = run.arena->template take<T>(n * p.widest);
    forward_fold(run, p, base, record, x, ping, pong, begin, end, layers);
    std::memcpy(result, x, n * p.shape[at(end)].size() * sizeof(T));
    return result;
  }

  template <class T, std::size_t... Is>
  static void forward_fold(Run<T>& run, const PlanType& p, const Place<T>& base, Record<T>& record, const T*& x,
                           [[maybe_unused]] T* ping, [[maybe_unused]] T* pong, [[maybe_unused]] int begin,
                           [[maybe_unused]] int end, std::index_sequence<Is...>) {
    (forward_one<static_cast<int>(Is), Ls>(run, p, base, record, x, ping, pong, begin, end), ...);
  }

  template <int i, class L, class T>
  static void forward_one(Run<T>& run, const PlanType& p, const Place<T>& base, Record<T>& record, const T*& x, T* ping,
                          T* pong, int begin, int end) {
    if (i < begin || i >= end) return;
    ++run.place;
    if (L::traits.is_free || p.covered[at(i)]) return;
    const Place<T> here = place(p, base, i);
    T* y = nullptr;
    if (p.in_place[at(i)]) {
      y = const_cast<T*>(x);  // x lies in a buffer of this run, written by an earlier layer of this chain
    } else if (ping != nullptr) {
      y = x == ping ? pong : ping;
    } else {
      y = run.arena->template take<T>(static_cast<std::size_t>(run.n) * here.out.size());
    }
    record.x[at(i)] = x;
    record.y[at(i)] = y;
    record.kept[at(i)] = L::forward(run, here, x, y);
    x = y;
  }

  /// What the layers of a reverse fold hand on.
  template <class T>
  struct Way {
    Run<T>& run;
    const PlanType& p;
    const Place<T>& base;
    Record<T>& record;
    T* gradient;
    T* dx;
    const unsigned char* frozen;
    T** spare;
    int& turn;
  };

  template <int trained, class T, std::size_t... Is>
  static void backward_fold([[maybe_unused]] Way<T>& way, std::index_sequence<Is...>) {
    [[maybe_unused]] int order =
        0;  // assignment evaluates its right side first: the fold runs from the last layer to the first
    static_cast<void>(((backward_one<static_cast<int>(Is), trained, Ls>(way), order) = ... = 0));
  }

  /// Whether a layer between `first` and `i` has parameters: then layer i must hand a gradient on.
  static constexpr bool trains_before(const PlanType& p, int i, int first) {
    return p.parameters[at(i)] > p.parameters[at(first)];
  }

  template <int i, int trained, class L, class T>
  static void backward_one(Way<T>& way) {
    if constexpr (i >= trained) {
      const PlanType& p = way.p;
      const int first = way.record.kept_from;
      if (i < first || L::traits.is_free || p.covered[at(i)] || way.gradient == nullptr) return;
      Run<T>& run = way.run;
      Place<T> here = place(p, way.base, i);
      if (way.frozen != nullptr && way.frozen[i] != 0) here.gradients = nullptr;
      T* target = nullptr;
      if (first_running(p, first) == i) {
        target = way.dx;
      } else if (way.dx != nullptr || trains_before(p, i, first)) {
        if (p.in_place[at(i)]) {
          target = way.gradient;
        } else {
          T*& spare = way.spare[way.turn];
          if (spare == nullptr) spare = run.arena->template take<T>(static_cast<std::size_t>(run.n) * p.widest);
          target = spare;
          way.turn = 1 - way.turn;
        }
      }
      L::backward(run, here, way.record.x[at(i)], way.record.y[at(i)], way.record.kept[at(i)], way.gradient, target);
      way.gradient = target;
    }
  }

  static constexpr int first_running(const PlanType& p, int first) {
    for (int i = first; i < count; ++i) {
      if (!traits[at(i)].is_free && !p.covered[at(i)]) return i;
    }
    return count;
  }
};

GRAFT_END

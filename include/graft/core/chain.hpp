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
  };

  /// Runs all layers on x (n samples of plan.shape[0]) and returns the record; record.output is the result. Layers before
  /// `trained` run in inference mode and keep nothing.
  template <int trained = 0, class T>
  static Record<T>* forward(Run<T>& run, const PlanType& p, const Place<T>& base, const T* x) {
    Record<T>* record = run.arena->template make<Record<T>>();
    const T* current = x;
    if constexpr (trained > 0) {
      Run<T> frozen = run;
      frozen.training = false;
      frozen.keep = false;
      current = forward_range<0, trained>(frozen, p, base, *record, current);
      run.place = frozen.place;
    }
    record->output = forward_range<trained, count>(run, p, base, *record, current);
    return record;
  }

  /// The reverse fold: dy is the gradient of the output (may be overwritten), dx (null: not wanted) that of the input.
  template <int trained = 0, class T>
  static void backward(Run<T>& run, const PlanType& p, const Place<T>& base, Record<T>& record, T* dy, T* dx) {
    ArenaScope scope(*run.arena);
    T* spare[2] = {nullptr, nullptr};
    int turn = 0;
    T* gradient = dy;
    backward_fold<trained>(run, p, base, record, gradient, dx, spare, turn, std::make_index_sequence<sizeof...(Ls)>{});
    if (dx != nullptr && gradient != dx) {
      std::memcpy(dx, gradient, static_cast<std::size_t>(run.n) * p.shape[0].size() * sizeof(T));
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

  template <int first, int end, class T>
  static const T* forward_range(Run<T>& run, const PlanType& p, const Place<T>& base, Record<T>& record, const T* x) {
    const std::size_t n = static_cast<std::size_t>(run.n);
    if (run.keep) {
      forward_fold<first, end>(run, p, base, record, x, static_cast<T*>(nullptr), static_cast<T*>(nullptr),
                               std::make_index_sequence<sizeof...(Ls)>{});
      return x;
    }
    // Nothing is kept: two buffers in turn, and the result in one of its own that outlives them.
    T* result = run.arena->template take<T>(n * p.shape[at(end)].size());
    ArenaScope scope(*run.arena);
    T* ping = run.arena->template take<T>(n * p.widest);
    T* pong = run.arena->template take<T>(n * p.widest);
    forward_fold<first, end>(run, p, base, record, x, ping, pong, std::make_index_sequence<sizeof...(Ls)>{});
    std::memcpy(result, x, n * p.shape[at(end)].size() * sizeof(T));
    return result;
  }

  template <int first, int end, class T, std::size_t... Is>
  static void forward_fold(Run<T>& run, const PlanType& p, const Place<T>& base, Record<T>& record, const T*& x,
                           [[maybe_unused]] T* ping, [[maybe_unused]] T* pong, std::index_sequence<Is...>) {
    (forward_one<static_cast<int>(Is), first, end, Ls>(run, p, base, record, x, ping, pong), ...);
  }

  template <int i, int first, int end, class L, class T>
  static void forward_one(Run<T>& run, const PlanType& p, const Place<T>& base, Record<T>& record, const T*& x, T* ping,
                          T* pong) {
    if constexpr (i >= first && i < end) {
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
  }

  template <int trained, class T, std::size_t... Is>
  static void backward_fold(Run<T>& run, const PlanType& p, const Place<T>& base, Record<T>& record, T*& dy,
                            [[maybe_unused]] T* dx, [[maybe_unused]] T** spare, [[maybe_unused]] int& turn,
                            std::index_sequence<Is...>) {
    [[maybe_unused]] int order =
        0;  // assignment evaluates its right side first: the fold runs from the last layer to the first
    static_cast<void>(
        ((backward_one<static_cast<int>(Is), trained, Ls>(run, p, base, record, dy, dx, spare, turn), order) = ... = 0));
  }

  /// Whether a layer between `trained` and `i` has parameters: then layer i must hand a gradient on.
  static constexpr bool trains_before(const PlanType& p, int i, int trained) {
    return p.parameters[at(i)] > p.parameters[at(trained)];
  }

  template <int i, int trained, class L, class T>
  static void backward_one(Run<T>& run, const PlanType& p, const Place<T>& base, Record<T>& record, T*& dy, T* dx, T** spare,
                           int& turn) {
    if constexpr (i >= trained) {
      if (L::traits.is_free || p.covered[at(i)] || dy == nullptr) return;
      const Place<T> here = place(p, base, i);
      T* target = nullptr;
      if (first_running(p, trained) == i) {
        target = dx;
      } else if (dx != nullptr || trains_before(p, i, trained)) {
        if (p.in_place[at(i)]) {
          target = dy;
        } else {
          if (spare[turn] == nullptr) spare[turn] = run.arena->template take<T>(static_cast<std::size_t>(run.n) * p.widest);
          target = spare[turn];
          turn = 1 - turn;
        }
      }
      L::backward(run, here, record.x[at(i)], record.y[at(i)], record.kept[at(i)], dy, target);
      dy = target;
    }
  }

  static constexpr int first_running(const PlanType& p, int trained) {
    for (int i = trained; i < count; ++i) {
      if (!traits[at(i)].is_free && !p.covered[at(i)]) return i;
    }
    return count;
  }
};

GRAFT_END

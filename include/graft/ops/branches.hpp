#pragma once
/// \file branches.hpp  Layers side by side: Residual adds the branches up, Concat puts their channels beside each other.
#include "graft/config.hpp"
#include "graft/core/chain.hpp"
#include "graft/core/vector_math.hpp"

#include <array>
#include <cstring>

GRAFT_BEGIN

/// A sequence of layers as one branch of Concat or Sum; an empty one hands its input on. In the arrays' names a branch stands
/// as its number among the branches or, Named<"downsample", Branch<...>>, as its name; the only one with arrays, if it has no
/// name, is left out: "3/0/w" within Residual, "3/1/0/w" within a Concat.
template <class... Ls>
using Branch = Chain<Ls...>;

namespace detail {

/// A branch's functions. forward() returns the record that backward() wants, the result and its shape.
template <class T>
struct BranchOut {
  void* record;
  const T* y;
  Shape shape;
};
template <class T>
using BranchForward = BranchOut<T> (*)(Run<T>&, const Place<T>&, const T* x);
template <class T>
struct BranchBackward {
  Shape (*out)(Shape in);
  void (*run)(Run<T>&, const Place<T>&, void* record, T* dy, T* dx);
};

template <class B, class T>
BranchOut<T> branch_forward(Run<T>& run, const Place<T>& at, const T* x) {
  const auto plan = B::plan(at.in);
  auto* record = B::forward(run, plan, at, x);
  return {record, record->output, plan.out()};
}
template <class B, class T>
void branch_backward(Run<T>& run, const Place<T>& at, void* record, T* dy, T* dx) {
  const auto plan = B::plan(at.in);
  if (dx == nullptr && plan.parameters[static_cast<std::size_t>(B::count)] == 0) return;
  B::backward(run, plan, at, *static_cast<typename B::template Record<T>*>(record), dy, dx);
}
template <class B>
constexpr Shape branch_out(Shape in) {
  return B::plan(in).out();
}
template <class... Bs>
constexpr std::array<ChainRules, sizeof...(Bs)> branch_rules_of() {
  return {ChainRules{Bs::count, Bs::rules.data(), label_of<Bs>(), is_named<Bs>}...};
}

constexpr Counts counts_of_chain(const ChainRules& chain, Shape in) {
  Counts sum;
  for (int i = 0; i < chain.count; ++i) {
    const Counts counts = chain.layer[i].counts(in);
    sum.parameters += counts.parameters;
    sum.statistics += counts.statistics;
    sum.statistic_arrays += counts.statistic_arrays;
    sum.arrays += counts.arrays;
    in = chain.layer[i].fit(in).out;
  }
  return sum;
}
constexpr void visit_chain(const ChainRules& chain, Shape in, WeightVisitor& visitor) {
  for (int i = 0; i < chain.count; ++i) {
    chain.layer[i].visit(in, visitor);
    in = chain.layer[i].fit(in).out;
  }
}
/// From the place of one branch, within the layer's own parameters and statistics, to that of the next.
template <class T>
void pass_branch(const ChainRules& chain, Place<T>& place) {
  const Counts counts = counts_of_chain(chain, place.in);
  place.weights += counts.parameters;
  if (place.gradients != nullptr) place.gradients += counts.parameters;
  place.statistics += counts.statistics;
  place.fixed_statistics += counts.statistic_arrays;
}

/// How a join puts branches together: their sum, or their channels beside each other. One loop for all joins of a kind.
enum class Join { sum, concat };

/// Channels [begin, begin + part.c) of the rows of `whole`, to or from `rows` rows of `part`.
template <bool into_whole, class T>
void copy_channels(int n, Shape part, Shape whole, std::size_t begin, T* in_whole, T* in_part) {
  const std::size_t rows = static_cast<std::size_t>(n) * static_cast<std::size_t>(whole.h) * static_cast<std::size_t>(whole.w);
  const std::size_t channels = static_cast<std::size_t>(part.c), stride = static_cast<std::size_t>(whole.c);
  for (std::size_t row = 0; row < rows; ++row) {
    T* a = in_whole + row * stride + begin;
    T* b = in_part + row * channels;
    into_whole ? std::memcpy(a, b, channels * sizeof(T)) : std::memcpy(b, a, channels * sizeof(T));
  }
}

/// Runs every branch on x and joins their results in y. Returns the branches' records.
template <class T>
void* branches_forward(Run<T>& run, const Place<T>& at, const ChainRules* rules, const BranchForward<T>* forward, int count,
                       Join join, const T* x, T* y) {
  void** records = run.arena->template take<void*>(static_cast<std::size_t>(count));
  const std::size_t numbers = static_cast<std::size_t>(run.n) * at.out.size();
  Place<T> here = at;
  std::size_t before = 0;
  for (int i = 0; i < count; ++i) {
    const BranchOut<T> out = forward[i](run, here, x);
    records[i] = out.record;
    if (join == Join::concat) {
      copy_channels<true>(run.n, out.shape, at.out, before, y, const_cast<T*>(out.y));
      before += static_cast<std::size_t>(out.shape.c);
    } else if (i == 0) {
      std::memcpy(y, out.y, numbers * sizeof(T));
    } else {
      add_scaled(numbers, T{1}, out.y, y);
    }
    pass_branch(rules[i], here);
  }
  return records;
}

/// Runs every branch backward on its part of dy; the gradients of the one input add up.
template <class T>
void branches_backward(Run<T>& run, const Place<T>& at, const ChainRules* rules, const BranchBackward<T>* backward, int count,
                       Join join, void* kept, T* dy, T* dx) {
  void* const* records = static_cast<void**>(kept);
  const std::size_t numbers = static_cast<std::size_t>(run.n) * at.in.size();
  if (dx != nullptr) std::memset(dx, 0, numbers * sizeof(T));
  Place<T> here = at;
  std::size_t before = 0;
  for (int i = 0; i < count; ++i) {
    ArenaScope scope(*run.arena);
    const Shape shape = backward[i].out(at.in);
    T* own = run.arena->template take<T>(static_cast<std::size_t>(run.n) * shape.size());
    if (join == Join::concat) {
      copy_channels<false>(run.n, shape, at.out, before, dy, own);
      before += static_cast<std::size_t>(shape.c);
    } else {
      std::memcpy(own, dy, static_cast<std::size_t>(run.n) * shape.size() * sizeof(T));
    }
    T* own_dx = dx != nullptr ? run.arena->template take<T>(numbers) : nullptr;
    backward[i].run(run, here, records[i], own, own_dx);
    if (dx != nullptr) add_scaled(numbers, T{1}, own_dx, dx);
    pass_branch(rules[i], here);
  }
}

/// What both joins share.
template <Join Kind, class... Bs>
struct Branches {
  static constexpr Traits traits{.needs_input = true};
  static constexpr std::array<ChainRules, sizeof...(Bs)> branch_rules = branch_rules_of<Bs...>();

  template <class V>
  static constexpr void visit(Shape in, V&& v) {
    for (const ChainRules& branch : branch_rules) visit_chain(branch, in, v);
  }
  template <class T>
  static void* forward(Run<T>& run, const Place<T>& at, const T* x, T* y) {
    static constexpr BranchForward<T> functions[] = {&branch_forward<Bs, T>...};
    return branches_forward(run, at, branch_rules.data(), functions, static_cast<int>(sizeof...(Bs)), Kind, x, y);
  }
  template <class T>
  static void backward(Run<T>& run, const Place<T>& at, const T*, const T*, void* kept, T* dy, T* dx) {
    static constexpr BranchBackward<T> functions[] = {{&branch_out<Bs>, &branch_backward<Bs, T>}...};
    branches_backward(run, at, branch_rules.data(), functions, static_cast<int>(sizeof...(Bs)), Kind, kept, dy, dx);
  }
};

}  // namespace detail

/// The sum of its branches: `Sum<Branch<Conv2D<64, 3, ...>, BatchNorm<>>, Branch<>>` is a residual block, an empty branch the
/// identity. All branches must give one shape.
template <class... Bs>
struct Sum : detail::Branches<detail::Join::sum, Bs...> {
  static_assert(sizeof...(Bs) >= 2, "graft: Sum takes at least two branches.");
  static constexpr const char* name = "Sum";

  static constexpr Fit fit(Shape in) {
    Fit fit{Reason::fits, in};
    bool first = true;
    ((join(Bs::plan(in), fit, first)), ...);
    return fit;
  }

 private:
  template <class P>
  static constexpr void join(const P& plan, Fit& fit, bool& first) {
    if (fit.reason != Reason::fits) return;
    if (plan.bad >= 0) {
      fit = plan.fit;
    } else if (first) {
      fit.out = plan.out();
    } else if (plan.out() != fit.out) {
      fit = {Reason::residual_changes_shape, fit.out, plan.out()};
    }
    first = false;
  }
};

/// y = x + F(x), F the layers (He et al. 2016). A block that changes the shape needs a shortcut: use Sum with two branches.
template <class... Ls>
struct Residual : Sum<Branch<>, Branch<Ls...>> {
  static constexpr const char* name = "Residual";
};

/// The branches' channels one after the other. Branches give images of one height and width, or vectors.
template <class... Bs>
struct Concat : detail::Branches<detail::Join::concat, Bs...> {
  static_assert(sizeof...(Bs) >= 1, "graft: Concat takes at least one branch.");
  static constexpr const char* name = "Concat";

  static constexpr Fit fit(Shape in) {
    Fit fit{Reason::fits, in};
    bool first = true;
    ((join(Bs::plan(in), fit, first)), ...);
    return fit;
  }

 private:
  template <class P>
  static constexpr void join(const P& plan, Fit& fit, bool& first) {
    if (fit.reason != Reason::fits) return;
    if (plan.bad >= 0) {
      fit = plan.fit;
    } else if (first) {
      fit.out = plan.out();
    } else if (plan.out().rank != fit.out.rank || plan.out().h != fit.out.h || plan.out().w != fit.out.w) {
      fit = {Reason::branches_differ_in_size, fit.out, plan.out()};
    } else {
      fit.out.c += plan.out().c;
    }
    first = false;
  }
};

GRAFT_END

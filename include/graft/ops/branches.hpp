#pragma once
/// \file branches.hpp  Layers side by side: Residual adds the branches up, Concat puts their channels beside each other.
#include "graft/config.hpp"
#include "graft/core/chain.hpp"
#include "graft/core/vector_math.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>

GRAFT_BEGIN

/// A sequence of layers as one branch of Concat or Sum; an empty one hands its input on. In the arrays' names a branch stands
/// as its number among the branches or, Named<"downsample", Branch<...>>, as its name; the only one with arrays, if it has no
/// name, is left out: "3/0/w" within Residual, "3/1/0/w" within a Concat.
template <class... Ls>
using Branch = Chain<Ls...>;

namespace detail {

template <class... Bs>
constexpr std::array<ChainRules, sizeof...(Bs)> branch_rules_of() {
  return {ChainRules{Bs::count, Bs::rules.data(), label_of<Bs>(), is_named<Bs>}...};
}

constexpr void visit_chain(const ChainRules& chain, Shape in, WeightVisitor& visitor) {
  for (int i = 0; i < chain.count; ++i) {
    chain.layer[i].visit(in, visitor);
    in = chain.layer[i].fit(in).out;
  }
}
/// From the place of one branch, within the layer's own parameters and statistics, to that of the next.
template <class T>
void pass_branch(const PlanView& plan, Place<T>& place) {
  place.weights += plan.parameters[plan.count];
  if (place.packed != nullptr) place.packed += plan.parameters[plan.count];
  if (place.gradients != nullptr) place.gradients += plan.parameters[plan.count];
  place.statistics += plan.statistics[plan.count];
  place.fixed_statistics += plan.statistic_arrays[plan.count];
}

/// How a join puts branches together: their sum, or their channels beside each other. One loop for all joins of a kind.
enum class Join { sum, concat };

/// Channels [begin, begin + part.c) of the rows of `whole`, to or from `rows` rows of `part`.
template <bool into_whole, class T, class S>
void copy_channels(const Accelerator<T>* device, int n, Shape part, Shape whole, std::size_t begin, S* in_whole, S* in_part) {
  const std::size_t rows = static_cast<std::size_t>(n) * static_cast<std::size_t>(whole.h) * static_cast<std::size_t>(whole.w);
  const std::size_t channels = static_cast<std::size_t>(part.c), stride = static_cast<std::size_t>(whole.c);
  if constexpr (std::is_same_v<T, S>) {
    if (device != nullptr) {
      into_whole ? device->copy_rows({1, rows, channels, channels, 0, stride, 0}, in_part, in_whole + begin)
                 : device->copy_rows({1, rows, channels, stride, 0, channels, 0}, in_whole + begin, in_part);
      return;
    }
  }
  for (std::size_t row = 0; row < rows; ++row) {
    S* a = in_whole + row * stride + begin;
    S* b = in_part + row * channels;
    into_whole ? std::memcpy(a, b, channels * sizeof(S)) : std::memcpy(b, a, channels * sizeof(S));
  }
}

constexpr Fit chain_fit(const ChainRules& chain, Shape in) {
  Fit fit{Reason::fits, in};
  for (int i = 0; i < chain.count && fit.reason == Reason::fits; ++i) fit = chain.layer[i].fit(fit.out);
  return fit;
}
/// The shape that branches join to, or why they do not.
constexpr Fit join_fit(Join join, const ChainRules* branch, int count, Shape in) {
  Fit joined{Reason::fits, in};
  for (int i = 0; i < count; ++i) {
    const Fit fit = chain_fit(branch[i], in);
    if (fit.reason != Reason::fits) return fit;
    const Shape a = joined.out, b = fit.out;
    if (i == 0) {
      joined = fit;
    } else if (join == Join::sum) {
      if (a != b) return {Reason::residual_changes_shape, a, b};
    } else {
      if (a.rank != b.rank || a.h != b.h || a.w != b.w) return {Reason::branches_differ_in_size, a, b};
      joined.out.c += b.c;
    }
  }
  return joined;
}

/// A branch's plan, on the arena: branches of any length run the same code.
inline PlanView plan_branch(Arena& arena, const ChainRules& chain, Shape in) {
  const std::size_t count = static_cast<std::size_t>(chain.count) + 1;
  const auto zeros = [&](auto*& array) {
    using E = std::remove_reference_t<decltype(*array)>;
    array = arena.template take_host<E>(count);
    std::fill_n(array, count, E{});
  };
  PlanArrays p{};
  zeros(p.shape), zeros(p.parameters), zeros(p.statistics), zeros(p.statistic_arrays);
  zeros(p.epilogue), zeros(p.last), zeros(p.covered), zeros(p.in_place);
  const PlanSummary sum = fill_plan(in, chain, p);
  return {chain.count, p.shape, p.parameters, p.statistics, p.statistic_arrays,
          p.epilogue,  p.last,  p.covered,    p.in_place,   sum.widest};
}

/// y += x, activations of a run on `device`.
template <class T, class S>
void add_stored([[maybe_unused]] const Accelerator<T>* device, std::size_t count, const S* x, S* y) {
  if constexpr (std::is_same_v<T, S>) {
    add_scaled(device, count, T{1}, x, y);
  } else {
    add(count, x, y);
  }
}

/// Runs every branch on x and joins their results in y. Returns the branches' records.
template <class T, class S>
void* branches_forward(Run<T>& run, const Place<T>& at, const ChainRules* rules, const Step<T, S>* const* steps, int count,
                       Join join, const S* x, S* y) {
  ChainRecord<S>** records = run.arena->template take_host<ChainRecord<S>*>(static_cast<std::size_t>(count));
  const std::size_t numbers = static_cast<std::size_t>(run.n) * at.out.size();
  Place<T> here = at;
  std::size_t before = 0;
  for (int i = 0; i < count; ++i) {
    const PlanView plan = plan_branch(*run.arena, rules[i], at.in);
    const Shape shape = plan.shape[plan.count];
    S* const into = join == Join::sum && i == 0 && !run.keep ? y : nullptr;
    records[i] = run_forward(run, Steps<T, S>{plan, rules[i].layer, steps[i]}, here, x, 0, 0, into);
    const S* out = records[i]->output;
    if (join == Join::concat) {
      copy_channels<true>(run.device, run.n, shape, at.out, before, y, const_cast<S*>(out));
      before += static_cast<std::size_t>(shape.c);
    } else if (i == 0) {
      if (out != y) copy_stored(run.device, numbers, out, y);
    } else {
      add_stored(run.device, numbers, out, y);
    }
    pass_branch(plan, here);
  }
  return records;
}

/// Runs every branch backward on its part of dy; the gradients of the one input add up.
template <class T, class S>
void branches_backward(Run<T>& run, const Place<T>& at, const ChainRules* rules, const Step<T, S>* const* steps, int count,
                       Join join, void* kept, S* dy, S* dx) {
  ChainRecord<S>* const* records = static_cast<ChainRecord<S>**>(kept);
  const std::size_t numbers = static_cast<std::size_t>(run.n) * at.in.size();
  if constexpr (std::is_same_v<T, S>) {
    if (dx != nullptr) set_zero(run.device, numbers, dx);
  } else {
    if (dx != nullptr) std::memset(static_cast<void*>(dx), 0, numbers * sizeof(S));
  }
  Place<T> here = at;
  std::size_t before = 0;
  for (int i = 0; i < count; ++i) {
    ArenaScope scope(*run.arena);
    const PlanView plan = plan_branch(*run.arena, rules[i], at.in);
    const Shape shape = plan.shape[plan.count];
    S* own = run.arena->template take<S>(static_cast<std::size_t>(run.n) * shape.size());
    if (join == Join::concat) {
      copy_channels<false>(run.device, run.n, shape, at.out, before, dy, own);
      before += static_cast<std::size_t>(shape.c);
    } else {
      copy_stored(run.device, static_cast<std::size_t>(run.n) * shape.size(), dy, own);
    }
    S* own_dx = dx != nullptr ? run.arena->template take<S>(numbers) : nullptr;
    if (own_dx != nullptr || plan.parameters[plan.count] > 0) {
      run_backward(run, Steps<T, S>{plan, rules[i].layer, steps[i]}, here, *records[i], own, own_dx, nullptr);
    }
    if (dx != nullptr) add_stored(run.device, numbers, own_dx, dx);
    pass_branch(plan, here);
  }
}

/// What both joins share.
template <Join Kind, class... Bs>
struct Branches {
  static constexpr Traits traits{.needs_input = true};
  static constexpr std::array<ChainRules, sizeof...(Bs)> branch_rules = branch_rules_of<Bs...>();

  static constexpr Fit fit(Shape in) { return join_fit(Kind, branch_rules.data(), static_cast<int>(sizeof...(Bs)), in); }
  template <class V>
  static constexpr void visit(Shape in, V&& v) {
    for (const ChainRules& branch : branch_rules) visit_chain(branch, in, v);
  }
  template <class T, class D = Cpu>
  static void* forward(Run<T>& run, const Place<T>& at, const Stored<T, D>* x, Stored<T, D>* y) {
    static constexpr const Step<T, Stored<T, D>>* steps[] = {Bs::template forward_steps<T, D>.data()...};
    return branches_forward(run, at, branch_rules.data(), steps, static_cast<int>(sizeof...(Bs)), Kind, x, y);
  }
  template <class T, class D = Cpu>
  static void backward(Run<T>& run, const Place<T>& at, const Stored<T, D>*, const Stored<T, D>*, void* kept, Stored<T, D>* dy,
                       Stored<T, D>* dx) {
    static constexpr const Step<T, Stored<T, D>>* steps[] = {Bs::template steps<0, T, D>.data()...};
    branches_backward(run, at, branch_rules.data(), steps, static_cast<int>(sizeof...(Bs)), Kind, kept, dy, dx);
  }
};

}  // namespace detail

/// The sum of its branches: `Sum<Branch<Conv2D<64, 3, ...>, BatchNorm<>>, Branch<>>` is a residual block, an empty branch the
/// identity. All branches must give one shape.
template <class... Bs>
struct Sum : detail::Branches<detail::Join::sum, Bs...> {
  static_assert(sizeof...(Bs) >= 2, "graft: Sum takes at least two branches.");
  static constexpr const char* name = "Sum";
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
};

GRAFT_END

#pragma once
/// \file branches.hpp  Layers side by side: Residual adds the branches up, Concat puts their channels beside each other.
#include "graft/config.hpp"
#include "graft/core/chain.hpp"
#include "graft/core/vector_math.hpp"

#include <array>
#include <cstring>
#include <string>
#include <utility>

GRAFT_BEGIN

/// A sequence of layers as one branch of Concat or Sum; an empty one hands its input on. In the arrays' names a branch stands
/// as its number among the branches or, Named<"downsample", Branch<...>>, as its name; the only one with arrays, if it has no
/// name, is left out: "3/0/w" within Residual, "3/1/0/w" within a Concat.
template <class... Ls>
using Branch = Chain<Ls...>;

namespace detail {

/// What both joins share: each branch runs on the same input; their input gradients add up.
template <class... Bs>
struct Branches {
  static constexpr std::size_t count = sizeof...(Bs);
  template <class T>
  struct Kept {
    std::array<void*, count> record{};
  };

  /// The place of branch `index` within the layer's own parameters and statistics.
  template <class T>
  static Place<T> offset(const Place<T>& at, std::size_t index) {
    const std::array<Counts, count> counts{counts_of<Bs>(at.in)...};
    Place<T> here = at;
    for (std::size_t i = 0; i < index; ++i) {
      here.weights += counts[i].parameters;
      if (here.gradients != nullptr) here.gradients += counts[i].parameters;
      here.statistics += counts[i].statistics;
      here.fixed_statistics += counts[i].statistic_arrays;
    }
    return here;
  }

  /// visitor(name, weight) for all arrays; see core/named.hpp.
  template <class V>
  static void visit_names(Shape in, const std::string& path, V& visitor) {
    const int with_arrays = (0 + ... + (counts_of<Bs>(in).arrays > 0 ? 1 : 0));
    int number = 0;
    ((visit_branch<Bs>(in, path, number, with_arrays == 1, visitor)), ...);
  }

  /// Runs every branch; join(index, out, output shape) is called for each.
  template <class T, class Join>
  static void* forward(Run<T>& run, const Place<T>& at, const T* x, Join&& join) {
    Kept<T>* kept = run.arena->template make<Kept<T>>();
    std::size_t index = 0;
    (forward_one<Bs>(run, at, x, *kept, index, join), ...);
    return kept;
  }

  /// Runs every branch backward; split(index, shape, buffer) fills that branch's output gradient.
  template <class T, class Split>
  static void backward(Run<T>& run, const Place<T>& at, void* raw, T* dx, Split&& split) {
    Kept<T>& kept = *static_cast<Kept<T>*>(raw);
    if (dx != nullptr) std::memset(dx, 0, static_cast<std::size_t>(run.n) * at.in.size() * sizeof(T));
    std::size_t index = 0;
    (backward_one<Bs>(run, at, kept, dx, index, split), ...);
  }

 private:
  template <class B, class V>
  static void visit_branch(Shape in, const std::string& path, int& number, bool alone, V& visitor) {
    B::visit_names(in, alone && !is_named<B> ? path : path_of<B>(path, number), visitor);
    ++number;
  }
  template <class B, class T, class Join>
  static void forward_one(Run<T>& run, const Place<T>& at, const T* x, Kept<T>& kept, std::size_t& index, Join& join) {
    const auto plan = B::plan(at.in);
    auto* record = B::forward(run, plan, offset(at, index), x);
    kept.record[index] = record;
    join(index, record->output, plan.out());
    ++index;
  }
  template <class B, class T, class Split>
  static void backward_one(Run<T>& run, const Place<T>& at, Kept<T>& kept, T* dx, std::size_t& index, Split& split) {
    const auto plan = B::plan(at.in);
    ArenaScope scope(*run.arena);
    T* dy = run.arena->template take<T>(static_cast<std::size_t>(run.n) * plan.out().size());
    split(index, plan.out(), dy);
    const std::size_t numbers = static_cast<std::size_t>(run.n) * at.in.size();
    T* own = dx != nullptr ? run.arena->template take<T>(numbers) : nullptr;
    if (own != nullptr || plan.parameters[static_cast<std::size_t>(B::count)] > 0) {
      B::backward(run, plan, offset(at, index), *static_cast<typename B::template Record<T>*>(kept.record[index]), dy, own);
    }
    if (dx != nullptr) add_scaled(numbers, T{1}, own, dx);
    ++index;
  }
};

}  // namespace detail

/// The sum of its branches: `Sum<Branch<Conv2D<64, 3, ...>, BatchNorm<>>, Branch<>>` is a residual block, an empty branch the
/// identity. All branches must give one shape.
template <class... Bs>
struct Sum {
  static_assert(sizeof...(Bs) >= 2, "graft: Sum takes at least two branches.");
  static constexpr const char* name = "Sum";
  static constexpr Traits traits{.needs_input = true};

  static constexpr Fit fit(Shape in) {
    Fit fit{Reason::fits, in};
    bool first = true;
    ((join(Bs::plan(in), fit, first)), ...);
    return fit;
  }
  template <class V>
  static constexpr void visit(Shape in, V&& v) {
    (Bs::visit(in, v), ...);
  }
  template <class V>
  static void visit_names(Shape in, const std::string& path, V& visitor) {
    detail::Branches<Bs...>::visit_names(in, path, visitor);
  }

  template <class T>
  static void* forward(Run<T>& run, const Place<T>& at, const T* x, T* y) {
    const std::size_t numbers = static_cast<std::size_t>(run.n) * at.out.size();
    return detail::Branches<Bs...>::forward(run, at, x, [&](std::size_t index, const T* out, Shape) {
      if (index == 0) {
        std::memcpy(y, out, numbers * sizeof(T));
      } else {
        detail::add_scaled(numbers, T{1}, out, y);
      }
    });
  }
  template <class T>
  static void backward(Run<T>& run, const Place<T>& at, const T*, const T*, void* kept, T* dy, T* dx) {
    detail::Branches<Bs...>::backward(run, at, kept, dx, [&](std::size_t, Shape shape, T* own) {
      std::memcpy(own, dy, static_cast<std::size_t>(run.n) * shape.size() * sizeof(T));
    });
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
struct Concat {
  static_assert(sizeof...(Bs) >= 1, "graft: Concat takes at least one branch.");
  static constexpr const char* name = "Concat";
  static constexpr Traits traits{.needs_input = true};

  static constexpr Fit fit(Shape in) {
    Fit fit{Reason::fits, in};
    bool first = true;
    ((join(Bs::plan(in), fit, first)), ...);
    return fit;
  }
  template <class V>
  static constexpr void visit(Shape in, V&& v) {
    (Bs::visit(in, v), ...);
  }
  template <class V>
  static void visit_names(Shape in, const std::string& path, V& visitor) {
    detail::Branches<Bs...>::visit_names(in, path, visitor);
  }

  template <class T>
  static void* forward(Run<T>& run, const Place<T>& at, const T* x, T* y) {
    std::size_t before = 0;
    return detail::Branches<Bs...>::forward(run, at, x, [&](std::size_t, const T* out, Shape shape) {
      copy_channels(run.n, shape, at.out, before, [&](std::size_t whole, std::size_t part, std::size_t channels) {
        std::memcpy(y + whole, out + part, channels * sizeof(T));
      });
      before += static_cast<std::size_t>(shape.c);
    });
  }
  template <class T>
  static void backward(Run<T>& run, const Place<T>& at, const T*, const T*, void* kept, T* dy, T* dx) {
    std::size_t before = 0;
    detail::Branches<Bs...>::backward(run, at, kept, dx, [&](std::size_t, Shape shape, T* own) {
      copy_channels(run.n, shape, at.out, before, [&](std::size_t whole, std::size_t part, std::size_t channels) {
        std::memcpy(own + part, dy + whole, channels * sizeof(T));
      });
      before += static_cast<std::size_t>(shape.c);
    });
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
  template <class F>
  static void copy_channels(int n, Shape part, Shape whole, std::size_t before, F&& copy) {
    const std::size_t rows =
        static_cast<std::size_t>(n) * static_cast<std::size_t>(whole.h) * static_cast<std::size_t>(whole.w);
    const std::size_t channels = static_cast<std::size_t>(part.c);
    for (std::size_t row = 0; row < rows; ++row)
      copy(row * static_cast<std::size_t>(whole.c) + before, row * channels, channels);
  }
};

GRAFT_END

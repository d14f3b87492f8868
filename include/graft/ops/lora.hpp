#pragma once
/// \file lora.hpp  Low-rank adaptation: Hu, Shen, Wallis, Allen-Zhu, Li, Wang, Wang, Chen, "LoRA: low-rank adaptation of large
/// language models", ICLR 2022.
#include "graft/config.hpp"
#include "graft/core/layer.hpp"
#include "graft/kernel/cpu/gemm.hpp"
#include "graft/kernel/cuda/layers.hpp"
#include "graft/ops/conv2d.hpp"
#include "graft/ops/dense.hpp"

#include <algorithm>
#include <cstddef>

GRAFT_BEGIN

namespace detail {
template <class L>
struct LoraBase {
  static constexpr bool fits = false;
};
template <int Units, bool Bias>
struct LoraBase<Dense<Units, Bias>> {
  static constexpr bool fits = true, bias = Bias;
  static constexpr int units = Units;
  static constexpr int width(Shape in) { return static_cast<int>(in.size()); }
  static constexpr int rows(Shape) { return 1; }
};
template <int Filters, Size Kernel, Conv O>
struct LoraBase<Conv2D<Filters, Kernel, O>> {
  static constexpr bool fits = Kernel == Size{1} && O.stride == Size{1} && O.groups == 1 && O.padding.top == 0 &&
                               O.padding.bottom == 0 && O.padding.left == 0 && O.padding.right == 0;
  static constexpr bool bias = O.bias;
  static constexpr int units = Filters;
  static constexpr int width(Shape in) { return in.c; }
  static constexpr int rows(Shape in) { return in.h * in.w; }
};
}  // namespace detail

/// L, a Dense or a 1x1 Conv2D, whose weights stay as they are while a change of rank `Rank` is learnt (equation 3):
/// y = x w + b + (Alpha / Rank) x lora_a lora_b. Arrays are L's, "w" and "b", which no optimiser ever moves (give them a
/// pretrained layer's by copy_weights or io::load), "lora_a": inputs x Rank, begun as kernels are, and "lora_b": Rank x
/// outputs, begun at 0, so that at first y is L's. deploy() (ops/deploy.hpp) makes it one L again.
///
///   Net<Vector<512>, Named<"fc", Lora<Dense<256>, 8>>, ReLU, Dense<10>>
template <class L, int Rank, Number Alpha = static_cast<double>(Rank)>
struct Lora {
  using Base = detail::LoraBase<L>;
  static_assert(Base::fits, "graft: Lora<L, Rank>: L must be a Dense or a 1x1 Conv2D of stride 1 without groups or padding.");
  static_assert(Rank >= 1, "graft: Lora<L, Rank>: Rank must be at least 1.");
  using Plain = L;
  static constexpr const char* name = "Lora";
  static constexpr Traits traits{.needs_input = true, .kind = L::traits.kind};

  static constexpr Fit fit(Shape in) { return L::fit(in); }

  template <class V>
  static constexpr void visit(Shape in, V&& v) {
    struct Fix final : WeightVisitor {
      constexpr explicit Fix(WeightVisitor& visitor) : to(visitor) {}
      constexpr void operator()(const Weight& weight) override {
        Weight fixed = weight;
        fixed.fixed = true;
        to(fixed);
      }
      WeightVisitor& to;
    };
    Fix fix(v);
    L::visit(in, static_cast<WeightVisitor&>(fix));
    const int width = Base::width(in);
    v(Weight{"lora_a", Role::kernel, {width, Rank, 1, 1}, 2, static_cast<double>(width), Rank});
    v(Weight{"lora_b", Role::shift, {Rank, Base::units, 1, 1}, 2, Rank, Base::units});
  }

  template <class T, class D = Cpu>
  static void* forward(Run<T>& run, const Place<T>& at, const T* x, T* y) {
    const int rows = run.n * Base::rows(at.in), width = Base::width(at.in);
    const Arrays<const T> p(at.in, at.weights);
    T* low = run.arena->template take<T>(static_cast<std::size_t>(rows) * Rank);
    kernel::dense_forward(D{}, rows, width, Base::units, x, p.w, p.b, Epilogue{}, y);
    kernel::gemm(D{}, false, false, rows, Rank, width, T{1}, x, width, p.down, Rank, T{0}, low, Rank);
    kernel::gemm(D{}, false, false, rows, Base::units, Rank, scale<T>, low, Rank, p.up, Base::units, T{1}, y, Base::units);
    return low;
  }

  template <class T, class D = Cpu>
  static void backward(Run<T>& run, const Place<T>& at, const T* x, const T*, void* kept, T* dy, T* dx) {
    constexpr int units = Base::units;
    const int rows = run.n * Base::rows(at.in), width = Base::width(at.in);
    const Arrays<const T> p(at.in, at.weights);
    const T* low = static_cast<const T*>(kept);
    ArenaScope scope(*run.arena);
    T* dlow = run.arena->template take<T>(static_cast<std::size_t>(rows) * Rank);
    kernel::gemm(D{}, false, true, rows, Rank, units, scale<T>, dy, units, p.up, units, T{0}, dlow, Rank);
    if (at.gradients != nullptr) {
      const Arrays<T> g(at.in, at.gradients);
      kernel::gemm(D{}, true, false, Rank, units, rows, scale<T>, low, Rank, dy, units, T{1}, g.up, units);
      kernel::gemm(D{}, true, false, width, Rank, rows, T{1}, x, width, dlow, Rank, T{1}, g.down, Rank);
    }
    if (dx == nullptr) return;
    kernel::gemm(D{}, false, true, rows, width, units, T{1}, dy, units, p.w, units, T{0}, dx, width);
    kernel::gemm(D{}, false, true, rows, width, Rank, T{1}, dlow, Rank, p.down, Rank, T{1}, dx, width);
  }

  /// L's numbers with the change added, from this layer's. Returns what is behind them.
  template <class T>
  static T* merge(Shape in, const T* weights, T* out) {
    const Arrays<const T> p(in, weights);
    const int width = Base::width(in);
    const std::size_t kept = counts_of<L>(in).parameters;
    std::copy_n(weights, kept, out);
    kernel::gemm(Cpu{}, false, false, width, Base::units, Rank, scale<T>, p.down, Rank, p.up, Base::units, T{1}, out,
                 Base::units);
    return out + kept;
  }

 private:
  template <class T>
  static constexpr T scale = static_cast<T>(Alpha.value / Rank);
  template <class P>
  struct Arrays {
    Arrays(Shape in, P* first) : w(first) {
      const std::size_t width = static_cast<std::size_t>(Base::width(in)), units = static_cast<std::size_t>(Base::units);
      if (Base::bias) b = w + width * units;
      down = w + width * units + (Base::bias ? units : 0);
      up = down + width * Rank;
    }
    P* w;
    P* b = nullptr;
    P* down;
    P* up;
  };
};

GRAFT_END

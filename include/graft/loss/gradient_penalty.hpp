#pragma once
/// \file gradient_penalty.hpp  What a critic learns that is to give the Wasserstein-1 distance of two batches: Arjovsky,
/// Chintala, Bottou, "Wasserstein GAN", ICML 2017; Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville, "Improved training of
/// Wasserstein GANs", NeurIPS 2017.
#include "graft/config.hpp"
#include "graft/kernel/cpu/activation.hpp"
#include "graft/kernel/cpu/dense.hpp"
#include "graft/loss/record.hpp"
#include "graft/ops/activation.hpp"
#include "graft/ops/dense.hpp"
#include "graft/ops/flatten.hpp"

#include <array>
#include <cmath>
#include <cstddef>

GRAFT_BEGIN

/// mean f(x) - mean f(y) of a critic's outputs: the Wasserstein-1 distance of the batches where no f that changes by at most
/// 1 in a distance of 1 gives more (Kantorovich-Rubinstein). Batches may differ in size.
template <Shape S, Kind K, class T>
Loss<T> critic_distance(const Var<S, K, T>& of_x, const Var<S, K, T>& of_y) {
  static_assert(S == Vector<1> && K != Kind::probabilities, "graft: a critic gives one number, without sigmoid or softmax.");
  return detail::record_loss(of_x, of_y, [&](const T* x, const T* y, T* dx, T* dy) {
    const auto mean = [](const T* values, int count, double sign, T* slope) {
      double sum = 0.0;
      for (int i = 0; i < count; ++i) sum += static_cast<double>(values[i]);
      for (int i = 0; slope != nullptr && i < count; ++i) slope[i] = static_cast<T>(sign / count);
      return sum / count;
    };
    return static_cast<T>(mean(x, of_x.count(), 1.0, dx) - mean(y, of_y.count(), -1.0, dy));
  });
}
/// The same of one batch of both domains.
template <Shape S, Kind K, class T>
Loss<T> critic_distance(const Var<S, K, T>& outputs) {
  return critic_distance(outputs.source(), outputs.target());
}

namespace detail {

/// A layer of a critic as values: x w + b, an activation, or (flat) nothing.
struct CriticLayer {
  bool dense = false, bias = false, flat = false;
  kernel::Activation act{};
  double alpha = 0.0;
};
template <int Units, bool Bias>
constexpr CriticLayer critic_layer(const Dense<Units, Bias>*) {
  return {.dense = true, .bias = Bias};
}
template <kernel::Activation A, Number Alpha>
constexpr CriticLayer critic_layer(const Elementwise<A, Alpha>*) {
  return {.act = A, .alpha = Alpha.value};
}
constexpr CriticLayer critic_layer(const Flatten*) { return {.flat = true}; }
template <class L>
constexpr CriticLayer checked_critic_layer(const L* layer) {
  constexpr bool known = requires { critic_layer(layer); };
  static_assert(known, "graft: gradient_penalty differentiates Dense, activations and Flatten; no other layer in a critic.");
  if constexpr (known) return critic_layer(layer);
  return {};
}
template <Shape In, class... Ls>
constexpr std::array<CriticLayer, sizeof...(Ls)> critic_layers(const Net<In, Ls...>*) {
  return {checked_critic_layer(static_cast<const Ls*>(nullptr))...};
}

/// With x_0 = h and x_i+1 = x_i W + b or a(x_i), and on the way back p = 1, p_i = p_i+1 W' or a'(x_i) p_i+1, the gradient is
/// p_0. backward() differentiates along t_0 = c v (see gradient_penalty) through both: up, t_i+1 = t_i W or a'(x_i) t_i, and dW
/// is t_i' p_i+1; then down what reached the x_i by a'(x_i), that is q_i = q_i+1 W' or a'(x_i) q_i+1 + a''(x_i) p_i+1 t_i, as
/// any loss.
template <class T>
struct GradientPenalty {
  const CriticLayer* layer;
  const Shape* shape;
  const std::size_t* offset;  // of each layer's parameters
  int count, n;
  ModelBase<T>* critic;
  T **x, **p;
  T* along;  // t_0 of the unit loss
  Node<T>* out;

  [[nodiscard]] int width(int i) const { return static_cast<int>(shape[i].size()); }
  [[nodiscard]] std::ptrdiff_t size(int i) const { return static_cast<std::ptrdiff_t>(n) * width(i); }
  [[nodiscard]] T* some(Arena& arena, int i) const { return arena.take<T>(static_cast<std::size_t>(size(i))); }

  /// Fills x and p.
  void run(Arena& arena) {
    for (int i = 0; i < count; ++i) {
      const CriticLayer& l = layer[i];
      x[i + 1] = l.flat ? x[i] : some(arena, i + 1);
      const T* w = critic->values().data() + offset[i];
      if (l.dense) {
        const T* b = l.bias ? w + shape[i].size() * shape[i + 1].size() : nullptr;
        kernel::dense_forward(Cpu{}, n, width(i), width(i + 1), x[i], w, b, Epilogue{}, x[i + 1]);
      } else if (!l.flat) {
        kernel::activation_forward(Cpu{}, l.act, l.alpha, size(i), x[i], x[i + 1]);
      }
    }
    p[count] = some(arena, count);
    std::fill_n(p[count], n, T{1});
    for (int i = count; i-- > 0;) {
      p[i] = layer[i].flat ? p[i + 1] : some(arena, i);
      down(i, p[i + 1], p[i], nullptr);
    }
  }
  /// from = W' to or a' to; with gradients, those of a dense layer that was given x_i.
  void down(int i, T* to, T* from, T* gradients) const {
    const CriticLayer& l = layer[i];
    if (l.dense) {
      T* db = gradients != nullptr && l.bias ? gradients + shape[i].size() * shape[i + 1].size() : nullptr;
      kernel::dense_backward(Cpu{}, n, width(i), width(i + 1), x[i], critic->values().data() + offset[i],
                             static_cast<const T*>(nullptr), to, Epilogue{}, from, gradients, db);
    } else if (!l.flat && from != nullptr) {
      kernel::activation_backward(Cpu{}, l.act, l.alpha, size(i), x[i], x[i + 1], to, from);
    }
  }
  void backward(Tape<T>& tape) {
    if (out->gradient == nullptr) return;
    Arena& arena = tape.arena();
    ArenaScope scope(arena);
    const unsigned char* frozen = critic->frozen_layers();
    const auto gradients = [&](int i) { return frozen[i] != 0 ? nullptr : critic->gradients().data() + offset[i]; };
    T** t = arena.take<T*>(static_cast<std::size_t>(count) + 1);
    t[0] = some(arena, 0);
    for (std::ptrdiff_t k = 0; k < size(0); ++k) t[0][k] = *out->gradient * along[k];
    int curved = -1;
    for (int i = 0; i < count; ++i) {
      const CriticLayer& l = layer[i];
      t[i + 1] = l.flat ? t[i] : some(arena, i + 1);
      if (l.dense) {
        const T* w = critic->values().data() + offset[i];
        if (T* dw = gradients(i); dw != nullptr)
          kernel::gemm(Cpu{}, true, false, width(i), width(i + 1), n, T{1}, t[i], width(i), p[i + 1], width(i + 1), T{1}, dw,
                       width(i + 1));
        kernel::gemm(Cpu{}, false, false, n, width(i + 1), width(i), T{1}, t[i], width(i), w, width(i + 1), T{0}, t[i + 1],
                     width(i + 1));
      } else if (!l.flat) {
        kernel::activation_backward(Cpu{}, l.act, l.alpha, size(i), x[i], x[i + 1], t[i], t[i + 1]);
        if (!kernel::piecewise_linear(l.act)) curved = i;
      }
    }
    if (curved < 0) return;
    T* q = some(arena, curved + 1);
    std::fill_n(q, size(curved + 1), T{0});
    for (int i = curved; i >= 0; --i) {
      T* below = layer[i].flat ? q : some(arena, i);
      down(i, q, below, layer[i].dense ? gradients(i) : nullptr);
      q = below;
      if (!layer[i].dense && !layer[i].flat)
        kernel::activation_curvature(Cpu{}, layer[i].act, layer[i].alpha, size(i), x[i], x[i + 1], p[i + 1], t[i], q);
    }
  }
};

}  // namespace detail

/// mean over the rows h of (|df/dh| - 1)^2 (Gulrajani et al., equation 3), with its exact gradient in the critic's parameters;
/// the rows, which must stay until backward(), get none. With g = df/dh and v = g / |g|, that gradient is the sum over rows of
/// c d/dtheta (v . g), c = 2 (|g| - 1) / rows, v held constant; where g is 0, v is taken as 0. The critic: Dense, activations
/// and Flatten, one output. Throws Error for no rows.
template <class N, class Device, class T>
Loss<T> gradient_penalty(Tape<T>& tape, Model<N, Device, T>& critic, Rows<T> rows) {
  static_assert(N::output == Vector<1>, "graft: gradient_penalty: the critic must give 1 output.");
  static constexpr auto layers = detail::critic_layers(static_cast<const N*>(nullptr));
  if (rows.count < 1) fail("gradient_penalty: ", rows.count, " rows; it needs at least 1.");
  tape.open();
  tape.on_host("gradient_penalty");
  Arena& arena = tape.arena();
  constexpr std::size_t width = N::input.size(), count = layers.size();
  const std::size_t n = static_cast<std::size_t>(rows.count);
  detail::GradientPenalty<T> penalty{
      layers.data(), N::plan.shape.data(),      N::plan.parameters.data(), static_cast<int>(count),  rows.count,
      &critic,       arena.take<T*>(count + 1), arena.take<T*>(count + 1), arena.take<T>(n * width), nullptr};
  penalty.x[0] = const_cast<T*>(rows.data);  // never written
  penalty.run(arena);
  double sum = 0.0;
  for (std::size_t row = 0; row < n * width; row += width) {
    const T* g = penalty.p[0] + row;
    double squares = 0.0;
    for (std::size_t k = 0; k < width; ++k) squares += static_cast<double>(g[k]) * static_cast<double>(g[k]);
    const double norm = std::sqrt(squares);
    sum += (norm - 1.0) * (norm - 1.0);
    const T scale = static_cast<T>(norm > 0.0 ? 2.0 * (norm - 1.0) / (norm * rows.count) : 0.0);
    for (std::size_t k = 0; k < width; ++k) penalty.along[row + k] = scale * g[k];
  }
  T* value = arena.take<T>(1);
  *value = static_cast<T>(sum / rows.count);
  penalty.out = tape.node(value, 1, 1, critic.trains());
  if (penalty.out->wanted) tape.record(penalty);
  return {&tape, penalty.out};
}

GRAFT_END

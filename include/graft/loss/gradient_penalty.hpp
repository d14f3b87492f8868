#pragma once
/// \file gradient_penalty.hpp  What a critic learns that is to give the Wasserstein-1 distance of two batches: Arjovsky,
/// Chintala, Bottou, "Wasserstein GAN", ICML 2017; Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville, "Improved training of
/// Wasserstein GANs", NeurIPS 2017.
#include "graft/config.hpp"
#include "graft/kernel/cpu/activation.hpp"
#include "graft/kernel/cpu/dense.hpp"
#include "graft/kernel/cuda/losses.hpp"
#include "graft/loss/record.hpp"
#include "graft/ops/activation.hpp"
#include "graft/ops/dense.hpp"
#include "graft/ops/flatten.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <type_traits>

GRAFT_BEGIN

/// mean f(x) - mean f(y) of a critic's outputs: the Wasserstein-1 distance of the batches where no f that changes by at most
/// 1 in a distance of 1 gives more (Kantorovich-Rubinstein). Batches may differ in size.
template <Shape S, Kind K, class T>
Loss<T> critic_distance(const Var<S, K, T>& of_x, const Var<S, K, T>& of_y) {
  static_assert(S == Vector<1> && K != Kind::probabilities, "graft: a critic gives one number, without sigmoid or softmax.");
  const auto here = [&](const T* x, const T* y, T* dx, T* dy) {
    const auto mean = [](const T* values, int count, double sign, T* slope) {
      double sum = 0.0;
      for (int i = 0; i < count; ++i) sum += static_cast<double>(values[i]);
      for (int i = 0; slope != nullptr && i < count; ++i) slope[i] = static_cast<T>(sign / count);
      return sum / count;
    };
    return static_cast<T>(mean(x, of_x.count(), 1.0, dx) - mean(y, of_y.count(), -1.0, dy));
  };
  return detail::record_loss(of_x, of_y, here,
                             [&](const DeviceLosses<T>& losses, const T* x, const T* y, T* dx, T* dy, T* value) {
                               losses.mean_gap(of_x.count(), of_y.count(), x, y, dx, dy, value);
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
template <class T, class Device>
struct GradientPenalty {
  static constexpr bool waits_for_nothing = true;
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
  void run(Tape<T>& tape) {
    Arena& arena = tape.arena();
    for (int i = 0; i < count; ++i) {
      const CriticLayer& l = layer[i];
      x[i + 1] = l.flat ? x[i] : some(arena, i + 1);
      const T* w = critic->place(false).weights + offset[i];
      if (l.dense) {
        const T* b = l.bias ? w + shape[i].size() * shape[i + 1].size() : nullptr;
        kernel::dense_forward(Device{}, n, width(i), width(i + 1), x[i], w, b, Epilogue{}, x[i + 1]);
      } else if (!l.flat) {
        kernel::activation_forward(Device{}, l.act, l.alpha, size(i), x[i], x[i + 1]);
      }
    }
    p[count] = tape.filled(static_cast<std::size_t>(n), T{1});
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
      kernel::dense_backward(Device{}, n, width(i), width(i + 1), x[i], critic->place(false).weights + offset[i],
                             static_cast<const T*>(nullptr), to, Epilogue{}, from, gradients, db);
    } else if (!l.flat && from != nullptr) {
      kernel::activation_backward(Device{}, l.act, l.alpha, size(i), x[i], x[i + 1], to, from);
    }
  }
  void backward(Tape<T>& tape) {
    if (out->gradient == nullptr) return;
    Arena& arena = tape.arena();
    ArenaScope scope(arena);
    const unsigned char* frozen = critic->frozen_layers();
    const auto gradients = [&](int i) { return frozen[i] != 0 ? nullptr : critic->place(true).gradients + offset[i]; };
    T** t = arena.take_host<T*>(static_cast<std::size_t>(count) + 1);
    t[0] = tape.filled(static_cast<std::size_t>(size(0)), T{0});
    add_scaled(tape.device(), static_cast<std::size_t>(size(0)), *out->gradient, along, t[0]);
    int curved = -1;
    for (int i = 0; i < count; ++i) {
      const CriticLayer& l = layer[i];
      t[i + 1] = l.flat ? t[i] : some(arena, i + 1);
      if (l.dense) {
        const T* w = critic->place(false).weights + offset[i];
        if (T* dw = gradients(i); dw != nullptr)
          kernel::gemm(Device{}, true, false, width(i), width(i + 1), n, T{1}, t[i], width(i), p[i + 1], width(i + 1), T{1}, dw,
                       width(i + 1));
        kernel::gemm(Device{}, false, false, n, width(i + 1), width(i), T{1}, t[i], width(i), w, width(i + 1), T{0}, t[i + 1],
                     width(i + 1));
      } else if (!l.flat) {
        kernel::activation_backward(Device{}, l.act, l.alpha, size(i), x[i], x[i + 1], t[i], t[i + 1]);
        if (!kernel::piecewise_linear(l.act)) curved = i;
      }
    }
    if (curved < 0) return;
    T* q = tape.filled(static_cast<std::size_t>(size(curved + 1)), T{0});
    for (int i = curved; i >= 0; --i) {
      T* below = layer[i].flat ? q : some(arena, i);
      down(i, q, below, layer[i].dense ? gradients(i) : nullptr);
      q = below;
      if (!layer[i].dense && !layer[i].flat)
        kernel::activation_curvature(Device{}, layer[i].act, layer[i].alpha, size(i), x[i], x[i + 1], p[i + 1], t[i], q);
    }
  }
};

/// The mean over the rows of (|g| - 1)^2; along: its gradient.
template <class T>
T unit_norms(int rows, std::size_t width, const T* g, T* along) {
  double sum = 0.0;
  for (int row = 0; row < rows; ++row, g += width, along += width) {
    double squares = 0.0;
    for (std::size_t k = 0; k < width; ++k) squares += static_cast<double>(g[k]) * static_cast<double>(g[k]);
    const double norm = std::sqrt(squares);
    sum += (norm - 1.0) * (norm - 1.0);
    const T scale = static_cast<T>(norm > 0.0 ? 2.0 * (norm - 1.0) / (norm * rows) : 0.0);
    for (std::size_t k = 0; k < width; ++k) along[k] = scale * g[k];
  }
  return static_cast<T>(sum / rows);
}

}  // namespace detail

/// mean over the rows h of (|df/dh| - 1)^2 (Gulrajani et al., equation 3), with its exact gradient in the critic's parameters;
/// the rows, which must stay until backward(), get none. With g = df/dh and v = g / |g|, that gradient is the sum over rows of
/// c d/dtheta (v . g), c = 2 (|g| - 1) / rows, v held constant; where g is 0, v is taken as 0. The critic: Dense, activations
/// and Flatten, one output. Throws Error for no rows.
template <class N, class Device, class T>
Loss<T> gradient_penalty(Tape<T>& tape, Model<N, Device, T>& critic, Rows<T> rows) {
  static_assert(N::output == Vector<1>, "graft: gradient_penalty: the critic must give 1 output.");
  static constexpr auto layers = detail::critic_layers(static_cast<const N*>(nullptr));
  using Where = std::conditional_t<std::is_base_of_v<Cuda, Device>, Cuda, Cpu>;  // in full precision, whatever the critic's
  if (rows.count < 1) fail("gradient_penalty: ", rows.count, " rows; it needs at least 1.");
  tape.use(critic.device(), critic.label());
  Arena& arena = tape.arena();
  constexpr std::size_t width = N::input.size(), count = layers.size();
  const std::size_t n = static_cast<std::size_t>(rows.count);
  detail::GradientPenalty<T, Where> penalty{
      layers.data(), N::plan.shape.data(),           N::plan.parameters.data(),      static_cast<int>(count),  rows.count,
      &critic,       arena.take_host<T*>(count + 1), arena.take_host<T*>(count + 1), arena.take<T>(n * width), nullptr};
  penalty.x[0] = const_cast<T*>(tape.brought(rows.data, n * width));  // never written
  penalty.run(tape);
  T* value = arena.take<T>(1);
  if (tape.device() != nullptr)
    tape.device()->losses().unit_norms(rows.count, static_cast<int>(width), penalty.p[0], penalty.along, value);
  else
    *value = detail::unit_norms(rows.count, width, penalty.p[0], penalty.along);
  penalty.out = tape.scalar(value, critic.trains());
  if (penalty.out->wanted) tape.record(penalty);
  return {&tape, penalty.out};
}

GRAFT_END

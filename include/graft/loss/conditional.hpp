#pragma once
/// \file conditional.hpp  Features together with what they are taken for (Long et al. 2018, CDAN): the multilinear map, its
/// random projection, and the entropy weights.
#include "graft/config.hpp"
#include "graft/core/buffer.hpp"
#include "graft/core/random.hpp"
#include "graft/kernel/cpu/dense.hpp"
#include "graft/kernel/cpu/softmax.hpp"
#include "graft/loss/record.hpp"
#include "graft/loss/supervised.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>

GRAFT_BEGIN

namespace detail {
/// Multiplies each row's gradient by that row's other factor and hands it to the features, through a matrix (d x wide) where
/// there is one.
template <class T>
struct ConditionalCall {
  View<T> features;
  Node<T>* out;
  const T* other;   ///< outer product: the probabilities, n x classes; random: g R_g / sqrt(wide), n x wide
  const T* matrix;  ///< null for the outer product
  int classes, d, wide;
  static constexpr bool waits_for_nothing = true;
  void backward(Tape<T>& tape) {
    if (out->gradient == nullptr || !features.wanted()) return;
    const std::size_t n = static_cast<std::size_t>(out->rows), width = static_cast<std::size_t>(d);
    ArenaScope scope(tape.arena());
    T* unit = tape.arena().template take<T>(n * width);
    if (matrix == nullptr && tape.device() != nullptr) {
      tape.device()->losses().outer_backward(out->rows, classes, d, other, out->gradient, unit);
    } else if (matrix == nullptr) {
      for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t k = 0; k < width; ++k) {
          T sum{0};
          for (std::size_t c = 0; c < static_cast<std::size_t>(classes); ++c)
            sum += other[i * static_cast<std::size_t>(classes) + c] * out->gradient[i * out->row + c * width + k];
          unit[i * width + k] = sum;
        }
      }
    } else if (tape.device() != nullptr) {
      tape.device()->losses().random_map_backward(out->rows, d, wide, other, matrix, out->gradient, unit);
    } else {
      T* scaled = tape.arena().template take<T>(n * out->row);
      for (std::size_t i = 0; i < n * out->row; ++i) scaled[i] = other[i] * out->gradient[i];
      kernel::dense_backward(Cpu{}, out->rows, d, wide, static_cast<const T*>(nullptr), matrix, static_cast<const T*>(nullptr),
                             scaled, Epilogue{}, unit, static_cast<T*>(nullptr), static_cast<T*>(nullptr));
    }
    tape.contribute(features, 1.0, unit);
  }
};
}  // namespace detail

/// softmax(logits), n x S.c, in the tape's memory: constants, no gradient goes back. On a device the host waits before it reads
/// them: Tape::on_host().
template <Shape S, Kind K, class T>
const T* probabilities_of(const Var<S, K, T>& logits) {
  static_assert(LossWantsLogits<K>::ok);
  Tape<T>& tape = *logits.tape;
  T* p = tape.arena().template take<T>(logits.view.size());
  if (tape.device() != nullptr)
    tape.device()->losses().softmax(logits.count(), S.c, logits.view.value(), p);
  else
    kernel::softmax_forward(Cpu{}, logits.count(), S.c, logits.view.value(), p);
  return p;
}

/// The multilinear map of features f and g = softmax(logits), which is held constant: g x f, class by class (Long et al. 2018,
/// equation 5, flattened as its authors do).
template <Shape F, Kind A, Shape L, Kind B, class T>
Var<Vector<static_cast<int>(F.size()) * L.c>, Kind::features, T> conditional(const Var<F, A, T>& f,
                                                                             const Var<L, B, T>& logits) {
  constexpr int d = static_cast<int>(F.size());
  const T* g = probabilities_of(logits);
  Tape<T>& tape = *f.tape;
  const std::size_t n = static_cast<std::size_t>(f.count()), row = static_cast<std::size_t>(d) * static_cast<std::size_t>(L.c);
  T* value = tape.arena().template take<T>(n * row);
  if (tape.device() != nullptr) {
    tape.bring(*f.view.node);
    tape.device()->losses().outer(f.count(), L.c, d, g, f.view.value(), value);
  }
  for (std::size_t i = 0; i < n && tape.device() == nullptr; ++i) {
    for (std::size_t c = 0; c < static_cast<std::size_t>(L.c); ++c) {
      for (std::size_t k = 0; k < static_cast<std::size_t>(d); ++k)
        value[i * row + c * d + k] = g[i * static_cast<std::size_t>(L.c) + c] * f.view.value()[i * d + k];
    }
  }
  Node<T>* out = tape.node(value, row, f.count(), f.view.wanted());
  if (out->wanted) tape.record(detail::ConditionalCall<T>{f.view, out, g, nullptr, L.c, d, static_cast<int>(row)});
  return {&tape, {out, 0, f.count(), 1.0}, f.split};
}

/// Two fixed matrices of normal numbers for the random map to `wide` numbers, where the models are: Model::device().
template <class T>
struct RandomMap {
  int d = 0, classes = 0, wide = 0;
  Buffer<T> features, labels;  ///< d x wide, classes x wide
  RandomMap(int features_in, int classes_in, int wide_out, std::uint64_t seed, const DeviceMemory* memory = nullptr)
      : d(features_in), classes(classes_in), wide(wide_out), features(numbers(d), memory), labels(numbers(classes), memory) {
    Random random(seed, 0x6364616e);
    for (Buffer<T>* m : {&features, &labels}) {
      for (T& x : *m) x = static_cast<T>(random.normal());
    }
  }

 private:
  [[nodiscard]] std::size_t numbers(int rows) const { return static_cast<std::size_t>(rows) * static_cast<std::size_t>(wide); }
};

/// (f R_f) * (g R_g) / sqrt(wide), elementwise: the map's random projection (equation 6), for which the map must outlive the
/// step.
template <int Wide, Shape F, Kind A, Shape L, Kind B, class T>
Var<Vector<Wide>, Kind::features, T> conditional(const Var<F, A, T>& f, const Var<L, B, T>& logits, const RandomMap<T>& map) {
  Tape<T>& tape = *f.tape;
  const std::size_t size = static_cast<std::size_t>(f.count()) * static_cast<std::size_t>(Wide);
  const T* g = probabilities_of(logits);
  T* value = tape.arena().template take<T>(size);
  T* other = tape.arena().template take<T>(size);
  const T part = static_cast<T>(1.0 / std::sqrt(static_cast<double>(Wide)));
  const T* of_f = tape.brought(map.features.data(), map.features.size());
  if (tape.device() != nullptr) {
    tape.bring(*f.view.node);
    tape.device()->losses().random_map(f.count(), map.d, map.classes, Wide, f.view.value(), g, of_f,
                                       tape.brought(map.labels.data(), map.labels.size()), part, other, value);
  } else {
    const T* none = nullptr;
    kernel::dense_forward(Cpu{}, f.count(), map.d, Wide, f.value(), of_f, none, Epilogue{}, value);
    kernel::dense_forward(Cpu{}, f.count(), map.classes, Wide, g, map.labels.data(), none, Epilogue{}, other);
    for (std::size_t i = 0; i < size; ++i) {
      other[i] *= part;
      value[i] *= other[i];
    }
  }
  Node<T>* out = tape.node(value, Wide, f.count(), f.view.wanted());
  if (out->wanted) tape.record(detail::ConditionalCall<T>{f.view, out, other, of_f, L.c, map.d, Wide});
  return {&tape, {out, 0, f.count(), 1.0}, f.split};
}

/// 1 + exp(-H(softmax(logits))) of each row, with log(p + 1e-5) in H (CDAN+E), then scaled: so that each domain's have the sum
/// of its rows (`each`, the authors' code), or all together that of all rows (tllib). Constants; in the tape's memory.
template <Shape S, Kind K, class T>
const T* entropy_weights(const Var<S, K, T>& logits, bool each) {
  const T* p = probabilities_of(logits);
  T* w = logits.tape->arena().template take<T>(static_cast<std::size_t>(logits.count()));
  if (const auto* device = logits.tape->device(); device != nullptr) {
    device->losses().entropy_weights(logits.count(), each ? logits.split : 0, S.c, p, w);
    return w;
  }
  for (int i = 0; i < logits.count(); ++i) {
    double h = 0.0;
    for (int c = 0; c < S.c; ++c) {
      const double q = static_cast<double>(p[i * S.c + c]);
      h -= q * std::log(q + 1e-5);
    }
    w[i] = static_cast<T>(1.0 + std::exp(-h));
  }
  const auto scale = [&](int begin, int end) {
    double sum = 0.0;
    for (int i = begin; i < end; ++i) sum += static_cast<double>(w[i]);
    for (int i = begin; i < end; ++i) w[i] = static_cast<T>(static_cast<double>(w[i]) * (end - begin) / sum);
  };
  if (each)
    scale(0, logits.split), scale(logits.split, logits.count());
  else
    scale(0, logits.count());
  return w;
}

/// The mean over both domains of each domain's mean of weight * BCE, from one logit of "source" a row; null: no weights.
template <Shape S, Kind K, class T>
Loss<T> domain_cross_entropy(const Var<S, K, T>& logits, const T* weights) {
  static_assert(LossWantsLogits<K>::ok && S == Vector<1>);
  const auto here = [&](const T* z, T* dz) {
    double loss = 0.0;
    for (int i = 0; i < logits.count(); ++i) {
      const bool source = i < logits.split;
      const double share = 0.5 / (source ? logits.split : logits.count() - logits.split);
      const double w = share * (weights != nullptr ? static_cast<double>(weights[i]) : 1.0), x = static_cast<double>(z[i]);
      const double e = std::exp(-std::abs(x));
      loss += w * (std::max(x, 0.0) - (source ? x : 0.0) + std::log1p(e));
      const double sigmoid = x >= 0.0 ? 1.0 / (1.0 + e) : e / (1.0 + e);
      if (dz != nullptr) dz[i] = static_cast<T>(w * (sigmoid - (source ? 1.0 : 0.0)));
    }
    return static_cast<T>(loss);
  };
  return detail::record_loss(logits, here, [&](const DeviceLosses<T>& losses, const T* z, T* dz, T* value) {
    losses.domain_cross_entropy(logits.count(), logits.split, z,
                                logits.tape->brought(weights, static_cast<std::size_t>(logits.count())), dz, value);
  });
}

GRAFT_END

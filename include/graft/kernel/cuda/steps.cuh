#pragma once
/// \file steps.cuh  Elementwise work of the tape, and optimiser steps: one kernel over a model's whole flat buffer.
#include "graft/kernel/cuda/optimizers.hpp"
#include "graft/kernel/cuda/reduce.cuh"
#include "graft/kernel/cuda/vectors.hpp"

#include <cstdint>
#include <cstring>
#include <type_traits>

GRAFT_CUDA_BEGIN
namespace detail {

template <class T>
struct AddScaled {
  T scale;
  const T* factor;
  const T* x;
  T* y;
  __device__ void operator()(std::ptrdiff_t i) const { y[i] += (factor != nullptr ? scale * *factor : scale) * x[i]; }
};
template <class T>
struct Blend {  ///< y = keep y + take x; with keep 0 y is not read, x may be null
  T keep, take;
  const T* x;
  T* y;
  __device__ void operator()(std::ptrdiff_t i) const {
    y[i] = (keep == T{0} ? T{0} : keep * y[i]) + (x != nullptr ? take * x[i] : T{0});
  }
};
template <class T>
struct Fill {
  T number;
  T* y;
  __device__ void operator()(std::ptrdiff_t i) const { y[i] = number; }
};
template <std::size_t Unit>
struct CopyBytes {  ///< from null: zeros
  const unsigned char* from;
  unsigned char* to;
  __device__ void operator()(std::ptrdiff_t i) const {
    struct alignas(Unit) Word {
      unsigned char bytes[Unit];
    } word{};
    const std::size_t at = static_cast<std::size_t>(i) * Unit;
    if (from != nullptr) std::memcpy(&word, __builtin_assume_aligned(from + at, Unit), Unit);
    std::memcpy(__builtin_assume_aligned(to + at, Unit), &word, Unit);
  }
};
template <class T>
struct CopyRows {
  RowCopy how;
  const T* from;
  T* to;
  __device__ void operator()(std::ptrdiff_t i) const {
    const std::size_t at = static_cast<std::size_t>(i) % how.numbers, row = static_cast<std::size_t>(i) / how.numbers;
    const std::size_t block = row / how.rows, in_block = row % how.rows;
    to[block * how.to_block + in_block * how.to_row + at] = from[block * how.from_block + in_block * how.from_row + at];
  }
};
template <class T>
struct Weigh {
  double weight_a, weight_b;
  const T* a;
  const T* b;
  T* out;
  __device__ void operator()(std::ptrdiff_t) const {
    *out = static_cast<T>(weight_a) * *a + (b != nullptr ? static_cast<T>(weight_b) * *b : T{0});
  }
};
template <class T>
struct Multiply {
  const T* a;
  const T* b;
  T* out;
  __device__ void operator()(std::ptrdiff_t) const { *out = *a * *b; }
};

// ---- optimisers -------------------------------------------------------------------------------------------------------------
/// The segment that holds number i, or null. Neighbouring threads ask for neighbours: they read the same few numbers.
inline __device__ const FlatSegment* segment_of(const FlatSegment* segments, int count, std::ptrdiff_t i) {
  int low = 0, high = count - 1;
  while (low < high) {
    const int middle = (low + high + 1) / 2;
    if (segments[middle].begin <= i) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return segments[low].begin <= i && i < segments[low].end ? segments + low : nullptr;
}

template <class T>
struct SquareOf {
  const FlatSegment* segments;
  int count;
  const T* gradient;
  __device__ double operator()(std::ptrdiff_t i) const {
    const FlatSegment* s = segment_of(segments, count, i);
    return s != nullptr && s->trainable ? static_cast<double>(gradient[i]) * static_cast<double>(gradient[i]) : 0.0;
  }
};
struct NoteSquares {
  bool add;
  double* squares;
  __device__ void operator()(double sum) const { *squares = add ? *squares + sum : sum; }
};

/// By a kernel of ours, not the driver's copies: a graph of kernels alone takes any pointer at any time.
inline void copy_bytes(std::size_t bytes, const void* from, void* to) {
  const auto each_unit = [&]<std::size_t Unit>(std::integral_constant<std::size_t, Unit>) {
    each("copy", static_cast<std::ptrdiff_t>(bytes / Unit),
         CopyBytes<Unit>{static_cast<const unsigned char*>(from), static_cast<unsigned char*>(to)});
  };
  const std::size_t all = bytes | reinterpret_cast<std::uintptr_t>(from) | reinterpret_cast<std::uintptr_t>(to);
  if (all % 16 == 0) return each_unit(std::integral_constant<std::size_t, 16>{});
  if (all % 4 == 0) return each_unit(std::integral_constant<std::size_t, 4>{});
  each_unit(std::integral_constant<std::size_t, 1>{});
}

/// Calls rule(p, g without decay, i, segment) where number i is trained, and empties the gradient.
template <class T, class Rule>
struct Update {
  FlatParameters<T> to;
  Clip clip;
  Rule rule;
  __device__ void operator()(std::ptrdiff_t i) const {
    const FlatSegment* s = segment_of(to.segments, to.count, i);
    if (s == nullptr) return;
    if (s->trainable) {
      double scale = 1.0;
      if (clip.norm > 0.0) {
        const double norm = std::sqrt(*clip.squares);
        if (norm > clip.norm) scale = clip.norm / norm;
      }
      rule(to.value[i], static_cast<T>(scale) * to.gradient[i], i, *s);
    }
    to.gradient[i] = T{0};
  }
};

template <class T>
struct SgdUpdate {
  double rate, decay;
  T momentum;
  bool nesterov;
  T* v;
  __device__ void operator()(T& p, T gradient, std::ptrdiff_t i, const FlatSegment& s) const {
    const T g = gradient + static_cast<T>(s.decays ? decay : 0.0) * p;
    v[i] = momentum * v[i] + g;
    p -= static_cast<T>(rate * s.rate) * (nesterov ? g + momentum * v[i] : v[i]);
  }
};
template <class T>
struct AdamUpdate {
  double rate, decay;
  bool decoupled;
  T beta1, beta2, epsilon;
  double correction1;
  T root;
  T* m;
  T* v;
  __device__ void operator()(T& p, T gradient, std::ptrdiff_t i, const FlatSegment& s) const {
    const double own = rate * s.rate, pull = s.decays ? decay : 0.0;
    const T g = gradient + static_cast<T>(decoupled ? 0.0 : pull) * p;
    m[i] = beta1 * m[i] + (T{1} - beta1) * g;
    v[i] = beta2 * v[i] + (T{1} - beta2) * g * g;
    p = static_cast<T>(decoupled ? 1.0 - own * pull : 1.0) * p -
        static_cast<T>(own / correction1) * m[i] / (std::sqrt(v[i]) * root + epsilon);
  }
};
template <class T>
struct RootUpdate {
  double rate, decay;
  T keep, add, epsilon;
  T* v;
  __device__ void operator()(T& p, T gradient, std::ptrdiff_t i, const FlatSegment& s) const {
    const T g = gradient + static_cast<T>(s.decays ? decay : 0.0) * p;
    v[i] = keep * v[i] + add * g * g;
    p -= static_cast<T>(rate * s.rate) * g / (std::sqrt(v[i]) + epsilon);
  }
};

template <class T, class Rule>
void update(const char* name, const FlatParameters<T>& to, const Clip& clip, const Rule& rule) {
  each(name, to.size, Update<T, Rule>{to, clip, rule});
}

}  // namespace detail

template <class T>
void add_scaled(Cuda, std::size_t count, T scale, const T* x, T* y) {
  detail::each("add_scaled", static_cast<std::ptrdiff_t>(count), detail::AddScaled<T>{scale, nullptr, x, y});
}
template <class T>
void add_scaled(Cuda, std::size_t count, T scale, const T* factor, const T* x, T* y) {
  detail::each("add_scaled", static_cast<std::ptrdiff_t>(count), detail::AddScaled<T>{scale, factor, x, y});
}
template <class T>
void scale_by(Cuda, std::size_t count, T scale, T* y) {
  detail::each("scale_by", static_cast<std::ptrdiff_t>(count), detail::Blend<T>{scale, T{0}, nullptr, y});
}
template <class T>
void blend(Cuda, std::size_t count, T keep, T take, const T* x, T* y) {
  detail::each("blend", static_cast<std::ptrdiff_t>(count), detail::Blend<T>{keep, take, x, y});
}
template <class T>
void fill(Cuda, std::size_t count, T number, T* y) {
  detail::each("fill", static_cast<std::ptrdiff_t>(count), detail::Fill<T>{number, y});
}
template <class T>
void copy_rows(Cuda, const RowCopy& how, const T* from, T* to) {
  detail::each("copy_rows", static_cast<std::ptrdiff_t>(how.blocks * how.rows * how.numbers),
               detail::CopyRows<T>{how, from, to});
}
template <class T>
void weigh(Cuda, double weight_a, const T* a, double weight_b, const T* b, T* out) {
  detail::each("weigh", 1, detail::Weigh<T>{weight_a, weight_b, a, b, out});
}
template <class T>
void multiply(Cuda, const T* a, const T* b, T* out) {
  detail::each("multiply", 1, detail::Multiply<T>{a, b, out});
}

template <class T>
void sum_gradient_squares(Cuda, const FlatParameters<T>& parameters, bool add, double* squares) {
  detail::sum("sum_gradient_squares", parameters.size,
              detail::SquareOf<T>{parameters.segments, parameters.count, parameters.gradient},
              detail::NoteSquares{add, squares});
}

template <class T>
void sgd_step(Cuda, const FlatParameters<T>& parameters, double learning_rate, double momentum, double weight_decay,
              bool nesterov, const Clip& clip, T* v) {
  detail::update("sgd_step", parameters, clip,
                 detail::SgdUpdate<T>{learning_rate, weight_decay, static_cast<T>(momentum), nesterov, v});
}
template <class T>
void adam_step(Cuda, const FlatParameters<T>& parameters, double learning_rate, double beta1, double beta2, double epsilon,
               double weight_decay, bool decoupled, std::uint64_t step, const Clip& clip, T* m, T* v) {
  const double t = static_cast<double>(step);
  const T root = static_cast<T>(1.0 / std::sqrt(1.0 - std::pow(beta2, t)));
  detail::update("adam_step", parameters, clip,
                 detail::AdamUpdate<T>{learning_rate, weight_decay, decoupled, static_cast<T>(beta1), static_cast<T>(beta2),
                                       static_cast<T>(epsilon), 1.0 - std::pow(beta1, t), root, m, v});
}
template <class T>
void root_step(Cuda, const FlatParameters<T>& parameters, double learning_rate, double keep, double add, double epsilon,
               double weight_decay, const Clip& clip, T* v) {
  detail::update("root_step", parameters, clip,
                 detail::RootUpdate<T>{learning_rate, weight_decay, static_cast<T>(keep), static_cast<T>(add),
                                       static_cast<T>(epsilon), v});
}

GRAFT_CUDA_END

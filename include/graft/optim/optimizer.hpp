#pragma once
/// \file optimizer.hpp  What all optimisers share: the flat buffers of several models, one fused pass over each, named
/// multipliers, clipping, and state that a checkpoint can hold.
#include "graft/config.hpp"
#include "graft/core/accelerator.hpp"
#include "graft/core/buffer.hpp"
#include "graft/core/error.hpp"
#include "graft/core/parallel.hpp"
#include "graft/core/parameters.hpp"
#include "graft/kernel/cpu/simd.hpp"
#include "graft/optim/flat.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

GRAFT_BEGIN

namespace detail {
/// Of how many numbers at a time square_roots is asked: they stay in the first-level cache.
inline constexpr std::ptrdiff_t root_block = 256;

#if defined(__GNUC__) && !defined(__clang__)  // GCC 12 takes its own _mm512_sqrt_ps for uninitialised (GCC bug 105593)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
/// roots[i] = sqrt(x[i]). The compiler makes no vectors of std::sqrt, which has errno to set, and that costs Adam a factor of
/// four.
template <class T>
void square_roots(const T* x, std::ptrdiff_t count, T* roots) {
  std::ptrdiff_t i = 0;
  if constexpr (requires { typename kernel::Vec<T>::Batch; }) {
    using Batch = typename kernel::Vec<T>::Batch;
    constexpr std::ptrdiff_t lanes = kernel::lanes<T>;
    for (; i + lanes <= count; i += lanes) xsimd::sqrt(Batch::load_unaligned(x + i)).store_unaligned(roots + i);
  }
  for (; i < count; ++i) roots[i] = std::sqrt(x[i]);
}
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

/// Sum of squares in double, as eight sums side by side: a fixed order that makes vectors.
template <class T>
double sum_of_squares(const T* x, std::ptrdiff_t count) {
  double sums[8] = {};
  std::ptrdiff_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (int k = 0; k < 8; ++k) sums[k] += static_cast<double>(x[i + k]) * static_cast<double>(x[i + k]);
  }
  for (int k = 0; i < count; ++i, ++k) sums[k] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  double total = 0.0;
  for (const double sum : sums) total += sum;
  return total;
}
}  // namespace detail

/// Base of the optimisers. `Rule` gives `slots` (state numbers for each parameter), `prepare()`, called once a step,
/// `factors(rate, decays)` of a segment, and `apply(factors, begin, end, p, gradient, scale, state)` on a piece of it, and
/// `apply_on(device, parameters, clip, state)` on all of them; see Sgd.
/// The models must outlive the optimiser and stay where they are.
template <class Rule, class T>
class Optimizer {
 public:
  double learning_rate = 0.01;  ///< set by schedules between steps
  double clip_norm = 0.0;       ///< gradients are scaled down to this norm over all models; 0: never
  std::uint64_t steps = 0;      ///< taken so far

  /// Multiplies the learning rate of the parameters whose "model/segment" name matches `pattern` (`*` stands for any text).
  /// Throws Error, with the names there are, when none does.
  void multiply(const std::string& pattern, double factor) {
    bool found = false;
    std::string names;
    for (Block& block : blocks_) {
      for (std::size_t i = 0; i < block.rates.size(); ++i) {
        const std::string name = block.parameters.name + "/" + (*block.parameters.segments)[i].name;
        names += " " + name;
        if (!matches(pattern, name)) continue;
        block.rates[i] *= factor;
        found = true;
      }
    }
    if (!found) fail("multiply: no parameter matches '", pattern, "'; there are", names, ".");
  }

  /// One update from the gradients that backward() left, which are set to zero on the way.
  void step(Gradients = {}) {
    ++steps;
    if (device_ != nullptr) return step_on_device();
    const double scale = clip_norm > 0.0 ? clip_scale() : 1.0;
    Rule& rule = static_cast<Rule&>(*this);
    rule.prepare();
    for (Block& block : blocks_) {
      const std::vector<Segment>& segments = *block.parameters.segments;
      for (std::size_t i = 0, end = 0; i < segments.size(); i = end) {
        bool trains = false;
        for (; end < segments.size() && segments[end].layer == segments[i].layer; ++end) trains |= segments[end].trainable;
        if (!trains) continue;  // a layer that is frozen as a whole gets no gradients: its zeros need no writing
        for (std::size_t k = i; k < end; ++k) update(rule, block, k, static_cast<T>(scale));
      }
    }
  }

  /// As it was before its first step.
  void reset() {
    for_each_state([](const auto&, T* numbers, std::size_t count) { std::fill_n(numbers, count, T{0}); });
    steps = 0;
  }

  /// f(name, data, count) for every state array, in a fixed order. Waits for a device.
  template <class F>
  void for_each_state(F&& f) {
    if (device_ != nullptr) device_->synchronise();
    for (Block& block : blocks_) {
      for (std::size_t k = 0; k < static_cast<std::size_t>(Rule::slots); ++k) {
        f(block.parameters.name + "/state" + std::to_string(k), block.state[k].data(), block.state[k].size());
      }
    }
  }

 protected:
  template <class... Models>
  explicit Optimizer(double rate, double clip, Models&... models) : learning_rate(rate), clip_norm(clip) {
    (add(models.parameters()), ...);
  }

 private:
  struct Block {
    Parameters<T> parameters;
    std::vector<double> rates;  // of multiply(), one for each segment
    std::vector<Buffer<T>> state;
    detail::FlatOnDevice flat{};
  };

  /// Elements that a thread takes at a time.
  static constexpr std::ptrdiff_t piece = 1 << 14;
  static int pieces_of(const Segment& s) {
    return static_cast<int>((static_cast<std::ptrdiff_t>(s.count) + piece - 1) / piece);
  }

  GRAFT_COLD void add(const Parameters<T>& parameters) {
    for (const Block& other : blocks_) {
      if (parameters.size != 0 && other.parameters.value == parameters.value) {
        fail("an optimiser was given the model '", parameters.name,
             "' twice, which would update it twice a step; name each once.");
      }
    }
    for (const Segment& s : *parameters.segments) {
      const std::size_t pieces = static_cast<std::size_t>(pieces_of(s));
      if (partial_.size() < pieces) partial_.resize(pieces);
    }
    if (blocks_.empty()) device_ = parameters.device;
    if (parameters.device != device_)
      fail("an optimiser was given models on different devices ('", blocks_.front().parameters.name, "' and '", parameters.name,
           "'); give each device an optimiser of its own.");
    if (device_ != nullptr && squares_.empty()) squares_ = Buffer<double>(1, device_);
    Block block{parameters, std::vector<double>(parameters.segments->size(), 1.0), {}};
    for (int k = 0; k < Rule::slots; ++k) block.state.emplace_back(parameters.size, parameters.device);
    blocks_.push_back(std::move(block));
  }

  void update(Rule& rule, Block& block, std::size_t segment, T scale) {
    const Segment& s = (*block.parameters.segments)[segment];
    T* p = block.parameters.value + s.offset;
    T* g = block.parameters.gradient + s.offset;
    std::array<T*, 3> state{};
    for (std::size_t k = 0; k < block.state.size(); ++k) state[k] = block.state[k].data() + s.offset;
    const std::ptrdiff_t count = static_cast<std::ptrdiff_t>(s.count);
    const int pieces = pieces_of(s);
    const typename Rule::Factors factors = rule.factors(learning_rate * block.rates[segment], s.decay);
    parallel_for(
        pieces,
        [&](int i) {
          const std::ptrdiff_t begin = i * piece;
          const std::ptrdiff_t end = std::min(count, begin + piece);
          if (s.trainable) Rule::apply(factors, begin, end, p, g, scale, state);
          for (std::ptrdiff_t j = begin; j < end; ++j) g[j] = T{0};
        },
        pieces > 2);
  }

  /// clip_norm / norm when the norm over all trained parameters is larger; sums in double, in a fixed order.
  double clip_scale() {
    double squares = 0.0;
    for (const Block& block : blocks_) {
      for (const Segment& s : *block.parameters.segments) {
        if (!s.trainable) continue;
        const T* g = block.parameters.gradient + s.offset;
        const std::ptrdiff_t count = static_cast<std::ptrdiff_t>(s.count);
        const int pieces = pieces_of(s);
        parallel_for(
            pieces,
            [&](int i) {
              partial_[static_cast<std::size_t>(i)] = detail::sum_of_squares(g + i * piece, std::min(piece, count - i * piece));
            },
            pieces > 2);
        for (int i = 0; i < pieces; ++i) squares += partial_[static_cast<std::size_t>(i)];
      }
    }
    const double norm = std::sqrt(squares);
    return norm > clip_norm ? clip_norm / norm : 1.0;
  }

  /// One kernel for each model, all its segments at once.
  void step_on_device() {
    if constexpr (!requires(Rule & rule, Block & block) { rule.apply_on(*device_, FlatParameters<T>{}, Clip{}, block.state); })
      fail("this optimiser's rule has no apply_on() for ", device_->name(), "; take another, or models on the Cpu.");
    else
      for_each_model();
  }
  void for_each_model() {
    Clip clip;
    bool add = false;
    for (Block& block : blocks_) {
      if (block.rates.empty() || !(clip_norm > 0.0)) continue;
      clip = {clip_norm, squares_.data()};
      device_->sum_gradient_squares(block.flat.of(block.parameters, block.rates), std::exchange(add, true), squares_.data());
    }
    for (Block& block : blocks_) {
      if (block.rates.empty()) continue;
      static_cast<Rule&>(*this).apply_on(*device_, block.flat.of(block.parameters, block.rates), clip, block.state);
    }
    device_->submit();
  }

  std::vector<Block> blocks_;
  const Accelerator<T>* device_ = nullptr;
  Buffer<double> squares_;       // of the gradients, on the device
  std::vector<double> partial_;  // of clip_scale
};

GRAFT_END

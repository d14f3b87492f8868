#pragma once
/// \file optimizer.hpp  What all optimisers share: the flat buffers of several models, one fused pass over each, named multipliers, clipping,
/// and state that a checkpoint can hold.
#include "graft/config.hpp"
#include "graft/core/buffer.hpp"
#include "graft/core/error.hpp"
#include "graft/core/parallel.hpp"
#include "graft/core/parameters.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

GRAFT_BEGIN

/// Base of the optimisers. `Rule` gives `slots` (state numbers for each parameter) and
/// `update(T* p, T g, slot references..., rate, decays)`; see Sgd.
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
      for (Segment& s : *block.parameters.segments) {
        const std::string name = block.parameters.name + "/" + s.name;
        names += " " + name;
        if (!matches(pattern, name)) continue;
        s.rate *= factor;
        found = true;
      }
    }
    if (!found) fail("multiply: no parameter matches '", pattern, "'; there are", names, ".");
  }

  /// One update from the gradients that backward() left, which are set to zero on the way.
  void step(Gradients = {}) {
    ++steps;
    const double scale = clip_norm > 0.0 ? clip_scale() : 1.0;
    Rule& rule = static_cast<Rule&>(*this);
    rule.prepare();
    for (Block& block : blocks_) {
      for (const Segment& s : *block.parameters.segments) update(rule, block, s, static_cast<T>(scale));
    }
  }

  /// f(name, data, count) for every state array, in a fixed order.
  template <class F>
  void for_each_state(F&& f) {
    for (Block& block : blocks_) {
      for (std::size_t k = 0; k < static_cast<std::size_t>(Rule::slots); ++k) {
        f(block.parameters.name + "/state" + std::to_string(k), block.state[k].data(), block.state[k].size());
      }
    }
  }

 protected:
  template <class... Models>
  explicit Optimizer(double rate, double clip, Models&... models) : learning_rate(rate), clip_norm(clip) {
    (add(view(models)), ...);
  }

 private:
  struct Block {
    Parameters<T> parameters;
    std::vector<Buffer<T>> state;
  };

  static const Parameters<T>& view(const Parameters<T>& parameters) { return parameters; }
  template <class Model>
  static Parameters<T> view(Model& model) {
    return model.parameters();
  }

  void add(const Parameters<T>& parameters) {
    Block block{parameters, {}};
    for (int k = 0; k < Rule::slots; ++k) block.state.emplace_back(parameters.size);
    blocks_.push_back(std::move(block));
  }

  void update(Rule& rule, Block& block, const Segment& s, T scale) {
    constexpr std::ptrdiff_t piece = 1 << 14;
    T* p = block.parameters.value + s.offset;
    T* g = block.parameters.gradient + s.offset;
    std::array<T*, 3> state{};
    for (std::size_t k = 0; k < block.state.size(); ++k) state[k] = block.state[k].data() + s.offset;
    const std::ptrdiff_t count = static_cast<std::ptrdiff_t>(s.count);
    const int pieces = static_cast<int>((count + piece - 1) / piece);
    const typename Rule::Factors factors = rule.factors(learning_rate * s.rate, s.decay);
    parallel_for(pieces, [&](int i) {
      const std::ptrdiff_t begin = i * piece;
      const std::ptrdiff_t end = std::min(count, begin + piece);
      if (s.trainable) Rule::apply(factors, begin, end, p, g, scale, state);
      for (std::ptrdiff_t j = begin; j < end; ++j) g[j] = T{0};
    }, pieces > 2);
  }

  /// clip_norm / norm when the norm over all trained parameters is larger; sums in double, in a fixed order.
  double clip_scale() {
    double squares = 0.0;
    for (const Block& block : blocks_) {
      for (const Segment& s : *block.parameters.segments) {
        if (!s.trainable) continue;
        const T* g = block.parameters.gradient + s.offset;
        for (std::size_t i = 0; i < s.count; ++i) squares += static_cast<double>(g[i]) * static_cast<double>(g[i]);
      }
    }
    const double norm = std::sqrt(squares);
    return norm > clip_norm ? clip_norm / norm : 1.0;
  }

  std::vector<Block> blocks_;
};

GRAFT_END

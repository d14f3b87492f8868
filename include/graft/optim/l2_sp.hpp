#pragma once
/// \file l2_sp.hpp  L2-SP: fine-tuned weights are drawn to where they started, not to zero (Li, Grandvalet & Davoine,
/// "Explicit Inductive Bias for Transfer Learning with Convolutional Networks", ICML 2018, equation 3).
#include "graft/config.hpp"
#include "graft/core/buffer.hpp"
#include "graft/core/error.hpp"
#include "graft/core/parameters.hpp"
#include "graft/core/tape.hpp"

#include <cstddef>
#include <string>
#include <vector>

GRAFT_BEGIN

struct L2SpOptions {
  double alpha = 0.1;                ///< pull of pretrained parameters to their start
  double beta = 0.01;                ///< pull of new parameters to zero
  std::vector<std::string> fresh{};  ///< patterns of the new parameters, "head/*"; `{"*"}` for a model that is all new
  bool kernels_only = false;         ///< true: leave biases, scales and shifts alone; the paper takes all parameters
};

/// alpha / 2 |w - w0|^2 over the pretrained parameters + beta / 2 |w|^2 over the new ones, w0 their values when this was made:
/// make it once the pretrained weights are in the model. Frozen parameters are left out. Give it in place of an optimiser's
/// weight decay.
///
///   L2Sp penalty{{.alpha = 0.1, .beta = 0.01, .fresh = {"head/*"}}, model};
///   optimizer.step(backward(cross_entropy(tape(model, batch), batch.class_labels()) + penalty(tape)));
///
/// The model must outlive it and stay where it is. Throws Error when a pattern matches nothing.
template <class T>
class L2Sp {
 public:
  template <class M>
  L2Sp(L2SpOptions options, M& model)
      : options_(std::move(options)), parameters_(model.parameters()), start_(parameters_.size, parameters_.device) {
    if (parameters_.device != nullptr) parameters_.device->synchronise();
    std::copy(parameters_.value, parameters_.value + parameters_.size, start_.begin());
    fresh_.assign(parameters_.segments->size(), false);
    for (const std::string& pattern : options_.fresh) {
      bool found = parameters_.segments->empty();
      for (std::size_t i = 0; i < fresh_.size(); ++i) {
        if (!matches(pattern, (*parameters_.segments)[i].name)) continue;
        fresh_[i] = true;
        found = true;
      }
      if (!found) fail("L2Sp: no parameter of the model '", parameters_.name, "' matches '", pattern, "'.");
    }
  }

  /// The penalty as a loss on `tape`; its gradient goes straight to the model's parameters. Sums in double.
  Loss<T> operator()(Tape<T>& tape) const {
    tape.use(parameters_.device, parameters_.name);
    const Accelerator<T>* device = tape.device();
    T* value = tape.filled(1, T{0});
    double sum = 0.0;
    each([&](std::size_t begin, std::size_t count, bool fresh, double weight) {
      const T* w = parameters_.value + begin;
      const T* w0 = fresh ? nullptr : start_.data() + begin;
      if (device != nullptr) return device->losses().drawn_to(count, weight, w, w0, true, value);
      for (std::size_t k = 0; k < count; ++k) {
        const double d = static_cast<double>(w[k]) - (fresh ? 0.0 : static_cast<double>(w0[k]));
        sum += 0.5 * weight * d * d;
      }
    });
    if (device == nullptr) *value = static_cast<T>(sum);
    Node<T>* out = tape.scalar(value, true);
    tape.record(Call{this, out});
    return {&tape, out};
  }

 private:
  struct Call {
    const L2Sp* penalty;
    Node<T>* out;
    static constexpr bool waits_for_nothing = true;
    void backward(Tape<T>& tape) {
      if (out->gradient == nullptr) return;
      const double scale = static_cast<double>(*out->gradient);
      const L2Sp& self = *penalty;
      self.each([&](std::size_t begin, std::size_t count, bool fresh, double weight) {
        const T factor = static_cast<T>(scale * weight);
        const T* w = self.parameters_.value + begin;
        const T* w0 = fresh ? nullptr : self.start_.data() + begin;
        T* g = self.parameters_.gradient + begin;
        if (tape.device() != nullptr) return tape.device()->losses().drawn_to_backward(count, factor, w, w0, g);
        for (std::size_t k = 0; k < count; ++k) g[k] += factor * (fresh ? w[k] : w[k] - w0[k]);
      });
    }
  };

  /// f(first number, count, fresh, weight) for every stretch of parameters that is penalised alike.
  template <class F>
  void each(F&& f) const {
    std::size_t begin = 0, count = 0;
    bool fresh = false;
    const auto flush = [&] {
      if (count > 0) f(begin, count, fresh, fresh ? options_.beta : options_.alpha);
    };
    for (std::size_t i = 0; i < fresh_.size(); ++i) {
      const Segment& s = (*parameters_.segments)[i];
      if (!s.trainable || (options_.kernels_only && !s.decay)) continue;
      if (count > 0 && s.offset == begin + count && fresh == fresh_[i]) {
        count += s.count;
        continue;
      }
      flush();
      begin = s.offset, count = s.count, fresh = fresh_[i];
    }
    flush();
  }

  L2SpOptions options_;
  Parameters<T> parameters_;
  Buffer<T> start_;
  std::vector<bool> fresh_;
};
template <class M>
L2Sp(L2SpOptions, M&) -> L2Sp<typename M::Scalar>;

GRAFT_END

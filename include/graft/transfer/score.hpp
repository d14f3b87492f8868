#pragma once
/// \file score.hpp  A chain of models, body and then head, on labelled sets: what was right and what was taken for what.
#include "graft/config.hpp"
#include "graft/core/model.hpp"
#include "graft/data/features.hpp"
#include "graft/data/loader.hpp"
#include "graft/kernel/cpu/softmax.hpp"
#include "graft/train/metrics.hpp"

#include <algorithm>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <vector>

GRAFT_BEGIN

namespace detail {

/// Applies several models in sequence in inference mode.
template <class T, class... Models>
class Pipeline {
 public:
  explicit Pipeline(Models&... models) : models_(models...) {}
  /// n samples through all models; the result is valid until the next call.
  const T* operator()(const T* x, int n) {
    std::apply([&](auto&... model) { ((x = run(model, x, n)), ...); }, models_);
    return x;
  }

 private:
  template <class M>
  const T* run(M& model, const T* x, int n) {
    std::vector<T>& out = buffers_[turn_ ^= 1];
    out.resize(static_cast<std::size_t>(n) * M::output.size());
    model.predict(x, n, out.data());
    return out.data();
  }
  std::tuple<Models&...> models_;
  std::vector<T> buffers_[2];
  int turn_ = 0;
};

}  // namespace detail

/// What a chain of models gives for `n` samples of a set, evenly spaced: n x outputs.
template <class Set, class First, class... Rest>
auto outputs_of_some(const Set& set, std::size_t n, const data::Normalize& normalize, First& first, Rest&... rest) {
  using T = typename First::Scalar;
  constexpr std::size_t most = 64, wide = First::input.size();
  constexpr std::size_t outputs = std::tuple_element_t<sizeof...(Rest), std::tuple<First, Rest...>>::output.size();
  detail::Pipeline<T, First, Rest...> pipeline(first, rest...);
  std::vector<T> x(most * wide), y(n * outputs);
  for (std::size_t begin = 0; begin < n; begin += most) {
    const std::size_t count = std::min(most, n - begin);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t place = (begin + i) * set.size() / n;
      if constexpr (requires { set.sample(place); }) {
        std::copy_n(set.sample(place), wide, x.data() + i * wide);
      } else {
        normalize.write(set.pixels(place), set.shape(), First::input, x.data() + i * wide);
      }
    }
    std::copy_n(pipeline(x.data(), static_cast<int>(count)), count * outputs, y.data() + begin * outputs);
  }
  return y;
}

/// softmax of the same, of body and then head: n x classes.
template <class Set, class... Models>
auto probabilities_of_some(const Set& set, std::size_t n, const data::Normalize& normalize, Models&... models) {
  constexpr int classes = std::tuple_element_t<sizeof...(Models) - 1, std::tuple<Models...>>::output.c;
  auto p = outputs_of_some(set, n, normalize, models...);
  kernel::softmax_forward(Cpu{}, static_cast<int>(n), classes, p.data(), p.data());
  return p;
}

/// Scores a chain of models (body, then head) on a labelled set: counts of (label, largest output).
template <class First, class... Rest>
Confusion score(const data::Labelled& set, const data::Normalize& normalize, First& first, Rest&... rest) {
  using T = typename First::Scalar;
  detail::Pipeline<T, First, Rest...> pipeline(first, rest...);
  constexpr int classes = [] {
    const Shape outputs[] = {First::output, Rest::output...};
    return outputs[sizeof...(Rest)].c;
  }();
  if (set.classes() > classes) {
    fail("the set '", set.name(), "' has ", set.classes(), " classes but the classifier has ", classes,
         " outputs; end it with Dense<", set.classes(), ">.");
  }
  Confusion confusion(classes);
  std::size_t next = 0;
  data::for_each_batch<T>(set, First::input, 256, normalize, [&](const data::Batch<T>& batch) {
    const T* logits = pipeline(batch.images, batch.count);
    for (int i = 0; i < batch.count; ++i) {
      confusion.add(set.label(next++), argmax(logits + static_cast<std::ptrdiff_t>(i) * classes, classes));
    }
  });
  return confusion;
}

/// The same on a set of features, by the models behind the network that made them.
template <class T, class First, class... Rest>
Confusion score(const data::Features<T>& set, First& first, Rest&... rest) {
  static_assert(std::is_same_v<T, typename First::Scalar>,
                "graft: score: the features and the models hold numbers of one type.");
  detail::Pipeline<T, First, Rest...> pipeline(first, rest...);
  constexpr int classes = std::tuple_element_t<sizeof...(Rest), std::tuple<First, Rest...>>::output.c;
  if (set.shape().size() != First::input.size() || set.classes() > classes) {
    fail("the features of '", set.name(), "' have ", set.shape().size(), " numbers and ", set.classes(),
         " classes, but the models take ", First::input.size(), " and give ", classes, "; both must agree.");
  }
  Confusion confusion(classes);
  const std::size_t batch = 256;
  for (std::size_t begin = 0; begin < set.size(); begin += batch) {
    const std::size_t count = std::min(batch, set.size() - begin);
    const T* logits = pipeline(set.sample(begin), static_cast<int>(count));
    for (std::size_t i = 0; i < count; ++i) {
      confusion.add(set.label(begin + i), argmax(logits + i * static_cast<std::size_t>(classes), classes));
    }
  }
  return confusion;
}

GRAFT_END

#pragma once
/// \file toy.hpp  Two classes, each a Gaussian in the plane, in two domains; as images of one pixel with two channels, so that
/// they go the way of all images. What a classifier learns on the source alone fails on the target.
#include <graft/core/random.hpp>
#include <graft/data/dataset.hpp>
#include <graft/ops/list.hpp>
#include <graft/transfer/source_only.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

namespace toy {

using namespace graft;

/// A model's weights.
inline std::vector<float> numbers(const ModelBase<float>& model) { return {model.values().begin(), model.values().end()}; }

/// n points of the two classes in turn; point(class, random) -> {x, y}, in units that fit [-4, 4].
template <class Point>
data::Labelled set(const char* name, std::size_t n, std::uint64_t seed, Point&& point) {
  data::Pixels pixels(std::array<std::size_t, 4>{n, 1, 1, 2});
  std::vector<std::int32_t> labels(n);
  Random random(seed, 5);
  for (std::size_t i = 0; i < n; ++i) {
    labels[i] = static_cast<std::int32_t>(i % 2);
    const auto at = point(labels[i], random);
    for (std::size_t k = 0; k < 2; ++k)
      pixels(i, 0, 0, k) = static_cast<std::uint8_t>(std::clamp(std::lround((at[k] + 4.0) * 255.0 / 8.0), 0l, 255l));
  }
  return {name, std::move(pixels), std::move(labels), 2};
}

struct Problem {
  data::Labelled source, target, target_test;
  /// Numbers from -4 to 4.
  data::Normalize normalize{{0.5, 0.5, 0.5, 0.5}, {0.125, 0.125, 0.125, 0.125}};
  [[nodiscard]] FitOptions options(int epochs = 40) const {
    return {.epochs = epochs, .batch = 32, .normalize = normalize, .target_test = target_test};
  }
};

/// In the source both numbers tell the class, the second better; in the target the second is noise. Only what both domains
/// share, the first number, serves the target.
inline Problem spurious() {
  const auto source = [](int label, Random& random) {
    const double side = label == 0 ? -1.0 : 1.0;
    return std::array<double, 2>{side + 0.3 * random.normal(), 1.5 * side + 0.3 * random.normal()};
  };
  const auto target = [](int label, Random& random) {
    const double side = label == 0 ? -1.0 : 1.0;
    return std::array<double, 2>{side + 0.3 * random.normal(), 1.2 * random.normal()};
  };
  return {set("source", 512, 1, source), set("target", 512, 2, target), set("target_test", 512, 3, target)};
}

/// The target is the source, `by` to the right: a part of one class lies where the other was, but both lie as far apart as
/// ever.
inline Problem nudged(double by) {
  const auto source = [](int label, Random& random) {
    return std::array<double, 2>{(label == 0 ? -1.0 : 1.0) + 0.25 * random.normal(), 0.5 * random.normal()};
  };
  const auto target = [source, by](int label, Random& random) {
    const auto at = source(label, random);
    return std::array<double, 2>{at[0] + by, at[1]};
  };
  return {set("source", 512, 7, source), set("target", 512, 8, target), set("target_test", 512, 9, target)};
}

/// The target is the source, moved by more than half of the distance of the classes and stretched.
inline Problem moved() {
  const auto source = [](int label, Random& random) {
    return std::array<double, 2>{(label == 0 ? -1.0 : 1.0) + 0.25 * random.normal(), 0.5 * random.normal()};
  };
  const auto target = [source](int label, Random& random) {
    const auto at = source(label, random);
    return std::array<double, 2>{0.8 * at[0] + 1.6, at[1] - 1.0};
  };
  return {set("source", 512, 4, source), set("target", 512, 5, target), set("target_test", 512, 6, target)};
}

struct Body : Net<Vector<2>, Dense<16>, ReLU, Dense<8>, ReLU> {};
struct Labels : Net<Body::output, Dense<2>> {};

/// Fresh models and the accuracy on the target's test part after make(features, labels).fit(...).
template <class B = Body, class L = Labels, class Make>
double accuracy(const Problem& problem, Make&& make, FitOptions options) {
  Model<B> features{{.seed = 1}};
  Model<L> labels{{.seed = 2}};
  auto method = make(features, labels);
  return method.fit(problem.source, problem.target.without_labels(), options).last("target_accuracy");
}
template <class B = Body, class L = Labels, class Make>
double accuracy(const Problem& problem, Make&& make) {
  return accuracy<B, L>(problem, make, problem.options());
}
template <class B = Body, class L = Labels>
double source_only(const Problem& problem) {
  return accuracy<B, L>(problem, [](auto& features, auto& labels) { return SourceOnly{features, labels}; });
}

}  // namespace toy

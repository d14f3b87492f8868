#pragma once
/// \file golden.hpp  The worked inputs of the field's survey, as batches on a tape whose gradients can be read.
#include <graft/core/tape.hpp>
#include <vector>

namespace golden {

using namespace graft;

/// Source and target features, source and target logits, second-head logits: four rows of three.
inline const std::vector<double> S{.5, -1, 2, 1.5, 0, -.5, -1, .5, 1, 0, 2, -1.5};
inline const std::vector<double> T{1, .5, 0, 2, -.5, 1.5, .5, 1, -1, -.5, 1.5, 2.5};
inline const std::vector<double> Ls{1, -.5, 0, 0, 2, -1, .5, .5, 2.5, -1, .3, .2};
inline const std::vector<double> Lt{2, .5, -1, .1, .2, .3, -1.5, 3, .5, 1, 1, 1};
inline const std::vector<double> As{.2, .1, -.3, .5, 1, 0, 0, -1, 1.5, .3, .3, .3};
inline const std::vector<double> At{1, 1, 0, -.5, .5, 0, 0, 2, -1, .2, -.2, .4};
inline const std::vector<int> ys{0, 1, 2, 1};

/// A loss of two batches with its value and both gradients; make(x, y) records it.
struct Result {
  double value = 0.0;
  std::vector<double> dx, dy;
};
template <Shape Sample = Vector<3>, Kind K = Kind::features, class Make>
Result evaluate(const std::vector<double>& x, const std::vector<double>& y, Make&& make) {
  Tape<double> tape;
  tape.open();
  const int nx = static_cast<int>(x.size() / Sample.size()), ny = static_cast<int>(y.size() / Sample.size());
  Node<double>* a = tape.node(x.data(), Sample.size(), nx, true);
  Node<double>* b = tape.node(y.data(), Sample.size(), ny, true);
  const Var<Sample, K, double> first{&tape, {a, 0, nx, 1.0}, nx}, second{&tape, {b, 0, ny, 1.0}, 0};
  const Loss<double> loss = make(first, second);
  Result result{loss.value(), std::vector<double>(x.size()), std::vector<double>(y.size())};
  backward(loss);
  if (a->gradient != nullptr) result.dx.assign(a->gradient, a->gradient + x.size());
  if (b->gradient != nullptr) result.dy.assign(b->gradient, b->gradient + y.size());
  return result;
}
/// The same of one batch.
template <Shape Sample = Vector<3>, Kind K = Kind::logits, class Make>
Result evaluate(const std::vector<double>& x, Make&& make) {
  return evaluate<Sample, K>(x, x, [&](const auto& a, const auto&) { return make(a); });
}

inline bool is(double value, double expected) {
  return std::abs(value - expected) <= 1e-12 * std::max(1.0, std::abs(expected));
}
/// The greatest distance of the first row of a gradient from three numbers.
inline bool row0_is(const std::vector<double>& gradient, double a, double b, double c) {
  return std::abs(gradient[0] - a) < 1e-12 && std::abs(gradient[1] - b) < 1e-12 && std::abs(gradient[2] - c) < 1e-12;
}
/// The largest difference of result.dx and result.dy from central differences of the value.
template <Shape Sample = Vector<3>, Kind K = Kind::features, class Make>
double off_differences(std::vector<double> x, std::vector<double> y, Make&& make) {
  const Result result = evaluate<Sample, K>(x, y, make);
  double worst = 0.0;
  for (auto* v : {&x, &y}) {
    const auto& own = v == &x ? result.dx : result.dy;
    for (std::size_t i = 0; i < v->size(); ++i) {
      const double kept = (*v)[i];
      (*v)[i] = kept + 1e-5;
      const double up = evaluate<Sample, K>(x, y, make).value;
      (*v)[i] = kept - 1e-5;
      const double down = evaluate<Sample, K>(x, y, make).value;
      (*v)[i] = kept;
      worst = std::max(worst, std::abs((up - down) / 2e-5 - own[i]));
    }
  }
  return worst;
}

}  // namespace golden

#pragma once
/// \file gradients_of.hpp  A loss of a small net on Cuda against the CPU's: its value, and the gradients of all parameters.
#include <graft/core/model.hpp>
#include <graft/core/outputs.hpp>
#include <graft/core/tape.hpp>
#include <graft/cuda.hpp>
#include <graft/ops/list.hpp>

#include "catch.hpp"
#include "support/case.hpp"
#include "support/reference.hpp"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace gradients {
using namespace graft;
using support::numbers;

template <class T>
std::vector<T> all(const Buffer<T>& buffer) {
  return {buffer.begin(), buffer.end()};
}

struct Body : Net<Vector<6>, Dense<9>, ReLU> {};
struct Head : Net<Body::output, Dense<4>> {};

inline const std::vector<int> labels{0, 3, 1, 2, 2, 1, 0, 3, 3, 1};

/// A body and a head; `make(tape, logits, features)` gives the loss. Its value, and the gradients of both.
template <class Device, class F>
std::pair<double, std::vector<double>> gradients_of(F&& make, int split = 6) {
  Model<Body, Device, double> body{{.name = "body", .seed = 1, .bias = 0.1}};
  Model<Head, Device, double> head{{.name = "head", .seed = 2, .bias = 0.1}};
  const auto x = numbers<double>(10 * 6, 3);
  Tape<double> tape;
  tape.training = true;
  const auto f = tape(body, Rows<double>{x.data(), 10, split});
  const auto loss = make(tape, tape(head, f), f);
  const double value = loss.value();
  backward(loss);
  auto gradients = all(body.gradients());
  const auto more = all(head.gradients());
  gradients.insert(gradients.end(), more.begin(), more.end());
  return {value, gradients};
}
template <class F>
void compare_loss(F&& make) {
  const auto cpu = gradients_of<Cpu>(make);
  const auto cuda = gradients_of<Cuda>(make);
  CHECK(std::abs(cuda.first - cpu.first) < 1e-10 * std::max(1.0, std::abs(cpu.first)));
  CHECK(reference::error(cuda.second, cpu.second) < 1e-10);
}

}  // namespace gradients

// What is frozen, by type or while running: no activations, no backward pass, and the rest trains as it would.
#include <graft/core/copy_weights.hpp>
#include <graft/core/surgery.hpp>
#include <graft/loss/supervised.hpp>
#include <graft/ops/list.hpp>
#include <graft/optim/sgd.hpp>

#include "catch.hpp"
#include "support/case.hpp"

namespace test_freezing {
using namespace graft;

namespace {

struct Deep : Net<Image<16, 16, 3>,                                                                      //
                  Named<"conv1", Conv2D<8, 3, Conv{.padding = same}>>, Named<"bn1", BatchNorm<>>, ReLU,  //
                  Named<"conv2", Conv2D<8, 3, Conv{.padding = same}>>, ReLU, MaxPool2D<2>,               //
                  Named<"conv3", Conv2D<8, 3, Conv{.padding = same}>>, ReLU,                             //
                  Named<"top", Dense<5>>> {};

struct Outcome {
  std::vector<float> values, gradients, statistics;
  std::size_t memory = 0;
};

/// One step's gradients on 24 random images, and then the step; `set` freezes.
template <class N, class F>
Outcome step(F&& set, bool input_wanted = false) {
  Model<N> model{{.seed = 2}};
  set(model);
  const auto x = support::numbers<float>(24 * N::input.size(), 4);
  std::vector<int> labels(24);
  for (std::size_t i = 0; i < 24; ++i) labels[i] = static_cast<int>(i % 5);
  Sgd<float> sgd({.learning_rate = 0.1, .weight_decay = 0.1}, model);
  Tape<float> tape;
  tape.open();
  Node<float>* in = tape.node(x.data(), N::input.size(), 24, input_wanted);
  Var<N::input, Kind::features, float> var;
  var.tape = &tape;
  var.view = View<float>{in, 0, 24, 1.0};
  const auto proof = backward(cross_entropy(tape(model, var), ClassLabels<>{labels.data(), 24}));
  Outcome out;
  out.gradients.assign(model.gradients().begin(), model.gradients().end());
  out.memory = tape.capacity();
  if (input_wanted) CHECK(std::any_of(in->gradient, in->gradient + x.size(), [](float g) { return g != 0.0f; }));
  sgd.step(proof);
  out.values.assign(model.values().begin(), model.values().end());
  out.statistics.assign(model.statistics().begin(), model.statistics().end());
  return out;
}

constexpr std::size_t conv1 = 3 * 3 * 3 * 8 + 8, bn1 = 16, conv2 = 3 * 3 * 8 * 8 + 8, conv3 = conv2;

bool zeros(const std::vector<float>& x, std::size_t begin, std::size_t end) {
  return std::all_of(x.begin() + static_cast<std::ptrdiff_t>(begin), x.begin() + static_cast<std::ptrdiff_t>(end),
                     [](float v) { return v == 0.0f; });
}
bool agree(const std::vector<float>& a, const std::vector<float>& b, std::size_t begin, std::size_t end) {
  return std::equal(a.begin() + static_cast<std::ptrdiff_t>(begin), a.begin() + static_cast<std::ptrdiff_t>(end),
                    b.begin() + static_cast<std::ptrdiff_t>(begin));
}

}  // namespace

TEST_CASE("layers frozen while running have no backward pass and keep nothing; the others train as before", "[core]") {
  const Outcome whole = step<Deep>([](auto&) {});
  const std::vector<float> start = [] {
    Model<Deep> model{{.seed = 2}};
    return std::vector<float>(model.values().begin(), model.values().end());
  }();
  const std::size_t first = conv1 + bn1, all = whole.values.size();
  for (const bool by_name : {true, false}) {
    const Outcome frozen = step<Deep>([&](auto& model) {
      if (by_name) {
        model.set_trainable(false, "conv1/*");
        model.set_trainable(false, "bn1/*");
      } else {
        model.set_trainable_layers(false, 0, 3);
      }
    });
    CHECK(zeros(frozen.gradients, 0, first));
    CHECK(agree(frozen.gradients, whole.gradients, first, all));
    CHECK(agree(frozen.values, start, 0, first));
    CHECK(agree(frozen.values, whole.values, first, all));
    CHECK(frozen.statistics == whole.statistics);  // weights alone were frozen
    // conv1 and bn1 (with its ReLU after it) keep 3 maps of 16 x 16 x 8 when trained; frozen, two buffers in turn and the
    // result.
    CHECK(frozen.memory <= whole.memory);
  }
  const Outcome fixed = step<Deep>([](auto& model) {
    model.set_trainable_layers(false, 0, 3);
    model.set_statistics_fixed_layers(true, 0, 3);
  });
  CHECK(fixed.statistics != whole.statistics);
  CHECK(agree(fixed.statistics, std::vector<float>{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1}, 0, 16));
}

TEST_CASE("a frozen layer between trained ones hands the gradient on and gets none itself", "[core]") {
  const Outcome whole = step<Deep>([](auto&) {});
  const Outcome frozen = step<Deep>([](auto& model) { model.set_trainable(false, "conv2/*"); });
  const std::size_t begin = conv1 + bn1, end = begin + conv2;
  CHECK(zeros(frozen.gradients, begin, end));
  CHECK(agree(frozen.gradients, whole.gradients, 0, begin));
  CHECK(agree(frozen.gradients, whole.gradients, end, whole.gradients.size()));
  // An input's gradient is wanted: the whole way back is gone, without gradients of what is frozen.
  const Outcome reaching = step<Deep>([](auto& model) { model.set_trainable_layers(false, 0, 7); }, true);
  CHECK(zeros(reaching.gradients, 0, begin + conv2 + conv3));
  CHECK(agree(reaching.gradients, whole.gradients, begin + conv2 + conv3, whole.gradients.size()));
}

TEST_CASE("the memory of a step falls with the number of frozen layers", "[core]") {
  const auto layers = [](int n) {
    return step<Net<Image<32, 32, 8>, Conv2D<8, 3, Conv{.padding = same}>, Sigmoid, Conv2D<8, 3, Conv{.padding = same}>,
                    Sigmoid, Conv2D<8, 3, Conv{.padding = same}>, Sigmoid, Conv2D<8, 3, Conv{.padding = same}>, Sigmoid,
                    Conv2D<8, 3, Conv{.padding = same}>, Sigmoid, Conv2D<8, 3, Conv{.padding = same}>, Sigmoid, Dense<5>>>(
               [&](auto& model) { model.set_trainable_layers(false, 0, n); })
        .memory;
  };
  const std::size_t map = 24 * 32 * 32 * 8 * sizeof(float);
  const std::size_t all = layers(0), none = layers(12);
  CHECK(all > 12 * map);
  CHECK(none < 5 * map);  // the result, two buffers in turn, and what the arena rounds up
  CHECK(layers(6) < all - 3 * map);
}

TEST_CASE("a Lora's own weights are never moved, and its output begins as its layer's", "[core]") {
  struct Plain : Net<Vector<6>, Named<"fc", Dense<4>>, ReLU, Named<"top", Dense<3>>> {};
  struct Adapted : Net<Vector<6>, Named<"fc", Lora<Dense<4>, 2>>, ReLU, Named<"top", Dense<3>>> {};
  Model<Plain> plain{{.seed = 3, .bias = 0.1}};
  Model<Adapted> model{{.seed = 4}};
  const CopyReport report = copy_weights(plain, model);
  CHECK(report.missing == std::vector<std::string>{"fc/lora_a", "fc/lora_b"});
  CHECK(report.unused.empty());
  const auto x = support::numbers<float>(18, 1);
  std::vector<float> y(9), same(9);
  plain.predict(x.data(), 3, y.data()), model.predict(x.data(), 3, same.data());
  CHECK(y == same);

  const std::vector<float> before(model.values().begin(), model.values().end());
  Sgd<float> sgd({.learning_rate = 0.5, .weight_decay = 0.1}, model);
  Tape<float> tape;
  const std::vector<int> labels{0, 1, 2};
  for (int i = 0; i < 3; ++i) {
    sgd.step(backward(cross_entropy(tape(model, Rows<float>{x.data(), 3, 3}), ClassLabels<>{labels.data(), 3})));
    if (i == 0) model.set_trainable(true);
    if (i == 1) model.set_trainable_layers(true, 0, 3);
  }
  for (const Segment& s : model.segments()) {
    INFO(s.name);
    CHECK(agree({model.values().begin(), model.values().end()}, before, s.offset, s.offset + s.count) == s.fixed);
    CHECK(s.fixed == (s.name == "fc/w" || s.name == "fc/b"));
  }
}

TEST_CASE("what is frozen by type is left alone by weight decay, too", "[core]") {
  Model<Deep> model{{.seed = 2}};
  const std::vector<float> start(model.values().begin(), model.values().end());
  using Frozen = TrainFromNamed<Deep, "conv3">;
  static_assert(Frozen::first_trained == 6);
  const Outcome frozen = step<Frozen>([](auto& m) { m.set_trainable(true, "*"); });
  CHECK(agree(frozen.values, start, 0, conv1 + bn1 + conv2));
  CHECK_FALSE(agree(frozen.values, start, conv1 + bn1 + conv2, start.size()));
  CHECK_THROWS_WITH(model.set_trainable_layers(false, 3, 12),
                    Catch::Matchers::ContainsSubstring("has 9 layers; layers 3 to 12"));
}

TEST_CASE("gradients that a layer had gathered when it was frozen are gone when it learns again") {
  using N = Net<Vector<4>, Dense<3>, ReLU, Dense<2>>;
  Model<N> model{{.seed = 1}};
  Sgd<float> sgd({.learning_rate = 0.1}, model);
  const auto x = support::numbers<float>(2 * 4, 4);
  const std::vector<int> labels{0, 1};
  Tape<float> tape;
  const auto gather = [&] {
    backward(cross_entropy(tape(model, Rows<float>{x.data(), 2, 2}), ClassLabels<>{labels.data(), 2}));
  };
  const auto left = [&](std::size_t begin, std::size_t end) {
    return std::any_of(model.gradients().begin() + begin, model.gradients().begin() + end, [](float g) { return g != 0.0f; });
  };
  const std::size_t first = 4 * 3 + 3, all = model.values().size();
  gather();
  REQUIRE(left(0, first));
  model.set_trainable(false, "0/*");
  CHECK(!left(0, first));
  CHECK(left(first, all));
  sgd.step();
  CHECK(!left(0, all));

  model.set_trainable(true, "0/b");  // a layer in part: its weights get gradients that no step applies
  gather();
  REQUIRE(left(0, 12));
  model.set_trainable(false, "0/b");
  const std::vector<float> before(model.values().begin(), model.values().begin() + first);
  model.set_trainable(true, "0/*");
  sgd.step();
  CHECK(std::equal(before.begin(), before.end(), model.values().begin()));
}

}  // namespace test_freezing

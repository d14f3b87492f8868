// Models with activations in bf16: they learn as those in float do, stand beside them on one tape, and take half the memory for
// what they keep.
#include <graft/graft.hpp>

#include "catch.hpp"
#include "support/allocations.hpp"

namespace test_bf16 {
using namespace graft;

namespace {

struct Body : Net<Image<28, 28, 3>, Conv2D<8, 5>, ReLU, MaxPool2D<2>, Conv2D<12, 5>, ReLU, MaxPool2D<2>, Flatten> {};
struct Labels : Net<Body::output, Dense<20>, BatchNorm<>, ReLU, Dense<10>> {};
struct Domains : Net<Body::output, Dense<20>, ReLU, Dense<2>> {};

template <class BodyOn, class HeadsOn>
struct Small {
  Model<Body, BodyOn> body{{.name = "body", .seed = 1}};
  Model<Labels, HeadsOn> labels{{.name = "labels", .seed = 2}};
  Model<Domains, HeadsOn> domains{{.name = "domains", .seed = 3}};
  data::PairedLoader<float> loader{data::synthetic_digits(200, 1, data::Domain::source),
                                   data::synthetic_digits(150, 2, data::Domain::target).without_labels(),
                                   Body::input,
                                   {.source_batch = 20, .target_batch = 12, .normalize = data::Normalize::centred()}};
  Sgd<float> optimizer{{.learning_rate = 0.05, .momentum = 0.9}, body, labels, domains};
  Tape<float> tape;

  float step() {
    const auto batch = loader.next();
    const auto f = tape(body, batch);
    const auto label_loss = cross_entropy(tape(labels, f.source()), batch.class_labels());
    const float value = label_loss.value();
    optimizer.step(backward(label_loss + cross_entropy(tape(domains, reverse_gradient(f, 0.1)), batch.domain_labels())));
    return value;
  }
  /// Mean label loss of `count` steps.
  double steps(int count) {
    double sum = 0.0;
    for (int i = 0; i < count; ++i) sum += static_cast<double>(step());
    return sum / count;
  }
};

}  // namespace

TEST_CASE("a model in bf16 learns as one in float does, beside it or alone", "[core][bf16]") {
  Small<Cpu, Cpu> whole;
  Small<Bf16<Cpu>, Bf16<Cpu>> rounded;
  Small<Bf16<Cpu>, Cpu> mixed;
  const float first = whole.step();
  CHECK(rounded.step() == Approx(first).epsilon(0.02));
  CHECK(mixed.step() == Approx(first).epsilon(0.02));
  whole.steps(100), rounded.steps(100), mixed.steps(100);
  const double last = whole.steps(20);
  CHECK(last < 0.5 * static_cast<double>(first));
  CHECK(rounded.steps(20) == Approx(last).margin(0.1));
  CHECK(mixed.steps(20) == Approx(last).margin(0.1));
}

TEST_CASE("a step in bf16 allocates nothing after the first", "[core][bf16]") {
  Small<Bf16<Cpu>, Bf16<Cpu>> small;
  small.steps(3);
  const std::size_t before = support::allocations();
  small.steps(3);
  CHECK(support::allocations() == before);
}

TEST_CASE("a tape of bf16 activations takes about half the memory", "[core][bf16]") {
  using Layer = Conv2D<32, 3, Conv{.padding = same}>;
  struct Deep : Net<Image<16, 16, 4>, Layer, ReLU, Layer, ReLU, Layer, ReLU, Layer, ReLU, Layer, ReLU, Flatten, Dense<10>> {};
  const std::vector<float> x(64 * Deep::input.size(), 0.1f);
  const std::vector<int> classes(64, 3);
  const auto bytes = [&](auto model) {
    Tape<float> tape;
    backward(cross_entropy(tape(model, Rows<float>{x.data(), 64}), ClassLabels<10>{classes.data(), 64}));
    return static_cast<double>(tape.capacity());
  };
  CHECK(bytes(Model<Deep, Bf16<Cpu>>()) < 0.7 * bytes(Model<Deep>()));
}

TEST_CASE("weights go between bf16 and float models, whose predictions agree but for rounding", "[core][bf16]") {
  struct Net0
      : Net<Body::input, Conv2D<8, 5>, ReLU, MaxPool2D<2>, Residual<Conv2D<8, 3, Conv{.padding = same}>, ReLU>, Dense<7>> {};
  Model<Net0> whole{{.seed = 4}};
  Model<Net0, Bf16<Cpu>> rounded{{.seed = 5}};
  copy_weights(whole, rounded);
  std::vector<float> x(5 * Net0::input.size()), y(5 * 7), half(y.size());
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 97) / 97 - 0.5f;
  whole.predict(x.data(), 5, y.data());
  rounded.predict(x.data(), 5, half.data());
  float largest = 0;
  for (const float v : y) largest = std::max(largest, std::abs(v));
  for (std::size_t i = 0; i < y.size(); ++i) CHECK(std::abs(half[i] - y[i]) < 0.02f * largest);
  CHECK(half != y);
}

TEST_CASE("frozen layers of a bf16 model stay as they are, and its gradients do not change on two threads", "[core][bf16]") {
  const int before = threads();
  std::vector<float> first;
  for (const int count : {1, 2}) {
    set_threads(count);
    Small<Bf16<Cpu>, Bf16<Cpu>> small;
    small.body.set_trainable(false, "0/*");
    const std::vector<float> start(small.body.values().begin(), small.body.values().end());
    small.steps(10);
    const std::vector<float> after(small.body.values().begin(), small.body.values().end());
    const std::size_t frozen = small.body.segments()[2].offset;
    CHECK(std::equal(start.begin(), start.begin() + static_cast<std::ptrdiff_t>(frozen), after.begin()));
    CHECK(start != after);
    if (first.empty()) first = after;
    CHECK(after == first);
  }
  set_threads(before);
}

}  // namespace test_bf16

// Model<Net, Cuda> against Model<Net, Cpu>: every op of the list, every loss, every optimiser.
#include <graft/core/outputs.hpp>
#include <graft/cuda.hpp>
#include <graft/loss/classifiers.hpp>
#include <graft/loss/conditional.hpp>
#include <graft/loss/consistency.hpp>
#include <graft/loss/conventions.hpp>
#include <graft/loss/unsupervised.hpp>
#include <graft/ops/list.hpp>
#include <graft/optim/adam.hpp>
#include <graft/optim/rmsprop.hpp>
#include <graft/optim/sgd.hpp>
#include <graft/transfer/gradient_reversal.hpp>

#include "cuda/gradients_of.hpp"
#include "support/allocations.hpp"

namespace test_engine {
using namespace graft;
using gradients::all;
using gradients::Body;
using gradients::compare_loss;
using gradients::Head;
using gradients::labels;
using support::Bench;
using support::numbers;

namespace {

template <class T>
constexpr double close = sizeof(T) == 8 ? 1e-10 : 1e-4;

const auto* const ops = static_cast<const OpList*>(nullptr);

template <class T>
void compare_ops() {
  const auto here = support::makers(ops), there = support::makers<Cuda>(ops);
  for (std::size_t i = 0; i < here.size(); ++i) {
    Bench<T> cpu(here[i]), cuda(there[i]);
    INFO(cpu.net->name);
    cpu.net->run(cpu.x, cpu.weights);
    cuda.net->run(cuda.x, cuda.weights);
    CHECK(reference::error(cuda.net->y, cpu.net->y) < close<T>);
    CHECK(reference::error(cuda.net->dx, cpu.net->dx) < close<T>);
    CHECK(reference::error(all(cuda.net->gradients()), all(cpu.net->gradients())) < close<T>);
    CHECK(reference::error(all(cuda.net->statistics()), all(cpu.net->statistics())) < close<T>);
    std::vector<T> a(cpu.net->y.size()), b(a.size());
    cpu.net->predict(cpu.x.data(), cpu.n, a.data());
    cuda.net->predict(cpu.x.data(), cpu.n, b.data());
    CHECK(reference::error(b, a) < close<T>);
  }
}

/// Weights after some steps with an optimiser, part of the body frozen on the way.
template <class Device, class F>
std::vector<double> trained(F&& make) {
  Model<Body, Device, double> body{{.name = "body", .seed = 1, .bias = 0.1}};
  Model<Head, Device, double> head{{.name = "head", .seed = 2, .bias = 0.1}};
  auto optimizer = make(body, head);
  optimizer.multiply("head/*", 2.0);
  const auto x = numbers<double>(10 * 6, 3);
  Tape<double> tape;
  for (int step = 0; step < 6; ++step) {
    if (step == 2) body.set_trainable(false, "*/w");
    if (step == 4) body.set_trainable(true);
    const auto logits = tape(head, tape(body, Rows<double>{x.data(), 10, 6}));
    optimizer.step(backward(10.0 * cross_entropy(logits, ClassLabels<>{labels.data(), 10})));
  }
  auto values = all(body.values());
  for (const double value : head.values()) values.push_back(value);
  optimizer.for_each_state(
      [&](const auto&, const double* data, std::size_t n) { values.insert(values.end(), data, data + n); });
  return values;
}
template <class F>
void compare_optimizer(F&& make) {
  CHECK(reference::error(trained<Cuda>(make), trained<Cpu>(make)) < 1e-11);
}

/// A layer that knows the CPU alone.
struct Halve {
  static constexpr const char* name = "Halve";
  static constexpr Traits traits{};
  static constexpr Fit fit(Shape in) { return {Reason::fits, in}; }
  template <class V>
  static constexpr void visit(Shape, V&&) {}
  template <class T>
  static void* forward(Run<T>& run, const Place<T>& at, const T* x, T* y) {
    for (std::size_t i = 0; i < static_cast<std::size_t>(run.n) * at.in.size(); ++i) y[i] = x[i] / 2;
    return nullptr;
  }
  template <class T>
  static void backward(Run<T>& run, const Place<T>& at, const T*, const T*, void*, T* dy, T* dx) {
    if (dx == nullptr) return;
    for (std::size_t i = 0; i < static_cast<std::size_t>(run.n) * at.in.size(); ++i) dx[i] = dy[i] / 2;
  }
};

}  // namespace

TEST_CASE("every op on Cuda gives the CPU's outputs, gradients and statistics", "[cuda][engine]") {
  compare_ops<double>();
  compare_ops<float>();
}

TEST_CASE("a step on Cuda allocates nothing after its graph is made", "[cuda][allocations]") {
  for (const auto& op : support::makers<Cuda>(ops)) {
    Bench<float> bench(op);
    INFO(bench.net->name);
    for (int i = 0; i < 3; ++i) bench.net->step(bench.x, bench.weights);
    const std::size_t before = support::allocations();
    bench.net->step(bench.x, bench.weights);
    bench.net->step(bench.x, bench.weights);
    CHECK(support::allocations() == before);
  }
}

TEST_CASE("every loss on Cuda gives the CPU's value and gradients", "[cuda][engine]") {
  const ClassLabels<> y{labels.data(), 10};
  compare_loss([&](auto&, const auto& z, const auto&) { return cross_entropy(z, y); });
  compare_loss([&](auto&, const auto& z, const auto&) {
    const double weights[] = {1.0, 2.0, 0.5, 3.0};
    return cross_entropy(z, y, {.smoothing = 0.1, .class_weights = weights, .ignored = 2});
  });
  const std::vector<double> soft = [] {
    std::vector<double> p = numbers<double>(40, 8);
    for (double& q : p) q = std::abs(q);
    return p;
  }();
  compare_loss([&](auto&, const auto& z, const auto&) { return cross_entropy(z, SoftLabels<double>{soft.data(), 10, 4}); });
  compare_loss([&](auto&, const auto& z, const auto&) {
    static const std::vector<int> others(labels.rbegin(), labels.rend());
    return cross_entropy(z, MixedLabels<>{labels.data(), others.data(), 10, 0.3});
  });
  compare_loss([&](auto&, const auto& z, const auto&) { return binary_cross_entropy(z, 0.9); });
  compare_loss([&](auto&, const auto& z, const auto&) { return binary_cross_entropy(z, soft.data()); });
  compare_loss([&](auto&, const auto& z, const auto&) { return mean_absolute_error(z, soft.data()); });
  compare_loss([&](auto&, const auto& z, const auto&) { return mean_squared_error(z, 0.7); });
  compare_loss([&](auto&, const auto& z, const auto&) { return mean_squared_error(z.rows(0, 5), z.rows(5, 5)); });
  compare_loss([&](auto& tape, const auto& z, const auto&) {
    return mean_squared_error(z, tape.template constant<Head::output>(Rows<double>{soft.data(), 10}));
  });
  compare_loss([&](auto&, const auto& z, const auto&) { return entropy(z) - mean_entropy(z, 1e-5); });
  compare_loss([&](auto&, const auto&, const auto& f) { return mmd(f.source(), f.target()); });
  compare_loss([&](auto&, const auto&, const auto& f) {
    return mmd(f.source(), f.target(), MmdOptions{.estimator = Estimator::unbiased, .gamma = {0.5, 0.1}});
  });
  compare_loss([&](auto&, const auto&, const auto& f) { return coral(f.source(), f.target()); });
  compare_loss([&](auto&, const auto&, const auto& f) { return mean_difference(f.source(), f.target()); });
}

TEST_CASE("losses on predictions of one and two classifiers on Cuda are the CPU's", "[cuda][engine]") {
  compare_loss([](auto&, const auto& z, const auto&) { return minimum_class_confusion(z); });
  compare_loss([](auto&, const auto& z, const auto&) { return classifier_discrepancy(z.rows(0, 5), z.rows(5, 5)); });
  compare_loss([](auto&, const auto& z, const auto&) { return margin_disparity(z, z, 3.0); });
  const std::vector<double> teacher = [] {
    std::vector<double> q = numbers<double>(40, 8);
    for (double& v : q) v = std::abs(v) / 2;
    return q;
  }();
  compare_loss([&](auto&, const auto& z, const auto&) { return consistency(z, teacher.data(), 0.4); });
}

TEST_CASE("CDAN's map, weights and loss on Cuda are the CPU's", "[cuda][engine]") {
  struct Domains : Net<Vector<9 * 4>, Dense<1>> {};
  const auto run = [&]<class Device>(Device, int weights) {
    Model<Body, Device, double> body{{.name = "body", .seed = 1, .bias = 0.1}};
    Model<Head, Device, double> head{{.name = "head", .seed = 2, .bias = 0.1}};
    Model<Domains, Device, double> domains{{.name = "domains", .seed = 3}};
    const auto x = numbers<double>(10 * 6, 3);
    Tape<double> tape;
    const auto f = tape(body, Rows<double>{x.data(), 10, 6});
    const auto z = tape(head, f);
    const double* w = weights == 0 ? nullptr : entropy_weights(z, weights == 2);
    const auto loss = domain_cross_entropy(tape(domains, reverse_gradient(conditional(f, z), 0.7)), w);
    std::vector<double> everything{loss.value()};
    backward(loss);
    for (const auto* model : {&body.gradients(), &domains.gradients()})
      everything.insert(everything.end(), model->begin(), model->end());
    return everything;
  };
  for (int weights = 0; weights < 3; ++weights) CHECK(reference::error(run(Cuda{}, weights), run(Cpu{}, weights)) < 1e-11);
}

TEST_CASE("sums, weights and squares of losses work on Cuda", "[cuda][engine]") {
  const ClassLabels<> y{labels.data(), 10};
  compare_loss([&](auto&, const auto& z, const auto& f) {
    return 0.3 * cross_entropy(z, y) + square(mmd(f.source(), f.target())) - 2.0 * (0.5 * entropy(z) - 0.1 * entropy(z));
  });
  compare_loss([](auto&, const auto&, const auto& f) { return mmd(f.rows(0, 5), f.rows(5, 5), Convention::tllib); });
}

TEST_CASE("every optimiser on Cuda makes the CPU's steps", "[cuda][engine]") {
  compare_optimizer(
      [](auto&... m) { return Sgd<double>({.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.01}, m...); });
  compare_optimizer([](auto&... m) {
    return Sgd<double>({.learning_rate = 0.1, .momentum = 0.9, .nesterov = true, .clip_norm = 0.5}, m...);
  });
  compare_optimizer(
      [](auto&... m) { return Adam<double>({.learning_rate = 0.01, .weight_decay = 0.1, .clip_norm = 2.0}, m...); });
  compare_optimizer([](auto&... m) { return AdamW<double>({.learning_rate = 0.01, .weight_decay = 0.1}, m...); });
  compare_optimizer([](auto&... m) { return RmsProp<double>({.learning_rate = 0.01, .weight_decay = 0.1}, m...); });
  compare_optimizer([](auto&... m) { return Adagrad<double>({.learning_rate = 0.01}, m...); });
}

TEST_CASE("a layer for the CPU alone works on Cuda", "[cuda][engine]") {
  using N = Net<Vector<6>, Dense<5>, Halve, Dense<4>>;
  const auto run = [](auto& model) {
    const auto x = numbers<double>(10 * 6, 3);
    Tape<double> tape;
    const auto z = tape(model, Rows<double>{x.data(), 10, 10});
    backward(cross_entropy(z, ClassLabels<>{labels.data(), 10}));
    return all(model.gradients());
  };
  Model<N, Cpu, double> cpu{{.seed = 4}};
  Model<N, Cuda, double> cuda{{.seed = 4}};
  CHECK(reference::error(run(cuda), run(cpu)) < 1e-11);
}

TEST_CASE("models of two devices in one step are refused", "[cuda][engine]") {
  Model<Body, Cuda> body{{.name = "body"}};
  Model<Head, Cpu> head{{.name = "head"}};
  Model<Head, Cuda> same;
  const auto x = numbers<float>(10 * 6, 3);
  Tape tape;
  const auto f = tape(body, Rows<float>{x.data(), 10, 6});
  CHECK_THROWS_WITH(tape(head, f), Catch::Matchers::ContainsSubstring("'head' is on Cpu but this step began on Cuda"));
  tape.discard();
  CHECK_NOTHROW(backward(entropy(tape(same, tape(body, Rows<float>{x.data(), 10, 6})))));
  CHECK_THROWS_WITH((Sgd<float>({}, body, head)), Catch::Matchers::ContainsSubstring("on different devices"));
  // A new step may be on another device.
  const auto h = numbers<float>(10 * 9, 3);
  CHECK_NOTHROW(backward(entropy(tape(head, Rows<float>{h.data(), 10, 6}))));
}

}  // namespace test_engine

// Whole training steps on Cuda against the CPU's: a DANN as tape, methods of transfer/, checkpoints, averages, statistics.
#include <graft/core/copy_weights.hpp>
#include <graft/core/outputs.hpp>
#include <graft/cuda.hpp>
#include <graft/data/loader.hpp>
#include <graft/loss/discrepancy.hpp>
#include <graft/ops/deploy.hpp>
#include <graft/optim/sgd.hpp>
#include <graft/transfer/dann.hpp>
#include <graft/transfer/dsan.hpp>
#include <graft/transfer/jan.hpp>
#include <graft/transfer/parts.hpp>
#include <graft/transfer/sliced_wasserstein.hpp>
#include <graft/transfer/vada.hpp>
#include <graft/transfer/wdgrl.hpp>

#include "catch.hpp"
#include "support/allocations.hpp"
#include "support/case.hpp"
#include "support/reference.hpp"
#include "transfer/toy.hpp"

namespace test_training {
using namespace graft;
using support::numbers;

namespace {

template <class T>
std::vector<T> all(const Buffer<T>& buffer) {
  return {buffer.begin(), buffer.end()};
}

struct Body : Net<Image<8, 8, 2>, Named<"conv", Conv2D<5, 3>>, ReLU, MaxPool2D<2>, BatchNorm<>, Dropout<0.2>, Flatten> {};
struct Labels : Net<Body::output, Dense<7>, ReLU, Dense<3>> {};
struct Domains : Net<Body::output, Dense<6>, ReLU, Dense<2>> {};

/// Body and two heads with the losses of DANN and an MMD.
template <class Device, class T>
struct Trained {
  Model<Body, Device, T> body{{.name = "body", .seed = 1}};
  Model<Labels, Device, T> labels{{.name = "labels", .seed = 2}};
  Model<Domains, Device, T> domains{{.name = "domains", .seed = 3}};
  Sgd<T> sgd{{.learning_rate = 0.05, .momentum = 0.9, .weight_decay = 1e-3, .clip_norm = 3.0}, body, labels, domains};
  Tape<T> tape;
  std::vector<T> x = numbers<T>(10 * Body::input.size(), 5);
  std::vector<double> losses;
  static constexpr int y[] = {0, 1, 2, 2, 1, 0}, d[] = {0, 0, 0, 0, 0, 0, 1, 1, 1, 1};

  void step(bool ask = true) {
    const auto f = tape(body, Rows<T>{x.data(), 10, 6});
    const auto loss = cross_entropy(tape(labels, f.source()), ClassLabels<3>{y, 6}) +
                      cross_entropy(tape(domains, reverse_gradient(f, 0.3)), DomainLabels{d, 10}) +
                      0.5 * mmd(f.source(), f.target());
    if (ask) losses.push_back(static_cast<double>(loss.value()));
    sgd.step(backward(loss));
  }
  std::vector<T> numbers_of_all() {
    std::vector<T> everything;
    const auto add = [&](const auto& buffer) { everything.insert(everything.end(), buffer.begin(), buffer.end()); };
    add(body.values()), add(body.statistics()), add(labels.values()), add(domains.values());
    if (body.has_target_statistics()) add(body.statistics_of(1));
    return everything;
  }
};

template <class M>
std::string saved(M& model) {
  CheckpointWriter file;
  save_model(file, model);
  return file.bytes();
}
template <class M>
void load(M& model, const std::string& bytes) {
  load_model(CheckpointReader::of_bytes(bytes, "memory"), model);
}

}  // namespace

TEST_CASE("a DANN's steps on Cuda are the CPU's", "[cuda][engine]") {
  for (const DomainNorm norm : {DomainNorm::joint, DomainNorm::separate, DomainNorm::per_domain, DomainNorm::frozen}) {
    Trained<Cpu, double> cpu;
    Trained<Cuda, double> cuda;
    cpu.tape.domain_norm = cuda.tape.domain_norm = norm;
    for (int i = 0; i < 5; ++i) cpu.step(), cuda.step();
    CHECK(reference::error(cuda.losses, cpu.losses) < 1e-9);
    CHECK(reference::error(cuda.numbers_of_all(), cpu.numbers_of_all()) < 1e-9);
  }
}

TEST_CASE("a DANN's steps on Cuda allocate nothing after their graphs are made", "[cuda][allocations]") {
  Trained<Cuda, float> cuda;
  cuda.losses.reserve(100);
  for (int i = 0; i < 3; ++i) cuda.step();
  const std::size_t before = support::allocations(), held = cuda.tape.capacity();
  for (int i = 0; i < 4; ++i) cuda.step();
  CHECK(support::allocations() == before);
  CHECK(cuda.tape.capacity() == held);
}

TEST_CASE("a step on Cuda that nobody asks for its loss is one graph, with the CPU's numbers", "[cuda][engine]") {
  Trained<Cpu, double> cpu;
  Trained<Cuda, double> cuda;
  const auto step = [](auto& trained, int i) {
    trained.sgd.learning_rate = 0.05 / (1.0 + i);  // a schedule, and rows that change
    trained.x[static_cast<std::size_t>(7 * i)] += 0.5;
    trained.step(false);
  };
  for (int i = 0; i < 3; ++i) step(cpu, i), step(cuda, i);
  const std::uint64_t launches = cuda::launches();
  const cuda::Replays before = cuda::replays();
  for (int i = 3; i < 10; ++i) step(cpu, i), step(cuda, i);
  const cuda::Replays after = cuda::replays();
  CHECK(after.graphs == before.graphs);
  CHECK(after.replays == before.replays + 7);
  // Of some seventy kernels a step: three that take rows and labels, two of dropout, three optimisers'.
  CHECK(cuda::launches() - launches > 7 * 40);
  CHECK(after.changed - before.changed < 7 * 16);
  CHECK(reference::error(cuda.numbers_of_all(), cpu.numbers_of_all()) < 1e-9);
}

TEST_CASE("a DANN's steps on devices whose products round are near the CPU's, and models of both may share a step",
          "[cuda][engine]") {
  const auto after_steps = []<class Device>(Device) {
    Trained<Device, float> trained;
    for (int i = 0; i < 5; ++i) trained.step();
    return trained.losses;
  };
  const auto cpu = after_steps(Cpu{});
  const double tf32 = reference::error(after_steps(Tf32<Cuda>{}), cpu);
  const double bf16 = reference::error(after_steps(Bf16<Cuda>{}), cpu);
  // Logits near 1 of a few dozen products each, off by 2^-11 or 2^-8 of them.
  CHECK(tf32 < 2e-3);
  CHECK(bf16 < 2e-2);
  CHECK(tf32 > 1e-6);  // it did round
  CHECK(bf16 > tf32);

  Model<Body, Bf16<Cuda>> body;
  Model<Labels, Cuda> labels;
  Sgd sgd{{.learning_rate = 0.05}, body, labels};
  const auto x = numbers<float>(6 * Body::input.size(), 5);
  Tape tape;
  double first = 0.0, last = 0.0;
  for (int i = 0; i < 20; ++i) {
    const auto loss =
        cross_entropy(tape(labels, tape(body, Rows<float>{x.data(), 6})), ClassLabels<3>{Trained<Cpu, float>::y, 6});
    last = static_cast<double>(loss.value());
    if (i == 0) first = last;
    sgd.step(backward(loss));
  }
  CHECK(last < 0.5 * first);
}

TEST_CASE("a label out of range on Cuda is an Error", "[cuda][engine]") {
  Model<Labels, Cuda> labels;
  const auto x = numbers<float>(2 * Labels::input.size(), 5);
  const int y[] = {1, 3};
  Tape tape;
  CHECK_THROWS_WITH(cross_entropy(tape(labels, Rows<float>{x.data(), 2}), ClassLabels<3>{y, 2}).value(),
                    Catch::Matchers::ContainsSubstring("the label of row 1 is 3"));
}

TEST_CASE("weights go from device to device: checkpoint, copy_weights, deploy", "[cuda][engine]") {
  Trained<Cuda, double> cuda;
  cuda.tape.domain_norm = DomainNorm::per_domain;
  for (int i = 0; i < 3; ++i) cuda.step();
  Model<Body, Cpu, double> cpu{{.name = "body", .seed = 9}}, copied{{.name = "copied"}};
  load(cpu, saved(cuda.body));
  copy_weights(cuda.body, copied);
  const auto& x = cuda.x;
  std::vector<double> a(10 * Body::output.size()), b(a.size());
  for (int domain = 0; domain < 2; ++domain) {
    cpu.domain = cuda.body.domain = domain;
    cpu.predict(x.data(), 10, a.data());
    cuda.body.predict(x.data(), 10, b.data());
    CHECK(reference::error(b, a) < 1e-12);
  }
  CHECK((all(copied.values()) == all(cpu.values())));
  Trained<Cuda, double> back;
  load(back.body, saved(cpu));
  CHECK((all(back.body.values()) == all(cuda.body.values())));
  CHECK((all(back.body.statistics_of(1)) == all(cuda.body.statistics_of(1))));

  auto deployed = deploy(cuda.body, cuda.labels);
  std::vector<double> y(30), z(30);
  cuda.labels.predict(b.data(), 10, y.data());
  deployed.predict(x.data(), 10, z.data());
  CHECK(reference::error(z, y) < 1e-10);
}

TEST_CASE("named outputs, predict_at and frozen layers work on Cuda", "[cuda][engine]") {
  const auto x = numbers<double>(4 * Body::input.size(), 5);
  const auto run = [&](auto& model) {
    Tape<double> tape;
    model.set_trainable(false, "conv/b");
    const auto [conv] = outputs<"conv">(tape, model, Rows<double>{x.data(), 4, 2});
    backward(mmd(conv.source(), conv.target()));
    auto numbers = all(model.gradients());
    numbers.resize(numbers.size() + 4 * decltype(conv)::shape.size());
    predict_at<"conv">(model, x.data(), 4, numbers.data() + model.gradients().size());
    return numbers;
  };
  Model<Body, Cpu, double> cpu;
  Model<Body, Cuda, double> cuda;
  CHECK(reference::error(run(cuda), run(cpu)) < 1e-10);
}

TEST_CASE("averages of weights and statistics counted anew are the CPU's on Cuda", "[cuda][engine]") {
  const auto run = [&]<class Device>(Device) {
    Trained<Device, float> trained;
    Model<Body, Device> body;
    Model<Labels, Device> labels;
    part::WeightAverage average(body, labels, 0.5);
    average.begin(trained.body, trained.labels);
    for (std::uint64_t i = 0; i < 4; ++i) {
      trained.step();
      average.after_step(i, trained.body, trained.labels);
    }
    auto numbers = all(body.values());
    for (const float s : body.statistics()) numbers.push_back(s);
    return numbers;
  };
  CHECK(reference::error(run(Cuda{}), run(Cpu{})) < 1e-4);
}

TEST_CASE("rows that lie on the device are taken from there", "[cuda][engine]") {
  Model<Labels, Cuda> labels;
  const auto x = numbers<float>(4 * Labels::input.size(), 5);
  Buffer<float> there(x.size(), labels.device());
  labels.device()->upload(x.size() * sizeof(float), x.data(), there.data());
  std::vector<float> a(12), b(12);
  labels.predict(x.data(), 4, a.data());
  labels.predict(there.data(), 4, b.data());
  CHECK(a == b);
  const auto loss = [&](const float* rows) {
    Tape tape;
    const int y[] = {0, 1, 2, 1};
    return cross_entropy(tape(labels, Rows<float>{rows, 4}), ClassLabels<3>{y, 4}).value();
  };
  CHECK(loss(x.data()) == loss(there.data()));
}

TEST_CASE("methods of transfer/ train on Cuda as on the CPU", "[cuda][engine]") {
  const auto problem = toy::spurious();
  struct Heads : Net<toy::Body::output, Dense<2>> {};
  struct Critic : Net<toy::Body::output, Dense<6>, ReLU, Dense<1>> {};
  const auto fit = [&](auto&& make, auto& features, auto& labels, auto& domains) {
    auto method = make(features, labels, domains);
    auto options = problem.options(2);
    options.batch = 64;
    options.source_test = problem.source;
    options.validate_on = 64;
    return method.fit(problem.source, problem.target.without_labels(), options);
  };
  const auto compare = [&]<class Third>(Third, auto&& make) {
    Model<toy::Body> features{{.seed = 1}};
    Model<toy::Labels> labels{{.seed = 2}};
    Model<Third> domains{{.seed = 3}};
    Model<toy::Body, Cuda> features_there{{.seed = 1}};
    Model<toy::Labels, Cuda> labels_there{{.seed = 2}};
    Model<Third, Cuda> domains_there{{.seed = 3}};
    const auto here = fit(make, features, labels, domains);
    const auto there = fit(make, features_there, labels_there, domains_there);
    CHECK(there.last("target_accuracy") == Approx(here.last("target_accuracy")).margin(0.01));
    CHECK(there.last("loss") == Approx(here.last("loss")).epsilon(1e-3));
    CHECK(there.last("target_entropy") == Approx(here.last("target_entropy")).epsilon(1e-3));
    CHECK(reference::error(all(features_there.values()), all(features.values())) < 1e-3);
  };
  compare(Heads{}, [](auto& f, auto& l, auto& d) { return Dann{f, l, d}; });
  compare(Heads{}, [](auto& f, auto& l, auto& d) { return Vada{f, l, d}; });
  compare(Critic{}, [](auto& f, auto& l, auto& d) { return Wdgrl{f, l, d}; });
  compare(Heads{}, [](auto& f, auto& l, auto&) { return Jan{f, l}; });
  compare(Heads{}, [](auto& f, auto& l, auto&) { return Dsan{f, l}; });
  compare(Heads{}, [](auto& f, auto& l, auto&) { return SlicedWasserstein{f, l}; });
}

}  // namespace test_training

// Losses that only adaptation knows, and what holds critics, weights and maps: Model<Net, Cuda> against Model<Net, Cpu>.
#include <graft/cuda.hpp>
#include <graft/loss/central_moments.hpp>
#include <graft/loss/conditional.hpp>
#include <graft/loss/conventions.hpp>
#include <graft/loss/delta.hpp>
#include <graft/loss/gradient_penalty.hpp>
#include <graft/loss/joint.hpp>
#include <graft/loss/sliced.hpp>
#include <graft/optim/l2_sp.hpp>
#include <graft/transfer/gradient_reversal.hpp>

#include "cuda/gradients_of.hpp"

namespace test_penalties {
using namespace graft;
using gradients::all;
using gradients::Body;
using gradients::compare_loss;
using gradients::Head;
using gradients::labels;
using support::numbers;

TEST_CASE("joint and local MMD, moments and slices on Cuda are the CPU's", "[cuda][engine]") {
  compare_loss([](auto&, const auto& z, const auto& f) { return joint_mmd(f, z); });
  compare_loss([](auto&, const auto& z, const auto& f) { return joint_mmd(f, z, Convention::tllib); });
  compare_loss([](auto&, const auto& z, const auto& f) { return local_mmd(f, z, ClassLabels<>{labels.data(), 6}); });
  compare_loss([](auto&, const auto&, const auto& f) { return central_moment_discrepancy(f.source(), f.target(), 4, 2.0); });
  compare_loss([](auto&, const auto&, const auto& f) { return sliced_wasserstein(f.source(), f.target(), 9, 3); });
}

TEST_CASE("gradients through the bandwidth on Cuda are the CPU's", "[cuda][engine]") {
  MmdOptions through{.through_bandwidth = true};
  JointMmdOptions joint{.features = through};
  compare_loss([&](auto&, const auto&, const auto& f) { return mmd(f.source(), f.target(), through); });
  compare_loss([&](auto&, const auto& z, const auto& f) { return joint_mmd(f, z, joint); });
  compare_loss([&](auto&, const auto& z, const auto& f) { return local_mmd(f, z, ClassLabels<>{labels.data(), 6}, through); });
  const auto still = numbers<double>(10 * 9, 8);
  compare_loss([&](auto& tape, const auto&, const auto& f) {
    return mmd(f, tape.template constant<Body::output>(Rows<double>{still.data(), 10}), through);
  });
}

TEST_CASE("maps held to their start on Cuda are the CPU's", "[cuda][engine]") {
  const auto start = numbers<double>(10 * 9, 8);
  compare_loss([&](auto&, const auto&, const auto& f) { return delta(f, start.data()); });
  const std::vector<double> attention{0.5, 1, 2, 0, 1, 3, 1, 1, 0.25};
  compare_loss([&](auto&, const auto&, const auto& f) { return delta(f, start.data(), attention); });
}

TEST_CASE("losses without a kernel run on the CPU, on Cuda's numbers", "[cuda][engine]") {
  compare_loss([](auto&, const auto&, const auto& f) { return mmd(f.source(), f.target(), Convention::skada); });
}

TEST_CASE("CDAN's random map on Cuda is the CPU's, from either memory", "[cuda][engine]") {
  struct Domains : Net<Vector<12>, Dense<1>> {};
  const auto run = [&]<class Device>(Device, bool resident) {
    Model<Body, Device, double> body{{.name = "body", .seed = 1, .bias = 0.1}};
    Model<Head, Device, double> head{{.name = "head", .seed = 2, .bias = 0.1}};
    Model<Domains, Device, double> domains{{.name = "domains", .seed = 3}};
    const RandomMap<double> map(9, 4, 12, 5, resident ? body.device() : nullptr);
    const auto x = numbers<double>(10 * 6, 3);
    Tape<double> tape;
    const auto f = tape(body, Rows<double>{x.data(), 10, 6});
    const auto z = tape(head, f);
    const auto loss = domain_cross_entropy(tape(domains, reverse_gradient(conditional<12>(f, z, map), 0.7)),
                                           static_cast<const double*>(nullptr));
    std::vector<double> everything{loss.value()};
    backward(loss);
    for (const auto* model : {&body.gradients(), &domains.gradients()})
      everything.insert(everything.end(), model->begin(), model->end());
    return everything;
  };
  CHECK(reference::error(run(Cuda{}, true), run(Cpu{}, true)) < 1e-11);
  CHECK(reference::error(run(Cuda{}, false), run(Cpu{}, false)) < 1e-11);
}

TEST_CASE("a critic's distance and gradient penalty on Cuda are the CPU's", "[cuda][engine]") {
  struct Bent : Net<Vector<6>, Dense<7>, Tanh, Dense<5>, LeakyReLU<0.2>, Dense<1>> {};
  struct Straight : Net<Image<1, 2, 3>, Flatten, Dense<7>, ReLU, Dense<1, false>> {};
  const auto run = [&]<class N, class Device>(N, Device, bool frozen) {
    Model<N, Device, double> critic{{.name = "critic", .seed = 1, .bias = 0.1}};
    if (frozen) critic.set_trainable(false, "0/*");
    const auto x = numbers<double>(10 * 6, 3);
    Tape<double> tape;
    const auto out = tape(critic, Rows<double>{x.data(), 10, 6});
    const auto penalty = gradient_penalty(tape, critic, Rows<double>{x.data(), 10, 10});
    const auto loss = critic_distance(out) + 3.0 * penalty;
    std::vector<double> everything{penalty.value(), loss.value()};
    backward(loss);
    everything.insert(everything.end(), critic.gradients().begin(), critic.gradients().end());
    return everything;
  };
  for (const bool frozen : {false, true}) {
    CHECK(reference::error(run(Bent{}, Cuda{}, frozen), run(Bent{}, Cpu{}, frozen)) < 1e-11);
    CHECK(reference::error(run(Straight{}, Cuda{}, frozen), run(Straight{}, Cpu{}, frozen)) < 1e-11);
  }
}

TEST_CASE("weights drawn to their start on Cuda are the CPU's", "[cuda][engine]") {
  using N = Net<Vector<6>, Dense<5>, ReLU, Dense<4>, ReLU, Dense<4>>;
  const auto run = [](auto& model) {
    const auto x = numbers<double>(10 * 6, 3);
    L2Sp penalty({.alpha = 0.3, .beta = 0.2, .fresh = {"1/*"}}, model);
    for (double& v : model.values()) v += 0.5;
    model.set_trainable(false, "2/b");
    Tape<double> tape;
    const auto z = tape(model, Rows<double>{x.data(), 10, 10});
    const auto loss = cross_entropy(z, ClassLabels<>{labels.data(), 10}) + penalty(tape);
    std::vector<double> everything{loss.value()};
    backward(loss);
    for (const double g : all(model.gradients())) everything.push_back(g);
    return everything;
  };
  Model<N, Cpu, double> cpu{{.seed = 4}};
  Model<N, Cuda, double> cuda{{.seed = 4}};
  CHECK(reference::error(run(cuda), run(cpu)) < 1e-11);
}

}  // namespace test_penalties

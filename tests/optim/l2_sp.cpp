// L2-SP against its formula.
#include <graft/loss/supervised.hpp>
#include <graft/ops/list.hpp>
#include <graft/optim/l2_sp.hpp>
#include <graft/optim/sgd.hpp>

#include "catch.hpp"
#include "support/case.hpp"

namespace test_l2_sp {
using namespace graft;

namespace {

struct Tuned : Net<Vector<5>, Named<"body", Dense<6>>, ReLU, Named<"mid", Dense<4>>, Named<"head", Dense<3>>> {};

struct Fixture {
  Model<Tuned, Cpu, double> model{{.name = "tuned", .seed = 3}};
  std::vector<double> start{model.values().begin(), model.values().end()};
  /// Moves the weights away from their start.
  void move() {
    const auto noise = support::numbers<double>(start.size(), 8);
    for (std::size_t i = 0; i < start.size(); ++i) model.values()[i] += noise[i];
  }
  [[nodiscard]] const Segment& of(std::size_t k) const {
    std::size_t i = 0;
    while (model.segments()[i].offset + model.segments()[i].count <= k) ++i;
    return model.segments()[i];
  }
};

}  // namespace

TEST_CASE("L2-SP has the value and the gradient of its formula", "[optim]") {
  for (const bool kernels_only : {false, true}) {
    Fixture f;
    const L2Sp penalty{{.alpha = 0.3, .beta = 0.07, .fresh = {"head/*"}, .kernels_only = kernels_only}, f.model};
    f.move();
    f.model.set_trainable(false, "mid/w");
    Tape<double> tape;
    const auto loss = 2.0 * penalty(tape);
    const double value = loss.value();
    backward(loss);
    double expected = 0.0;
    for (std::size_t k = 0; k < f.start.size(); ++k) {
      const Segment& s = f.of(k);
      const bool head = s.name.starts_with("head"), left_out = s.name == "mid/w" || (kernels_only && s.name.ends_with("/b"));
      const double d = f.model.values()[k] - (head ? 0.0 : f.start[k]), weight = left_out ? 0.0 : (head ? 0.07 : 0.3);
      expected += 2.0 * 0.5 * weight * d * d;
      REQUIRE(f.model.gradients()[k] == Approx(2.0 * weight * d).epsilon(1e-14));
    }
    CHECK(value == Approx(expected).epsilon(1e-13));
  }
}

TEST_CASE("L2-SP adds to the gradient of another loss, on the same tape", "[optim]") {
  const auto x = support::numbers<double>(20, 2);
  const int labels[] = {0, 1, 2, 0};
  const auto gradients = [&](int what) {
    Fixture f;
    const L2Sp penalty{{.alpha = 0.3, .beta = 0.07, .fresh = {"head/*"}}, f.model};
    f.move();
    Tape<double> tape;
    const auto data_loss = [&] { return cross_entropy(tape(f.model, Rows<double>{x.data(), 4, 0}), ClassLabels<>{labels, 4}); };
    if (what == 0) backward(data_loss());
    if (what == 1) backward(penalty(tape));
    if (what == 2) backward(data_loss() + penalty(tape));
    return std::vector<double>(f.model.gradients().begin(), f.model.gradients().end());
  };
  const auto data = gradients(0), pull = gradients(1), both = gradients(2);
  for (std::size_t k = 0; k < both.size(); ++k) REQUIRE(both[k] == Approx(data[k] + pull[k]).epsilon(1e-12).margin(1e-14));
  Fixture f;
  CHECK_THROWS_WITH((L2Sp{{.fresh = {"top/*"}}, f.model}), Catch::Matchers::ContainsSubstring("'tuned' matches 'top/*'"));
}

}  // namespace test_l2_sp

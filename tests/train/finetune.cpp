// Freezing as the epochs go by, and learning rates by depth.
#include <graft/core/model.hpp>
#include <graft/core/tape.hpp>
#include <graft/ops/list.hpp>
#include <graft/optim/sgd.hpp>
#include <graft/train/finetune.hpp>

#include "catch.hpp"

namespace test_finetune {
using namespace graft;

namespace {

struct Small
    : Net<Image<4, 4, 2>, Named<"conv1", Conv2D<3, 3, Conv{.padding = same}>>, Named<"bn1", BatchNorm<>>, ReLU,
          Named<"conv2", Conv2D<3, 3, Conv{.padding = same}>>, Named<"bn2", BatchNorm<>>, ReLU, Named<"top", Dense<2>>> {};

template <class M>
std::string trained(const M& model) {
  std::string names;
  for (const Segment& s : model.segments()) {
    if (s.trainable) names += s.name + " ";
  }
  return names;
}

/// A method that trains nothing and notes what could be trained in each epoch.
struct Watch {
  Model<Small>& model;
  std::vector<std::string> seen{};
  int steps_per_epoch() { return 1; }
  int images_per_step() { return 1; }
  void begin_epoch(std::uint64_t) { seen.push_back(trained(model)); }
  void step(double, std::uint64_t, Means& means) { means.add("loss", 1.0); }
  void evaluate(Row&) {}
  void save(CheckpointWriter&) {}
  void load(CheckpointReader&) {}
};

const std::string all = "conv1/w conv1/b bn1/gamma bn1/beta conv2/w conv2/b bn2/gamma bn2/beta top/w top/b ";

}  // namespace

TEST_CASE("layers freeze by pattern and by place, weights and statistics together or apart", "[train]") {
  Model<Small> model;
  freeze(model, "*1/*");
  CHECK(trained(model) == "conv2/w conv2/b bn2/gamma bn2/beta top/w top/b ");
  unfreeze(model);
  CHECK(trained(model) == all);
  freeze_first(model, 4);
  CHECK(trained(model) == "bn2/gamma bn2/beta top/w top/b ");
  // bn1's statistics stand still, bn2's move
  Tape<float> tape;
  std::vector<float> x(8 * Small::input.size(), 0.5f);
  static_cast<void>(tape(model, Rows<float>{x.data(), 8, 0}));
  CHECK(model.array("bn1/running_var")[0] == 1.0f);
  CHECK(model.array("bn2/running_var")[0] != 1.0f);
  CHECK_THROWS_WITH(freeze(model, "conv9/*"), Catch::Matchers::ContainsSubstring("no parameter matches 'conv9/*'"));
}

TEST_CASE("gradual unfreezing frees each part in its epoch, and a resumed run goes on frozen as it was", "[train]") {
  Model<Small> model;
  Watch watch{model};
  const std::vector<Unfreeze> plan{{1, "*2/*"}, {3, "*1/*"}};
  train(watch, {.epochs = 4}, GradualUnfreezing{model, plan});
  const std::string top = "top/w top/b ", upper = "conv2/w conv2/b bn2/gamma bn2/beta top/w top/b ";
  CHECK(watch.seen == std::vector<std::string>{top, upper, upper, all});
  GradualUnfreezing later{model, plan};
  later.on_begin({.epochs = 4, .first_epoch = 2});
  CHECK(trained(model) == upper);
  GradualUnfreezing wrong{model, {{1, "layer9*"}}};
  CHECK_THROWS_WITH(wrong.on_begin({}), Catch::Matchers::ContainsSubstring("no parameter matches 'layer9*'"));
}

TEST_CASE("discriminative rates fall by the factor with each kernel towards the input", "[train]") {
  for (const bool by_group : {false, true}) {
    Model<Small> model{{.name = "m"}};
    Sgd<float> sgd({.learning_rate = 1.0}, model);
    if (by_group)
      discriminative_rates(sgd, {"m/*1/*", "m/*2/*", "m/top/*"}, 0.5);
    else
      discriminative_rates(sgd, model, 0.5);
    const std::vector<float> before(model.values().begin(), model.values().end());
    for (float& g : model.gradients()) g = 1.0f;
    sgd.step();
    for (const Segment& s : model.segments()) {
      const double rate = s.name.starts_with("top") ? 1.0 : s.name.find('2') != std::string::npos ? 0.5 : 0.25;
      INFO(s.name);
      CHECK(static_cast<double>(before[s.offset] - model.values()[s.offset]) == Approx(rate).epsilon(1e-5));
    }
  }
}

}  // namespace test_finetune

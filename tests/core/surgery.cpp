// Nets made from nets, and weights that go with them by name.
#include <graft/core/copy_weights.hpp>
#include <graft/ops/list.hpp>

#include "catch.hpp"
#include "support/case.hpp"

namespace test_surgery {
using namespace graft;
using Names = std::vector<std::string>;

namespace {

constexpr Conv kept{.padding = same, .bias = false};
struct Whole : Net<Image<8, 8, 3>,                                                                                     //
                   Named<"conv1", Conv2D<4, 3, kept>>, Named<"bn1", BatchNorm<>>, ReLU, MaxPool2D<2>,                  //
                   Named<"block", Residual<Named<"conv", Conv2D<4, 3, kept>>, BatchNorm<>, ReLU>>, GlobalAveragePool,  //
                   Named<"top", Dense<10>>> {};

}  // namespace

TEST_CASE("a net is cut at a layer of a name", "[core]") {
  static_assert(layer_index<Whole, "conv1">() == 0 && layer_index<Whole, "block">() == 4 && layer_index<Whole, "top">() == 6);
  using Low = Cut<Whole, "bn1">;
  using LowActive = Cut<Whole, "bn1", 1>;
  using Trunk = FirstLayers<Whole, 6>;
  static_assert(Low::layers == 2 && LowActive::layers == 3 && Low::output == Image<8, 8, 4>);
  static_assert(Cut<Whole, "block">::output == Image<4, 4, 4> && Trunk::output == Vector<4> && Trunk::kind == Kind::features);
  static_assert(Cut<Whole, "top">::kind == Kind::logits && Cut<Whole, "top">::parameter_count == Whole::parameter_count);
  static_assert(FirstLayers<TrainFrom<Whole, 5>, 3>::first_trained == 3 &&
                FirstLayers<TrainFrom<Whole, 2>, 3>::first_trained == 2);

  // The cut net gives what the whole one does up to there: its own layers, then the others by hand.
  Model<Whole> whole{{.seed = 3}};
  Model<Trunk> trunk{{.seed = 9}};
  for (float& v : whole.statistics()) v += 0.25f;
  const CopyReport report = copy_weights(whole, trunk);
  CHECK(report.copied.size() == 10);
  CHECK(report.missing.empty());
  CHECK(report.unused == Names{"top/w", "top/b"});
  CHECK(report.shape_mismatch.empty());
  const auto x = support::numbers<float>(3 * Whole::input.size(), 5);
  std::vector<float> features(3 * 4), expected(3 * 10), y(3 * 10);
  trunk.predict(x.data(), 3, features.data());
  Model<Net<Trunk::output, Named<"top", Dense<10>>>> top;
  CHECK(copy_weights(whole, top).copied == Names{"top/w", "top/b"});
  top.predict(features.data(), 3, y.data());
  whole.predict(x.data(), 3, expected.data());
  CHECK(y == expected);
}

TEST_CASE("a net in two parts, cut behind a layer of a name, is the net", "[core]") {
  using Front = Cut<Whole, "bn1">;
  using Back = Behind<Whole, "bn1">;
  static_assert(Back::layers == Whole::layers - Front::layers && Back::input == Front::output && Back::kind == Kind::logits);
  static_assert(Behind<TrainFrom<Whole, 5>, "bn1">::first_trained == 3 &&
                Behind<TrainFrom<Whole, 1>, "bn1">::first_trained == 0);
  Model<Whole> whole{{.seed = 3}};
  for (float& v : whole.statistics()) v += 0.25f;
  Model<Front> front;
  Model<Back> back;
  copy_weights(whole, front);
  CHECK(copy_weights(whole, back).missing.empty());
  const auto x = support::numbers<float>(2 * Whole::input.size(), 5);
  std::vector<float> between(2 * Front::output.size()), y(2 * 10), expected(2 * 10);
  front.predict(x.data(), 2, between.data());
  back.predict(between.data(), 2, y.data());
  whole.predict(x.data(), 2, expected.data());
  CHECK(y == expected);
}

TEST_CASE("a trunk gets a new head and keeps its numbers", "[core]") {
  Model<Cut<Whole, "block">> trunk{{.seed = 3}};
  for (float& v : trunk.statistics()) v += 0.5f;
  auto model = with_head<GlobalAveragePool, Named<"head", Dense<7>>>(trunk, {.name = "tuned", .seed = 8});
  using Tuned = decltype(model)::Network;
  static_assert(Tuned::output == Vector<7> && Tuned::kind == Kind::logits && Tuned::layers == 7);
  static_assert(WithHead<TrainFrom<Whole, 4>, ReLU>::first_trained == 4);
  CHECK(model.name == "tuned");
  CHECK(std::equal(trunk.values().begin(), trunk.values().end(), model.values().begin()));
  CHECK(std::equal(trunk.statistics().begin(), trunk.statistics().end(), model.statistics().begin()));
  CHECK(model.array("head/w") == model.values().data() + trunk.values().size());
  CHECK(std::any_of(model.array("head/w"), model.array("head/w") + 28, [](float w) { return w != 0.0f; }));

  const CopyReport back = copy_weights(model, trunk, "block/*");
  CHECK(back.copied == Names{"block/conv/w", "block/1/gamma", "block/1/beta", "block/1/running_mean", "block/1/running_var"});
  CHECK(back.unused.empty());
}

TEST_CASE("arrays that do not fit are named and left alone", "[core]") {
  Model<Whole> whole{{.seed = 3}};
  Model<Net<Image<8, 8, 3>, Named<"conv1", Conv2D<5, 3, kept>>, Named<"bn2", BatchNorm<>>>, Cpu, double> other{{.seed = 4}};
  const std::vector<double> before(other.values().begin(), other.values().end());
  const CopyReport report = copy_weights(whole, other, "*n*1/*");
  CHECK(report.copied.empty());
  CHECK(report.shape_mismatch == Names{"conv1/w"});
  CHECK(report.missing.empty());
  CHECK(report.unused == Names{"bn1/gamma", "bn1/beta", "bn1/running_mean", "bn1/running_var"});
  CHECK(std::equal(before.begin(), before.end(), other.values().begin()));
  const CopyReport all = copy_weights(whole, other);
  CHECK(all.missing == Names{"bn2/gamma", "bn2/beta", "bn2/running_mean", "bn2/running_var"});
  CHECK_THAT(all.text(), Catch::Matchers::ContainsSubstring("copied 0\nmissing 4: bn2/gamma, bn2/beta") &&
                             Catch::Matchers::ContainsSubstring("shape mismatch 1: conv1/w\n"));
}

}  // namespace test_surgery

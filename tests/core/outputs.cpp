// Several outputs of one model: the values of the cut nets, and gradients that meet.
#include <graft/core/copy_weights.hpp>
#include <graft/core/outputs.hpp>
#include <graft/loss/discrepancy.hpp>
#include <graft/loss/supervised.hpp>
#include <graft/ops/list.hpp>

#include "catch.hpp"
#include "support/case.hpp"

namespace test_outputs {
using namespace graft;

namespace {

struct Whole : Net<Image<10, 10, 3>, Named<"conv1", Conv2D<6, 3>>, Named<"relu1", ReLU>, MaxPool2D<2>,  //
                   Named<"bn", BatchNorm<>>, Named<"conv2", Conv2D<5, 3>>, ReLU,                        //
                   Dropout<0.3>, Named<"fc", Dense<7>>, ReLU, Named<"top", Dense<4>>> {};
constexpr int n = 6;

template <Name Text, class T>
std::vector<T> by_cut(Model<Whole, Cpu, T>& whole, const std::vector<T>& x) {
  Model<Cut<Whole, Text>, Cpu, T> part;
  copy_weights(whole, part);
  std::vector<T> y(n * Cut<Whole, Text>::output.size());
  part.predict(x.data(), n, y.data());
  return y;
}

}  // namespace

TEST_CASE("several outputs at once are those of the cut nets", "[core]") {
  Model<Whole> model{{.seed = 4}};
  const auto x = support::numbers<float>(n * Whole::input.size(), 3);
  std::vector<float> conv1(n * 8 * 8 * 6), relu1(conv1.size()), bn(n * 4 * 4 * 6), top(n * 4);
  predict_at<"conv1", "relu1", "bn", "top">(model, x.data(), n, conv1.data(), relu1.data(), bn.data(), top.data());
  CHECK(conv1 == by_cut<"conv1">(model, x));
  CHECK(std::any_of(conv1.begin(), conv1.end(), [](float v) { return v < 0.0f; }));
  CHECK(relu1 == by_cut<"relu1">(model, x));
  CHECK(bn == by_cut<"bn">(model, x));
  CHECK(top == by_cut<"top">(model, x));
}

TEST_CASE("gradients of several outputs meet, as finite differences say", "[core]") {
  Model<Whole, Cpu, double> model{{.seed = 4}};
  const auto x = support::numbers<double>(n * Whole::input.size(), 3);
  const auto one = support::numbers<double>(n * 8 * 8 * 6, 5), two = support::numbers<double>(n * 7, 6),
             three = support::numbers<double>(n * 4, 7);
  Tape<double> tape;
  const auto run = [&](bool back) {
    tape.open();
    tape.set_step(2);
    const auto [conv1, fc, top] = outputs<"conv1", "fc", "top">(tape, model, Rows<double>{x.data(), n, n / 2});
    static_assert(decltype(fc)::kind == Kind::logits && decltype(conv1)::kind == Kind::features);
    CHECK(top.source().count() == n / 2);
    const auto loss = support::weighted(conv1, one) + 0.5 * support::weighted(fc, two) + support::weighted(top, three);
    const double value = loss.value();
    if (back) backward(loss);
    return value;
  };
  const auto statistics = model.statistics();
  run(true);
  const std::vector<double> gradients(model.gradients().begin(), model.gradients().end());
  double worst = 0.0, size = 0.0;
  for (const double g : gradients) size = std::max(size, std::abs(g));
  for (std::size_t i = 0; i < gradients.size(); i += 7) {
    const double before = model.values()[i], h = 1e-5;
    model.values()[i] = before + h;
    const double up = run(false);
    model.values()[i] = before - h;
    const double down = run(false);
    model.values()[i] = before;
    worst = std::max(worst, std::abs((up - down) / (2 * h) - gradients[i]) / size);
  }
  CHECK(worst < 1e-7);
}

TEST_CASE("one output is the model's own run, and frozen pieces keep nothing", "[core]") {
  const auto x = support::numbers<float>(n * Whole::input.size(), 3);
  const auto weights = support::numbers<float>(n * 4, 7);
  const auto train = [&](auto& model, bool pieces) {
    Tape<float> tape;
    const Rows<float> rows{x.data(), n, 0};
    if (pieces)
      backward(support::weighted(std::get<1>(outputs<"bn", "top">(tape, model, rows)), weights));
    else
      backward(support::weighted(tape(model, rows), weights));
    return std::vector<float>(model.gradients().begin(), model.gradients().end());
  };
  for (const bool frozen : {false, true}) {
    Model<Whole> a{{.seed = 4}}, b{{.seed = 4}};
    if (frozen) {
      a.set_trainable_layers(false, 0, 5);
      b.set_trainable_layers(false, 0, 5);
    }
    const auto ga = train(a, false), gb = train(b, true);
    CHECK((ga == gb));  // dropout too draws the same
    CHECK((ga[0] == 0.0f) == frozen);
    CHECK(std::equal(a.statistics().begin(), a.statistics().end(), b.statistics().begin()));
  }
  Model<TrainFromNamed<Whole, "conv2">> c{{.seed = 4}}, d{{.seed = 4}};
  CHECK((train(c, false) == train(d, true)));
}

}  // namespace test_outputs

// Models: inference against the tape, names and patterns, and nets frozen by type.
#include <graft/graft.hpp>

#include "catch.hpp"

using namespace graft;
using Catch::Matchers::Contains;

namespace {

struct Small : Net<Image<12, 12, 2>, Conv2D<4, 3, 1, same>, BatchNorm<>, ReLU, MaxPool2D<2>, Conv2D<6, 3>, BatchNorm<>, ReLU,
                   Flatten, Dropout<0.5>, Dense<5>> {};
struct Deep : Net<Image<24, 24, 3>, Conv2D<8, 3>, Tanh, Conv2D<8, 3>, Tanh, Conv2D<8, 3>, Tanh, Conv2D<8, 3>, Tanh,
                  Conv2D<8, 3>, Tanh, Conv2D<8, 3>, Tanh, MaxPool2D<4, 4>, Flatten, Dense<5>> {};
constexpr int deep_frozen = 12;

std::vector<float> noise(std::size_t count, std::uint64_t seed) {
  Random random(seed, 3);
  std::vector<float> x(count);
  for (float& v : x) v = static_cast<float>(random.normal());
  return x;
}
const std::vector<int>& answers() {
  static const std::vector<int> labels{0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0};
  return labels;
}
template <class M>
void train(M& model, Tape<float>& tape, const std::vector<float>& x, int n) {
  backward(cross_entropy(tape(model, Rows<float>{x.data(), n, 0}), ClassLabels<5>{answers().data(), n}));
}
template <class A>
std::vector<float> copy(const A& buffer) {
  return {buffer.begin(), buffer.end()};
}

}  // namespace

TEST_CASE("predict gives the bits of the tape outside of training, whatever the batch", "[core]") {
  Model<Small> model{{.seed = 3}};
  const auto x = noise(9 * Small::input.size(), 1);
  Tape<float> tape;
  for (int i = 0; i < 3; ++i) train(model, tape, x, 9);  // running statistics that are not the first ones
  tape.training = false;
  const auto out = tape(model, Rows<float>{x.data(), 9, 0});
  std::vector<float> all(9 * 5), single(9 * 5);
  model.predict(x.data(), 9, all.data());
  CHECK(std::equal(all.begin(), all.end(), out.value()));
  for (std::size_t i = 0; i < 9; ++i) model.predict(x.data() + i * Small::input.size(), 1, single.data() + 5 * i);
  for (std::size_t i = 0; i < all.size(); ++i) CHECK(single[i] == Approx(all[i]).margin(1e-5));
}

TEST_CASE("the first layers of TrainFrom get no gradient, keep their statistics, and predict alike", "[core]") {
  Model<Small> whole{{.seed = 3}};
  Model<TrainFrom<Small, 4>> frozen{{.seed = 3}};
  CHECK(copy(whole.values()) == copy(frozen.values()));
  const auto x = noise(8 * Small::input.size(), 2);
  std::vector<float> a(40), b(40);
  whole.predict(x.data(), 8, a.data());
  frozen.predict(x.data(), 8, b.data());
  CHECK(a == b);
  Tape<float> tape;
  train(frozen, tape, x, 8);
  const std::size_t first = 3 * 3 * 2 * 4 + 4 + 8;
  CHECK(frozen.segments()[4].offset == first);
  CHECK(std::all_of(frozen.gradients().begin(), frozen.gradients().begin() + first, [](float g) { return g == 0.0f; }));
  CHECK(std::any_of(frozen.gradients().begin() + first, frozen.gradients().end(), [](float g) { return g != 0.0f; }));
  CHECK(std::equal(frozen.statistics().begin(), frozen.statistics().begin() + 8, whole.statistics().begin()));
  CHECK_FALSE(std::equal(frozen.statistics().begin() + 8, frozen.statistics().end(), whole.statistics().begin() + 8));
}

TEST_CASE("a net frozen by type needs less than half of the memory of the same net trained", "[core]") {
  const auto x = noise(16 * Deep::input.size(), 4);
  Model<Deep> whole{{.seed = 5}};
  Model<TrainFrom<Deep, deep_frozen>> frozen{{.seed = 5}};
  Tape<float> large, little;
  train(whole, large, x, 16);
  train(frozen, little, x, 16);
  CHECK(2 * little.capacity() < large.capacity());
  CHECK(std::equal(frozen.gradients().end() - 5 * (frozen.gradients().size() > 0 ? 1 : 0), frozen.gradients().end(),
                   whole.gradients().end() - 5));
}

TEST_CASE("statistics are fixed by pattern, and weights frozen by pattern stay while others learn", "[core]") {
  Model<Small> model{{.name = "m", .seed = 6}};
  std::vector<std::string> names;
  for (const Segment& s : model.segments()) names.push_back(s.name);
  CHECK(names == std::vector<std::string>{"0/w", "0/b", "1/gamma", "1/beta", "2/w", "2/b", "3/gamma", "3/beta", "4/w", "4/b"});
  model.set_statistics_fixed(true, "1/*");
  model.set_trainable(false, "*/w");
  Sgd<float> optimizer({.learning_rate = 0.1}, model);
  const auto before = copy(model.values()), statistics = copy(model.statistics());
  const auto x = noise(8 * Small::input.size(), 7);
  Tape<float> tape;
  for (int i = 0; i < 2; ++i) {
    train(model, tape, x, 8);
    optimizer.step();
  }
  CHECK(std::equal(statistics.begin(), statistics.begin() + 8, model.statistics().begin()));
  CHECK_FALSE(std::equal(statistics.begin() + 8, statistics.end(), model.statistics().begin() + 8));
  for (const Segment& s : model.segments()) {
    if (s.name == "0/b" || s.name == "2/b") continue;  // the normalisation behind takes a bias's gradient away
    const bool same =
        std::equal(before.begin() + static_cast<std::ptrdiff_t>(s.offset),
                   before.begin() + static_cast<std::ptrdiff_t>(s.offset + s.count), model.values().begin() + s.offset);
    CHECK(same == (s.name.back() == 'w'));
  }
  model.set_trainable(true, "4/w");
  CHECK(model.trains());
  model.set_trainable(false);
  CHECK_FALSE(model.trains());
}

TEST_CASE("patterns: a star stands for any text", "[core]") {
  for (const char* fits : {"*", "0/w", "0/*", "*/w", "0*w", "**", "*0/w*", "0/w*"}) CHECK(matches(fits, "0/w"));
  for (const char* differs : {"", "0/", "1/*", "*/b", "/w", "0/w/", "w*"}) CHECK_FALSE(matches(differs, "0/w"));
  CHECK(matches("*ab*ab", "abxabyab"));
  CHECK_FALSE(matches("*ab*abc", "abxabyab"));
}

TEST_CASE("what a model or a batch does not have is a sentence", "[core]") {
  Model<Small> model{{.name = "mine"}};
  CHECK_THROWS_WITH(model.array("0/gamma"), Contains("model 'mine'") && Contains("3/running_var"));
  CHECK_THROWS_WITH(model.set_trainable(false, "9/*"), Contains("'mine'") && Contains("'9/*'") && Contains("4/b"));
  const auto x = noise(4 * Small::input.size(), 8);
  Tape<float> tape;
  const auto y = tape(model, Rows<float>{x.data(), 4, 1});
  CHECK(y.source().count() == 1);
  CHECK(y.target().count() == 3);
  CHECK_THROWS_WITH(y.rows(2, 3), Contains("rows(2, 3) of a batch of 4"));
  CHECK_THROWS_WITH(cross_entropy(y, ClassLabels<5>{answers().data(), 3}), Contains("4 rows") && Contains("3 labels"));
}

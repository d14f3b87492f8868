// The gradient penalty of a Wasserstein critic: its value, and its gradient in the critic's parameters, which is one of second
// order.
#include <graft/loss/gradient_penalty.hpp>
#include <graft/ops/list.hpp>

#include "catch.hpp"
#include "support/allocations.hpp"

#include <cmath>
#include <string>
#include <vector>

namespace test_gradient_penalty {
using namespace graft;

namespace {
template <class Act>
struct Critic : Net<Vector<3>, Dense<4>, Act, Dense<3>, Act, Dense<1>> {};
struct Linear : Net<Vector<3>, Dense<1>> {};
struct Mixed : Net<Image<2, 1, 3>, Tanh, Flatten, Dense<5, false>, ELU, Named<"middle", Dense<4>>, ReLU, Dense<3>, Softplus,
                   Flatten, Dense<1, false>, LeakyReLU<0.5>> {};

/// The numbers of make_gradient_penalty.py.
template <class T>
void fill(Buffer<T>& values) {
  for (std::size_t k = 0; k < values.size(); ++k)
    values[k] = static_cast<T>(0.8 * std::sin(1.3 * static_cast<double>(k) + 0.7));
}
template <class T>
std::vector<T> rows_of(std::size_t count) {
  std::vector<T> rows(count);
  for (std::size_t k = 0; k < count; ++k) rows[k] = static_cast<T>(std::cos(0.9 * static_cast<double>(k) + 0.2));
  return rows;
}

template <class T>
struct Answer {
  double value;
  std::vector<T> gradient;
};
/// Of `weight` times the penalty at five rows.
template <class N, class T>
Answer<T> penalty_of(Model<N, Cpu, T>& critic, double weight = 1.0, int rows = 5) {
  Tape<T> tape;
  const auto h = rows_of<T>(static_cast<std::size_t>(rows) * N::input.size());
  std::fill(critic.gradients().begin(), critic.gradients().end(), T{0});
  const auto penalty = gradient_penalty(tape, critic, Rows<T>{h.data(), rows, 0});
  const double value = static_cast<double>(penalty.value());
  backward(weight * penalty);
  return {value, {critic.gradients().begin(), critic.gradients().end()}};
}
/// The largest distance of the gradient from central differences of the value; both are of the order of 1.
template <class N>
double off_differences() {
  Model<N, Cpu, double> critic;
  fill(critic.values());
  const auto own = penalty_of(critic).gradient;
  double worst = 0.0;
  for (std::size_t i = 0; i < own.size(); ++i) {
    const double kept = critic.values()[i];
    critic.values()[i] = kept + 1e-5;
    const double up = penalty_of(critic).value;
    critic.values()[i] = kept - 1e-5;
    const double down = penalty_of(critic).value;
    critic.values()[i] = kept;
    worst = std::max(worst, std::abs((up - down) / 2e-5 - own[i]));
  }
  return worst;
}

struct Golden {
  double value, along, at0, at13, at20, at33;
};
template <class Act>
void is(const Golden& golden) {
  INFO(Act::name);
  Model<Critic<Act>, Cpu, double> critic;
  fill(critic.values());
  const auto [value, gradient] = penalty_of(critic);
  double along = 0.0;
  for (std::size_t k = 0; k < gradient.size(); ++k) along += gradient[k] * std::sin(static_cast<double>(k + 1));
  const auto near = [](double a, double b) { return std::abs(a - b) < 1e-12; };
  CHECK(near(value, golden.value));
  CHECK(near(along, golden.along));
  CHECK(near(gradient[0], golden.at0));
  CHECK(near(gradient[13], golden.at13));
  CHECK(near(gradient[20], golden.at20));
  CHECK(near(gradient[33], golden.at33));
}
}  // namespace

TEST_CASE("the gradient penalty and its gradient are PyTorch's by double backward", "[loss]") {
  // python3 tests/loss/make_gradient_penalty.py, with PyTorch 1.13
  is<ReLU>({0.3295892185979242, -0.08745381386014248, -0.03770691436981487, 0, -0.0714110060634362, 0.3118788545863342});
  is<Tanh>({0.5059795918108757, 0.1798705593435871, -0.096178906084694, 0.2762043726461256, -0.3756254220461876,
            0.3118934978619593});
  is<ELU>({0.3512850633413508, 0.3093902329731985, 0.01971370020362807, -0.03755272256705845, -0.2800731446086075,
           0.2801897370391309});
  is<Softplus>({0.7509033127703105, 0.1082249811238588, 0.07734634799123577, -0.09573293882038042, -0.226246478794457,
                0.1729679641195728});
  is<GELU>({0.401256346400006, -0.000465012602956616, 0.0378571355395836, -0.2784703152395759, -0.2128242496721459,
            0.3013129833488223});
  is<SiLU>({0.5341230521674747, 0.02517621441189323, 0.05520812662005854, -0.1792887951951059, -0.2094967425583853,
            0.231816414808158});
}

TEST_CASE("the gradient penalty's gradient is that of its value, for every activation", "[loss]") {
  CHECK(off_differences<Critic<ReLU>>() < 1e-8);
  CHECK(off_differences<Critic<ReLU6>>() < 1e-8);
  CHECK(off_differences<Critic<LeakyReLU<0.2>>>() < 1e-8);
  CHECK(off_differences<Critic<ELU>>() < 1e-8);
  CHECK(off_differences<Critic<GELU>>() < 1e-8);
  CHECK(off_differences<Critic<SiLU>>() < 1e-8);
  CHECK(off_differences<Critic<HardSwish>>() < 1e-8);
  CHECK(off_differences<Critic<Sigmoid>>() < 1e-8);
  CHECK(off_differences<Critic<Tanh>>() < 1e-8);
  CHECK(off_differences<Critic<Softplus>>() < 1e-8);
  CHECK(off_differences<Linear>() < 1e-8);
  CHECK(off_differences<Mixed>() < 1e-8);
}

TEST_CASE("errors 3 and 17: the norm is that of the whole gradient of the critic's output in a row, not of each number",
          "[loss]") {
  Model<Linear, Cpu, double> critic;
  const double w[] = {2, -1, 2, 0.5};
  std::copy(w, w + 4, critic.values().begin());
  const auto [value, gradient] = penalty_of(critic, 0.5);
  CHECK(value == Approx((3.0 - 1.0) * (3.0 - 1.0)).epsilon(1e-14));
  for (std::size_t k = 0; k < 3; ++k) CHECK(gradient[k] == Approx(0.5 * 2.0 * (3.0 - 1.0) * w[k] / 3.0).epsilon(1e-14));
  CHECK(gradient[3] == 0.0);
}

TEST_CASE("where the critic is flat the penalty is 1 and has no direction", "[loss]") {
  Model<Critic<ReLU>, Cpu, double> critic;
  fill(critic.values());
  std::fill_n(critic.array("1/w"), 12, 0.0);
  const auto [value, gradient] = penalty_of(critic);
  CHECK(value == 1.0);
  for (const double g : gradient) CHECK(g == 0.0);
}

TEST_CASE("the gradient penalty in float is that in double, to rounding", "[loss]") {
  Model<Critic<Tanh>, Cpu, double> exact;
  Model<Critic<Tanh>, Cpu, float> critic;
  fill(exact.values()), fill(critic.values());
  const auto expected = penalty_of(exact);
  const auto got = penalty_of(critic);
  CHECK(got.value == Approx(expected.value).epsilon(1e-5));
  for (std::size_t k = 0; k < got.gradient.size(); ++k)
    CHECK(static_cast<double>(got.gradient[k]) == Approx(expected.gradient[k]).margin(1e-5));
}

TEST_CASE("frozen layers of a critic get no gradient of the penalty, and a penalty of no rows is an Error", "[loss]") {
  Model<Critic<Tanh>, Cpu, double> critic;
  fill(critic.values());
  const auto whole = penalty_of(critic).gradient;
  critic.set_trainable(false, "0/*");
  const auto part = penalty_of(critic).gradient;
  for (std::size_t k = 0; k < whole.size(); ++k) CHECK(part[k] == (k < 16 ? 0.0 : whole[k]));
  critic.set_trainable(false);
  for (const double g : penalty_of(critic).gradient) CHECK(g == 0.0);
  CHECK_THROWS_WITH(penalty_of(critic, 1.0, 0), Catch::Matchers::ContainsSubstring("0 rows; it needs at least 1"));
}

TEST_CASE("a critic's step allocates nothing after the first and does not depend on the threads", "[loss]") {
  struct Wide : Net<Vector<256>, Dense<128>, Tanh, Dense<64>, ReLU, Dense<1>> {};
  const auto h = rows_of<float>(96 * 256);
  const int before = threads();
  std::vector<float> first;
  for (const int count : {1, 2}) {
    set_threads(count);
    Model<Wide> critic{{.seed = 3}};
    Tape<float> tape;
    const auto step = [&] {
      const Rows<float> rows{h.data(), 96, 40};
      const auto distance = critic_distance(tape(critic, rows));
      backward(10.0 * gradient_penalty(tape, critic, rows) - distance);
    };
    step();
    const std::size_t allocated = support::allocations();
    for (int i = 0; i < 3; ++i) step();
    CHECK(support::allocations() == allocated);
    const std::vector<float> gradient(critic.gradients().begin(), critic.gradients().end());
    if (first.empty()) first = gradient;
    CHECK(gradient == first);
  }
  set_threads(before);
}

TEST_CASE("critic_distance: the means' difference, of batches of any size", "[loss]") {
  Model<Linear, Cpu, double> critic;
  const double w[] = {1, 0, 0, 7};
  std::copy(w, w + 4, critic.values().begin());
  const double h[] = {1, 5, 5, /**/ 4, 5, 5, /**/ -2, 5, 5, /**/ 0, 5, 5, /**/ 5, 5, 5};
  Tape<double> tape;
  const auto distance = critic_distance(tape(critic, Rows<double>{h, 5, 2}));
  CHECK(distance.value() == Approx(2.5 - 1.0).epsilon(1e-14));
  backward(distance);
  CHECK(critic.gradients()[0] == Approx(1.5).epsilon(1e-14));
  CHECK(std::abs(critic.gradients()[1]) < 1e-14);
  CHECK(std::abs(critic.gradients()[3]) < 1e-14);
}

}  // namespace test_gradient_penalty

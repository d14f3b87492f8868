// What holds for every op of the list: each test here runs over graft::OpList and needs no edit when an op is added.
#include <graft/ops/list.hpp>
#include <graft/train/checkpoint.hpp>

#include "catch.hpp"
#include "support/allocations.hpp"
#include "support/case.hpp"
#include "support/reference.hpp"

#include <algorithm>
#include <cmath>

namespace test_list {
using namespace graft;
using support::Bench;

namespace {

/// Central differences of `value` over x[i] for at most `most` places, against `gradient`, relative to the largest. Where
/// fixed[i], the gradient must be 0.
template <class F>
double difference_error(std::vector<double>& x, const std::vector<double>& gradient, F&& value,
                        const std::vector<bool>& fixed = {}, std::size_t most = 60) {
  double worst = 0.0, size = 1e-3;
  for (const double g : gradient) size = std::max(size, std::abs(g));
  const std::size_t stride = std::max<std::size_t>(1, x.size() / most);
  for (std::size_t i = 0; i < x.size(); i += stride) {
    if (!fixed.empty() && fixed[i]) {
      worst = std::max(worst, std::abs(gradient[i]));
      continue;
    }
    const double kept = x[i], h = 1e-5;
    x[i] = kept + h;
    const double up = value();
    x[i] = kept - h;
    const double down = value();
    x[i] = kept;
    worst = std::max(worst, std::abs((up - down) / (2 * h) - gradient[i]) / size);
  }
  return worst;
}

std::vector<support::NetMaker> ops() { return support::makers(static_cast<const OpList*>(nullptr)); }
std::vector<support::NetMaker> ops_in_bf16() { return support::bf16_makers(static_cast<const OpList*>(nullptr)); }
/// Both, as Bench<float> takes them.
std::vector<support::NetMaker> ops_of_float() {
  auto all = ops(), rounded = ops_in_bf16();
  all.insert(all.end(), rounded.begin(), rounded.end());
  return all;
}

}  // namespace

TEST_CASE("an op's gradients agree with central differences in double", "[ops]") {
  for (const auto& op : ops()) {
    Bench<double> bench(op);
    INFO(bench.net->name);
    bench.run();
    const auto dx = bench.net->dx;
    const auto gradients = bench.gradients;
    CHECK(difference_error(bench.x, dx, [&] { return bench.run(); }) < 1e-7);
    std::vector<double> values(bench.net->values().begin(), bench.net->values().end());
    const auto at_values = [&] {
      std::copy(values.begin(), values.end(), bench.net->values().begin());
      return bench.run();
    };
    std::vector<bool> fixed;
    for (const Segment& s : bench.net->segments()) fixed.insert(fixed.end(), s.count, s.fixed);
    CHECK(difference_error(values, gradients, at_values, fixed) < 1e-7);
  }
}

TEST_CASE("float agrees with double", "[ops]") {
  for (const auto& op : ops()) {
    Bench<double> exact(op);
    Bench<float> bench(op);
    INFO(bench.net->name);
    for (std::size_t i = 0; i < exact.net->values().size(); ++i)
      exact.net->values()[i] = static_cast<double>(bench.net->values()[i]);
    exact.run();
    bench.run();
    CHECK(reference::error(bench.net->y, exact.net->y) < 1e-5);
    CHECK(reference::error(bench.net->dx, exact.net->dx) < 2e-5);
    if (!exact.gradients.empty()) CHECK(reference::error(bench.gradients, exact.gradients) < 2e-5);
  }
}

// Numbers near a kink (of ReLU, of a pool's choice) fall to its other side when they are rounded, and their gradients go
// elsewhere: three quarters of the gradients are looked at. The factors of products are rounded by 2^-9 at most, and so is what
// is kept; no sum here has more than 300 terms, whose magnitudes add up to less than four times the largest result.
TEST_CASE("in bf16 an op agrees with float but for rounding", "[ops]") {
  const auto three_quarters = [](const std::vector<float>& a, const std::vector<float>& b) {
    REQUIRE(a.size() == b.size());
    std::vector<float> apart(a.size());
    float largest = 1e-30f;
    for (std::size_t i = 0; i < a.size(); ++i) {
      apart[i] = std::abs(a[i] - b[i]);
      largest = std::max(largest, std::abs(b[i]));
    }
    const auto at = apart.begin() + static_cast<std::ptrdiff_t>(apart.size() * 3 / 4);
    std::nth_element(apart.begin(), at, apart.end());
    return *at / largest;
  };
  const auto rounded = ops_in_bf16();
  for (std::size_t k = 0; k < rounded.size(); ++k) {
    Bench<float> bench(ops()[k]), other(rounded[k]);
    INFO(other.net->name);
    bench.run();
    other.run();
    CHECK(reference::error(other.net->y, bench.net->y) < 4 * 0x3p-9);
    CHECK(three_quarters(other.net->dx, bench.net->dx) < 4 * 0x3p-9f);
    if (!bench.gradients.empty()) CHECK(three_quarters(other.gradients, bench.gradients) < 4 * 0x3p-9f);
    std::vector<float> y(bench.n * bench.net->output_size), half(y.size());
    bench.net->predict(bench.x.data(), bench.n, y.data());
    other.net->predict(bench.x.data(), bench.n, half.data());
    CHECK(reference::error(half, y) < 4 * 0x3p-9);
  }
}

TEST_CASE("1, 2 and 5 threads give the same bits", "[ops]") {
  const int before = threads();
  for (const auto& op : ops_of_float()) {
    Bench<float> one(op);
    INFO(one.net->name);
    set_threads(1);
    one.run();
    for (const int count : {2, 5}) {
      set_threads(count);
      Bench<float> many(op);
      many.run();
      CHECK((many.net->y == one.net->y));
      CHECK((many.net->dx == one.net->dx));
      CHECK((many.gradients == one.gradients));
    }
  }
  set_threads(before);
}

TEST_CASE("a step allocates nothing after the first", "[ops]") {
  for (const auto& op : ops_of_float()) {
    Bench<float> bench(op);
    INFO(bench.net->name);
    bench.net->step(bench.x, bench.weights);
    const std::size_t before = support::allocations();
    bench.net->step(bench.x, bench.weights);
    bench.net->step(bench.x, bench.weights);
    CHECK(support::allocations() == before);
  }
}

TEST_CASE("inference agrees with the tape outside of training", "[ops]") {
  for (const auto& op : ops()) {
    Bench<double> bench(op);
    INFO(bench.net->name);
    bench.net->tape.training = false;
    bench.net->forward(bench.x);
    std::vector<double> y(bench.n * bench.net->output_size);
    bench.net->predict(bench.x.data(), bench.n, y.data());
    CHECK(reference::error(y, bench.net->y) < 1e-13);
  }
}

TEST_CASE("saving and loading gives the same outputs", "[ops]") {
  const auto path = std::filesystem::temp_directory_path() / ("graft_ops_" + std::to_string(getpid()) + ".checkpoint");
  for (const auto& op : ops()) {
    Bench<float> bench(op);
    INFO(bench.net->name);
    bench.run();
    CheckpointWriter writer;
    writer.add("values", bench.net->values().data(), bench.net->values().size());
    writer.add("statistics", bench.net->statistics().data(), bench.net->statistics().size());
    writer.write(path);
    Bench<float> other(op);
    std::fill(other.net->values().begin(), other.net->values().end(), 0.5f);
    CheckpointReader reader(path);
    reader.get("values", other.net->values().data(), other.net->values().size());
    reader.get("statistics", other.net->statistics().data(), other.net->statistics().size());
    std::filesystem::remove(path);
    other.run();
    CHECK((other.net->y == bench.net->y));
  }
}

TEST_CASE("the plan's counts agree with the arrays that the op names", "[ops]") {
  for (const auto& op : ops()) {
    const auto net = op.make<float>();
    INFO(net->name);
    std::size_t parameters = 0, statistics = 0;
    for (const Segment& s : net->segments()) parameters += s.count;
    for (const Segment& s : net->statistic_segments()) statistics += s.count;
    CHECK(parameters == net->parameter_count);
    CHECK(statistics == net->statistic_count);
  }
}

// A sample's output in inference does not depend on what else is in its batch: what cached features rest on.
TEST_CASE("a sample's output does not depend on its batch, to the bit", "[ops]") {
  constexpr int most = 37;
  for (const auto& op : ops_of_float()) {
    const auto net = op.make<float>();
    INFO(net->name);
    const auto x = support::numbers<float>(most * net->input_size, 11);
    std::vector<float> whole(most * net->output_size), part(whole.size());
    net->predict(x.data(), most, whole.data());
    for (const int batch : {1, 2, 5, 16, 24}) {
      for (int begin = 0; begin < most; begin += batch) {
        const auto at = static_cast<std::size_t>(begin);
        net->predict(x.data() + at * net->input_size, std::min(batch, most - begin), part.data() + at * net->output_size);
      }
      CHECK((part == whole));
    }
  }
}

}  // namespace test_list

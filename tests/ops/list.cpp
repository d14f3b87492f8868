// What holds for every op of the list: each test here runs over graft::OpList and needs no edit when an op is added.
#include <graft/ops/list.hpp>
#include <graft/train/checkpoint.hpp>

#include "catch.hpp"
#include "support/allocations.hpp"
#include "support/case.hpp"
#include "support/reference.hpp"

using namespace graft;
using support::Bench;

namespace {

/// Central differences of `value` over x[i] for at most `most` places, against `gradient`, relative to the largest.
template <class F>
double difference_error(std::vector<double>& x, const std::vector<double>& gradient, F&& value, std::size_t most = 60) {
  double worst = 0.0, size = 1e-3;
  for (const double g : gradient) size = std::max(size, std::abs(g));
  const std::size_t stride = std::max<std::size_t>(1, x.size() / most);
  for (std::size_t i = 0; i < x.size(); i += stride) {
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

}  // namespace

TEMPLATE_LIST_TEST_CASE("an op's gradients agree with central differences in double", "[ops]", OpList) {
  using N = typename TestType::Net;
  Bench<N, double> bench;
  bench.run();
  const auto dx = bench.dx;
  const auto gradients = bench.gradients;
  CHECK(difference_error(bench.x, dx, [&] { return bench.run(); }) < 1e-7);
  std::vector<double> values(bench.model.values().begin(), bench.model.values().end());
  const auto at_values = [&] {
    std::copy(values.begin(), values.end(), bench.model.values().begin());
    return bench.run();
  };
  CHECK(difference_error(values, gradients, at_values) < 1e-7);
}

TEMPLATE_LIST_TEST_CASE("float agrees with double", "[ops]", OpList) {
  using N = typename TestType::Net;
  Bench<N, double> exact;
  Bench<N, float> bench;
  for (std::size_t i = 0; i < exact.model.values().size(); ++i)
    exact.model.values()[i] = static_cast<double>(bench.model.values()[i]);
  exact.run();
  bench.run();
  CHECK(reference::error(bench.y, exact.y) < 1e-5);
  CHECK(reference::error(bench.dx, exact.dx) < 2e-5);
  if (!exact.gradients.empty()) CHECK(reference::error(bench.gradients, exact.gradients) < 2e-5);
}

TEMPLATE_LIST_TEST_CASE("1, 2 and 5 threads give the same bits", "[ops]", OpList) {
  using N = typename TestType::Net;
  const int before = threads();
  Bench<N, float> one;
  set_threads(1);
  one.run();
  for (const int count : {2, 5}) {
    set_threads(count);
    Bench<N, float> many;
    many.run();
    CHECK(many.y == one.y);
    CHECK(many.dx == one.dx);
    CHECK(many.gradients == one.gradients);
  }
  set_threads(before);
}

TEMPLATE_LIST_TEST_CASE("a step allocates nothing after the first", "[ops]", OpList) {
  using N = typename TestType::Net;
  Bench<N, float> bench;
  const auto step = [&] {
    auto out = bench.tape(bench.model, Rows<float>{bench.x.data(), bench.n});
    backward(support::weighted(out, bench.weights));
  };
  step();
  const std::size_t before = support::allocations();
  step();
  step();
  CHECK(support::allocations() == before);
}

TEMPLATE_LIST_TEST_CASE("inference agrees with the tape outside of training", "[ops]", OpList) {
  using N = typename TestType::Net;
  Bench<N, double> bench;
  bench.tape.training = false;
  const auto out = bench.tape(bench.model, Rows<double>{bench.x.data(), bench.n});
  std::vector<double> y(bench.n * N::output.size());
  bench.model.predict(bench.x.data(), bench.n, y.data());
  CHECK(reference::error(y, std::vector<double>(out.value(), out.value() + y.size())) < 1e-13);
}

TEMPLATE_LIST_TEST_CASE("saving and loading gives the same outputs", "[ops]", OpList) {
  using N = typename TestType::Net;
  Bench<N, float> bench;
  bench.run();
  const auto path = std::filesystem::temp_directory_path() / ("graft_ops_" + std::to_string(getpid()) + ".checkpoint");
  CheckpointWriter writer;
  writer.add("values", bench.model.values().data(), bench.model.values().size());
  writer.add("statistics", bench.model.statistics().data(), bench.model.statistics().size());
  writer.write(path);
  Bench<N, float> other;
  std::fill(other.model.values().begin(), other.model.values().end(), 0.5f);
  CheckpointReader reader(path);
  reader.get("values", other.model.values().data(), other.model.values().size());
  reader.get("statistics", other.model.statistics().data(), other.model.statistics().size());
  std::filesystem::remove(path);
  other.run();
  CHECK(other.y == bench.y);
}

TEMPLATE_LIST_TEST_CASE("the plan's counts agree with the arrays that the op names", "[ops]", OpList) {
  using N = typename TestType::Net;
  Model<N> model;
  std::size_t parameters = 0, statistics = 0;
  for (const Segment& s : model.segments()) parameters += s.count;
  for (const Segment& s : model.statistic_segments()) statistics += s.count;
  CHECK(parameters == N::parameter_count);
  CHECK(statistics == N::statistic_count);
}

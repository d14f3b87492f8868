#include "graft/optim/schedule.hpp"

#include "catch.hpp"

namespace test_schedule {
using namespace graft;

TEST_CASE("the schedules of Ganin et al. give their golden values", "[optim]") {
  const auto near = [](double value) { return Approx(value).epsilon(1e-12).margin(1e-15); };
  const double p[] = {0.1, 0.25, 0.5, 0.75, 1.0};
  const double lambda[] = {.4621171572600098, .8482836399575131, .9866142981514305, .9988944427261528, .9999092042625952};
  for (int i = 0; i < 5; ++i) CHECK(DannLambda{}(p[i]) == near(lambda[i]));
  CHECK(DannLambda{}(0.0) == 0.0);
  const double slow[] = {.04995837, .12435300, .24491866, .35835740, .46211716};
  for (int i = 0; i < 5; ++i) CHECK(DannLambda{.gamma = 1.0}(p[i]) == Approx(slow[i]).margin(5e-9));
  CHECK(DannLambda{.high = 0.1}(1.0) == near(.09999092042625952));
  CHECK(DannRate{}(0.0) == 0.01);
  CHECK(DannRate{}(0.1) == near(.005946035575013606));
  CHECK(DannRate{}(0.25) == near(.003907949713906801));
  CHECK(DannRate{}(0.5) == near(.0026084743001221454));
  CHECK(DannRate{}(1.0) == near(.0016556002607617019));
}

TEST_CASE("schedules at their ends and in between", "[optim]") {
  CHECK(Constant{0.3}(0.7) == 0.3);
  const StepDecay steps{.value = 1.0, .parts = 3, .factor = 0.1};
  CHECK(steps(0.0) == 1.0);
  CHECK(steps(0.34) == Approx(0.1));
  CHECK(steps(0.99) == Approx(0.01));
  CHECK(steps(1.0) == Approx(0.01));
  const Cosine cosine{.value = 2.0, .floor = 1.0};
  CHECK(cosine(0.0) == Approx(2.0));
  CHECK(cosine(0.5) == Approx(1.5));
  CHECK(cosine(1.0) == Approx(1.0));
  const Exponential exponential{.value = 1.0, .end = 0.01};
  CHECK(exponential(0.0) == Approx(1.0));
  CHECK(exponential(0.5) == Approx(0.1));
  CHECK(exponential(1.0) == Approx(0.01));
  const WarmUp warm{0.2, Cosine{.value = 2.0}};
  CHECK(warm(0.0) == 0.0);
  CHECK(warm(0.1) == Approx(1.0));
  CHECK(warm(0.2) == Approx(2.0));
  CHECK(warm(0.6) == Approx(1.0));
  CHECK(warm(1.0) == Approx(0.0).margin(1e-15));
}

}  // namespace test_schedule

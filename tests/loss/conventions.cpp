// The losses of papers and of released libraries on the worked inputs of the field's survey: values (and gradients where there
// are any) of the formulas in double arithmetic, to twelve digits.
#include <graft/loss/conventions.hpp>
#include <graft/optim/schedule.hpp>
#include <graft/transfer/guesses.hpp>

#include "catch.hpp"
#include "golden.hpp"
#include "support/reference.hpp"

namespace test_conventions {
using namespace graft;
using namespace golden;

namespace {
double mmd_value(Convention convention, bool linear = false) {
  return evaluate(S, T, [=](const auto& x, const auto& y) { return mmd(x, y, convention, linear); }).value;
}
double coral_value(Convention convention) {
  return evaluate(S, T, [=](const auto& x, const auto& y) { return coral(x, y, convention); }).value;
}
}  // namespace

TEST_CASE("MMD as papers and libraries compute it", "[loss][golden]") {
  CHECK(is(evaluate(S, T, [](const auto& x, const auto& y) { return mean_difference(x, y); }).value, .5625));
  CHECK(is(mmd_value(Convention::paper), -.8496386337207404 / 5.0));
  CHECK(is(mmd_value(Convention::deepda), .6622188249920216));
  CHECK(is(mmd_value(Convention::ada), -2.573250632118829));
  CHECK(is(mmd_value(Convention::tllib), -.1904636750657719));
  CHECK(is(mmd_value(Convention::tllib) - 2.0 / 3.0, -.8571303417324385));
  CHECK(is(mmd_value(Convention::tllib, true), -1.921342577803851));
  CHECK(is(mmd_value(Convention::tllib, true) - 2.0 / 3.0, -2.5880092444705176));
  CHECK(is(mmd_value(Convention::pytorch_adapt), -.22321191477913915));
  CHECK(is(mmd_value(Convention::pytorch_adapt, true), -.857122582721088));
  CHECK(is(mmd_value(Convention::domainbed), 2.0109082891920185));
  CHECK(is(mmd_value(Convention::skada), 8.07719308797854));
  CHECK_THROWS_WITH(mmd_value(Convention::shot), Catch::Matchers::ContainsSubstring("'shot' is not known here"));
  const auto tllib = evaluate(S, T, [](const auto& x, const auto& y) { return mmd(x, y, Convention::tllib); });
  CHECK(row0_is(tllib.dx, -.21845686824874627, -.06448999571080184, -.0523216791026212));
  const auto deepda = evaluate(S, T, [](const auto& x, const auto& y) { return mmd(x, y, Convention::deepda); });
  CHECK(row0_is(deepda.dx, -.1942171622383016, -.11416553056705689, .004765421146308129));
}

TEST_CASE("the penalty of the DDC tutorial agrees with PyTorch", "[loss][reference]") {
  const auto file = reference::file("losses.safetensors");
  if (!file) return;
  const auto numbers = [&](const char* name) { return file->get<double>(std::string("mmd.ddc_penalty/") + name); };
  const auto penalty = evaluate(numbers("x"), numbers("y"), [](const auto& x, const auto& y) {
    return 0.25 * square(mmd(x, y, MmdOptions{.gamma = {1.0}}));
  });
  CHECK(reference::error(std::vector<double>{penalty.value}, numbers("loss")) < 1e-9);
  CHECK(reference::error(penalty.dx, numbers("dx")) < 1e-9);
  CHECK(reference::error(penalty.dy, numbers("dy")) < 1e-9);
}

TEST_CASE("CORAL as papers and libraries compute it", "[loss][golden]") {
  for (const Convention c : {Convention::paper, Convention::deepda, Convention::pytorch_adapt, Convention::skada})
    CHECK(is(coral_value(c), .1832561728395062));
  CHECK(is(coral_value(Convention::tllib), .9205246913580248));
  CHECK(is(coral_value(Convention::domainbed), .9205246913580248));
  CHECK(is(coral_value(Convention::adapt), .37075617283950624));
  const auto paper = evaluate(S, T, [](const auto& x, const auto& y) { return coral(x, y); });
  CHECK(row0_is(paper.dx, -.021219135802469136, -.14660493827160495, .08487654320987655));
  CHECK_THROWS_AS(coral_value(Convention::ada), Error);
}

TEST_CASE("class confusion, entropy and information maximisation", "[loss][golden]") {
  const auto confusion = [](Convention c) {
    return evaluate(Lt, [c](const auto& z) { return minimum_class_confusion(z, c); }).value;
  };
  CHECK(is(confusion(Convention::paper), .617595509101878));
  CHECK(is(confusion(Convention::tllib), .617595509101878));
  CHECK(is(confusion(Convention::pytorch_adapt), .4854827311635011));
  CHECK_THROWS_AS(confusion(Convention::skada), Error);
  const auto exact = evaluate(Lt, [](const auto& z) { return minimum_class_confusion(z, 1.0, 0.0); });
  CHECK(is(exact.value, .4854829882465013));
  CHECK(row0_is(exact.dx, -.05192142273491538, .04099071849905627, .010930704235859134));
  const auto warm = evaluate(Lt, [](const auto& z) { return minimum_class_confusion(z, 2.5, 0.0); });
  CHECK(is(warm.value, .6175955318953695));
  CHECK(row0_is(warm.dx, -.015429607800229615, .009271735118212767, .006157872682016854));

  const auto uncertainty = evaluate(Lt, [](const auto& z) { return entropy(z); });
  CHECK(is(uncertainty.value, .7845087390293677));
  CHECK(row0_is(uncertainty.dx, -.07468539577890743, .04906933273161729, .02561606304729015));
  CHECK(is(evaluate(Lt, [](const auto& z) { return entropy(z, 1e-5); }).value, .7844787410712637));
  CHECK(is(evaluate(Lt, [](const auto& z) { return mean_entropy(z, 1e-5); }).value, 1.0532199967066302));
  const auto im = evaluate(Lt, [](const auto& z) { return information_maximisation(z); });
  CHECK(is(im.value, -.2687412571779747));
  CHECK(row0_is(im.dx, -.07743456652227358, .05745463388018062, .01997993264209297));
  CHECK(
      is(evaluate(Lt, [](const auto& z) { return information_maximisation(z, Convention::shot); }).value, -.26874125563536655));
}

TEST_CASE("believed labels are summed and divided by the whole batch", "[loss][golden]") {
  // teacher Lt with a threshold of 0.7 believes rows 0 and 2, as classes 0 and 1; student At
  const int believed[] = {0, -1, 1, -1}, none[] = {-1, -1, -1, -1};
  const auto loss = evaluate(At, [&](const auto& z) { return believed_cross_entropy(z, ClassLabels<>{believed, 4}); });
  CHECK(is(loss.value, .2579602059036342));
  const auto nothing = evaluate(At, [&](const auto& z) { return believed_cross_entropy(z, ClassLabels<>{none, 4}); });
  CHECK(nothing.value == 0.0);
  for (const double g : nothing.dx) CHECK(g == 0.0);
}

TEST_CASE("the new losses' gradients agree with central differences", "[loss]") {
  const auto differ = [](auto&& make) { return off_differences(S, T, make); };
  CHECK(differ([](const auto& x, const auto& y) { return mean_difference(x, y); }) < 1e-8);
  CHECK(differ([](const auto& x, const auto& y) { return coral(x, y, Convention::tllib); }) < 1e-8);
  CHECK(differ([](const auto& x, const auto& y) { return mmd(x, y, Convention::domainbed); }) < 1e-6);
  CHECK(differ([](const auto& x, const auto& y) {
          return mmd(x, y, MmdOptions{.estimator = Estimator::linear_cyclic, .gamma = {0.2}});
        }) < 1e-8);
  CHECK(differ([](const auto& x, const auto& y) { return square(mmd(x, y, MmdOptions{.gamma = {0.3}})); }) < 1e-8);
  const double* b = T.data();
  CHECK(differ([&](const auto& x, const auto&) { return mean_absolute_error(x, b); }) < 1e-8);
  CHECK(differ([&](const auto& x, const auto&) { return mean_squared_error(x, 0.75); }) < 1e-8);
  // skada's bandwidth comes from x and is held constant, so only the gradient of y is that of the value
  const auto make = [](const auto& x, const auto& y) { return mmd(x.detached(), y, Convention::skada); };
  const auto own = evaluate(S, T, make);
  auto moved = T;
  for (std::size_t i = 0; i < moved.size(); ++i) {
    moved[i] = T[i] + 1e-5;
    const double up = evaluate(S, moved, make).value;
    moved[i] = T[i] - 1e-5;
    CHECK(std::abs((up - evaluate(S, moved, make).value) / 2e-5 - own.dy[i]) < 1e-6);
    moved[i] = T[i];
  }
  for (const double epsilon : {0.0, 1e-3}) {
    CHECK(off_differences<Vector<3>, Kind::logits>(Ls, Lt, [=](const auto& a, const auto& c) {
            return entropy(a, epsilon) + 2.0 * mean_entropy(c, epsilon) - mean_entropy(a, epsilon);
          }) < 1e-8);
  }
}

TEST_CASE("schedules of the reversal and of the learning rate", "[golden]") {
  const auto near = [](double value, double expected, double digits) { return std::abs(value - expected) <= digits; };
  const double p[] = {.1, .25, .5, .75, 1};
  const double paper[] = {.4621171572600098, .8482836399575131, .9866142981514305, .9988944427261528, .9999092042625952};
  const double deepda[] = {.04995837, .12435300, .24491866, .35835740, .46211716};
  const double adapt[] = {.46215912, .84836067, .98670389, .99898515, 1};
  for (int i = 0; i < 5; ++i) {
    CHECK(is(reversal_lambda(Convention::paper, p[i], 1), paper[i]));
    CHECK(is(reversal_lambda(Convention::ada, p[i], 1), paper[i]));
    CHECK(near(reversal_lambda(Convention::deepda, p[i], 1), deepda[i], 5e-9));
    CHECK(near(reversal_lambda(Convention::adapt, p[i], 1), adapt[i], 5e-9));
    CHECK(reversal_lambda(Convention::skada, p[i], 1) == 1.0);
  }
  const double steps[] = {0, 1, 100, 1000, 5000, 10000};
  const double tllib[] = {0, .000499999958, .049958375, .462117157, .986614298, .999909204};
  for (int i = 0; i < 6; ++i) {
    CHECK(near(TllibLambda{}(steps[i]), tllib[i], 5e-10));
    CHECK(near(reversal_lambda(Convention::tllib, steps[i] / 10000, 10000), tllib[i], 5e-10));
    CHECK(near(TllibLambda{.high = 0.1}(steps[i]), 0.1 * tllib[i], 5e-11));
  }
  CHECK(is(DannRate{}(.1), .005946035575013606));
  CHECK(is(DannRate{}(.25), .003907949713906801));
  CHECK(is(DannRate{}(.5), .0026084743001221454));
  CHECK(is(DannRate{}(1), .0016556002607617019));
  CHECK(near(TllibRate{}(1), .00999250655649, 5e-15));
  CHECK(near(TllibRate{}(1000), .005946035575, 5e-13));
  CHECK(near(TllibRate{}(10000), .001655600261, 5e-13));
  CHECK(Growing{0.25}(0.0) == 0.25);
  CHECK(is(Growing{2.0, 10.0}(.1), 2.0 * .4621171572600098));
  CHECK(Growing{2.0, 10.0, 0.5}(.49) == 0.0);
  CHECK(is(Growing{2.0, 10.0, 0.5}(.55), 2.0 * .4621171572600098));
  CHECK(Growing{0.25, 0.0, 0.5}(.5) == 0.25);
  CHECK(Growing{0.25, 0.0, 1.0}(1.0) == 0.0);
}

}  // namespace test_conventions

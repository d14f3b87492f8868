#include "graft/kernel/cpu/cross_entropy.hpp"
#include "graft/kernel/cpu/pairwise.hpp"
#include "graft/kernel/cpu/statistics.hpp"
#include "kernel/reference.hpp"

namespace test_losses {
using namespace graft;
using kernel::CrossEntropyOptions;
using kernel::Estimator;
using kernel::MmdOptions;

namespace {

/// A loss and its gradients.
template <class T>
struct Result {
  T loss{};
  std::vector<T> dx;
  std::vector<T> dy;
};

template <class T>
Result<T> mmd(int nx, int ny, const std::vector<T>& x, const std::vector<T>& y, const MmdOptions& options) {
  Result<T> r{T{}, std::vector<T>(x.size(), T{99}), std::vector<T>(y.size(), T{99})};
  r.loss = kernel::mmd(Cpu{}, nx, ny, static_cast<int>(x.size()) / nx, x.data(), y.data(), options, r.dx.data(), r.dy.data());
  return r;
}
template <class T>
Result<T> coral(int nx, int ny, const std::vector<T>& x, const std::vector<T>& y) {
  Result<T> r{T{}, std::vector<T>(x.size(), T{99}), std::vector<T>(y.size(), T{99})};
  r.loss = kernel::coral(Cpu{}, nx, ny, static_cast<int>(x.size()) / nx, x.data(), y.data(), r.dx.data(), r.dy.data());
  return r;
}
template <class T>
Result<T> cross_entropy(int n, const std::vector<T>& logits, const std::vector<int>& labels,
                        const CrossEntropyOptions<T>& options = {}) {
  Result<T> r{T{}, std::vector<T>(logits.size(), T{99}), {}};
  r.loss =
      kernel::cross_entropy(Cpu{}, n, static_cast<int>(logits.size()) / n, logits.data(), labels.data(), options, r.dx.data());
  return r;
}
MmdOptions with(Estimator estimator, std::array<double, 8> gamma = {}) {
  MmdOptions options;
  options.estimator = estimator;
  options.gamma = gamma;
  return options;
}

template <class T>
void check(const io::TensorFile& file, const std::string& name, const Result<T>& own, const char* first,
           const char* second = nullptr) {
  INFO(name << " in " << sizeof(T) * 8 << " bits");
  CHECK(reference::distance(std::vector<T>{own.loss}, file.get<double>(name + "/loss")) < reference::tolerance<T>);
  CHECK(reference::distance(own.dx, file.get<double>(name + "/" + first)) < reference::tolerance<T>);
  if (second != nullptr) CHECK(reference::distance(own.dy, file.get<double>(name + "/" + second)) < reference::tolerance<T>);
}

template <class T>
void against_reference(const io::TensorFile& file) {
  for (const char* name : {"cross_entropy", "cross_entropy.smoothed", "cross_entropy.huge_logits"}) {
    CrossEntropyOptions<T> options;
    if (std::string(name) == "cross_entropy.smoothed") options.smoothing = 0.1;
    check(file, name,
          cross_entropy(6, file.get<T>(std::string(name) + "/logits"), file.get<int>(std::string(name) + "/labels"), options),
          "dlogits");
  }
  {
    const auto logits = file.get<T>("binary_cross_entropy/logits");
    Result<T> r{T{}, std::vector<T>(logits.size()), {}};
    r.loss =
        kernel::binary_cross_entropy(Cpu{}, 7, logits.data(), file.get<T>("binary_cross_entropy/targets").data(), r.dx.data());
    check(file, "binary_cross_entropy", r, "dlogits");
  }
  {
    const auto a = file.get<T>("mean_squared_error/a");
    const auto b = file.get<T>("mean_squared_error/b");
    Result<T> r{T{}, std::vector<T>(a.size()), std::vector<T>(b.size())};
    r.loss = kernel::mean_squared_error(Cpu{}, 20, a.data(), b.data(), r.dx.data(), r.dy.data());
    check(file, "mean_squared_error", r, "da", "db");
  }
  {
    const auto logits = file.get<T>("entropy/logits");
    Result<T> r{T{}, std::vector<T>(logits.size()), {}};
    r.loss = kernel::entropy(Cpu{}, 8, 5, logits.data(), r.dx.data());
    check(file, "entropy", r, "dlogits");
  }
  {
    const auto logits = file.get<T>("mcc/logits");
    Result<T> r{T{}, std::vector<T>(logits.size()), {}};
    r.loss = kernel::mcc(Cpu{}, 12, 4, logits.data(), T{2.5}, r.dx.data());
    check(file, "mcc", r, "dlogits");
  }
  check(file, "coral", coral(9, 7, file.get<T>("coral/x"), file.get<T>("coral/y")), "dx", "dy");
  struct Case {
    const char* name;
    int nx, ny;
    MmdOptions options;
  };
  for (const Case& c :
       {Case{"mmd.gaussian", 6, 8, with(Estimator::biased, {0.05})},
        Case{"mmd.gaussian_beta1", 5, 5, with(Estimator::biased, {1.0})},
        Case{"mmd.far_apart", 6, 6, with(Estimator::biased, {1e-4})}, Case{"mmd.multi_kernel", 7, 7, with(Estimator::biased)},
        Case{"mmd.unbiased", 6, 9, with(Estimator::unbiased, {0.1})},
        Case{"mmd.linear_time", 8, 8, with(Estimator::linear_time, {0.1})}}) {
    const std::string name = c.name;
    check(file, name, mmd(c.nx, c.ny, file.get<T>(name + "/x"), file.get<T>(name + "/y"), c.options), "dx", "dy");
  }
  // the penalty of the DDC tutorial: mmd^2 / 4, whose gradient is mmd / 2 times that of the mmd
  auto penalty = mmd(5, 5, file.get<T>("mmd.ddc_penalty/x"), file.get<T>("mmd.ddc_penalty/y"), with(Estimator::biased, {1.0}));
  for (auto* gradient : {&penalty.dx, &penalty.dy}) {
    for (T& g : *gradient) g *= penalty.loss / T{2};
  }
  penalty.loss *= penalty.loss / T{4};
  check(file, "mmd.ddc_penalty", penalty, "dx", "dy");
}

// Worked inputs: source and target features (4 x 3), source and target logits (4 x 3).
const std::vector<double> source{.5, -1, 2, 1.5, 0, -.5, -1, .5, 1, 0, 2, -1.5};
const std::vector<double> target{1, .5, 0, 2, -.5, 1.5, .5, 1, -1, -.5, 1.5, 2.5};
const std::vector<double> Ls{1, -.5, 0, 0, 2, -1, .5, .5, 2.5, -1, .3, .2};
const std::vector<double> Lt{2, .5, -1, .1, .2, .3, -1.5, 3, .5, 1, 1, 1};
bool is(double value, double golden) { return std::abs(value - golden) <= 1e-12 * std::max(1.0, std::abs(golden)); }
std::vector<double> row0(const std::vector<double>& v) { return {v[0], v[1], v[2]}; }

}  // namespace

TEST_CASE("losses agree with PyTorch", "[kernel][losses]") {
  const auto file = reference::open("losses.safetensors");
  if (!file) return;
  against_reference<double>(*file);
  against_reference<float>(*file);
}

TEST_CASE("losses: worked values to twelve digits", "[kernel][losses]") {
  // Values of the definitions in double arithmetic; kernel exp(-d2 / 8), then five kernels with the bandwidth of DeepDA.
  const auto biased = mmd(4, 4, source, target, with(Estimator::biased, {0.125}));
  CHECK(is(biased.loss, .1009466401148762));
  CHECK(reference::distance(row0(biased.dx),
                            std::vector<double>{-.041426222353900255, -.03368908011704111, .00014274702927179314}) < 1e-12);
  const auto unbiased = mmd(4, 4, source, target, with(Estimator::unbiased, {0.125}));
  CHECK(is(unbiased.loss, -.21637795016626882));
  CHECK(reference::distance(row0(unbiased.dx),
                            std::vector<double>{-.045923220409160345, -.019991570641047476, -.01686154483237762}) < 1e-12);
  const auto five = mmd(4, 4, source, target, with(Estimator::biased));
  CHECK(is(five.loss, .6622188249920216));
  CHECK(reference::distance(row0(five.dx), std::vector<double>{-.1942171622383016, -.11416553056705689, .004765421146308129}) <
        1e-12);
  CHECK(is(mmd(4, 4, source, target, with(Estimator::unbiased)).loss, -.8496386337207404));
  CHECK(is(mmd(4, 4, source, target, with(Estimator::biased, {.001, .01, .1, 1, 10, 100, 1000})).loss, 2.0109082891920185));
  // x of 3 rows against y of 4: radial kernel with gamma 1
  CHECK(is(mmd(3, 4, std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8, 9}, std::vector<double>{7, 6, 5, 4, 3, 2, 1, 1, 8, 0, 2, 5},
               with(Estimator::biased, {1.0}))
               .loss,
           .5822068619587335));

  const auto second_order = coral(4, 4, source, target);
  CHECK(is(second_order.loss, .1832561728395062));
  CHECK(reference::distance(row0(second_order.dx),
                            std::vector<double>{-.021219135802469136, -.14660493827160495, .08487654320987655}) < 1e-12);

  std::vector<double> g(12);
  CHECK(is(kernel::entropy(Cpu{}, 4, 3, Lt.data(), g.data()), .7845087390293677));
  CHECK(reference::distance(row0(g), std::vector<double>{-.07468539577890743, .04906933273161729, .02561606304729015}) < 1e-12);
  CHECK(is(kernel::mcc(Cpu{}, 4, 3, Lt.data(), 1.0, g.data()), .4854827311635011));
  CHECK(is(kernel::mcc(Cpu{}, 4, 3, Lt.data(), 2.5, g.data()), .617595509101878));
  CHECK(is(kernel::mcc(Cpu{}, 4, 3, Lt.data(), 1.0, g.data(), 0.0), .4854829882465013));
  CHECK(reference::distance(row0(g), std::vector<double>{-.05192142273491538, .04099071849905627, .010930704235859134}) <
        1e-12);
  CHECK(is(kernel::mcc(Cpu{}, 4, 3, Lt.data(), 2.5, g.data(), 0.0), .6175955318953695));
  CHECK(reference::distance(row0(g), std::vector<double>{-.015429607800229615, .009271735118212767, .006157872682016854}) <
        1e-12);

  CHECK(is(cross_entropy(4, Ls, {0, 1, 2, 1}).loss, .41296923350604875));
  CrossEntropyOptions<double> smoothed;
  smoothed.smoothing = 0.1;
  CHECK(is(cross_entropy(4, Ls, {0, 1, 2, 1}, smoothed).loss, .5204692335060488));
}

TEST_CASE("losses: gradients by central differences", "[kernel][losses]") {
  const auto x = reference::normal(7 * 5, 1);
  const auto y = reference::normal(9 * 5, 2, 1.5);
  const auto near = [](const std::vector<double>& gradient, const std::vector<double>& numeric) {
    CHECK(reference::distance(gradient, numeric) < 1e-7);
  };
  for (const MmdOptions& options : {with(Estimator::biased, {0.2}), with(Estimator::unbiased, {0.05, 0.1, 0.2, 0.7})}) {
    const auto r = mmd(7, 9, x, y, options);
    near(r.dx, reference::differences(x, [&](const std::vector<double>& at) { return mmd(7, 9, at, y, options).loss; }));
    near(r.dy, reference::differences(y, [&](const std::vector<double>& at) { return mmd(7, 9, x, at, options).loss; }));
  }
  const std::vector<double> y6(y.begin(), y.begin() + 30), x6(x.begin(), x.begin() + 30);
  const auto linear = with(Estimator::linear_time, {0.1, 0.2});
  near(mmd(6, 6, x6, y6, linear).dx,
       reference::differences(x6, [&](const std::vector<double>& at) { return mmd(6, 6, at, y6, linear).loss; }));
  const auto c = coral(7, 9, x, y);
  near(c.dx, reference::differences(x, [&](const std::vector<double>& at) { return coral(7, 9, at, y).loss; }));
  near(c.dy, reference::differences(y, [&](const std::vector<double>& at) { return coral(7, 9, x, at).loss; }));

  const std::vector<int> labels{0, 4, -1, 2, 2, 1, 3};
  const std::vector<double> weights{1.0, 0.5, 2.0, 0.1, 3.0};
  CrossEntropyOptions<double> options;
  options.smoothing = 0.2;
  options.class_weights = weights.data();
  options.ignored = -1;
  const auto ce = cross_entropy(7, x, labels, options);
  near(ce.dx,
       reference::differences(x, [&](const std::vector<double>& at) { return cross_entropy(7, at, labels, options).loss; }));
  for (int k = 10; k < 15; ++k) CHECK(ce.dx[static_cast<std::size_t>(k)] == 0.0);  // the ignored row

  std::vector<double> g(35);
  double* none = nullptr;
  kernel::entropy(Cpu{}, 7, 5, x.data(), g.data());
  near(g,
       reference::differences(x, [&](const std::vector<double>& at) { return kernel::entropy(Cpu{}, 7, 5, at.data(), none); }));
  std::vector<double> targets(35);
  for (std::size_t i = 0; i < 35; ++i) targets[i] = static_cast<double>(i % 3) / 2.0;
  kernel::binary_cross_entropy(Cpu{}, 35, x.data(), targets.data(), g.data());
  near(g, reference::differences(x, [&](const std::vector<double>& at) {
         return kernel::binary_cross_entropy(Cpu{}, 35, at.data(), targets.data(), none);
       }));
}

TEST_CASE("cross-entropy: class weights, ignored rows, labels out of range", "[kernel][losses]") {
  const std::vector<double> weights{2.0, 1.0, 1.0};
  CrossEntropyOptions<double> options;
  options.class_weights = weights.data();
  const auto nll = [&](std::size_t row, std::size_t label) {
    double sum = 0.0;
    for (std::size_t c = 0; c < 3; ++c) sum += std::exp(Ls[3 * row + c]);
    return std::log(sum) - Ls[3 * row + label];
  };
  CHECK(is(cross_entropy(4, Ls, {0, 1, 2, 1}, options).loss, (2.0 * nll(0, 0) + nll(1, 1) + nll(2, 2) + nll(3, 1)) / 5.0));
  CrossEntropyOptions<double> ignoring;
  ignoring.ignored = -1;
  CHECK(is(cross_entropy(4, Ls, {0, -1, 2, -1}, ignoring).loss, (nll(0, 0) + nll(2, 2)) / 2.0));
  const auto nothing = cross_entropy(4, Ls, {-1, -1, -1, -1}, ignoring);
  CHECK(nothing.loss == 0.0);
  CHECK(nothing.dx == std::vector<double>(12, 0.0));
  CHECK_THROWS_AS(cross_entropy(4, Ls, {0, 1, 3, 1}), Error);
  CHECK_THROWS_AS(cross_entropy(4, Ls, {0, 1, -1, 1}), Error);
}

TEST_CASE("losses of huge logits are finite", "[kernel][losses]") {
  const std::vector<float> logits{1e4f, -1e4f, 0, 1e30f, -1e30f, 1e30f, -3e38f, -3e38f, -3e38f};
  std::vector<float> g(9);
  CHECK(std::isfinite(kernel::entropy(Cpu{}, 3, 3, logits.data(), g.data())));
  CHECK(reference::finite(g));
  CHECK(std::isfinite(kernel::cross_entropy(Cpu{}, 3, 3, logits.data(), std::vector<int>{1, 1, 1}.data(),
                                            CrossEntropyOptions<float>{}, g.data())));
  CHECK(reference::finite(g));
  const std::vector<float> targets{0, 0.5f, 1, 0, 1, 0.5f};
  CHECK(std::isfinite(kernel::binary_cross_entropy(Cpu{}, 6, logits.data(), targets.data(), g.data())));
  CHECK(reference::finite(g));
  const std::vector<float> never{1e4f, -1e4f, 0, 1e4f, -1e4f, 0};  // no row gives the second class any probability
  std::vector<float> six(6);
  CHECK(std::isfinite(kernel::mcc(Cpu{}, 2, 3, never.data(), 1.0f, six.data())));
  CHECK(reference::finite(six));
}

TEST_CASE("MMD: what must hold", "[kernel][losses]") {
  const auto x = reference::normal(40, 1);
  const auto y = reference::normal(60, 2);
  const auto biased = with(Estimator::biased, {0.3});
  CHECK(std::abs(mmd(8, 8, x, x, biased).loss) < 1e-15);
  CHECK(std::abs(mmd(8, 12, x, y, biased).loss - mmd(12, 8, y, x, biased).loss) < 1e-14);
  auto moved_x = x;
  auto moved_y = y;
  for (double& v : moved_x) v += 1000.0;
  for (double& v : moved_y) v += 1000.0;
  const auto here = mmd(8, 12, x, y, with(Estimator::biased));
  const auto there = mmd(8, 12, moved_x, moved_y, with(Estimator::biased));
  CHECK(std::abs(here.loss - there.loss) < 1e-10);
  CHECK(reference::distance(there.dx, here.dx) < 1e-9);
  double* none = nullptr;
  CHECK(kernel::mmd(Cpu{}, 8, 12, 5, x.data(), y.data(), biased, none, none) == mmd(8, 12, x, y, biased).loss);

  const std::vector<double> zeros(40, 0.0);
  const auto still = mmd(8, 8, zeros, zeros, with(Estimator::biased));
  CHECK(std::abs(still.loss) < 1e-15);
  CHECK(still.dx == zeros);

  CHECK_THROWS_AS(mmd(8, 12, x, y, with(Estimator::linear_time, {1.0})), Error);
  CHECK_THROWS_AS(mmd(1, 12, std::vector<double>(5), y, with(Estimator::unbiased, {1.0})), Error);
}

TEST_CASE("MMD: huge numbers stay finite, and a NaN is not hidden", "[kernel][losses]") {
  for (const MmdOptions& options :
       {with(Estimator::biased, {1.0}), with(Estimator::biased), with(Estimator::unbiased), with(Estimator::linear_time)}) {
    INFO("estimator " << static_cast<int>(options.estimator) << ", gamma " << options.gamma[0]);
    for (const double scale : {1e12, 1e25}) {
      const auto r = mmd(8, 8, reference::normal<float>(40, 1, scale), reference::normal<float>(40, 2, scale), options);
      INFO("scale " << scale << ", loss " << r.loss);
      CHECK(std::isfinite(r.loss));
      CHECK(reference::finite(r.dx));
      CHECK(reference::finite(r.dy));
    }
    auto x = reference::normal(40, 1);
    x[3] = std::numeric_limits<double>::quiet_NaN();
    CHECK(std::isnan(mmd(8, 8, x, reference::normal(40, 2), options).loss));
  }
}

/// The biased estimate with the kernel exp(-gamma d2), and its gradient for x, by its definition.
double plain_mmd(int nx, int ny, int d, double gamma, const std::vector<double>& x, const std::vector<double>& y, double* dx) {
  const auto row = [&](int i) { return i < nx ? x.data() + i * d : y.data() + (i - nx) * d; };
  double loss = 0.0;
  for (int i = 0; i < nx + ny; ++i) {
    for (int j = 0; j < nx + ny; ++j) {
      double d2 = 0.0;
      for (int k = 0; k < d; ++k) d2 += (row(i)[k] - row(j)[k]) * (row(i)[k] - row(j)[k]);
      const double share = (i < nx) != (j < nx) ? -1.0 / (1.0 * nx * ny)
                           : i < nx             ? 1.0 / (1.0 * nx * nx)
                                                : 1.0 / (1.0 * ny * ny);
      const double value = share * std::exp(-gamma * d2);
      loss += value;
      for (int k = 0; i < nx && k < d; ++k) dx[i * d + k] -= 4.0 * gamma * value * (row(i)[k] - row(j)[k]);
    }
  }
  return loss;
}

TEST_CASE("MMD of many rows is what its definition says", "[kernel][losses]") {
  struct Shape {
    int nx, ny, d;
  };
  // points of which each thread makes its own copy; too many for that; and blocks of many rows
  for (const auto& [nx, ny, d] : {Shape{130, 75, 37}, Shape{300, 270, 200}, Shape{700, 400, 100}}) {
    const auto x = reference::normal(static_cast<std::size_t>(nx * d), 1);
    const auto y = reference::normal(static_cast<std::size_t>(ny * d), 2);
    std::vector<double> dx(x.size());
    const double loss = plain_mmd(nx, ny, d, 0.5 / d, x, y, dx.data());
    const auto result = mmd(nx, ny, x, y, with(Estimator::biased, {0.5 / d}));
    CHECK(std::abs(result.loss - loss) < 1e-13);
    CHECK(reference::distance(result.dx, dx) < 1e-12);
    CHECK(reference::same_on_threads([&, rows_x = nx, rows_y = ny] {
      auto r = mmd(rows_x, rows_y, x, y, with(Estimator::biased));
      reference::append(r.dx, r.dy);
      r.dx.push_back(r.loss);
      return r.dx;
    }));
  }
}

TEST_CASE("losses do not depend on the number of threads", "[kernel][losses]") {
  const auto x = reference::normal<float>(70 * 33, 1);
  const auto y = reference::normal<float>(91 * 33, 2);
  CHECK(reference::same_on_threads([&] {
    const auto five = mmd(70, 91, x, y, with(Estimator::biased));
    const auto unbiased = mmd(70, 91, x, y, with(Estimator::unbiased, {0.02}));
    const auto second_order = coral(70, 91, x, y);
    std::vector<float> all{five.loss, unbiased.loss, second_order.loss};
    for (const auto* r : {&five, &unbiased, &second_order}) {
      reference::append(all, r->dx);
      reference::append(all, r->dy);
    }
    return all;
  }));
}

}  // namespace test_losses

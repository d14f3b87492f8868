#include "graft/kernel/cpu/batch_norm.hpp"
#include "kernel/reference.hpp"
#include "support/naive.hpp"

namespace test_batch_norm {
using namespace graft;

namespace {

template <class T>
void against_reference(const io::TensorFile& file, const std::string& name, double epsilon, double momentum) {
  INFO(name << " in " << sizeof(T) * 8 << " bits");
  const auto get = [&](const char* field) { return file.get<T>(name + "/" + field); };
  const auto near = [&](const std::vector<T>& own, const char* field) {
    INFO(field);
    CHECK(reference::distance(own, file.get<double>(name + "/" + field)) < reference::tolerance<T>);
  };
  const auto x = get("x");
  const auto gamma = get("gamma");
  const auto beta = get("beta");
  const auto dy = get("dy");
  const int c = static_cast<int>(gamma.size());
  const std::ptrdiff_t rows = static_cast<std::ptrdiff_t>(x.size() / gamma.size());
  const T eps = static_cast<T>(epsilon);
  std::vector<T> mean(gamma.size()), inverse(gamma.size()), variance(gamma.size()), y(x.size()), dx(x.size());
  kernel::batch_norm_forward_train(Cpu{}, rows, c, x.data(), gamma.data(), beta.data(), eps, mean.data(), inverse.data(),
                                   variance.data(), y.data());
  near(y, "y");
  auto running_mean = get("running_mean");
  auto running_var = get("running_var");
  kernel::batch_norm_update_running(Cpu{}, c, rows, static_cast<T>(momentum), false, mean.data(), variance.data(),
                                    running_mean.data(), running_var.data());
  near(running_mean, "new_running_mean");
  near(running_var, "new_running_var");
  std::vector<T> dgamma(gamma.size(), T{1}), dbeta(gamma.size(), T{1});
  kernel::batch_norm_backward_train(Cpu{}, rows, c, x.data(), mean.data(), inverse.data(), gamma.data(), dy.data(), dx.data(),
                                    dgamma.data(), dbeta.data());
  for (T& v : dgamma) v -= T{1};
  for (T& v : dbeta) v -= T{1};
  near(dx, "dx");
  near(dgamma, "dgamma");
  near(dbeta, "dbeta");

  running_mean = get("running_mean");
  running_var = get("running_var");
  kernel::batch_norm_forward_infer(Cpu{}, rows, c, x.data(), gamma.data(), beta.data(), eps, running_mean.data(),
                                   running_var.data(), y.data());
  near(y, "y_inference");
  const auto dy_inference = get("dy_inference");
  std::vector<T> dgamma_inference(gamma.size()), dbeta_inference(gamma.size());
  kernel::batch_norm_backward_infer(Cpu{}, rows, c, x.data(), running_mean.data(), running_var.data(), eps, gamma.data(),
                                    dy_inference.data(), dx.data(), dgamma_inference.data(), dbeta_inference.data());
  near(dx, "dx_inference");
  near(dgamma_inference, "dgamma_inference");
  near(dbeta_inference, "dbeta_inference");
}

}  // namespace

TEST_CASE("batch normalisation agrees with PyTorch", "[kernel][batch_norm]") {
  const auto file = reference::open("ops.safetensors");
  if (!file) return;
  for (const char* name : {"batch_norm.image", "batch_norm.vector"}) {
    against_reference<double>(*file, name, 1e-3, 0.99);
    against_reference<float>(*file, name, 1e-3, 0.99);
  }
  against_reference<double>(*file, "batch_norm.torch_defaults", 1e-5, 0.9);
  against_reference<float>(*file, "batch_norm.torch_defaults", 1e-5, 0.9);
}

TEST_CASE("batch normalisation in float survives a mean of ten thousand deviations", "[kernel][batch_norm]") {
  const std::size_t rows = 5000, c = 7;
  auto x = reference::normal<float>(rows * c, 1);
  for (float& v : x) v += 1e4f;
  const std::vector<double> wide(x.begin(), x.end());
  const std::vector<double> ones(c, 1.0), zeros(c, 0.0);
  const std::vector<float> gamma(c, 1.0f), beta(c, 0.0f);
  std::vector<float> mean(c), inverse(c), variance(c), y(x.size());
  kernel::batch_norm_forward_train(Cpu{}, static_cast<std::ptrdiff_t>(rows), static_cast<int>(c), x.data(), gamma.data(),
                                   beta.data(), 1e-5f, mean.data(), inverse.data(), variance.data(), y.data());
  for (float v : variance) CHECK(std::abs(v - 1.0f) < 0.1f);
  // the mean itself is a float: half a unit in its last place is 5e-4 at 1e4
  CHECK(reference::distance(y, naive::batch_norm(rows, c, wide, ones, zeros, 1e-5)) < 3e-4);
}

TEST_CASE("batch normalisation: running variance, biased and unbiased", "[kernel][batch_norm]") {
  const double mean = 2.0, variance = 3.0;
  double running_mean = 10.0, running_var = 20.0;
  kernel::batch_norm_update_running(Cpu{}, 1, std::ptrdiff_t{4}, 0.75, true, &mean, &variance, &running_mean, &running_var);
  CHECK(running_mean == 8.0);
  CHECK(running_var == 16.0);  // 0.75 * 20 + 0.25 * 3 * 4 / 3
  kernel::batch_norm_update_running(Cpu{}, 1, std::ptrdiff_t{4}, 0.5, false, &mean, &variance, &running_mean, &running_var);
  CHECK(running_var == 9.5);
}

TEST_CASE("batch normalisation: gradient by central differences, and in place", "[kernel][batch_norm]") {
  const std::ptrdiff_t rows = 6;
  const int c = 3;
  const auto x = reference::normal(18, 1);
  const auto gamma = reference::normal(3, 2);
  const auto beta = reference::normal(3, 3);
  const auto dy = reference::normal(18, 4);
  std::vector<double> mean(3), inverse(3), variance(3), y(18), dx(18), dgamma(3), dbeta(3);
  const auto value = [&](const std::vector<double>& at) {
    kernel::batch_norm_forward_train(Cpu{}, rows, c, at.data(), gamma.data(), beta.data(), 1e-3, mean.data(), inverse.data(),
                                     variance.data(), y.data());
    return reference::dot(y, dy);
  };
  const auto numeric = reference::differences(x, value);
  value(x);
  kernel::batch_norm_backward_train(Cpu{}, rows, c, x.data(), mean.data(), inverse.data(), gamma.data(), dy.data(), dx.data(),
                                    dgamma.data(), dbeta.data());
  CHECK(reference::distance(dx, numeric) < 1e-8);
  auto place = dy;
  kernel::batch_norm_backward_train(Cpu{}, rows, c, x.data(), mean.data(), inverse.data(), gamma.data(), place.data(),
                                    place.data(), static_cast<double*>(nullptr), static_cast<double*>(nullptr));
  CHECK(place == dx);
}

TEST_CASE("batch normalisation does not depend on the number of threads", "[kernel][batch_norm]") {
  const std::ptrdiff_t rows = 1501;
  const int c = 37;
  const auto x = reference::normal<float>(1501 * 37, 1);
  const auto gamma = reference::normal<float>(37, 2);
  CHECK(reference::same_on_threads([&] {
    std::vector<float> mean(37), inverse(37), variance(37), y(x.size()), dx(x.size()), dgamma(37), dbeta(37);
    kernel::batch_norm_forward_train(Cpu{}, rows, c, x.data(), gamma.data(), gamma.data(), 1e-3f, mean.data(), inverse.data(),
                                     variance.data(), y.data());
    kernel::batch_norm_backward_train(Cpu{}, rows, c, x.data(), mean.data(), inverse.data(), gamma.data(), y.data(), dx.data(),
                                      dgamma.data(), dbeta.data());
    for (const auto* more : {&mean, &inverse, &variance, &dx, &dgamma, &dbeta}) reference::append(y, *more);
    return y;
  }));
}

}  // namespace test_batch_norm

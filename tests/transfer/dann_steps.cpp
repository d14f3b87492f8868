// Whole training steps against PyTorch: three steps of DANN, and three of the variant with batch normalisation and three Adam optimisers.
#include <graft/graft.hpp>

#include <map>

#include "catch.hpp"
#include "support/reference.hpp"

using namespace graft;
using reference::error;

namespace {

struct Features : Net<Image<28, 28, 3>, Conv2D<32, 5>, ReLU, MaxPool2D<2>, Conv2D<48, 5>, ReLU, MaxPool2D<2>, Flatten> {};
struct Labels : Net<Features::output, Dense<100>, ReLU, Dense<100>, ReLU, Dense<10>> {};
struct Domains : Net<Features::output, Dense<100>, ReLU, Dense<2>> {};

/// Where each model of a case begins. The files hold the matrices as they were before the first step, but of the one-dimensional arrays, and of a
/// matrix with one column, only the values *after* the last step (they were saved as views of live parameters: "before" and "after" are equal
/// to the bit). Those arrays are therefore taken back: b is the start whose three steps end at the file's values, found by iterating
/// b += after - end(b). The matrices' ends and all losses, which are not used for that, are what the test checks.
struct Start {
  const io::TensorFile& file;
  std::string name;  // of the case
  std::map<std::string, std::vector<double>> arrays;

  template <class M>
  void begin(M& model, const std::string& part) {
    using T = typename M::Scalar;
    const auto copy = [&](const Segment& s, T* to) {
      const std::string key = part + "." + s.name;
      if (arrays.count(key) == 0) {
        arrays[key] = file.get<double>(name + ".before." + key);
        // batch normalisation begins at gamma 1, beta 0, mean 0, variance 1
        const bool one = s.name.find("gamma") != std::string::npos || s.name.find("running_var") != std::string::npos;
        const bool zero = s.name.find("beta") != std::string::npos || s.name.find("running_mean") != std::string::npos;
        if (one || zero) std::fill(arrays[key].begin(), arrays[key].end(), one ? 1.0 : 0.0);
      }
      REQUIRE(arrays[key].size() == s.count);
      for (std::size_t i = 0; i < s.count; ++i) to[s.offset + i] = static_cast<T>(arrays[key][i]);
    };
    for (const Segment& s : model.segments()) copy(s, model.values().data());
    for (const Segment& s : model.statistic_segments()) copy(s, model.statistics().data());
    std::fill(model.gradients().begin(), model.gradients().end(), T{0});
  }

  /// One iteration of the taking back; returns the largest correction.
  template <class M>
  double take_back(M& model, const std::string& part) {
    double largest = 0.0;
    for (const Segment& s : model.segments()) {
      const std::string key = part + "." + s.name;
      const auto before = file.get<double>(name + ".before." + key);
      const auto after = file.get<double>(name + ".after." + key);
      const bool norm = s.name.find("gamma") != std::string::npos || s.name.find("beta") != std::string::npos;
      if (before != after || norm) continue;
      for (std::size_t i = 0; i < s.count; ++i) {
        const double correction = after[i] - static_cast<double>(model.values()[s.offset + i]);
        arrays[key][i] += correction;
        largest = std::max(largest, std::abs(correction));
      }
    }
    return largest;
  }
};

/// max |a - b| / max |b| over every parameter array of a model, the worst of them.
template <class M>
double distance(const io::TensorFile& file, const std::string& prefix, M& model) {
  using T = typename M::Scalar;
  double worst = 0.0;
  for (const Segment& s : model.segments()) {
    const T* p = model.values().data() + s.offset;
    worst = std::max(worst, error(std::vector<T>(p, p + s.count), file.get<double>(prefix + "." + s.name)));
  }
  return worst;
}

}  // namespace

namespace {

/// The three models of plain DANN and their three steps.
template <class T>
struct Plain {
  Model<Features, Cpu, T> features;
  Model<Labels, Cpu, T> labels;
  Model<Domains, Cpu, T> domains;
  std::vector<double> losses;

  void run(Start& start) {
    start.begin(features, "features");
    start.begin(labels, "labels");
    start.begin(domains, "domains");
    std::vector<T> images = start.file.get<T>("dann/source");
    for (const T v : start.file.get<T>("dann/target")) images.push_back(v);
    const std::vector<int> y = start.file.get<int>("dann/labels");
    const std::vector<int> d{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1};
    Sgd<T> optimizer({.learning_rate = 0.01, .momentum = 0.9}, features, labels, domains);
    Tape<T> tape;
    losses.clear();
    for (int step = 0; step < 3; ++step) {
      const auto f = tape(features, Rows<T>{images.data(), 16, 8});
      const auto label_loss = cross_entropy(tape(labels, f.source()), ClassLabels<10>{y.data(), 8});
      const auto domain_loss = cross_entropy(tape(domains, reverse_gradient(f, 0.5)), DomainLabels{d.data(), 16});
      losses.push_back(static_cast<double>(label_loss.value()));
      losses.push_back(static_cast<double>(domain_loss.value()));
      optimizer.step(backward(label_loss + domain_loss));
    }
  }
};

/// Takes the start back in double, runs the steps in T from there, and compares losses and weights.
template <template <class> class Case, class T>
void meet(const io::TensorFile& file, const std::string& name) {
  Start start{file, name, {}};
  Case<double> exact;
  double correction = 1.0;
  for (int i = 0; i < 40 && correction > 1e-9; ++i) {
    exact.run(start);
    correction = std::max({start.take_back(exact.features, "features"), start.take_back(exact.labels, "labels"),
                           start.take_back(exact.domains, "domains")});
  }
  CHECK(correction < 1e-7);
  Case<T> run;
  run.run(start);
  CHECK(error(run.losses, file.get<double>(name + "/losses")) < 2e-6);
  CHECK(distance(file, name + ".after.features", run.features) < 2e-5);
  CHECK(distance(file, name + ".after.labels", run.labels) < 2e-5);
  CHECK(distance(file, name + ".after.domains", run.domains) < 2e-5);
}

}  // namespace

TEMPLATE_TEST_CASE("three DANN steps end at PyTorch's weights", "[reference]", float, double) {
  if (const auto file = reference::file("dann_steps.safetensors")) meet<Plain, TestType>(*file, "dann");
}

namespace {

struct NormFeatures : Net<Image<28, 28, 3>, Conv2D<32, 5>, ReLU, MaxPool2D<2>, Conv2D<48, 5>, ReLU, MaxPool2D<2>, Flatten> {};
struct NormLabels : Net<Vector<768>, Dense<100, false>, BatchNorm<>, LeakyReLU<0.3>, Dense<100, false>, BatchNorm<>, LeakyReLU<0.3>, Dense<10>> {};
struct NormDomains : Net<Vector<768>, Dense<256, false>, BatchNorm<>, LeakyReLU<0.3>, Dense<128, false>, BatchNorm<>, LeakyReLU<0.3>, Dense<64, false>,
                         BatchNorm<>, LeakyReLU<0.3>, Dense<32, false>, BatchNorm<>, LeakyReLU<0.3>, Dense<1, false>> {};

/// The three models with batch normalisation and their steps: the body minimises mu (lambda swapped + label), the domain head mu domain, the
/// label head mu label.
template <class T>
struct ThreeAdam {
  Model<NormFeatures, Cpu, T> features;
  Model<NormLabels, Cpu, T> labels;
  Model<NormDomains, Cpu, T> domains;
  std::vector<double> losses;

  void run(Start& start) {
    start.begin(features, "features");
    start.begin(labels, "labels");
    start.begin(domains, "domains");
    const auto source = start.file.get<T>("dann_three_adam/source");
    const auto target = start.file.get<T>("dann_three_adam/target");
    const std::vector<int> y = start.file.get<int>("dann_three_adam/labels");
    const AdamOptions options{.learning_rate = 7e-5, .epsilon = 1e-7};
    Adam<T> for_features(options, features), for_labels(options, labels), for_domains(options, domains);
    Tape<T> tape;
    losses.clear();
    for (int step = 0; step < 3; ++step) {
      const auto fs = tape(features, Rows<T>{source.data(), 8, 0});
      const auto ft = tape(features, Rows<T>{target.data(), 8, 0});
      const auto label_loss = cross_entropy(tape(labels, fs), ClassLabels<10>{y.data(), 8});
      // the domain head learns source 1, target 0; the body the opposite, through a head that stays as it is
      const auto domain_loss =
          binary_cross_entropy(tape(domains, fs.detached()), T{1}) + binary_cross_entropy(tape(domains, ft.detached()), T{0});
      const auto swapped = binary_cross_entropy(tape(fixed(domains), fs), T{0}) + binary_cross_entropy(tape(fixed(domains), ft), T{1});
      for (const auto& loss : {label_loss, domain_loss, swapped}) losses.push_back(static_cast<double>(loss.value()));
      const Gradients done = backward(0.8 * (label_loss + 0.5 * swapped + domain_loss));
      for_features.step(done);
      for_labels.step(done);
      for_domains.step(done);
    }
  }
};

}  // namespace

TEMPLATE_TEST_CASE("three steps with three Adam optimisers end at PyTorch's weights", "[reference]", float, double) {
  if (const auto file = reference::file("dann_three_adam_steps.safetensors")) meet<ThreeAdam, TestType>(*file, "dann_three_adam");
}

// Whole training steps against PyTorch: three steps of DANN, and three of the variant with batch normalisation and three Adam
// optimisers. Small networks are compared with the files beside this one (made by make_dann_steps.py), Ganin and Lempitsky's
// MNIST networks with the reference folder.
#include <graft/graft.hpp>

#include <map>
#include <random>

#include "catch.hpp"
#include "support/reference.hpp"

namespace test_dann_steps {
using namespace graft;
using reference::error;

namespace {

/// Arrays in double, by the names they have in a file.
using Arrays = std::map<std::string, std::vector<double>>;

/// What a case begins with: parameters, and both domains' images.
struct Start {
  Arrays parameters;
  std::vector<double> source, target;
  std::vector<int> labels;

  template <class M>
  void begin(M& model, const std::string& part) const {
    using T = typename M::Scalar;
    for (const Segment& s : model.segments()) {
      const std::vector<double>& from = parameters.at(part + "." + s.name);
      REQUIRE(from.size() == s.count);
      std::transform(from.begin(), from.end(), model.values().data() + s.offset, [](double x) { return static_cast<T>(x); });
    }
  }
  template <class T>
  static std::vector<T> as(const std::vector<double>& x) {
    return std::vector<T>(x.begin(), x.end());
  }
};

/// The three models of a case, and where they stand after its steps.
template <class T, class Nets>
struct Run {
  Model<typename Nets::Features, Cpu, T> features;
  Model<typename Nets::Labels, Cpu, T> labels;
  Model<typename Nets::Domains, Cpu, T> domains;
  std::vector<double> losses;

  explicit Run(const Start& start) {
    start.begin(features, "features");
    start.begin(labels, "labels");
    start.begin(domains, "domains");
  }
  [[nodiscard]] Arrays ends() const {
    Arrays out;
    const auto add = [&](const auto& model, const std::string& part) {
      for (const Segment& s : model.segments()) {
        const auto* p = model.values().data() + s.offset;
        out[part + "." + s.name] = std::vector<double>(p, p + s.count);
      }
    };
    add(features, "features");
    add(labels, "labels");
    add(domains, "domains");
    return out;
  }
};

struct SmallBody : Net<Image<16, 16, 3>, Conv2D<8, 5>, ReLU, MaxPool2D<2>, Conv2D<12, 3>, ReLU, MaxPool2D<2>, Flatten> {};
struct Body : Net<Image<28, 28, 3>, Conv2D<32, 5>, ReLU, MaxPool2D<2>, Conv2D<48, 5>, ReLU, MaxPool2D<2>, Flatten> {};

template <class B, int n>
struct PlainNets {
  static constexpr const char* name = "dann";
  using Features = B;
  struct Labels : Net<B::output, Dense<n>, ReLU, Dense<n>, ReLU, Dense<10>> {};
  struct Domains : Net<B::output, Dense<n>, ReLU, Dense<2>> {};

  template <class T>
  static void steps(Run<T, PlainNets>& run, const Start& start) {
    std::vector<T> images = Start::as<T>(start.source);
    images.insert(images.end(), start.target.begin(), start.target.end());
    const std::vector<int> d{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1};
    Sgd<T> optimizer({.learning_rate = 0.01, .momentum = 0.9}, run.features, run.labels, run.domains);
    Tape<T> tape;
    for (int step = 0; step < 3; ++step) {
      const auto f = tape(run.features, Rows<T>{images.data(), 16, 8});
      const auto label = cross_entropy(tape(run.labels, f.source()), ClassLabels<10>{start.labels.data(), 8});
      const auto domain = cross_entropy(tape(run.domains, reverse_gradient(f, 0.5)), DomainLabels{d.data(), 16});
      for (const auto& loss : {label, domain}) run.losses.push_back(static_cast<double>(loss.value()));
      optimizer.step(backward(label + domain));
    }
  }
};

/// DannThreeAdam's own loss and optimisers, with mu 0.8 and lambda 0.5.
template <class Nets, class T>
void three_adam_steps(Run<T, Nets>& run, const Start& start) {
  std::vector<T> images = Start::as<T>(start.source);
  images.insert(images.end(), start.target.begin(), start.target.end());
  data::PairedBatch<T> batch;
  batch.images = images.data();
  batch.source_count = batch.target_count = 8;
  batch.row = start.source.size() / 8;
  batch.labels = start.labels.data();
  DannThreeAdam method{run.features,
                       run.labels,
                       run.domains,
                       {.adam = {.learning_rate = 7e-5, .epsilon = 1e-7}, .lambda = {.gamma = 1e9, .high = 0.5}, .mu = 0.8}};
  auto optimizers = method.optimizer();
  Tape<T> tape;
  for (int step = 0; step < 3; ++step) {
    Means means;
    const Gradients done = backward(method.loss(tape, batch, 1.0, means));
    for (const auto& entry : means.entries()) {
      if (entry.name.ends_with("_loss")) run.losses.push_back(entry.last);
    }
    for_each_optimizer(optimizers, [&](auto& optimizer, std::size_t) { optimizer.step(done); });
  }
}

/// The label head with batch normalisation; the domain heads below differ in depth.
template <class B, int n>
struct NormLabels
    : Net<B::output, Dense<n, false>, BatchNorm<>, LeakyReLU<0.3>, Dense<n, false>, BatchNorm<>, LeakyReLU<0.3>, Dense<10>> {};

struct SmallNormNets {
  static constexpr const char* name = "dann_three_adam";
  using Features = SmallBody;
  using Labels = NormLabels<SmallBody, 20>;
  struct Domains : Net<SmallBody::output, Dense<32, false>, BatchNorm<>, LeakyReLU<0.3>, Dense<16, false>, BatchNorm<>,
                       LeakyReLU<0.3>, Dense<1, false>> {};
  template <class T>
  static void steps(Run<T, SmallNormNets>& run, const Start& start) {
    three_adam_steps(run, start);
  }
};

struct NormNets {
  static constexpr const char* name = "dann_three_adam";
  using Features = Body;
  using Labels = NormLabels<Body, 100>;
  struct Domains
      : Net<Body::output, Dense<256, false>, BatchNorm<>, LeakyReLU<0.3>, Dense<128, false>, BatchNorm<>, LeakyReLU<0.3>,
            Dense<64, false>, BatchNorm<>, LeakyReLU<0.3>, Dense<32, false>, BatchNorm<>, LeakyReLU<0.3>, Dense<1, false>> {};
  template <class T>
  static void steps(Run<T, NormNets>& run, const Start& start) {
    three_adam_steps(run, start);
  }
};

/// Runs the steps and compares losses and every parameter array with a file's, each in the norm of error().
template <class Nets, class T>
void meet(const io::TensorFile& file, const Start& start, double losses, double weights) {
  const std::string name = Nets::name;
  Run<T, Nets> run(start);
  Nets::steps(run, start);
  CHECK(error(run.losses, file.get<double>(name + "/losses")) < losses);
  for (const auto& [key, values] : run.ends()) {
    INFO(key);
    CHECK(error(values, file.get<double>(name + ".after." + key)) < weights);
  }
}

/// The same for Adam in float. Adam divides the gradient by its own size, so where sums over the batch cancel, rounding decides
/// the step: the bias of the second convolution is taken out again by the batch normalisation wherever its unit is on for all
/// images, its gradient is zero but for rounding (1e-16 in double, 1e-7 in float, which is Adam's epsilon), and single weights
/// are like that. PyTorch's own float32 is as far from its float64 as graft's: 1e-3 and 3.6e-3 in that bias, 1.6e-4 in the
/// first matrix of the label head. So, numbers are met to 2e-5 of their array's largest or a thousandth of a learning rate,
/// where one in 500 of an array may be off, by up to half a learning rate; that bias, by six.
template <class Nets>
void meet_in_float(const io::TensorFile& file, const Start& start) {
  const std::string name = Nets::name;
  constexpr double rate = 7e-5;
  Run<float, Nets> run(start);
  Nets::steps(run, start);
  CHECK(error(run.losses, file.get<double>(name + "/losses")) < 2e-6);
  for (const auto& [key, values] : run.ends()) {
    INFO(key);
    const auto expected = file.get<double>(name + ".after." + key);
    REQUIRE(values.size() == expected.size());
    double size = 0.0, worst = 0.0;
    for (const double x : expected) size = std::max(size, std::abs(x));
    std::size_t off = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double difference = std::abs(values[i] - expected[i]);
      if (difference > worst || std::isnan(difference)) worst = difference;  // a NaN stays
      off += difference <= std::max(2e-5 * size, 1e-3 * rate) ? 0 : 1;
    }
    const bool rounding = key == "features.1/b";
    CHECK(worst < (rounding ? 6.0 : 0.5) * rate);
    if (!rounding) CHECK(off * 500 <= values.size());
  }
}

/// PyTorch's random numbers: a double takes 53 bits of two draws of MT19937.
struct TorchRandom {
  std::mt19937 engine{1};
  explicit TorchRandom(unsigned long long first) { engine.discard(first); }
  double operator()() {
    const std::uint64_t high = engine(), low = engine();
    return std::ldexp(static_cast<double>((high << 32 | low) & ((std::uint64_t{1} << 53) - 1)), -53);
  }
};

/// n images as torch.rand(n, 3, size, size) draws them, in NHWC.
std::vector<double> torch_images(TorchRandom& random, int n, int size) {
  std::vector<double> out(static_cast<std::size_t>(n * size * size * 3));
  for (int i = 0; i < n; ++i)
    for (int c = 0; c < 3; ++c)
      for (int at = 0; at < size * size; ++at) out[static_cast<std::size_t>((i * size * size + at) * 3 + c)] = random();
  return out;
}

/// The arrays that PyTorch's convolutions, linear layers and batch normalisations begin with, drawn in its order, (out, in, h,
/// w).
template <class M>
void torch_begin(const M& model, const std::string& part, TorchRandom& random, Arrays& to) {
  double limit = 0.0;
  for (const Segment& s : model.segments()) {
    std::vector<double>& out = to[part + "." + s.name];
    const bool gamma = s.name.find("gamma") != std::string::npos, beta = s.name.find("beta") != std::string::npos;
    out.assign(s.count, gamma ? 1.0 : 0.0);
    if (gamma || beta) continue;
    const std::size_t outs = s.rank == 1 ? s.count : static_cast<std::size_t>(s.dims[static_cast<std::size_t>(s.rank - 1)]);
    const std::size_t fan_in = s.count / outs, channels = s.rank == 4 ? static_cast<std::size_t>(s.dims[2]) : fan_in;
    if (s.rank > 1) limit = 1.0 / std::sqrt(static_cast<double>(fan_in));  // a bias has the limit of its kernel
    for (std::size_t o = 0; o < outs; ++o)
      for (std::size_t c = 0; c < channels; ++c)
        for (std::size_t at = 0; at < fan_in / channels; ++at)
          out[(at * channels + c) * outs + o] = limit * (2.0 * random() - 1.0);
  }
}

/// The start of a case of the reference folder. Its files hold the matrices as they were before the first step, but every
/// one-dimensional array, and the one matrix with a single column, as it was after the *last* (they were saved as views of
/// parameters that were still learning, so that "before" and "after" are equal to the bit). From those the steps cannot be
/// repeated: the biases are off by up to 8e-3. The files were drawn from PyTorch's generator with seed 1, though, and `first`
/// numbers into its sequence come the networks' weights. Drawn again, they must equal every matrix and image in the file to the
/// last bit of a float, some 2e5 and 4e5 numbers, which leaves no doubt about the biases between them. As doubles they also are
/// what PyTorch computed with, where the file has floats.
template <class Nets>
Start drawn_start(const io::TensorFile& file, unsigned long long first) {
  const std::string name = Nets::name;
  Start start;
  TorchRandom for_images(177717), for_weights(first);  // both cases have the same images
  start.source = torch_images(for_images, 8, 28);
  start.target = torch_images(for_images, 8, 28);
  start.labels = file.get<int>(name + "/labels");
  const Model<typename Nets::Features, Cpu, float> features;
  const Model<typename Nets::Labels, Cpu, float> labels;
  const Model<typename Nets::Domains, Cpu, float> domains;
  torch_begin(features, "features", for_weights, start.parameters);
  torch_begin(labels, "labels", for_weights, start.parameters);
  torch_begin(domains, "domains", for_weights, start.parameters);
  REQUIRE(Start::as<float>(start.source) == file.get<float>(name + "/source"));
  REQUIRE(Start::as<float>(start.target) == file.get<float>(name + "/target"));
  std::size_t equal = 0, all = 0;
  for (const auto& [key, values] : start.parameters) {
    const auto before = file.get<float>(name + ".before." + key);
    all += values.size();
    if (before == file.get<float>(name + ".after." + key)) continue;
    INFO(key);
    REQUIRE(Start::as<float>(values) == before);
    equal += values.size();
  }
  REQUIRE(all - equal < 2000);
  return start;
}

/// The start of a file that holds it.
Start stored_start(const io::TensorFile& file, const std::string& name) {
  Start start;
  start.source = file.get<double>(name + "/source");
  start.target = file.get<double>(name + "/target");
  start.labels = file.get<int>(name + "/labels");
  const std::string before = name + ".before.";
  for (const auto& [key, info] : file.tensors())
    if (key.rfind(before, 0) == 0) start.parameters[key.substr(before.size())] = file.get<double>(key);
  return start;
}

io::TensorFile beside(const char* name) { return io::TensorFile(std::filesystem::path(__FILE__).parent_path() / name); }

/// The steps in float and in double; `exact` is what is asked of double: 1e-9, or the rounding of a file's floats.
template <class Nets, class T>
void meet_plain(const io::TensorFile& file, const Start& start, double exact) {
  const bool wide = sizeof(T) == 8;
  meet<Nets, T>(file, start, wide ? exact : 2e-6, wide ? exact : 2e-5);
}
template <class Nets, class T>
void meet_adam(const io::TensorFile& file, const Start& start, double exact) {
  if constexpr (sizeof(T) == 8) {
    meet<Nets, T>(file, start, exact, exact);
  } else {
    meet_in_float<Nets>(file, start);
  }
}

}  // namespace

TEMPLATE_TEST_CASE("three DANN steps of a small network end at PyTorch's weights", "[reference]", float, double) {
  const io::TensorFile file = beside("dann_steps_small.safetensors");
  meet_plain<PlainNets<SmallBody, 20>, TestType>(file, stored_start(file, "dann"), 1e-9);
}

TEMPLATE_TEST_CASE("three steps of a small network with three Adam optimisers end at PyTorch's weights", "[reference]", float,
                   double) {
  const io::TensorFile file = beside("dann_three_adam_small.safetensors");
  meet_adam<SmallNormNets, TestType>(file, stored_start(file, "dann_three_adam"), 1e-9);
}

TEMPLATE_TEST_CASE("three DANN steps end at PyTorch's weights", "[reference]", float, double) {
  using Nets = PlainNets<Body, 100>;
  if (const auto file = reference::file("dann_steps.safetensors"))
    meet_plain<Nets, TestType>(*file, drawn_start<Nets>(*file, 252989), 1e-7);
}

TEMPLATE_TEST_CASE("three steps with three Adam optimisers end at PyTorch's weights", "[reference]", float, double) {
  const auto file = reference::file("dann_three_adam_steps.safetensors");
  if (file) meet_adam<NormNets, TestType>(*file, drawn_start<NormNets>(*file, 664973), 1e-7);
}

}  // namespace test_dann_steps

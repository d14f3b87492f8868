#include "graft/optim/adam.hpp"
#include "graft/optim/rmsprop.hpp"
#include "graft/optim/sgd.hpp"
#include "kernel/reference.hpp"

#include <memory>
#include <numeric>
#include <utility>

namespace test_optimizers {
using namespace graft;
using Catch::Matchers::ContainsSubstring;

namespace {

/// A block of parameters with its own memory, as a Model has it: one segment for each of `counts`.
template <class T>
struct Block {
  using Scalar = T;
  Block(std::string title, const std::vector<std::size_t>& counts) : name(std::move(title)) {
    std::size_t offset = 0;
    for (const std::size_t count : counts) {
      Segment segment;
      segment.name = std::to_string(segments.size()) + "/w";
      segment.offset = offset;
      segment.count = count;
      segments.push_back(segment);
      offset += count;
    }
    value = Buffer<T>(offset);
    gradient = Buffer<T>(offset);
  }
  Parameters<T> parameters() { return {name, value.data(), gradient.data(), value.size(), &segments}; }
  [[nodiscard]] std::vector<T> values() const { return {value.begin(), value.end()}; }
  void set_gradient(double number) { std::fill(gradient.begin(), gradient.end(), static_cast<T>(number)); }

  std::string name;
  Buffer<T> value;
  Buffer<T> gradient;
  std::vector<Segment> segments;
};

template <class T, class Make>
void follow(const io::TensorFile& file, const std::string& name, Make&& make) {
  INFO(name << " in " << sizeof(T) * 8 << " bits");
  const auto start = file.get<T>("optimizer." + name + "/p0");
  const auto gradients = file.get<T>("optimizer." + name + "/gradients");
  const auto trajectory = file.get<double>("optimizer." + name + "/trajectory");
  const std::size_t n = start.size();
  REQUIRE(trajectory.size() == 10 * n);
  Block<T> block("net", {n - 3, 3});
  std::copy(start.begin(), start.end(), block.value.begin());
  auto optimizer = make(block);
  for (std::size_t step = 0; step < 10; ++step) {
    INFO("step " << step);
    std::copy_n(gradients.begin() + static_cast<std::ptrdiff_t>(step * n), n, block.gradient.begin());
    optimizer.step(Gradients{});
    const auto at = trajectory.begin() + static_cast<std::ptrdiff_t>(step * n);
    CHECK(reference::distance(block.values(), std::vector<double>(at, at + static_cast<std::ptrdiff_t>(n))) <
          reference::tolerance<T>);
    CHECK(std::all_of(block.gradient.begin(), block.gradient.end(), [](T g) { return g == T{0}; }));
  }
  CHECK(optimizer.steps == 10);
}

template <class T>
void follow_all(const io::TensorFile& file) {
  using B = Block<T>;
  follow<T>(file, "sgd", [](B& b) { return Sgd{{.learning_rate = 0.1}, b}; });
  follow<T>(file, "sgd.momentum", [](B& b) { return Sgd{{.learning_rate = 0.1, .momentum = 0.9}, b}; });
  follow<T>(file, "sgd.nesterov", [](B& b) { return Sgd{{.learning_rate = 0.1, .momentum = 0.9, .nesterov = true}, b}; });
  follow<T>(file, "sgd.weight_decay", [](B& b) {
    return Sgd{{.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.01}, b};
  });
  follow<T>(file, "adam", [](B& b) { return Adam{{.learning_rate = 0.01, .epsilon = 1e-7}, b}; });
  follow<T>(file, "adam.eps1e-8", [](B& b) { return Adam{{.learning_rate = 0.01, .epsilon = 1e-8}, b}; });
  follow<T>(file, "adamw", [](B& b) { return AdamW{{.learning_rate = 0.01, .epsilon = 1e-8, .weight_decay = 0.05}, b}; });
  follow<T>(file, "rmsprop", [](B& b) { return RmsProp{{.learning_rate = 0.01, .rho = 0.9, .epsilon = 1e-7}, b}; });
  follow<T>(file, "adagrad", [](B& b) { return Adagrad{{.learning_rate = 0.1, .epsilon = 1e-7}, b}; });
}

}  // namespace

TEST_CASE("optimisers follow PyTorch's trajectories", "[optim]") {
  const auto file = reference::open("optimizers.safetensors");
  if (!file) return;
  follow_all<double>(*file);
  follow_all<float>(*file);
}

TEST_CASE("a frozen segment keeps its bits and loses its gradient", "[optim]") {
  Block<float> block("net", {5, 7});
  std::iota(block.value.begin(), block.value.end(), 1.0f);
  block.segments[0].trainable = false;
  const auto before = block.values();
  AdamW optimizer{{.learning_rate = 0.1, .weight_decay = 0.5}, block};
  for (int step = 0; step < 3; ++step) {
    block.set_gradient(2.0);
    optimizer.step();
  }
  for (std::size_t i = 0; i < 12; ++i) {
    INFO(i);
    CHECK((block.value[i] == before[i]) == (i < 5));
    CHECK(block.gradient[i] == 0.0f);
  }
}

TEST_CASE("learning rate, rate and decay act on their segments", "[optim]") {
  Block<double> body("body", {2, 2});
  Block<double> head("head", {3});
  std::fill(body.value.begin(), body.value.end(), 1.0);
  body.segments[1].decay = false;
  Sgd optimizer{{.learning_rate = 0.5, .weight_decay = 0.2}, body, head};
  optimizer.multiply("body/*", 0.1);
  optimizer.learning_rate = 1.0;
  body.set_gradient(1.0);
  head.set_gradient(1.0);
  optimizer.step();
  CHECK(body.value[0] == Approx(1.0 - 0.1 * 1.2).epsilon(1e-14));
  CHECK(body.value[2] == Approx(1.0 - 0.1 * 1.0).epsilon(1e-14));
  CHECK(head.value[0] == Approx(-1.0).epsilon(1e-14));
  CHECK_THROWS_WITH(optimizer.multiply("haed/*", 2.0),
                    ContainsSubstring("haed/*") && ContainsSubstring("body/1/w") && ContainsSubstring("head/0/w"));
}

TEST_CASE("an optimiser can be made from parameters themselves", "[optim]") {
  Block<double> a("a", {2});
  Block<double> b("b", {2});
  auto named = a.parameters();
  Sgd optimizer{{.learning_rate = 1.0}, named, b.parameters()};
  static_assert(std::is_same_v<decltype(optimizer), Sgd<double>>);
  a.set_gradient(1.0);
  b.set_gradient(2.0);
  optimizer.step();
  CHECK(a.value[1] == -1.0);
  CHECK(b.value[1] == -2.0);
}

TEST_CASE("clipping is by the norm over all trained parameters", "[optim]") {
  Block<double> a("a", {1, 1});
  Block<double> b("b", {1});
  a.segments[1].trainable = false;
  Sgd optimizer{{.learning_rate = 1.0, .clip_norm = 1.0}, a, b};
  a.gradient[0] = 3.0;
  a.gradient[1] = 1e6;  // frozen: it does not count
  b.gradient[0] = 4.0;
  optimizer.step();
  CHECK(a.value[0] == Approx(-0.6).epsilon(1e-6));
  CHECK(b.value[0] == Approx(-0.8).epsilon(1e-6));
  a.gradient[0] = 0.3;
  optimizer.step();
  CHECK(a.value[0] == Approx(-0.9).epsilon(1e-6));
}

TEST_CASE("the bits do not depend on the number of threads", "[optim]") {
  CHECK(reference::same_on_threads([] {
    Block<float> block("net", {100000, 17, 70001});
    Adam optimizer{{.learning_rate = 0.01, .clip_norm = 0.5}, block};
    for (std::uint64_t step = 0; step < 3; ++step) {
      const auto gradient = reference::normal<float>(block.value.size(), step);
      std::copy(gradient.begin(), gradient.end(), block.gradient.begin());
      optimizer.step();
    }
    return block.values();
  }));
}

TEST_CASE("an optimiser's state, carried to another, goes on with the same bits", "[optim]") {
  const auto run = [](bool carried) {
    Block<float> block("net", {40, 3});
    auto optimizer = std::make_unique<Adam<float>>(AdamOptions{.learning_rate = 0.01}, block);
    for (std::uint64_t step = 0; step < 6; ++step) {
      if (carried && step == 3) {
        auto next = std::make_unique<Adam<float>>(AdamOptions{.learning_rate = 0.01}, block);
        std::vector<std::pair<std::string, std::vector<float>>> kept;
        optimizer->for_each_state([&](const std::string& name, float* data, std::size_t size) {
          kept.emplace_back(name, std::vector<float>(data, data + size));
        });
        CHECK(kept.size() == 2);
        std::size_t at = 0;
        next->for_each_state([&](const std::string& name, float* data, std::size_t size) {
          CHECK(kept[at].first == name);
          REQUIRE(kept[at].second.size() == size);
          std::copy_n(kept[at++].second.begin(), size, data);
        });
        next->steps = optimizer->steps;
        optimizer = std::move(next);
      }
      const auto gradient = reference::normal<float>(block.value.size(), step);
      std::copy(gradient.begin(), gradient.end(), block.gradient.begin());
      optimizer->step();
    }
    return block.values();
  };
  CHECK(run(true) == run(false));
}

TEST_CASE("an optimiser that was reset goes on as a new one does", "[optim]") {
  const auto run = [](bool reset) {
    Block<float> block("net", {40, 3});
    auto optimizer = std::make_unique<Adam<float>>(AdamOptions{.learning_rate = 0.01}, block);
    for (std::uint64_t step = 0; step < 6; ++step) {
      if (step == 3 && reset) optimizer->reset();
      if (step == 3 && !reset) optimizer = std::make_unique<Adam<float>>(AdamOptions{.learning_rate = 0.01}, block);
      const auto gradient = reference::normal<float>(block.value.size(), step);
      std::copy(gradient.begin(), gradient.end(), block.gradient.begin());
      optimizer->step();
    }
    CHECK(optimizer->steps == 3);
    return block.values();
  };
  CHECK(run(true) == run(false));
}

}  // namespace test_optimizers

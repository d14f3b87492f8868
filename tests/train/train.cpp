#include "graft/core/random.hpp"
#include "graft/ops/dense.hpp"
#include "graft/train/accuracy.hpp"
#include "graft/train/callbacks.hpp"
#include "graft/train/metrics.hpp"
#include "io/scratch.hpp"

#include "catch.hpp"

#include <cmath>
#include <csignal>
#include <limits>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

namespace test_train {
using namespace graft;
using Catch::Matchers::ContainsSubstring;

namespace {

/// A method whose every number depends on all steps before it and on what its "loader" draws for (seed, step).
struct Toy {
  std::vector<double> weights = std::vector<double>(5, 1.0);
  std::uint64_t next = 0;  // where the loader stands
  int steps = 7;
  int killed_at = -1;  // global step at which the process dies
  int sick_at = -1;    // global step at which the loss is not a number
  int images = 32;

  int steps_per_epoch() { return steps; }
  int images_per_step() { return images; }
  void begin_epoch(std::uint64_t step) { next = step; }
  void step(double progress, std::uint64_t step, Means& means) {
    if (step != next++) fail("the loader stands elsewhere");
    if (static_cast<int>(step) == killed_at) ::raise(SIGKILL);
    Random random(3, step);
    for (double& w : weights) w = w * 0.9 + random.normal() * (1.0 - progress) + std::sin(w);
    means.add("label_loss", static_cast<int>(step) == sick_at ? std::nan("") : weights[0] * weights[0]);
  }
  void evaluate(Row& row) { row.set("target_accuracy", std::abs(std::cos(weights[1]))); }
  void save(CheckpointWriter& file) { file.add("toy", weights.data(), weights.size()); }
  void load(CheckpointReader& file) { file.get("toy", weights.data(), weights.size()); }
};

/// The columns of a history that do not depend on the clock.
std::vector<double> numbers(const History& history) {
  std::vector<double> out;
  for (const Row& row : history.rows()) {
    for (const char* name : {"epoch", "label_loss", "target_accuracy"}) out.push_back(row.get(name));
  }
  return out;
}

struct Recorder {
  std::vector<int> epochs;
  int first = -1;
  int steps = 0;
  std::size_t end = 0;
  void on_begin(const RunInfo& run) { first = run.first_epoch; }
  void on_step(const StepInfo&) { ++steps; }
  void on_epoch(const EpochInfo& info) { epochs.push_back(info.epoch); }
  void on_end(const History& history) { end = history.rows().size(); }
};

}  // namespace

TEST_CASE("a run that is killed and resumed equals one that is not, bit for bit", "[train]") {
  const Scratch scratch;
  Toy whole;
  const History expected = train(whole, {.epochs = 5});
  for (const int death : {3, 7, 17, 34}) {  // in the first epoch, at the start of the second, in the third, in the last step
    INFO("killed at step " << death);
    const auto path = scratch / ("run" + std::to_string(death));
    const ::pid_t child = ::fork();
    if (child == 0) {
      Toy victim;
      victim.killed_at = death;
      train(victim, {.epochs = 5, .checkpoint = path});
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    REQUIRE(WIFSIGNALED(status));
    Toy resumed;
    Recorder recorder;
    const History history = train(resumed, {.epochs = 5, .checkpoint = path, .resume = true}, recorder);
    CHECK(recorder.first == death / 7);
    CHECK(resumed.weights == whole.weights);
    CHECK(numbers(history) == numbers(expected));
  }
}

TEST_CASE("a finished run, resumed, gives its history and takes no step", "[train]") {
  const Scratch scratch;
  Toy toy;
  const History first = train(toy, {.epochs = 2, .checkpoint = scratch / "c"});
  Toy again;
  Recorder recorder;
  const History second = train(again, {.epochs = 2, .checkpoint = scratch / "c", .resume = true}, recorder);
  CHECK(second.csv() == first.csv());
  CHECK(again.weights == toy.weights);
  CHECK(recorder.steps == 0);
  CHECK(recorder.end == 2);
  CHECK(scratch.files() == 1);
}

TEST_CASE("a checkpoint of another plan is refused in a sentence", "[train]") {
  const Scratch scratch;
  Toy toy;
  train(toy, {.epochs = 2, .checkpoint = scratch / "c"});
  Toy other;
  CHECK_THROWS_WITH(train(other, {.epochs = 3, .checkpoint = scratch / "c", .resume = true}), ContainsSubstring("2 epochs"));
  other.steps = 8;
  CHECK_THROWS_AS(train(other, {.epochs = 2, .checkpoint = scratch / "c", .resume = true}), Error);
  other.steps = 7;
  other.images = 64;
  CHECK_THROWS_AS(train(other, {.epochs = 2, .checkpoint = scratch / "c", .resume = true}), Error);
  Toy wide;
  wide.weights.resize(6);
  CHECK_THROWS_WITH(train(wide, {.epochs = 2, .checkpoint = scratch / "c", .resume = true}),
                    ContainsSubstring("another network"));
  CHECK_THROWS_AS(train(toy, {.epochs = 0}), Error);
}

TEST_CASE("a loss that is not a number stops the run with its name and step", "[train]") {
  const Scratch scratch;
  Toy toy;
  toy.sick_at = 9;
  CHECK_THROWS_WITH(train(toy, {.epochs = 3, .checkpoint = scratch / "c"}),
                    ContainsSubstring("label_loss") && ContainsSubstring("epoch 2, step 3"));
  const CheckpointReader kept(scratch / "c");
  CHECK(kept.number("run/next_epoch") == 1.0);
}

TEST_CASE("callbacks hear of all that happens, and logs are files", "[train]") {
  const Scratch scratch;
  Toy toy;
  Recorder recorder;
  int epochs = 0;
  const History history = train(toy, {.epochs = 3}, recorder, CsvLog{scratch / "log.csv"}, JsonLog{scratch / "log.json"},
                                Plots{scratch / "plots"}, on_each_epoch([&](const EpochInfo&) { ++epochs; }));
  CHECK(recorder.epochs == std::vector<int>{0, 1, 2});
  CHECK(recorder.steps == 21);
  CHECK(recorder.end == 3);
  CHECK(epochs == 3);
  CHECK(scratch.get("log.csv") == history.csv());
  CHECK(scratch.get("log.json") == history.json());
  CHECK_THAT(scratch.get("plots/accuracy.svg"), ContainsSubstring("<polyline") && ContainsSubstring("</svg>"));
  CHECK_THAT(scratch.get("plots/loss.svg"), ContainsSubstring("label loss") || ContainsSubstring("<polyline"));
  CHECK_FALSE(std::filesystem::exists(scratch / "plots/lambda.svg"));
  CHECK(scratch.files() == 3);
}

TEST_CASE("means run over an epoch", "[train]") {
  Means means;
  means.add("a", 1.0);
  means.add("a", 4.0);
  means.add("b", 7.0);
  CHECK(means.entries().size() == 2);
  CHECK(means.entries()[0].sum / static_cast<double>(means.entries()[0].count) == 2.5);
  means.clear();
  means.add("a", 3.0);
  CHECK(means.entries()[0].sum == 3.0);
}

TEST_CASE("the accuracy of a batch is that of its largest logits", "[train]") {
  struct Same : Net<Vector<2>, Dense<2>> {};
  Model<Same> same;
  const float identity[] = {1, 0, 0, 1};
  std::copy(identity, identity + 4, same.array("0/w"));
  Tape tape;
  const float rows[] = {1, 2, 3, 1, 0, 5, 4, 4};  // the largest are 1, 0, 1 and, of equals, 0
  const auto logits = tape(same, Rows<float>{rows, 4, 0});
  const int labels[] = {1, 0, 0, 0};
  CHECK(accuracy(logits, DomainLabels{labels, 4}) == 0.75);
  CHECK_THROWS_WITH(accuracy(logits, DomainLabels{labels, 3}), ContainsSubstring("4 rows") && ContainsSubstring("3 labels"));
}

TEST_CASE("the confusion matrix counts", "[train]") {
  Confusion confusion(3);
  for (int i = 0; i < 3; ++i) confusion.add(0, 0);
  confusion.add(0, 2);
  confusion.add(1, 1);
  CHECK(confusion.total() == 5);
  CHECK(confusion.count(0, 2) == 1);
  CHECK(confusion.accuracy() == 0.8);
  const auto shares = confusion.per_class_accuracy();
  CHECK(shares[0] == 0.75);
  CHECK(shares[1] == 1.0);
  CHECK_THROWS_AS(confusion.add(3, 0), Error);
  CHECK_THROWS_AS(confusion.add(0, -1), Error);
  const float scores[] = {-3.0f, 2.0f, 2.0f, -1.0f};
  CHECK(argmax(scores, 4) == 1);
}

}  // namespace test_train

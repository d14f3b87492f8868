// Callbacks that watch a column: when they stop, lower the rate and keep weights; the guard against target labels; resumed
// runs; TensorBoard's files byte by byte against the real package's (make_events.py).
#include <filesystem>
#include <fstream>
#include <graft/train/callbacks.hpp>

#include "catch.hpp"
#include "io/scratch.hpp"

#include <cmath>
#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

namespace test_monitor {
using namespace graft;
using Catch::Matchers::ContainsSubstring;

namespace {

/// A method that records given numbers, an epoch each, and whose weight is the number of epochs trained times the rate factor.
struct Scripted {
  std::vector<double> script;
  std::string column = "score";
  int killed_at = -1;
  double weight = 0.0, factor = 1.0;
  std::size_t at = 0;

  int steps_per_epoch() { return 1; }
  int images_per_step() { return 1; }
  void begin_epoch(std::uint64_t step) { at = step; }
  void step(double, std::uint64_t step, Means& means) {
    if (static_cast<int>(step) == killed_at) ::raise(SIGKILL);
    weight += factor;
    means.add("loss", 1.0);
  }
  void evaluate(Row& row) { row.set(column, script[at]); }
  void set_rate_factor(double f) { factor = f; }
  void save(CheckpointWriter& file) { file.add_number("weight", weight); }
  void load(const CheckpointReader& file) { weight = file.number("weight"); }
};
struct Unscalable {
  int steps_per_epoch() { return 1; }
  int images_per_step() { return 1; }
  void begin_epoch(std::uint64_t) {}
  void step(double, std::uint64_t, Means& means) { means.add("loss", 1.0); }
  void evaluate(Row&) {}
  void save(CheckpointWriter&) {}
  void load(CheckpointReader&) {}
};
int epochs(const History& history) { return static_cast<int>(history.rows().size()); }

}  // namespace

TEST_CASE("early stopping ends the run after `patience` epochs without improvement and restores the best", "[train]") {
  const std::vector<double> script{0.1, 0.5, 0.4, 0.52, 0.3, std::nan(""), 0.51, 0.9};
  const auto run = [&](EarlyStoppingOptions options, double& weight, int& best) {
    Scripted method{script};
    EarlyStopping stopping(options);
    const int count = epochs(train(method, {.epochs = 8}, stopping));
    weight = method.weight;
    best = stopping.best_epoch();
    return count;
  };
  double weight = 0.0;
  int best = 0;
  CHECK(run({.monitor = "score", .goal = Goal::largest, .patience = 3}, weight, best) == 7);
  CHECK(best == 4);
  CHECK(weight == 4.0);
  CHECK(run({.monitor = "score", .goal = Goal::largest, .patience = 4}, weight, best) == 8);
  CHECK(best == 8);
  CHECK(run({.monitor = "score", .goal = Goal::largest, .patience = 3, .min_delta = 0.03}, weight, best) == 5);
  CHECK(weight == 2.0);
  CHECK(run({.monitor = "score", .goal = Goal::largest, .patience = 3, .restore_best = false}, weight, best) == 7);
  CHECK(weight == 7.0);
  CHECK(run({.monitor = "score", .goal = Goal::smallest, .patience = 2}, weight, best) == 3);
  CHECK(weight == 1.0);
  Scripted method{script};
  EarlyStopping other({.monitor = "scores"});
  CHECK_THROWS_WITH(train(method, {.epochs = 2}, other), ContainsSubstring("no column 'scores'") && ContainsSubstring("score"));
  CHECK_THROWS_WITH(EarlyStopping({.patience = 0}), ContainsSubstring("patience"));
}

TEST_CASE("the rate falls on a plateau, with a cooldown and a floor", "[train]") {
  Scripted method{{5, 4, 4, 4, 4, 4, 4, 4, 3, 3, 3}};
  ReduceOnPlateau reduce({.monitor = "score", .factor = 0.5, .patience = 2, .cooldown = 1, .least = 0.2});
  std::vector<double> factors;
  train(method, {.epochs = 11}, reduce, on_each_epoch([&](const EpochInfo&) { factors.push_back(method.factor); }));
  CHECK(factors == std::vector<double>{1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.2});
  Unscalable rigid;
  ReduceOnPlateau twice({.patience = 1});
  CHECK_THROWS_WITH(train(rigid, {.epochs = 3}, twice), ContainsSubstring("set_rate_factor"));
  CHECK_THROWS_WITH(ReduceOnPlateau({.factor = 1.0}), ContainsSubstring("between 0 and 1"));
}

TEST_CASE("the best checkpoint is the best epoch's", "[train]") {
  const Scratch scratch;
  Scripted method{{0.2, 0.7, 0.7, 0.6}};
  BestCheckpoint best(scratch / "best", {.monitor = "score", .goal = Goal::largest});
  train(method, {.epochs = 4}, best);
  CHECK(best.best_epoch() == 2);
  CHECK(best.best() == 0.7);
  CHECK(method.weight == 4.0);
  Scripted loaded;
  loaded.load(CheckpointReader(scratch / "best"));
  CHECK(loaded.weight == 2.0);
}

TEST_CASE("target labels may not choose, unless the user says that they may", "[train]") {
  CHECK_THROWS_WITH(EarlyStopping({.monitor = "target_accuracy"}), ContainsSubstring("target labels may not choose"));
  CHECK_THROWS_WITH(ReduceOnPlateau({.monitor = "target_accuracy"}), ContainsSubstring("target_labels_may_choose"));
  CHECK_THROWS_WITH(BestCheckpoint("x", {.monitor = "target_loss"}), ContainsSubstring("target_loss"));
  CHECK_THROWS_WITH(EarlyStopping({.monitor = ""}), ContainsSubstring("name of a column"));
  CHECK_NOTHROW(EarlyStopping({.monitor = "source_accuracy"}));
  CHECK_NOTHROW(EarlyStopping({.monitor = "target_entropy"}));
  CHECK_NOTHROW(EarlyStopping({.monitor = "target_dev"}));
  CHECK_NOTHROW(EarlyStopping({.monitor = "target_snd", .goal = Goal::largest}));
  Scripted method{{1, 2, 3}, "target_accuracy"};
  EarlyStopping oracle({.monitor = "target_accuracy", .patience = 1, .target_labels_may_choose = true});
  CHECK(epochs(train(method, {.epochs = 3}, oracle)) == 2);
}

TEST_CASE("a run with these callbacks, killed anywhere and resumed, decides as one that was not", "[train]") {
  const Scratch scratch;
  const std::vector<double> script{5, 4, 4.5, 4.2, 3.9, 4, 4, 4, 4, 1};
  const auto run = [&](const std::filesystem::path& path, int killed_at, bool resume, double& weight) {
    Scripted method{script};
    method.killed_at = killed_at;
    EarlyStopping stopping({.monitor = "score", .patience = 3});
    ReduceOnPlateau reduce({.monitor = "score", .factor = 0.5, .patience = 2});
    BestCheckpoint best(path.string() + ".best", {.monitor = "score"});
    const History history = train(method, {.epochs = 10, .checkpoint = path, .resume = resume}, stopping, reduce, best);
    weight = method.weight;
    return std::pair{epochs(history), best.best_epoch() * 100 + stopping.best_epoch()};
  };
  double whole = 0.0, resumed = 0.0;
  const auto expected = run(scratch / "whole", -1, false, whole);
  CHECK(expected == std::pair{8, 505});
  CHECK(whole == 4.5);                                           // four epochs at full rate, the fifth at half of it
  CHECK(run(scratch / "whole", -1, true, resumed) == expected);  // a stopped run stays stopped
  CHECK(resumed == whole);
  for (const int death : {1, 3, 4, 6, 7}) {
    INFO("killed in epoch " << death + 1);
    const auto path = scratch / ("run" + std::to_string(death));
    const ::pid_t child = ::fork();
    if (child == 0) {
      double ignored = 0.0;
      run(path, death, false, ignored);
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    REQUIRE(WIFSIGNALED(status));
    CHECK(run(path, -1, true, resumed) == expected);
    CHECK(resumed == whole);
  }
}

TEST_CASE("event files are the real package's, byte by byte", "[train]") {
  const Scratch scratch;
  std::ifstream in(std::filesystem::path(__FILE__).parent_path() / "events.tfevents", std::ios::binary);
  const std::string expected{std::istreambuf_iterator<char>(in), {}};
  REQUIRE(expected.size() > 300);
  std::string png;
  for (int i = 0; i < 200; ++i) png += static_cast<char>(i);
  EventFile file(scratch / "events", 1000.5);
  file.scalar("loss", 1, 0.75, 1001.25);
  file.scalar("target_accuracy", 300, 0.0, 1002.0);
  file.image("picture", 0, 20, 300, 3, png, 1003.0);
  std::ifstream written(file.path(), std::ios::binary);
  CHECK(std::string(std::istreambuf_iterator<char>(written), {}) == expected);
  CHECK(EventFile(scratch / "events", 1000.5).path() != file.path());
  scratch.put("plain", "");
  CHECK_THROWS_WITH(EventFile(scratch / "plain"), ContainsSubstring("cannot make the folder"));
  CHECK(detail::masked_crc32c("123456789") == (std::rotr(0xE3069283u, 15) + 0xA282EAD8u));  // the check value of CRC-32C

  Scripted method{{1, 2, 3}};
  TensorBoard board(scratch / "board");
  train(method, {.epochs = 3}, board);
  CHECK(board.file() == nullptr);
  CHECK(std::distance(std::filesystem::directory_iterator(scratch / "board"), std::filesystem::directory_iterator()) == 1);
}

}  // namespace test_monitor

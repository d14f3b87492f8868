#pragma once
// What compare prints: means and deviations over seeds.
#include <graft/train/history.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace example {

/// The last epoch of one run, and the target's accuracy at the epoch that a validator chooses: the least entropy, the highest
/// soft neighbourhood density, the least risk by deep embedded validation, the highest source accuracy. `oracle` looks at the
/// target's labels and shows what there was to gain.
struct RunResult {
  std::uint64_t seed = 0;
  double source_accuracy = 0.0, target_accuracy = 0.0, seconds = 0.0;
  double by_entropy = 0.0, by_snd = 0.0, by_dev = 0.0, by_source = 0.0, oracle = 0.0;
};

struct Comparison {
  std::string source, target, backbone;
  int epochs = 0, batch = 0;
  struct Row {
    std::string method;
    std::vector<RunResult> runs{};
    std::vector<std::uint64_t> diverged{};  ///< seeds whose run left the numbers
  };
  std::vector<Row> rows{};

  void add(const std::string& method, const RunResult& run);
  /// Adds the run that gave this history.
  void add(const std::string& method, std::uint64_t seed, const graft::History& history);
  /// Notes a run that came to no result.
  void add_diverged(const std::string& method, std::uint64_t seed);
  /// A row for each method: mean and deviation (n - 1) of the target accuracy over the seeds that came to an end, and
  /// every seed's.
  [[nodiscard]] std::string markdown() const;
  [[nodiscard]] std::string json() const;
  /// A bar for each mean, a dot for each seed, as SVG.
  [[nodiscard]] std::string plot() const;

 private:
  Row& row_of(const std::string& method);
};

/// Mean and sample deviation; the deviation of one number is 0, and of none both are not numbers.
struct MeanDeviation {
  double mean = 0.0, deviation = 0.0;
};
MeanDeviation mean_deviation(const std::vector<double>& numbers);

/// "ddc,dann" or "all". Throws Error for a name that is none, or one given twice.
std::vector<std::string> method_names(const std::string& list);
/// "0,1,2" or "0-4". Throws Error for anything else.
std::vector<std::uint64_t> seed_numbers(const std::string& list);

}  // namespace example

#pragma once
// The common face of all examples: options, data, reports. What an example is about stands in its own file.
#include "face/device.hpp"

#include <graft/data/mnist.hpp>
#include <graft/data/mnist_m.hpp>
#include <graft/data/synthetic_digits.hpp>
#include <graft/train/history.hpp>
#include <graft/train/metrics.hpp>

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace example {

/// What the command line says.
struct Options {
  std::filesystem::path data, source, target, out;
  int epochs = 0;
  int batch = 0;
  double lambda = -1.0;
  int threads = 0;
  std::uint64_t seed = 0;
  std::string device = "cpu", precision = "f32";
  std::string method;
  bool resume = false;
};

/// An option or a flag that one example has beyond the common ones.
struct Extra {
  std::string name, text;
  std::string* value = nullptr;
};
struct Flag {
  std::string name, text;
  bool* value = nullptr;
};

/// What an example says of itself.
struct About {
  std::string name;
  std::string text;
  std::vector<std::string>
      methods{};  ///< values of --method, if the example has several; without the option those in `usual` run
  std::vector<std::string> usual{};
  int epochs = 30;  ///< with data from outside
  int batch = 128;
  double lambda = 1.0;        ///< the highest weight of the adversary, where the example has one
  int synthetic_epochs = 12;  ///< the same with the library's own digits: few images, so small batches for enough steps
  int synthetic_batch = 32;
  double synthetic_lambda = 0.3;
  bool adversarial = false;  ///< offers --lambda
  bool two_domains = true;
  bool cuda = false;                              ///< trains on Cuda by --device cuda
  bool bf16 = false;                              ///< offers --precision
  bool any_folders = false;                       ///< --source and --target may hold a folder of images for each class
  std::string epochs_default{}, batch_default{};  ///< in words, where the example itself decides (epochs and batch are 0 then)
  std::vector<Extra> extras{};
  std::vector<Flag> flags{};
};

/// The sets of a run. Test parts are for scoring only.
struct Domains {
  graft::data::Labelled source, source_test, target, target_test;
};

/// One run of an example: its options, its data, and what it reports.
class Session {
 public:
  Session(Options options, About about);

  Options options;
  /// MNIST and MNIST-M from --data, sets in MNIST's format from --source and --target, or the library's own digits.
  Domains domains();
  /// The methods to run, in order.
  [[nodiscard]] std::vector<std::string> methods() const;
  [[nodiscard]] std::filesystem::path checkpoint(const std::string& method) const;
  /// Keeps a method's result, and writes its history, its plots and the confusion matrix on the test part (the target's, where
  /// there is one) into --out.
  void report(const std::string& method, const graft::History& history, const graft::Confusion& test,
              const std::vector<std::string>& classes = {});
  /// What metrics.json calls the domains, for examples that read their data themselves.
  void name_domains(std::string source, std::string target);
  /// Writes metrics.json and prints the table.
  void finish();

 private:
  About about_;
  std::string source_name_, target_name_;
  struct Result {
    std::string method;
    graft::History history;
    std::vector<double> accuracy_per_class;
  };
  std::vector<Result> results_;
};

/// The body of main: reads the options, runs `body`, and turns every error into a sentence and exit code 1; 2 where the device
/// of --device is missing.
int run(int argc, char** argv, const About& about, const std::function<void(Session&)>& body);

}  // namespace example

#pragma once
// The common face of the examples on photographs: options, data, reports. What an example is about stands in its own file.
#include <graft/data/image_folder.hpp>
#include <graft/train/history.hpp>
#include <graft/train/metrics.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <variant>
#include <vector>

namespace example {

/// The classifiers' outputs. A folder may have fewer classes: the biases of the others make their probability 0.
inline constexpr int most_classes = 64;

/// What the command line of every such example says.
struct PhotoOptions {
  std::filesystem::path data, weights, out;
  int epochs = 10;
  int batch = 32;
  int threads = 0;
  std::uint64_t seed = 0;
  std::string device = "cpu", method;
  bool resume = false;
};

/// An option of one example alone. A name without dashes takes what stands on the line without an option.
struct Extra {
  std::string name, text;
  std::variant<bool*, int*, double*, std::filesystem::path*, std::vector<std::filesystem::path>*> to;
  double low = 0.0, high = 1e9;  ///< of numbers
};

/// What an example says of itself.
struct PhotoAbout {
  std::string name, text;
  std::string data{};  ///< the help of --data; empty: there is none
  bool needs_data = true;
  std::vector<std::string> methods{};
  std::string usual{};  ///< what runs without --method, in words
  bool trains = true;   ///< offers --epochs, --batch, --seed and --resume
  std::vector<Extra> extra{};
};

/// One run of an example: its options and what it reports.
class PhotoSession {
 public:
  PhotoSession(PhotoOptions options, const PhotoAbout& about);

  PhotoOptions options;
  /// Whether that method was asked for; without --method those of `usual` run.
  [[nodiscard]] bool wants(const std::string& method, const std::vector<std::string>& usual) const;
  [[nodiscard]] std::filesystem::path checkpoint(const std::string& method) const;
  /// Keeps a method's result, and writes its history, plots and confusion matrix on the test part into --out.
  void report(const std::string& method, const graft::History& history, const graft::Confusion& test,
              const std::vector<std::string>& class_names);
  /// An image beside the probabilities of its classes, as METHOD_prediction.svg.
  void picture(const std::string& method, const graft::data::Bitmap& image, const std::vector<float>& probabilities,
               const std::vector<std::string>& class_names, int label);
  /// Writes metrics.json of the last method and prints the table; nothing where no method was run.
  void finish(const std::string& source, const std::string& target);

 private:
  struct Result {
    std::string method;
    graft::History history;
    std::vector<double> accuracy_per_class;
  };
  std::vector<Result> results_;
};

/// The body of main: reads the options, runs `body`, and turns every error into a sentence and a non-zero exit.
int run(int argc, char** argv, const PhotoAbout& about, const std::function<void(PhotoSession&)>& body);

/// The file of weights: --weights, or `name` in GRAFT_WEIGHTS_DIR or in a folder "weights" near the data. Empty where there is
/// none.
std::filesystem::path find_weights(const PhotoOptions& options, const std::string& name);

/// Filters of the first convolution that a file of weights under Keras' names begins with (MobileNetV1: 32 at width 1.0, 8 at
/// 0.25; InceptionV3's is another layer, for which -32 is returned); 0 where it is neither. Throws Error when it cannot be
/// read.
int first_filters(const std::filesystem::path& weights);

/// Probabilities of `count` logits.
std::vector<float> softmax(const float* logits, int count);

}  // namespace example

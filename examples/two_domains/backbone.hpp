#pragma once
// What adapt and compare know of a backbone: nets of one kind, on which every method of the list runs. Each stands in a file of
// its own, because its nets are types and take time to compile.
#include "pair.hpp"

#include <graft/core/error.hpp>
#include <graft/data/bitmap.hpp>
#include <graft/train/history.hpp>
#include <graft/train/metrics.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace example {

/// One run of one method.
struct Settings {
  std::string method;
  int epochs = 30, batch = 32;
  std::uint64_t seed = 0;
  std::optional<double> lambda{};  ///< in place of the method's own
  std::optional<double> begin{};   ///< of the method's Growing lambda, in place of the usual one
  double weight_decay = 0.0;       ///< of kernels, where body and label head learn by SGD
  bool through_bandwidth = false;  ///< of methods with an MMD: MmdOptions
  std::string stop_on{};           ///< a validator's column; empty: all epochs are run
  int patience = 5;                ///< epochs of it without improvement
  std::string title{};             ///< of the progress bar
  std::filesystem::path checkpoint{};
  bool resume = false;
  bool features = false;             ///< whether to keep features of both domains for pictures
  std::filesystem::path deployed{};  ///< where the adapted classifier goes, .onnx and .safetensors; empty: nowhere
  /// A method's options, with the lambda, weight decay and kernels that were asked for.
  template <class Options>
  [[nodiscard]] Options with(double usual_begin = 0.0) const {
    Options options;
    if constexpr (requires { options.lambda; }) options.lambda.high = lambda.value_or(options.lambda.high);
    if constexpr (requires { options.recipe; }) options.recipe.weight_decay = weight_decay;
    if constexpr (requires { options.weight_decay; }) options.weight_decay = weight_decay;
    if constexpr (requires { options.lambda.begin; }) options.lambda.begin = begin.value_or(usual_begin);
    if constexpr (requires { options.kernel.through_bandwidth; }) options.kernel.through_bandwidth = through_bandwidth;
    if constexpr (requires { options.joint.features.through_bandwidth; })
      options.joint.features.through_bandwidth = through_bandwidth;
    return options;
  }
};

/// Features of some images of both test parts, source first.
struct Cloud {
  std::vector<float> numbers;
  std::vector<int> labels, domains;
  void add(const float* sample, std::size_t size, int label, int domain) {
    numbers.insert(numbers.end(), sample, sample + size);
    labels.push_back(label), domains.push_back(domain);
  }
};
struct Outcome {
  graft::History history;
  graft::Confusion source_test{1}, target_test{1};
  Cloud before, after;
  graft::data::Bitmap translated{};  ///< of a method that translates images: source, its translation, target, its translation
};

/// Trains with these settings on the pair that it was prepared for.
using Runner = std::function<Outcome(const Settings&)>;

/// Makes ready what all runs on the pair share.
using Prepare = Runner (*)(const Pair& pair, const std::filesystem::path& weights);

struct Backbone {
  std::string name, text;
  int height = 28, width = 28;
  bool pretrained = false;                               ///< needs --weights
  Prepare prepare = nullptr, prepare_on_cuda = nullptr;  ///< the latter in a program that is built with CUDA
};

/// All of them.
const std::vector<Backbone>& backbones();
/// Throws Error with the names that there are.
const Backbone& backbone(const std::string& name);
/// The one for images of such a size, or for these weights. Throws Error when the file holds none that is known.
const Backbone& usual_backbone(const Folder& source, const Folder& target, const std::filesystem::path& weights);

/// The method needs nets that this backbone does not have.
struct OtherNets : graft::Error {
  using graft::Error::Error;
};

/// Name and one line of each method.
struct MethodInfo {
  std::string name, text;
};
const std::vector<MethodInfo>& method_list();
void print_lists();

/// The most classes that the label heads of this program are compiled for.
inline constexpr int most_classes = 100;

}  // namespace example

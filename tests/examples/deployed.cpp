// A safetensors file that adapt wrote, read again as one net and asked what the run says of its last epoch:
// deployed OUT METHOD SOURCE TARGET. For methods on body and label head without BatchNorm, behind MobileNetV1 0.25.
#include "two_domains/on_features.hpp"

#include <graft/io/weights.hpp>
#include <graft/train/validators.hpp>
#include <graft/transfer/score.hpp>

#include <cmath>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iterator>

int main(int, char** argv) try {
  using namespace graft;
  using Nets = example::AdaptationLayer<256, 10>;
  const std::string file = std::string(argv[1]) + "/" + argv[2];
  Model<Deployed<example::Trunk<256>, Nets::Features, Nets::Labels>> model;
  io::load(model, file + ".safetensors");
  const example::Pair pair =
      example::read_pair(example::look_into(argv[3]), example::look_into(argv[4]), {.height = 224, .width = 224});
  const auto p = probabilities_of_some(pair.target, pair.target.size(), example::trunk_normalize, model);
  const double entropy = prediction_entropy(p.data(), static_cast<int>(pair.target.size()), 10);
  const double accuracy = score(pair.target_test, example::trunk_normalize, model).accuracy();
  std::ifstream text(file + "_history.csv");
  const History run = History::from_csv(std::string(std::istreambuf_iterator<char>(text), {}));
  const bool same = std::abs(entropy - run.last("target_entropy")) < 1e-4 && accuracy == run.last("target_accuracy");
  std::printf("entropy %.6f and accuracy %.4f are %sthe run's\n", entropy, accuracy, same ? "" : "not ");
  return same ? 0 : 1;
} catch (const std::exception& error) {
  std::printf("%s\n", error.what());
  return 1;
}

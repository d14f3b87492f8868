// Fine-tuning: a network trained on ImageNet learns the classes of a folder of images from a few of them. Both ways of the
// tutorials: all convolutions frozen and a new classifier, or the first layers frozen and the rest tuned with it; and, to see
// what the pretrained weights are worth, a network that begins from nothing.
#include "finetune/methods.hpp"

#include <graft/data/split.hpp>

#include <cstdio>

using namespace graft;

namespace {

/// Which of the nets the file of weights is for.
enum class Backbone { mobilenet, mobilenet_quarter, inception };
Backbone backbone_of(const std::filesystem::path& weights) {
  switch (example::first_filters(weights)) {
    case 32:
      return Backbone::mobilenet;
    case 8:
      return Backbone::mobilenet_quarter;
    case -32:
      return Backbone::inception;
    default:
      break;
  }
  fail("'", weights.string(),
       "' is of no network that this example knows: MobileNetV1 of width 1.0 or 0.25, or InceptionV3, under Keras' names.");
}

}  // namespace

int main(int argc, char** argv) {
  example::TuneOptions tune;
  bool validate = false;
  double share = 0.2;
  const example::PhotoAbout about{
      .name = "finetune",
      .text = "Fine-tunes a pretrained network on a folder of images, a folder for each class.",
      .data = "folder that holds a folder of images for each class",
      .methods = {"frozen", "features", "partial", "scratch"},
      .usual = "frozen, then features; scratch where there are no weights",
      .extra = {
          {"--share", "part of each class to train on (default 0.2); the rest is scored", &share, 0.001, 0.999},
          {"--turns", "copies of each training image: 1, 2 (mirrored) or 8 (turned, too: no up, as from the air; default)",
           &tune.turns, 1, 8},
          {"--rate", "learning rate of the classifier of `frozen` and of `scratch`", &tune.rate, 0, 10},
          {"--shrinkage", "of the covariance in `features` towards a multiple of the identity", &tune.shrinkage, 0.0001, 1},
          {"--head_rate", "learning rate of the classifier of `partial`", &tune.head_rate, 0, 10},
          {"--body_rate", "learning rate of the layers that `partial` tunes", &tune.body_rate, 0, 10},
          {"--head_epochs", "epochs of `partial` before these are tuned", &tune.head_epochs, 0, 1000},
          {"--decay", "weight decay of a classifier on frozen or tuned layers", &tune.decay, 0, 100},
          {"--validate", "to choose options: train on 4/5 of the training images and score the last fifth, not the rest",
           &validate},
          {"--check_cache", "also time an epoch with the frozen network in front, and compare the weights",
           &tune.check_cache}}};
  return example::run(argc, argv, about, [&](example::PhotoSession& session) {
    auto weights = session.options.method == "scratch"
                       ? std::filesystem::path()
                       : example::find_weights(session.options, "mobilenet_v1_1.0_224_trunk12.safetensors");
    if (weights.empty() && session.options.method.empty()) {
      std::printf("no --weights given: training from scratch\n");
      session.options.method = "scratch";
    }
    if (weights.empty() && session.options.method != "scratch")
      fail("--method ", session.options.method, " needs pretrained weights; give a file by --weights.");
    const Backbone backbone = weights.empty() ? Backbone::mobilenet_quarter : backbone_of(weights);
    const int side = backbone == Backbone::inception ? 299 : 224;
    const auto all = data::image_folder(session.options.data, {.image = {.height = side, .width = side}});
    if (all.classes() > example::most_classes)
      fail("'", session.options.data.string(), "' has ", all.classes(), " classes, but this example is compiled for ",
           example::most_classes, "; raise most_classes in examples/finetune/tuning.hpp.");
    auto parts = data::split_stratified(all, share, session.options.seed);
    if (validate) parts = data::split_stratified(parts.train, 0.8, session.options.seed);
    const example::Photos photos{parts.train, parts.rest};
    std::printf("%s: %d classes, %zu images to train on, %zu to score\n", all.name().c_str(), all.classes(),
                photos.train.size(), photos.rest.size());
    if (weights.empty())
      from_scratch(session, photos, tune);
    else if (backbone == Backbone::mobilenet)
      tune_mobilenet(session, photos, tune, weights);
    else if (backbone == Backbone::mobilenet_quarter)
      tune_mobilenet_quarter(session, photos, tune, weights);
    else
      tune_inception(session, photos, tune, weights);
    session.finish(weights.empty() ? "" : "ImageNet (" + weights.filename().string() + ")", all.name());
  });
}

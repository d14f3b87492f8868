#pragma once
// What the example's main and its nets, each in a file of its own, know of each other.
#include "face/photos.hpp"

namespace example {

using namespace graft;

/// The parts of a run. `rest` is scored and decides nothing.
struct Photos {
  data::Labelled train, rest;
};

struct TuneOptions {
  int turns = 8;               ///< copies of each training image: mirrored (2), and turned by quarters (8)
  double rate = 0.01;          ///< of `frozen`'s classifier
  double decay = 1.0;          ///< of a classifier's weights (AdamW)
  double shrinkage = 0.2;      ///< of `features`' covariance
  double head_rate = 0.01;     ///< of `partial`'s classifier
  double body_rate = 0.00005;  ///< of the layers that are tuned
  double body_decay = 0.05;
  int head_epochs = 2;  ///< before the layers below the classifier are tuned, too
  bool check_cache = false;
};

/// All images, then copies of them all in another orientation: mirrored (`turns` 2), or in all eight of a square (8).
data::Labelled turned(const data::Labelled& set, int turns);
/// Seconds since an earlier call of now().
double now();

/// Each in a file of its own: both methods on a net, frozen up to a place that suits it.
void tune_mobilenet(PhotoSession&, const Photos&, const TuneOptions&, const std::filesystem::path& weights);
void tune_mobilenet_quarter(PhotoSession&, const Photos&, const TuneOptions&, const std::filesystem::path& weights);
void tune_inception(PhotoSession&, const Photos&, const TuneOptions&, const std::filesystem::path& weights);
/// No pretrained weights: MobileNet 0.25 from its random beginning, on images that are mirrored at random.
void from_scratch(PhotoSession&, const Photos&, const TuneOptions&);

}  // namespace example

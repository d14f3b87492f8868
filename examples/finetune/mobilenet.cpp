// MobileNetV1 of width 1.0, cut behind block 12.
#include <graft/models/mobilenet.hpp>

#include "tuning.hpp"

namespace example {

void tune_mobilenet(PhotoSession& session, const Photos& photos, const TuneOptions& options,
                    const std::filesystem::path& weights) {
  using Trunk = WithHead<Cut<models::MobileNetV1<1.0>, "conv_pw_12_relu">, Named<"pool", GlobalAveragePool>>;
  tune<Trunk, "conv_pw_11_relu", "conv_pw_5_relu", "conv_pw_8_relu", "conv_pw_11_relu", "conv_pw_12_relu">(session, photos,
                                                                                                           options, weights);
}

}  // namespace example

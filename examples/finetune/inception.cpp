// InceptionV3 with a Keras weight file, its first 172 Keras layers frozen.
#include <graft/models/inception_v3.hpp>

#include "tuning.hpp"

namespace example {

void tune_inception(PhotoSession& session, const Photos& photos, const TuneOptions& options,
                    const std::filesystem::path& weights) {
  using Trunk = Cut<models::InceptionV3<>, "avg_pool">;
  // Keras counts layers by depth: its first 172 are all up to mixed5, and of mixed6's branches these.
  tune<Trunk, "mixed5", "mixed2", "mixed7", "mixed10">(
      session, photos, options, weights,
      {"conv2d_54/*", "batch_normalization_54/*", "conv2d_55/*", "batch_normalization_55/*", "conv2d_51/*"});
}

}  // namespace example

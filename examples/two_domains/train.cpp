#include "nets.hpp"

#include <graft/train/callbacks.hpp>

namespace example {

graft::History train(Trainable& run, const Settings& settings) {
  return graft::train(run, {.epochs = settings.epochs, .checkpoint = settings.checkpoint, .resume = settings.resume},
                      graft::ProgressBar(settings.title));
}

}  // namespace example

#include "nets.hpp"

#include <graft/train/callbacks.hpp>
#include <graft/train/monitor.hpp>

namespace example {

graft::History train(Trainable& run, const Settings& settings) {
  const graft::TrainOptions options{.epochs = settings.epochs, .checkpoint = settings.checkpoint, .resume = settings.resume};
  if (settings.stop_on.empty()) return graft::train(run, options, graft::ProgressBar(settings.title));
  const auto goal =
      settings.stop_on == "target_entropy" || settings.stop_on == "target_dev" ? graft::Goal::smallest : graft::Goal::largest;
  return graft::train(
      run, options, graft::ProgressBar(settings.title),
      graft::EarlyStopping({.monitor = settings.stop_on, .goal = goal, .patience = settings.patience, .restore_best = false}));
}

}  // namespace example

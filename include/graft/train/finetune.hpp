#pragma once
/// \file finetune.hpp  Ways to fine-tune: freeze, unfreeze as the epochs go by, and learn the lower layers more slowly.
#include "graft/config.hpp"
#include "graft/core/error.hpp"
#include "graft/core/parameters.hpp"
#include "graft/train/trainer.hpp"

#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

GRAFT_BEGIN

/// Freezes what matches: weights are not trained and BatchNorm uses its running statistics, untouched. For one of the two alone
/// see Model::set_trainable and Model::set_statistics_fixed. Throws Error when no parameter matches.
template <class M>
void freeze(M& model, const std::string& pattern = "*") {
  model.set_trainable(false, pattern);
  model.set_statistics_fixed(true, pattern);
}
/// The opposite.
template <class M>
void unfreeze(M& model, const std::string& pattern = "*") {
  model.set_trainable(true, pattern);
  model.set_statistics_fixed(false, pattern);
}
/// Freezes the first `layers` layers of the net's own list, counted as written, activations and pools included.
template <class M>
void freeze_first(M& model, int layers) {
  model.set_trainable_layers(false, 0, layers);
  model.set_statistics_fixed_layers(true, 0, layers);
}

/// From which epoch on, counted from 0, the parameters that match a pattern are trained.
struct Unfreeze {
  int epoch = 0;
  std::string pattern;
};

/// Gradual unfreezing (Howard & Ruder 2018, section 3.3), a callback: what the patterns match begins frozen and is trained from
/// its epoch on.
///
///   method.fit(..., GradualUnfreezing{model, {{2, "layer4*"}, {4, "layer3*"}}});
///
/// A resumed run is frozen as it would have been. With `statistics` BatchNorm's follow the weights; without, they are left as
/// they are. Throws Error, before the first step, when a pattern matches no parameter.
template <class M>
class GradualUnfreezing {
 public:
  GradualUnfreezing(M& model, std::vector<Unfreeze> plan, bool statistics = true)
      : model_(&model), plan_(std::move(plan)), statistics_(statistics) {}

  void on_begin(const RunInfo& run) {
    for (const Unfreeze& entry : plan_) set(entry, false);
    for (const Unfreeze& entry : plan_) {
      if (entry.epoch <= run.first_epoch) set(entry, true);
    }
  }
  void on_epoch(const EpochInfo& info) {
    for (const Unfreeze& entry : plan_) {
      if (entry.epoch == info.epoch + 1) set(entry, true);
    }
  }

 private:
  void set(const Unfreeze& entry, bool trained) {
    model_->set_trainable(trained, entry.pattern);
    if (statistics_) model_->set_statistics_fixed(!trained, entry.pattern);
  }
  M* model_;
  std::vector<Unfreeze> plan_;
  bool statistics_;
};

/// Discriminative learning rates (Howard & Ruder 2018, section 3.1): the last layer with a kernel learns at the full rate, each
/// one before it at `factor` times the rate of the next (they took 1 / 2.6). Arrays that stand behind a kernel in the net, such
/// as BatchNorm's, go with it; a block (Residual, Sum, Concat) counts as one layer.
template <class Optimizer, class M>
void discriminative_rates(Optimizer& optimizer, const M& model, double factor) {
  std::vector<int> depth;  // of each segment, from the input
  int kernels = 0, layer = -1;
  for (const Segment& s : model.segments()) {
    if (s.decay && s.layer != layer) {
      ++kernels;
      layer = s.layer;
    }
    depth.push_back(kernels > 0 ? kernels : 1);
  }
  for (std::size_t i = 0; i < depth.size(); ++i) {
    optimizer.multiply(model.name + "/" + model.segments()[i].name, std::pow(factor, kernels > 0 ? kernels - depth[i] : 0));
  }
}
/// The same with groups of the user's: patterns of "model/segment" from the input to the output, the last at the full rate.
template <class Optimizer>
void discriminative_rates(Optimizer& optimizer, std::initializer_list<std::string> groups, double factor) {
  std::size_t behind = groups.size();
  for (const std::string& pattern : groups) optimizer.multiply(pattern, std::pow(factor, static_cast<double>(--behind)));
}

GRAFT_END

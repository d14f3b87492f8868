#pragma once
// Methods on nets that read the images themselves.
#include "nets.hpp"

#include <graft/train/callbacks.hpp>

namespace example {

/// `classes` outputs or fewer are used, see Nets.
template <class B>
Outcome run_on_images(const Pair& pair, const Settings& settings) {
  using Features = typename B::Features;
  const int classes = static_cast<int>(pair.classes.size());
  const auto normalize = graft::data::Normalize::mean_of(3, pair.source, pair.target);
  Nets<B> nets(settings.seed, classes);
  Outcome outcome;
  const auto look = [&](Cloud& cloud) {
    if (!settings.features) return;
    cloud = {};
    int domain = 0;
    std::vector<float> image(Features::input.size()), out(Features::output.size());
    for (const auto* set : {&pair.source_test, &pair.target_test}) {
      for (const std::size_t i : some_of(set->size())) {
        normalize.write(set->pixels(i), set->shape(), Features::input, image.data());
        nets.features().predict(image.data(), 1, out.data());
        cloud.numbers.insert(cloud.numbers.end(), out.begin(), out.end());
        cloud.labels.push_back(set->label(i));
        cloud.domains.push_back(domain);
      }
      ++domain;
    }
  };
  look(outcome.before);
  with_method(nets, settings, [&](auto& method) {
    const graft::FitOptions fit{.epochs = settings.epochs,
                                .batch = settings.batch,
                                .seed = settings.seed,
                                .normalize = normalize,
                                .source_test = pair.source_test,
                                .target_test = pair.target_test,
                                .checkpoint = settings.checkpoint,
                                .resume = settings.resume};
    outcome.history = method.fit(pair.source, pair.target, fit, graft::ProgressBar(settings.title));
    const auto confusion = [&](const graft::data::Labelled& set) {
      return only_classes(
          std::apply([&](auto&... models) { return graft::score(set, normalize, models...); }, method.classifier()), classes);
    };
    outcome.source_test = confusion(pair.source_test), outcome.target_test = confusion(pair.target_test);
  });
  look(outcome.after);
  return outcome;
}

}  // namespace example

#pragma once
// Methods on nets that read the images themselves.
#include "nets.hpp"

#include <graft/ops/list.hpp>

namespace example {

/// Small nets for methods that make images; both domains are colour images about their mean.
struct SmallTranslation {
  static constexpr graft::Conv keep{.padding = graft::same};
  struct Translator : graft::Net<graft::Image<28, 28, 3>, graft::Conv2D<16, 5, keep>, graft::ReLU,
                                 graft::Residual<graft::Conv2D<16, 3, keep>, graft::ReLU, graft::Conv2D<16, 3, keep>>,
                                 graft::ReLU, graft::Conv2D<3, 5, keep>> {};
  struct Critic : graft::Net<graft::Image<28, 28, 3>, graft::Conv2D<16, 5, graft::Conv{.stride = 2, .padding = graft::same}>,
                             graft::LeakyReLU<0.2>, graft::Conv2D<32, 5, graft::Conv{.stride = 2, .padding = graft::same}>,
                             graft::LeakyReLU<0.2>, graft::Flatten, graft::Dense<1>> {};
};

/// The nets with BatchNorm and LeakyReLU 0.3 that DannThreeAdam is usually given.
template <int Classes>
struct NormNets {
  struct NormFeatures
      : graft::Net<graft::Image<28, 28, 3>, graft::Conv2D<32, 5, graft::Conv{.bias = false}>, graft::BatchNorm<>,
                   graft::LeakyReLU<0.3>, graft::MaxPool2D<2>, graft::Conv2D<48, 5, graft::Conv{.bias = false}>,
                   graft::BatchNorm<>, graft::LeakyReLU<0.3>, graft::MaxPool2D<2>, graft::Flatten> {};
  struct NormLabels : graft::Net<NormFeatures::output, graft::Dense<100, false>, graft::BatchNorm<>, graft::LeakyReLU<0.3>,
                                 graft::Dense<Classes>> {};
  struct NormDomains
      : graft::Net<NormFeatures::output, graft::Dense<100, false>, graft::BatchNorm<>, graft::LeakyReLU<0.3>, graft::Dense<1>> {
  };
};

/// `classes` outputs or fewer are used, see Nets.
template <class B>
Outcome run_on_images(const Pair& pair, const Settings& settings) {
  const int classes = static_cast<int>(pair.classes.size());
  const auto normalize = graft::data::Normalize::mean_of(3, pair.source, pair.target);
  Nets<B> nets(settings.seed, classes);
  Outcome outcome;
  with_method(nets, settings, [&](auto& method) {
    auto& body = std::get<0>(method.classifier());
    using Body = std::remove_reference_t<decltype(body)>;
    const auto look = [&](Cloud& cloud) {
      if (!settings.features) return;
      int domain = 0;
      std::vector<float> image(Body::input.size()), out(Body::output.size());
      for (const auto* set : {&pair.source_test, &pair.target_test}) {
        for (const std::size_t i : some_of(set->size())) {
          normalize.write(set->pixels(i), set->shape(), Body::input, image.data());
          body.predict(image.data(), 1, out.data());
          cloud.add(out.data(), out.size(), set->label(i), domain);
        }
        ++domain;
      }
    };
    look(outcome.before);
    const graft::FitOptions fit{.epochs = settings.epochs,
                                .batch = settings.batch,
                                .seed = settings.seed,
                                .normalize = normalize,
                                .source_test = pair.source_test,
                                .target_test = pair.target_test,
                                .validate_on = 1000};
    graft::Adaptation<std::remove_reference_t<decltype(method)>> adaptation(method, pair.source, pair.target, fit);
    TrainableOf run(adaptation);
    outcome.history = train(run, settings);
    const auto confusion = [&](const graft::data::Labelled& set) {
      return only_classes(
          std::apply([&](auto&... models) { return graft::score(set, normalize, models...); }, method.classifier()), classes);
    };
    outcome.source_test = confusion(pair.source_test), outcome.target_test = confusion(pair.target_test);
    look(outcome.after);
  });
  return outcome;
}

}  // namespace example

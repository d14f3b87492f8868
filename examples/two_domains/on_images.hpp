#pragma once
// Methods on nets that read the images themselves.
#include "nets.hpp"

#include <graft/data/bitmap.hpp>
#include <graft/ops/list.hpp>

#include <algorithm>
#include <cmath>

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

/// The nets with BatchNorm and LeakyReLU 0.3 that DannThreeAdam is usually given. An adversary moves the features faster than
/// Keras' running statistics (momentum 0.99) follow; PyTorch's do.
template <int Classes>
struct NormNets {
  using Norm = graft::BatchNorm<graft::torch_norm>;
  struct NormFeatures : graft::Net<graft::Image<28, 28, 3>, graft::Conv2D<32, 5, graft::Conv{.bias = false}>, Norm,
                                   graft::LeakyReLU<0.3>, graft::MaxPool2D<2>, graft::Conv2D<48, 5, graft::Conv{.bias = false}>,
                                   Norm, graft::LeakyReLU<0.3>, graft::MaxPool2D<2>, graft::Flatten> {};
  struct NormLabels
      : graft::Net<NormFeatures::output, graft::Dense<100, false>, Norm, graft::LeakyReLU<0.3>, graft::Dense<Classes>> {};
  struct NormDomains
      : graft::Net<NormFeatures::output, graft::Dense<100, false>, Norm, graft::LeakyReLU<0.3>, graft::Dense<1>> {};
};

/// Caffe's LeNet, which Adda's authors have, with ReLU behind its convolutions too.
template <int Classes>
struct CaffeLeNet {
  struct Encoder
      : graft::Net<graft::Image<28, 28, 3>, graft::Conv2D<20, 5>, graft::ReLU, graft::MaxPool2D<2>, graft::Conv2D<50, 5>,
                   graft::ReLU, graft::MaxPool2D<2>, graft::Flatten, graft::Dense<500>, graft::ReLU> {};
  struct EncoderLabels : graft::Net<Encoder::output, graft::Dense<Classes>> {};
};

/// Four rows of test images: of the source, translated to the target, of the target, translated to the source.
template <class Nets>
graft::data::Bitmap translated(const Nets& nets, const Pair& pair, const graft::data::Normalize& normalize) {
  constexpr graft::Shape shape = std::remove_reference_t<decltype(nets.to_target)>::input;
  constexpr int columns = 16, gap = 2;
  const auto at = [](int i) { return static_cast<std::size_t>(i); };
  graft::data::Bitmap sheet{4 * shape.h, columns * (shape.w + gap) - gap, 3, {}};
  sheet.pixels.assign(sheet.count() * 3, 255);
  std::vector<float> image(shape.size()), made(shape.size());
  for (int column = 0; column < columns; ++column) {
    const auto draw = [&](int row, const std::vector<float>& from) {
      for (int y = 0; y < shape.h; ++y) {
        for (int x = 0; x < shape.w; ++x) {
          for (int c = 0; c < 3; ++c) {
            const float value = from[at((y * shape.w + x) * 3 + c)] * static_cast<float>(normalize.deviation[at(c)]) +
                                static_cast<float>(normalize.mean[at(c)]);
            sheet.pixels[at(((row * shape.h + y) * sheet.width + column * (shape.w + gap) + x) * 3 + c)] =
                static_cast<std::uint8_t>(std::lround(255.0f * std::clamp(value, 0.0f, 1.0f)));
          }
        }
      }
    };
    const auto both = [&](int row, const graft::data::Labelled& set, auto& generator) {
      normalize.write(set.pixels(at(column) % set.size()), set.shape(), shape, image.data());
      generator.predict(image.data(), 1, made.data());
      draw(row, image);
      draw(row + 1, made);
    };
    both(0, pair.source_test, nets.to_target);
    both(2, pair.target_test, nets.to_source);
  }
  return sheet;
}

/// `classes` outputs or fewer are used, see Nets.
template <class B, class Device = graft::Cpu>
Outcome run_on_images(const Pair& pair, const Settings& settings) {
  const int classes = static_cast<int>(pair.classes.size());
  const graft::FitOptions fit =
      fit_for(settings.method, graft::FitOptions{.epochs = settings.epochs,
                                                 .batch = settings.batch,
                                                 .seed = settings.seed,
                                                 .normalize = graft::data::Normalize::mean_of(3, pair.source, pair.target),
                                                 .source_test = pair.source_test,
                                                 .target_test = pair.target_test,
                                                 .validate_on = 1000});
  Nets<B, Device> nets(settings.seed, classes);
  Outcome outcome;
  with_method(nets, settings, [&](auto& method) {
    auto& body = std::get<0>(method.classifier());
    using Body = std::remove_reference_t<decltype(body)>;
    const auto look = [&](Cloud& cloud) {
      if (!settings.features) return;
      int domain = 0;
      std::vector<float> image(Body::input.size()), out(Body::output.size());
      for (const auto* set : {&pair.source_test, &pair.target_test}) {
        if (body.has_target_statistics()) body.domain = domain;
        for (const std::size_t i : some_of(set->size())) {
          fit.normalize.write(set->pixels(i), set->shape(), Body::input, image.data());
          body.predict(image.data(), 1, out.data());
          cloud.add(out.data(), out.size(), set->label(i), domain);
        }
        ++domain;
      }
    };
    look(outcome.before);
    graft::Adaptation<std::remove_reference_t<decltype(method)>> adaptation(method, pair.source, pair.target, fit);
    TrainableOf run(adaptation);
    outcome.history = train(run, settings);
    const auto confusion = [&](const graft::data::Labelled& set) {
      return only_classes(
          std::apply([&](auto&... models) { return graft::score(set, fit.normalize, models...); }, method.classifier()),
          classes);
    };
    outcome.source_test = confusion(pair.source_test), outcome.target_test = confusion(pair.target_test);
    look(outcome.after);
    std::apply([&](auto&... models) { write_deployed(settings, fit.normalize, models...); }, method.classifier());
    if constexpr (requires { method.translation(); })
      if (settings.features) outcome.translated = translated(method.translation(), pair, fit.normalize);
  });
  return outcome;
}

}  // namespace example

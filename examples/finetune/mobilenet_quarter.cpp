// MobileNetV1 of width 0.25: with pretrained weights, and from scratch.
#include <graft/models/mobilenet.hpp>
#include <graft/transfer/domain_statistics.hpp>

#include "tuning.hpp"

namespace example {

using Trunk = Cut<models::MobileNetV1<0.25>, "global_average_pooling2d">;

void tune_mobilenet_quarter(PhotoSession& session, const Photos& photos, const TuneOptions& options,
                            const std::filesystem::path& weights) {
  tune<Trunk, "conv_pw_11_relu", "conv_pw_5_relu", "conv_pw_8_relu", "conv_pw_11_relu", "conv_pw_13_relu">(session, photos,
                                                                                                           options, weights);
}

template <class Device>
void begin_anew(PhotoSession& session, const Photos& photos, const TuneOptions& options) {
  using Classifier = WithHead<Trunk, Named<"predictions", Dense<most_classes>>>;
  const data::Normalize normalize = minus_one_to_one();
  Model<Classifier, Device> model{{.name = "model", .seed = session.options.seed, .initialiser = Initialiser::he_normal}};
  close_outputs(model, photos.train.classes());
  const int batch = session.options.batch;
  const data::Labelled train = turned(photos.train, options.turns);
  data::Loader<float> loader(train, Classifier::input, {.batch = batch, .seed = session.options.seed, .normalize = normalize},
                             model.device());
  const auto test = [&] {
    // So few steps leave BatchNorm's running statistics (momentum 0.99) behind the weights; these are the present ones.
    count_statistics(photos.train, normalize, 0, 64, model);
    return score(photos.rest, normalize, model);
  };
  Supervised method(
      loader, batch, {{options.rate, 0.01}}, [&] { return test().accuracy(); }, model);
  const History history = train_with(session, "scratch", method);
  Confusion confusion(photos.rest.classes());
  std::vector<float> shown;
  const std::size_t picture = session.options.seed % photos.rest.size();
  std::size_t at = 0;
  std::vector<float> logits(static_cast<std::size_t>(most_classes) * 64);
  data::for_each_batch<float>(photos.rest, Classifier::input, 64, normalize, [&](const data::Batch<float>& images) {
    model.predict(images.images, images.count, logits.data());
    for (int i = 0; i < images.count; ++i, ++at) {
      const float* row = logits.data() + static_cast<std::ptrdiff_t>(i) * most_classes;
      confusion.add(photos.rest.label(at), argmax(row, photos.rest.classes()));
      if (at == picture) shown = softmax(row, photos.rest.classes());
    }
  });
  const auto& names = photos.rest.class_names();
  session.report("scratch", history, confusion, names);
  session.picture("scratch", bitmap_of(photos.rest, picture), shown, names, photos.rest.label(picture));
}

void from_scratch(PhotoSession& session, const Photos& photos, const TuneOptions& options) {
  on_cpu_or_cuda(session.options.device, [&]<class Device>(Device) { begin_anew<Device>(session, photos, options); });
}

}  // namespace example

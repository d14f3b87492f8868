// A photograph to ImageNet's classes: the five most probable, by name.
#include <graft/graft.hpp>
#include <graft/data/image_folder.hpp>
#include <graft/io/weights.hpp>
#include <graft/models/imagenet_classes.hpp>
#include <graft/models/mobilenet.hpp>

#include "face/device.hpp"
#include "face/photos.hpp"

#include <chrono>
#include <cstdio>

using namespace graft;

namespace {

template <class N, class Device>
void classify(example::PhotoSession& session, const std::filesystem::path& weights,
              const std::vector<std::filesystem::path>& photographs) {
  Model<N, Device> model;
  io::load(model, weights, {.names = io::names::keras()});
  const std::vector<std::string> names(models::imagenet_classes.begin(), models::imagenet_classes.end());
  for (const auto& file : photographs) {
    const auto image = data::read_image(file, {.height = N::input.h, .width = N::input.w, .filter = data::Filter::bilinear});
    std::vector<float> x(N::input.size()), logits(N::output.size());
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(image.pixels[i]) / 127.5f - 1.0f;
    const auto start = std::chrono::steady_clock::now();
    model.predict(x.data(), 1, logits.data());
    const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    const auto p = example::softmax(logits.data(), N::output.c);
    std::vector<std::size_t> order(p.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::partial_sort(order.begin(), order.begin() + 5, order.end(), [&](std::size_t a, std::size_t b) { return p[a] > p[b]; });
    std::printf("%s (%.1f ms)\n", file.string().c_str(), ms);
    for (std::size_t i = 0; i < 5; ++i)
      std::printf("  %.3f  %3zu  %s\n", static_cast<double>(p[order[i]]), order[i], names[order[i]].c_str());
    session.picture(file.stem().string(), image, p, names, -1);
  }
  std::printf("a picture of each is in %s\n", session.options.out.string().c_str());
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::filesystem::path> photographs;
  const example::PhotoAbout about{
      .name = "classify",
      .text = "Names what is in photographs, with MobileNetV1 (width 1.0 or 0.25) trained on ImageNet.",
      .trains = false,
      .extra = {{"photographs", "JPEG, PNG, BMP or TIFF files", &photographs}}};
  return example::run(argc, argv, about, [&](example::PhotoSession& session) {
    const auto weights = example::find_weights(session.options, "mobilenet_v1_0.25_224.safetensors");
    if (weights.empty())
      fail("give a file of pretrained weights by --weights: MobileNetV1 of width 1.0 or 0.25, with its 1000 classes.");
    const int filters = example::first_filters(weights);
    if (filters != 32 && filters != 8)
      fail("'", weights.string(), "' is not of MobileNetV1 of width 1.0 or 0.25 under Keras' names; give such a file.");
    example::on_cpu_or_cuda(session.options.device, [&]<class Device>(Device) {
      filters == 32 ? classify<models::MobileNetV1<1.0>, Device>(session, weights, photographs)
                    : classify<models::MobileNetV1<0.25>, Device>(session, weights, photographs);
    });
  });
}

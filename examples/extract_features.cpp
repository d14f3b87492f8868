// Features saved once, reused: a folder of images becomes a .safetensors or .npz file of a pretrained network's features, and a
// classifier is trained from that file, without images and without the network.
#include <graft/data/image_folder.hpp>
#include <graft/io/npz.hpp>
#include <graft/io/weights.hpp>
#include <graft/models/mobilenet.hpp>
#include <graft/train/feature_cache.hpp>

#include "face/supervised.hpp"

#include <cstdio>
#include <sstream>

using namespace graft;
namespace fs = std::filesystem;

namespace {

using Trunk = Cut<models::MobileNetV1<0.25>, "global_average_pooling2d">;
using WideTrunk = WithHead<Cut<models::MobileNetV1<1.0>, "conv_pw_12_relu">, Named<"pool", GlobalAveragePool>>;

/// features (n x d), labels (n) and the classes' names, a line each.
template <class N, class Device>
void extract(const data::Labelled& set, const fs::path& weights, const fs::path& file) {
  Model<N, Device> trunk;
  io::load(trunk, weights, {.names = io::names::keras(), .allow_unused = true});
  FeatureCache cache;
  const auto features = cache.features(trunk, set, data::Normalize{{0.5, 0.5, 0.5, 0.5}, {0.5, 0.5, 0.5, 0.5}});
  std::string names;
  for (const std::string& name : set.class_names()) names += name + "\n";
  const std::size_t n = features.size();
  std::vector<io::TensorData> arrays{
      io::tensor("features", {n, N::output.size()}, features.sample(0)), io::tensor("labels", {n}, features.labels().data()),
      io::tensor("classes", {names.size()}, reinterpret_cast<const std::uint8_t*>(names.data()))};
  if (file.extension() == ".npz")
    io::write_npz(file, arrays);
  else
    io::write_safetensors(file, std::move(arrays));
  std::printf("%zu x %zu features of '%s' written to %s\n", n, N::output.size(), set.name().c_str(), file.string().c_str());
}

/// The file's arrays as a set again. Throws Error where they are not what extract() wrote.
template <class File>
data::Features<float> features_of(const File& file, std::vector<std::string>& names) {
  for (const char* array : {"features", "labels", "classes"}) {
    if (file.tensors().count(array) == 0)
      fail("'", file.path(), "' has no array '", array, "'; give a file that extract_features wrote.");
  }
  const auto shape = file.tensors().at("features").shape;
  if (shape.size() != 2 || shape[1] == 0 || shape[1] > 1'000'000)
    fail("'", file.path(), "': 'features' are to be a table, samples x numbers.");
  const auto bytes = file.template get<std::uint8_t>("classes");
  std::istringstream lines(std::string(bytes.begin(), bytes.end()));
  for (std::string line; std::getline(lines, line);) names.push_back(line);
  return {fs::path(file.path()).filename().string(), vector_shape(static_cast<int>(shape[1])),
          file.template get<float>("features"), file.template get<std::int32_t>("labels"), static_cast<int>(names.size())};
}

/// A linear classifier on `share` of each class, scored on the rest.
template <int Numbers, class Device>
void train_from(example::PhotoSession& session, const data::Features<float>& all, double share,
                const std::vector<std::string>& names) {
  const auto [train, rest] = example::split(all, share, session.options.seed);
  auto head = example::linear_classifier<example::LinearHead<Vector<Numbers>>, Device>(session, train);
  data::FeatureLoader<float> loader(train, {.batch = session.options.batch, .seed = session.options.seed});
  example::Supervised method(
      loader, session.options.batch, {{0.01, 1.0}}, [&, &rest = rest] { return score(rest, head).accuracy(); }, head);
  const History history = example::train_with(session, "features", method);
  example::report(session, "features", history, rest, head, names);
}

}  // namespace

int main(int argc, char** argv) {
  fs::path file = "features.safetensors";
  double share = 0.2;
  const example::PhotoAbout about{
      .name = "extract_features",
      .text =
          "With --data: writes a network's features of a folder of images to a file. Without: trains a classifier from that "
          "file.",
      .data = "folder that holds a folder of images for each class",
      .needs_data = false,
      .extra = {{"--features", "the file, .safetensors or .npz (default features.safetensors)", &file},
                {"--share", "part of each class to train on (default 0.2); the rest is scored", &share, 0.001, 0.999}}};
  return example::run(argc, argv, about, [&](example::PhotoSession& session) {
    if (session.options.data.empty()) {
      std::vector<std::string> names;
      const auto set =
          file.extension() == ".npz" ? features_of(io::Npz(file), names) : features_of(io::TensorFile(file), names);
      if (set.shape().size() != 256 && set.shape().size() != 1024)
        fail("'", file.string(), "' has ", set.shape().size(),
             " numbers for each image; this example is compiled for 256 and 1024.");
      example::on_cpu_or_cuda(session.options.device, [&]<class Device>(Device) {
        set.shape().size() == 256 ? train_from<256, Device>(session, set, share, names)
                                  : train_from<1024, Device>(session, set, share, names);
      });
      session.finish(file.string(), set.name());
      return;
    }
    const auto weights = example::find_weights(session.options, "mobilenet_v1_0.25_224.safetensors");
    if (weights.empty()) fail("give a file of pretrained weights by --weights: MobileNetV1 of width 1.0 or 0.25.");
    const auto set = data::image_folder(session.options.data, {.image = {.height = 224, .width = 224}});
    const int filters = example::first_filters(weights);
    if (filters != 32 && filters != 8)
      fail("'", weights.string(), "' is not of MobileNetV1 of width 1.0 or 0.25 under Keras' names; give such a file.");
    example::on_cpu_or_cuda(session.options.device, [&]<class Device>(Device) {
      filters == 32 ? extract<WideTrunk, Device>(set, weights, file) : extract<Trunk, Device>(set, weights, file);
    });
  });
}

// Writes nets as ONNX files, an input of each and what this library makes of it, into the folder that is its argument.
#include <graft/io/npy.hpp>
#include <graft/io/onnx.hpp>
#include <graft/models/inception_v3.hpp>
#include <graft/models/mobilenet.hpp>
#include <graft/models/resnet.hpp>
#include <graft/ops/deploy.hpp>
#include <graft/ops/list.hpp>

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

using namespace graft;

namespace {
std::filesystem::path folder;
int written = 0;

template <class M>
void stir(M& model) {
  Random random(7, 8);
  for (const Segment& s : model.statistic_segments()) {
    for (std::size_t i = 0; i < s.count; ++i) model.statistics()[s.offset + i] = static_cast<float>(random.uniform(0.5, 1.5));
  }
  for (const Segment& s : model.segments()) {
    if (s.rank > 1) continue;
    for (std::size_t i = 0; i < s.count; ++i) model.values()[s.offset + i] = static_cast<float>(random.uniform(-1.0, 1.0));
  }
}

/// images: numbers from 0 to 1, as they are given to the graph. Else anything.
template <class M>
void write(M& model, const std::string& what, const io::OnnxOptions& options = {}) {
  constexpr int n = 3;
  constexpr Shape in = M::input, out = M::output;
  const std::string name = std::to_string(written++) + "_" + what;
  io::save_onnx(model, folder / (name + ".onnx"), options);
  std::vector<float> x(n * in.size()), seen = x, y(n * out.size());
  Random random(1, 2);
  for (float& value : x)
    value = static_cast<float>(random.uniform(options.normalize ? 0.0 : -2.0, options.normalize ? 1.0 : 2.0));
  seen = x;
  if (options.normalize) {
    std::vector<float> pixels(in.size());
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t k = 0; k < in.size(); ++k) pixels[k] = 255.0f * x[i * in.size() + k];
      options.normalize->write(pixels.data(), in, in, seen.data() + i * in.size());
    }
  }
  model.predict(seen.data(), n, y.data());
  if (options.probabilities) kernel::softmax_forward(Cpu{}, n, out.c, y.data(), y.data());
  const auto extents = [&](const Shape& s) {
    std::vector<std::size_t> all{n};
    for (const int extent : {s.h, s.w, s.c}) all.push_back(static_cast<std::size_t>(extent));
    if (s.is_vector()) all = {n, static_cast<std::size_t>(s.c)};
    return all;
  };
  io::write_npy(folder / (name + ".x.npy"), extents(in), x.data());
  io::write_npy(folder / (name + ".y.npy"), extents(out), y.data());
}

template <class... Cases>
void write_ops(const std::tuple<Cases...>*) {
  const auto one = [](auto* of) {
    Model<std::remove_pointer_t<decltype(of)>> model{{.seed = 3}};
    stir(model);
    write(model, "op");
  };
  (one(static_cast<typename Cases::Net*>(nullptr)), ...);
}
template <class N>
void write_model(const char* name) {
  Model<N> model{{.seed = 5, .initialiser = Initialiser::he_normal}};
  auto deployed = deploy(model);
  write(model, name);
  write(deployed, std::string(name) + "_deployed");
}

struct Digits : Net<Image<12, 12, 3>, Conv2D<6, 3, Conv{.bias = false}>, BatchNorm<>, ReLU, MaxPool2D<2>> {};
struct Head : Net<Digits::output, Flatten, Dropout<0.5>, Dense<7>> {};
}  // namespace

int main(int, char** argv) {
  folder = argv[1];
  write_ops(static_cast<const OpList*>(nullptr));
  write_model<models::ResNet18<10, Image<64, 64, 3>>>("resnet18");
  write_model<models::MobileNetV2<0.5, 10, Image<64, 64, 3>>>("mobilenet_v2");
  write_model<models::InceptionV3<10, Image<75, 75, 3>>>("inception_v3");
  Model<Digits> body;
  Model<Head> head;
  stir(body), stir(head);
  auto digits = deploy(body, head);
  write(digits, "softmax", {.probabilities = true});
  write(digits, "last", {.channels_last = true});
  write(body, "last_image", {.channels_last = true});
  write(digits, "normalised", {.normalize = data::Normalize{{0.4, 0.5, 0.6, 0.0}, {0.2, 0.3, 0.1, 1.0}}});
  write(digits, "each_image", {.channels_last = true, .normalize = data::Normalize::of_each_image()});
}

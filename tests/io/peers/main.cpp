// Writes a folder of files for tests/io/peers/run.py, which opens them with the real packages. With "--again" it loads what
// those packages made of them.
#include "graft/io/npz.hpp"
#include "graft/io/weights.hpp"
#include "graft/io/write_keras_h5.hpp"
#include "graft/ops/list.hpp"

#include <cstdio>

using namespace graft;

namespace {
/// The net of make_fixtures.py.
struct Flat : Net<Image<6, 5, 2>, Conv2D<4, 3, Conv{.groups = 2}>, BatchNorm<>, ReLU, DepthwiseConv2D<3, Conv{.padding = same}>,
                  Flatten, Dense<3>, ReLU, Dense<2>> {};
}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) fail("give a folder.");
  const std::filesystem::path folder = argv[1];
  const auto names = io::names::keras().layers({"conv", "bn", "dw", "fc", "logits"});
  Model<Flat> model{{.seed = 7, .bias = 0.1}};
  for (std::size_t i = 0; i < model.statistics().size(); ++i) model.statistics()[i] += 0.01f * static_cast<float>(i);
  if (argc == 2) {
    std::vector<float> x(2 * Flat::input.size()), y(2 * Flat::output.size());
    Random random(5);
    for (float& value : x) value = static_cast<float>(random.uniform(-1, 1));
    model.predict(x.data(), 2, y.data());
    io::save(model, folder / "model.safetensors");
    io::write_keras_h5(model, folder / "model.h5", names);
    io::write_npy(folder / "x.npy", {2, 6, 5, 2}, x.data());
    const std::vector<std::int64_t> whole{1, -2, 3};
    io::write_npz(folder / "y.npz", {io::tensor("y", {2, 2}, y.data()), io::tensor("whole", {3}, whole.data())}, true);
    io::write_npz(folder / "stored.npz",
                  {io::tensor("y", {2, 2}, y.data()), io::narrow_tensor("F16", "half", {2, 2}, y.data())});
    return 0;
  }
  Model<Flat> again;
  for (const char* name : {"again.h5", "again.weights.h5", "again2.h5", "again.npz", "again.safetensors"}) {
    const bool keras = std::string(name).find("h5") != std::string::npos;
    again.reset({.seed = 1});
    const auto report = io::load(again, folder / name, {.names = keras ? names : io::names::plain()});
    for (std::size_t i = 0; i < model.values().size(); ++i) {
      if (again.values()[i] != model.values()[i]) fail(name, ": number ", i, " came back as ", again.values()[i], ".");
    }
    std::printf("%s: %s\n", name, report.summary().c_str());
  }
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}

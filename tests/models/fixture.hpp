#pragma once
/// \file fixture.hpp  A network of graft against the answers of the same network of Keras or torchvision (make_fixtures.py).
/// Both sides draw input and weights from one hash of (the library's name of the array, index), so a wrong name, layout, order,
/// stride or padding gives other numbers.
#include <graft/core/model.hpp>
#include <graft/io/safetensors.hpp>
#include <string>
#include <vector>

#include "catch.hpp"
#include "support/reference.hpp"

namespace fixture {

using namespace graft;

/// The i-th number of the stream `name`, in [-1, 1): `hashed` of make_fixtures.py.
struct Stream {
  std::uint32_t stream = 2166136261u;
  explicit Stream(const std::string& name) {
    for (const char byte : name) stream = (stream ^ static_cast<unsigned char>(byte)) * 16777619u;
  }
  [[nodiscard]] double operator()(std::size_t i) const {
    std::uint32_t h = static_cast<std::uint32_t>(i) * 0x9e3779b1u + stream * 0x85ebca77u;
    h ^= h >> 16;
    h *= 0x7feb352du;
    h ^= h >> 15;
    h *= 0x846ca68bu;
    h ^= h >> 16;
    return static_cast<double>(h >> 8) * 0x1p-23 - 1.0;
  }
};

/// graft's name of an array as the library has it: "layer1.0/conv1/w" is "layer1.0.conv1.weight", "conv1/w" is "conv1/kernel".
inline std::string library_name(const std::string& segment, bool torch) {
  const std::size_t cut = segment.rfind('/');
  std::string layer = segment.substr(0, cut), array = segment.substr(cut + 1);
  if (torch) {
    std::replace(layer.begin(), layer.end(), '/', '.');
    array = array == "w" || array == "gamma" ? "weight" : array == "b" || array == "beta" ? "bias" : array;
    return layer + "." + array;
  }
  array = array == "w"              ? "kernel"
          : array == "b"            ? "bias"
          : array == "running_mean" ? "moving_mean"
          : array == "running_var"  ? "moving_variance"
                                    : array;
  return layer + "/" + array;
}

/// Draws all of a model's numbers.
template <class M>
void draw(M& model, bool torch) {
  using T = typename M::Scalar;
  const auto fill = [&](const Segment& s, T* to) {
    const std::string array = s.name.substr(s.name.rfind('/') + 1);
    const Stream u(library_name(s.name, torch));
    double centre = 0.0, width = 0.2;  // shifts and means
    if (array == "w") {
      double fan_in = static_cast<double>(s.dims[0]);  // dense
      if (s.rank == 3) fan_in = static_cast<double>(s.dims[0] * s.dims[1]);
      if (s.rank == 4) fan_in = static_cast<double>(s.dims[0] * s.dims[1] * s.dims[2]);
      width = std::sqrt(6.0 / fan_in);
    } else if (array == "b") {
      width = 0.1;
    } else if (array == "gamma") {
      centre = 1.0, width = 0.3;
    } else if (array == "running_var") {
      centre = 1.0, width = 0.5;
    }
    for (std::size_t i = 0; i < s.count; ++i) to[i] = static_cast<T>(centre + width * u(i));
  };
  for (const Segment& s : model.segments()) fill(s, model.values().data() + s.offset);
  for (const Segment& s : model.statistic_segments()) fill(s, model.statistics().data() + s.offset);
}

inline const io::TensorFile& file(bool torch) {
  static const auto folder = std::filesystem::path(__FILE__).parent_path();
  static const io::TensorFile keras(folder / "keras.safetensors"), torchvision(folder / "torchvision.safetensors");
  return torch ? torchvision : keras;
}

/// `Full`: the network as the library builds it by default; `Small`: on the fixture's input and classes. What is compared in
/// double may differ by rounding alone. A sum of K products in double has a relative error of about sqrt(K) 2^-53; K <= 25088
/// and 53 layers in sequence, each of which hands its input's error on about once (in these networks, at these weights), give
/// 53 sqrt(25088) 2^-53 = 1e-12. 1e-10 leaves a factor of 100 for cancellation in the logits; an array exchanged, a padding or
/// an epsilon of 1e-5 in place of 1e-3 moves them by 1e-4 or more.
template <class Full, class Small>
void meet(const std::string& name, bool torch) {
  INFO(name);
  const auto full = file(torch).get<double>(name + "/full");
  CHECK(static_cast<double>(Full::parameter_count) == full[0]);
  CHECK(static_cast<double>(Full::statistic_count) == full[1]);
  const auto counts = file(torch).get<double>(name + "/counts");
  CHECK(static_cast<double>(Small::parameter_count) == counts[0]);
  CHECK(static_cast<double>(Small::statistic_count) == counts[1]);
  Model<Small, Cpu, double> model;
  CHECK(static_cast<double>(model.segments().size() + model.statistic_segments().size()) == counts[2]);
  draw(model, torch);
  constexpr int n = 2;
  std::vector<double> x(n * Small::input.size());
  const Stream pixels(name + " input");
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = pixels(i);
  std::vector<double> logits(n * Small::output.size());
  model.predict(x.data(), n, logits.data());
  const double error = reference::error(logits, file(torch).get<double>(name + "/logits"));
  INFO("relative error " << error);
  CHECK(error < 1e-10);
}

}  // namespace fixture

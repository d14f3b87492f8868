// The pretrained MobileNets against PyTorch's float64 answers to the same photographs.
#include <graft/core/surgery.hpp>
#include <graft/io/weights.hpp>
#include <graft/models/imagenet_classes.hpp>
#include <graft/models/mobilenet.hpp>

#include "catch.hpp"
#include "support/reference.hpp"

namespace test_pretrained {
using namespace graft;

namespace {

/// The largest difference between the net's answers to the five photographs and the reference, over the reference's largest.
template <class N>
double distance(const std::filesystem::path& weights, const io::TensorFile& reference, const std::string& answers) {
  Model<N> model;
  const io::LoadReport report = io::load(model, weights, {.names = io::names::keras(), .allow_unused = true});
  CHECK(report.complete());
  const auto pixels = reference.get<float>("images");
  const int n = static_cast<int>(pixels.size() / N::input.size());
  REQUIRE(n == 5);
  std::vector<float> x(pixels.size());
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = pixels[i] / 127.5f - 1.0f;
  std::vector<float> y(static_cast<std::size_t>(n) * N::output.size());
  model.predict(x.data(), n, y.data());
  return reference::error(y, reference.get<double>(answers));
}

}  // namespace

TEST_CASE("pretrained MobileNetV1 0.25: features and logits of photographs", "[models]") {
  const auto weights = reference::folder("GRAFT_WEIGHTS_DIR");
  const auto reference = reference::file("mobilenet_logits.safetensors");
  if (!weights || !reference) return;
  using N = models::MobileNetV1<0.25>;
  const auto path = *weights / "mobilenet_v1_0.25_224.safetensors";
  const double logits = distance<N>(path, *reference, "logits_0.25");
  const double features = distance<Cut<N, "global_average_pooling2d">>(path, *reference, "features_0.25");
  INFO("logits " << logits << ", features " << features);
  CHECK(logits < 1e-3);
  CHECK(features < 1e-3);
}

TEST_CASE("pretrained MobileNetV1 1.0, cut after block 12: features of photographs", "[models]") {
  const auto weights = reference::folder("GRAFT_WEIGHTS_DIR");
  const auto reference = reference::file("mobilenet_logits.safetensors");
  if (!weights || !reference) return;
  using Trunk = Cut<models::MobileNetV1<1.0>, "conv_pw_12_relu">;
  STATIC_REQUIRE(Trunk::output == Image<7, 7, 1024>);
  using N = WithHead<Trunk, GlobalAveragePool>;
  const double features =
      distance<N>(*weights / "mobilenet_v1_1.0_224_trunk12.safetensors", *reference, "features_1.0_trunk12");
  INFO("features " << features);
  CHECK(features < 1e-3);
}

TEST_CASE("ImageNet's classes have their usual order", "[models]") {
  CHECK(models::imagenet_classes.size() == 1000);
  CHECK(std::string(models::imagenet_classes[0]) == "tench");
  CHECK(std::string(models::imagenet_classes[292]) == "tiger");
  CHECK(std::string(models::imagenet_classes[999]) == "toilet tissue");
}

}  // namespace test_pretrained

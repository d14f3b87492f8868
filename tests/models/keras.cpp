// LeNet-5, the tutorials' AlexNet, VGG and MobileNets against Keras.
#include <graft/models/alexnet.hpp>
#include <graft/models/lenet.hpp>
#include <graft/models/mobilenet.hpp>
#include <graft/models/vgg.hpp>

#include "models/fixture.hpp"

namespace test_keras {
using namespace graft;
using namespace graft::models;

TEST_CASE("LeNet-5 and the tutorials' AlexNet, built in Keras", "[models]") {
  fixture::meet<LeNet5<>, LeNet5<>>("lenet", false);
  fixture::meet<AlexNet227<>, AlexNet227<10, Image<99, 99, 3>>>("alexnet227", false);
}

TEST_CASE("Keras' VGG16 and VGG19", "[models]") {
  fixture::meet<VGG16<>, VGG16<10, Image<32, 32, 3>>>("vgg16", false);
  fixture::meet<VGG19<>, VGG19<10, Image<32, 32, 3>>>("vgg19", false);
}

TEST_CASE("Keras' MobileNet", "[models]") {
  fixture::meet<MobileNetV1<0.25>, MobileNetV1<0.25, 10, Image<64, 64, 3>>>("mobilenet_v1_0.25", false);
  fixture::meet<MobileNetV1<0.6>, MobileNetV1<0.6, 10, Image<61, 61, 3>>>("mobilenet_v1_0.6", false);
}

TEST_CASE("Keras' MobileNetV2", "[models]") {
  fixture::meet<MobileNetV2<>, MobileNetV2<1.0, 10, Image<64, 64, 3>>>("mobilenet_v2_1.0", false);
  fixture::meet<MobileNetV2<0.35>, MobileNetV2<0.35, 10, Image<61, 61, 3>>>("mobilenet_v2_0.35", false);
  fixture::meet<MobileNetV2<1.4>, MobileNetV2<1.4, 10, Image<33, 33, 3>>>("mobilenet_v2_1.4", false);
}

}  // namespace test_keras

// AlexNet, GoogLeNet and the ResNets against torchvision's.
#include <graft/models/alexnet.hpp>
#include <graft/models/googlenet.hpp>
#include <graft/models/resnet.hpp>

#include "models/fixture.hpp"

namespace test_torchvision {
using namespace graft;
using namespace graft::models;

TEST_CASE("torchvision's AlexNet", "[models]") { fixture::meet<AlexNet<>, AlexNet<10, Image<95, 95, 3>>>("alexnet", true); }

TEST_CASE("torchvision's GoogLeNet", "[models]") {
  fixture::meet<GoogLeNet<>, GoogLeNet<10, Image<79, 79, 3>>>("googlenet", true);
}

TEST_CASE("torchvision's ResNets", "[models]") {
  fixture::meet<ResNet18<>, ResNet18<10, Image<64, 64, 3>>>("resnet18", true);
  fixture::meet<ResNet34<>, ResNet34<10, Image<63, 63, 3>>>("resnet34", true);
  fixture::meet<ResNet50<>, ResNet50<10, Image<65, 65, 3>>>("resnet50", true);
}

}  // namespace test_torchvision

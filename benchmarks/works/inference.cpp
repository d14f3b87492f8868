// W5: networks for ImageNet in inference, one image and a batch; /winograd: with convolutions by tiles.
#include <graft/models/mobilenet.hpp>
#include <graft/models/resnet.hpp>

#include "networks.hpp"

using namespace graft;

namespace works {
namespace {

template <class N, class Device = Cpu>
void add(Makers& makers, const std::string& name, const std::string& end = "") {
  for (const int batch : {1, 32}) {
    makers["W5/" + name + "/" + std::to_string(batch) + end] = [batch] {
      return std::make_unique<Inference<N, Device>>(batch);
    };
  }
}

}  // namespace

void add_inference(Makers& makers) {
  add<models::MobileNetV1<>>(makers, "MobileNetV1");
  add<models::MobileNetV2<>>(makers, "MobileNetV2");
  add<models::ResNet18<>>(makers, "ResNet-18");
  add<models::ResNet50<>>(makers, "ResNet-50");
  add<models::ResNet18<>, Winograd<Cpu>>(makers, "ResNet-18", "/winograd");
  add<models::ResNet50<>, Winograd<Cpu>>(makers, "ResNet-50", "/winograd");
  makers["W5/ResNet-18/training16"] = [] { return std::make_unique<Training<models::ResNet18<>>>(16); };
  makers["W5/ResNet-18/training16/winograd"] = [] { return std::make_unique<Training<models::ResNet18<>, Winograd<Cpu>>>(16); };
}

}  // namespace works

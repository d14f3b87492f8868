// W5: networks for ImageNet in inference, one image and a batch.
#include <graft/models/mobilenet.hpp>
#include <graft/models/resnet.hpp>

#include "networks.hpp"

using namespace graft;

namespace works {
namespace {

template <class N>
void add(Makers& makers, const std::string& name, std::initializer_list<int> batches) {
  for (const int batch : batches) {
    makers["W5/" + name + "/" + std::to_string(batch)] = [batch] { return std::make_unique<Inference<N>>(batch); };
  }
}

}  // namespace

void add_inference(Makers& makers) {
  add<models::MobileNetV1<>>(makers, "MobileNetV1", {1, 32});
  add<models::MobileNetV2<>>(makers, "MobileNetV2", {1, 32});
  add<models::ResNet18<>>(makers, "ResNet-18", {1, 32});
  add<models::ResNet50<>>(makers, "ResNet-50", {1, 32});
  makers["W5/ResNet-18/training16"] = [] { return std::make_unique<Training<models::ResNet18<>>>(16); };
}

}  // namespace works

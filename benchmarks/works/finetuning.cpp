// W3: DDC on AlexNet, 32 + 32 images, an adaptation layer of 256 (Tzeng et al. 2014): seven layers frozen, all trained, and the
// frozen layers' output computed before. W4: Inception-v3 frozen through mixed5 (torchvision's Mixed_6c), the rest
// trained. /winograd: with convolutions by tiles.
#include "finetuning.hpp"

namespace works {

void add_finetuning(Makers& makers) {
  makers["W3/frozen"] = [] { return std::make_unique<W3<ddc::Frozen, false>>(); };
  makers["W3/all"] = [] { return std::make_unique<W3<ddc::All, false>>(); };
  makers["W3/frozen/winograd"] = [] { return std::make_unique<W3<ddc::Frozen, false, Winograd<Cpu>>>(); };
  makers["W3/all/winograd"] = [] { return std::make_unique<W3<ddc::All, false, Winograd<Cpu>>>(); };
  makers["W3/cached"] = [] { return std::make_unique<W3<ddc::Frozen, true>>(); };
  makers["W4"] = [] { return std::make_unique<Training<TunedInception>>(16); };
  makers["W4/winograd"] = [] { return std::make_unique<Training<TunedInception, Winograd<Cpu>>>(16); };
}

}  // namespace works

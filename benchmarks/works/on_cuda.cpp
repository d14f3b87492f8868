// The works on an NVIDIA GPU: those of a step, in each precision, MMD, and training of whole networks. Compiled where
// graft::cuda is.
#include <graft/cuda.hpp>
#include <graft/models/resnet.hpp>

#include "digits.hpp"
#include "finetuning.hpp"

namespace works {
namespace {

/// W6: loss and both gradients, the bandwidths given; all on the device.
class MmdOnCuda final : public Work {
  int n_;
  static constexpr int d_ = 256;
  kernel::MmdOptions options_;
  const Accelerator<float>* device_ = AcceleratorOf<Cuda, float>::get();
  Buffer<float> x_, y_, dx_, dy_, loss_;

 public:
  MmdOnCuda(int n, bool five)
      : n_(n), x_(size(n), device_), y_(size(n), device_), dx_(size(n), device_), dy_(size(n), device_), loss_(1, device_) {
    Numbers x(size(n), 1), y(size(n), 2);
    for (float& v : y) v = v * 1.25f + 0.1f;
    device_->upload(size(n) * sizeof(float), x.data(), x_.data());
    device_->upload(size(n) * sizeof(float), y.data(), y_.data());
    const double gamma = 1.0 / 256;
    options_.gamma = {};
    if (five) {
      options_.gamma = {gamma / 4, gamma / 2, gamma, 2 * gamma, 4 * gamma};
    } else {
      options_.gamma[0] = gamma;
    }
  }
  static std::size_t size(int n) { return static_cast<std::size_t>(n) * d_; }
  void step() override {
    device_->fill(size(n_), 0.0f, dx_.data());
    device_->fill(size(n_), 0.0f, dy_.data());
    device_->losses().mmd(n_, n_, d_, x_.data(), y_.data(), options_, dx_.data(), dy_.data(), loss_.data());
    device_->submit();
  }
  void finish() override { device_->synchronise(); }
  [[nodiscard]] int together() const override { return n_ > 2048 ? 5 : 50; }
  std::vector<double> numbers() override {
    step();
    finish();
    std::vector<double> all{static_cast<double>(loss_[0])};
    for (const float* g : {dx_.data(), dy_.data()}) {
      for (const double v : summary(g, size(n_))) all.push_back(v * 1000);  // of the loss's size
    }
    return all;
  }
  [[nodiscard]] double operations() const override { return 2.0 * (2.0 * n_) * (2.0 * n_) * d_ * 2; }
};

template <class Device>
void add_networks(Makers& makers, const std::string& end) {
  makers["W3/frozen" + end] = [] { return std::make_unique<W3<ddc::Frozen, false, Device>>(); };
  makers["W3/all" + end] = [] { return std::make_unique<W3<ddc::All, false, Device>>(); };
  makers["W4" + end] = [] { return std::make_unique<Training<TunedInception, Device>>(16); };
  makers["W5/ResNet-50/training64" + end] = [] { return std::make_unique<Training<models::ResNet50<>, Device>>(64); };
}

}  // namespace

std::string add_on_cuda(Makers& makers) {
  makers["W1"] = [] { return std::make_unique<W1<Cuda>>(); };
  makers["W1/tf32"] = [] { return std::make_unique<W1<Tf32<Cuda>>>(); };
  makers["W1/bf16"] = [] { return std::make_unique<W1<Bf16<Cuda>>>(); };
  makers["W2"] = [] { return std::make_unique<W2<Cuda>>(); };
  makers["W2/bf16"] = [] { return std::make_unique<W2<Bf16<Cuda>>>(); };
  add_networks<Cuda>(makers, "");
  add_networks<Tf32<Cuda>>(makers, "/tf32");
  for (const int n : {128, 2048, 8192}) {
    for (const bool five : {false, true}) {
      makers["W6/" + std::to_string(n) + "x256/" + (five ? "five" : "gauss")] = [n, five] {
        return std::make_unique<MmdOnCuda>(n, five);
      };
    }
  }
  const std::string reason = cuda::why_not();
  return reason.empty() ? "ok" : reason;
}

}  // namespace works

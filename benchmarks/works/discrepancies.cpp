// W6: MMD, loss and both gradients. The bandwidths are given, so that both sides compute the same kernels.
#include <graft/kernel/cpu/pairwise.hpp>

#include "numbers.hpp"

using namespace graft;

namespace works {
namespace {

class Mmd final : public Work {
  int n_;
  static constexpr int d_ = 256;
  kernel::MmdOptions options_;
  Numbers x_, y_, dx_, dy_;
  double loss_ = 0;

 public:
  Mmd(int n, bool five) : n_(n), x_(size(n), 1), y_(size(n), 2), dx_(size(n), 3), dy_(size(n), 4) {
    for (std::size_t i = 0; i < size(n); ++i) y_.data()[i] = y_.data()[i] * 1.25f + 0.1f;
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
    std::fill(dx_.data(), dx_.data() + size(n_), 0.0f);
    std::fill(dy_.data(), dy_.data() + size(n_), 0.0f);
    loss_ = static_cast<double>(kernel::mmd(Cpu{}, n_, n_, d_, x_.data(), y_.data(), options_, dx_.data(), dy_.data()));
  }
  std::vector<double> numbers() override {
    step();
    std::vector<double> all{loss_};
    for (const float* g : {dx_.data(), dy_.data()}) {
      for (const double v : summary(g, size(n_))) all.push_back(v * 1000);  // of the loss's size
    }
    return all;
  }
  /// Half of the Gram matrix, and the product back.
  [[nodiscard]] double operations() const override { return 2.0 * (2.0 * n_) * (2.0 * n_) * d_ * 1.5; }
};

}  // namespace

void add_discrepancies(Makers& makers) {
  for (const int n : {128, 1024, 2048}) {
    for (const bool five : {false, true}) {
      makers["W6/" + std::to_string(n) + "x256/" + (five ? "five" : "gauss")] = [n, five] {
        return std::make_unique<Mmd>(n, five);
      };
    }
  }
}

}  // namespace works

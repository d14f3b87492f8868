// W7: the convolutions that transfer learning meets, in three directions; /winograd: those that go by tiles, too.
#include <graft/kernel/cpu/conv2d.hpp>
#include <graft/kernel/cpu/winograd.hpp>

#include "numbers.hpp"

using namespace graft;

namespace works {
namespace {

enum class Direction { forward, data, weights };

template <class Device>
class Convolution final : public Work {
  ConvExtents e_;
  Direction direction_;
  Numbers x_, w_, y_, dy_, dx_, dw_;

 public:
  Convolution(const ConvExtents& e, Direction direction)
      : e_(e),
        direction_(direction),
        x_(size(e.n, e.h, e.w, e.c), 1),
        w_(size(e.kh, e.kw, e.c, e.oc), 2, 0.1f),
        y_(size(e.n, e.oh, e.ow, e.oc), 3),
        dy_(size(e.n, e.oh, e.ow, e.oc), 4),
        dx_(size(e.n, e.h, e.w, e.c), 5),
        dw_(size(e.kh, e.kw, e.c, e.oc), 6) {}
  static std::size_t size(int a, int b, int c, int d) {
    return static_cast<std::size_t>(a) * static_cast<std::size_t>(b) * static_cast<std::size_t>(c) *
           static_cast<std::size_t>(d);
  }
  void step() override {
    if (direction_ == Direction::forward) {
      kernel::conv2d_forward<float>(Device{}, e_, x_.data(), w_.data(), nullptr, Epilogue{}, y_.data(), nullptr);
      return;
    }
    const bool data = direction_ == Direction::data;
    if (!data) std::fill(dw_.data(), dw_.data() + size(e_.kh, e_.kw, e_.c, e_.oc), 0.0f);
    kernel::conv2d_backward<float>(Device{}, e_, x_.data(), w_.data(), y_.data(), nullptr, dy_.data(), Epilogue{},
                                   data ? dx_.data() : nullptr, data ? nullptr : dw_.data(), nullptr);
  }
  std::vector<double> numbers() override {
    step();
    if (direction_ == Direction::forward) return summary(y_.data(), size(e_.n, e_.oh, e_.ow, e_.oc));
    if (direction_ == Direction::data) return summary(dx_.data(), size(e_.n, e_.h, e_.w, e_.c));
    return summary(dw_.data(), size(e_.kh, e_.kw, e_.c, e_.oc));
  }
  [[nodiscard]] double operations() const override {
    return 2.0 * static_cast<double>(size(e_.n, e_.oh, e_.ow, e_.oc)) * e_.kh * e_.kw * e_.c;
  }
};

struct Row {
  const char* name;
  int n, side, c, oc, k, stride, pad;
};
constexpr Row rows[] = {{"3-32k5@28", 256, 28, 3, 32, 5, 1, 0},      {"32-48k5@12", 256, 12, 32, 48, 5, 1, 0},
                        {"64-64k3@56", 64, 56, 64, 64, 3, 1, 1},     {"128-128k3@28", 64, 28, 128, 128, 3, 1, 1},
                        {"256-256k3@14", 64, 14, 256, 256, 3, 1, 1}, {"512-512k3@7", 64, 7, 512, 512, 3, 1, 1},
                        {"64-256k1@56", 64, 56, 64, 256, 1, 1, 0},   {"3-64k7s2@224", 64, 224, 3, 64, 7, 2, 3}};

}  // namespace

void add_convolutions(Makers& makers) {
  for (const Row& r : rows) {
    const int out = (r.side + 2 * r.pad - r.k) / r.stride + 1;
    const ConvExtents e{r.n, r.side, r.side, r.c, out, out, r.oc, r.k, r.k, r.stride, r.stride, 1, 1, r.pad, r.pad, 1};
    const auto add = [&](const char* way, Direction direction) {
      const std::string name = std::string("W7/") + r.name + "/" + way;
      makers[name] = [e, direction] { return std::make_unique<Convolution<Cpu>>(e, direction); };
      if (kernel::winograd_declines<float>(e) != nullptr) return;
      makers[name + "/winograd"] = [e, direction] { return std::make_unique<Convolution<Winograd<Cpu>>>(e, direction); };
    };
    add("forward", Direction::forward);
    if (r.c > 3) add("data", Direction::data);  // nobody asks for the gradient of a photograph
    add("weights", Direction::weights);
  }
}

}  // namespace works

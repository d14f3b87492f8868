#include "backbone.hpp"
#include "mobilenet.hpp"
#include "methods.hpp"

#include <algorithm>
#include <cstdio>

namespace example {

namespace fs = std::filesystem;
using graft::fail;

Outcome ganin2015_10(const Pair&, const Settings&);
Outcome ganin2015_100(const Pair&, const Settings&);
Outcome lenet_10(const Pair&, const Settings&);
Outcome ganin2015_10_cuda(const Pair&, const Settings&);
Outcome ganin2015_100_cuda(const Pair&, const Settings&);
Outcome lenet_10_cuda(const Pair&, const Settings&);

/// One net is compiled per backbone where few need more classes than ten.
Outcome too_many(const Pair& pair, const Settings&) {
  fail("this backbone is compiled for 10 classes and the domains share ", pair.classes.size(),
       "; take ganin2015, or mobilenet.");
}

namespace {

using Run = Outcome (*)(const Pair&, const Settings&);

/// Few and Many: up to 10 classes, and more.
template <Run Few, Run Many>
Runner on_images(const Pair& pair, const fs::path&) {
  return [pair, run = pair.classes.size() <= 10 ? Few : Many](const Settings& s) { return run(pair, s); };
}
#ifdef GRAFT_WITH_CUDA
constexpr auto ganin_on_cuda = on_images<ganin2015_10_cuda, ganin2015_100_cuda>;
constexpr auto lenet_on_cuda = on_images<lenet_10_cuda, too_many>;
constexpr auto quarter_on_cuda = mobilenet_quarter_cuda;
constexpr auto whole_on_cuda = mobilenet_whole_cuda;
#else
constexpr Prepare ganin_on_cuda = nullptr, lenet_on_cuda = nullptr, quarter_on_cuda = nullptr, whole_on_cuda = nullptr;
#endif

}  // namespace

const std::vector<Backbone>& backbones() {
  static const std::vector<Backbone> all{
      {"ganin2015", "the MNIST-M network of Ganin & Lempitsky 2015, 28 x 28 x 3, trained from scratch", 28, 28, false,
       on_images<ganin2015_10, ganin2015_100>, ganin_on_cuda},
      {"lenet", "the tutorials' LeNet: 5x5 same, dropout 0.5, 100 features, 28 x 28 x 3, trained from scratch", 28, 28, false,
       on_images<lenet_10, too_many>, lenet_on_cuda},
      {"mobilenet_0.25", "MobileNetV1 0.25, 224 x 224 x 3, frozen, pretrained (--weights); a layer of 256 on it adapts", 224,
       224, true, mobilenet_quarter, quarter_on_cuda},
      {"mobilenet_1.0", "MobileNetV1 1.0 up to block 12, otherwise the same", 224, 224, true, mobilenet_whole, whole_on_cuda}};
  return all;
}

const Backbone& backbone(const std::string& name) {
  std::string names;
  for (const Backbone& b : backbones()) {
    if (b.name == name) return b;
    names += (names.empty() ? "" : ", ") + b.name;
  }
  fail("there is no backbone '", name, "'; there are: ", names, ".");
}

const Backbone& usual_backbone(const Folder& source, const Folder& target, const fs::path& weights) {
  if (!weights.empty()) return backbone(mobilenet_in(weights));
  const int side = std::max({source.height, source.width, target.height, target.width});
  if (side > 64) {
    std::printf(
        "note: images of %d pixels are resized to 28 x 28 and a small network learns from scratch; with --weights of a "
        "pretrained MobileNet (224 x 224) such images are recognised far better.\n",
        side);
  }
  return backbone("ganin2015");
}

const std::vector<MethodInfo>& method_list() {
  static const std::vector<MethodInfo> all = [] {
    std::vector<MethodInfo> list;
    for_each_method([&](const char* name, const char* text, auto) { list.push_back({name, text}); });
    return list;
  }();
  return all;
}

void print_lists() {
  std::printf("methods\n");
  for (const MethodInfo& m : method_list()) std::printf("  %-20s %s\n", m.name.c_str(), m.text.c_str());
  std::printf("backbones\n");
  for (const Backbone& b : backbones()) std::printf("  %-20s %s\n", b.name.c_str(), b.text.c_str());
}

}  // namespace example

#pragma once
// A backbone's models, made when a method asks for them, and what every run does with them.
#include "methods.hpp"

#include <graft/core/model.hpp>
#include <graft/transfer/adaptation.hpp>

#include <memory>

namespace example {

/// Models of the nets of B, which has B::Features, B::Labels, B::Domains, B::initialiser.
template <class B>
class Nets {
 public:
  Nets(std::uint64_t seed, int classes) : seed_(seed), classes_(classes) {}

  auto& features() { return model<typename B::Features>(0); }
  auto& labels() {
    const bool made = models_[1] != nullptr;
    auto& head = model<typename B::Labels>(1);
    if (!made) silence(head);
    return head;
  }
  auto& domains() { return model<typename B::Domains>(2); }

 private:
  template <class Net>
  graft::Model<Net>& model(std::size_t part) {
    if (!models_[part])
      models_[part] = std::make_shared<graft::Model<Net>>(
          graft::ModelOptions{.seed = seed_ + part, .initialiser = B::initialiser});
    return *static_cast<graft::Model<Net>*>(models_[part].get());
  }
  /// Outputs beyond the classes there are get the probability 0, and so never a gradient.
  template <class Head>
  void silence(Head& head) {
    const std::size_t outputs = static_cast<std::size_t>(Head::output.c);
    const auto& kernel = head.segments()[head.segments().size() - 2];
    const auto& bias = head.segments().back();
    for (std::size_t c = static_cast<std::size_t>(classes_); c < outputs; ++c) {
      for (std::size_t i = c; i < kernel.count; i += outputs) head.values()[kernel.offset + i] = 0.0f;
      head.values()[bias.offset + c] = -1024.0f;
    }
  }
  std::uint64_t seed_;
  int classes_;
  std::shared_ptr<void> models_[8];
};

/// Without the rows and columns of outputs that stand for no class.
inline graft::Confusion only_classes(const graft::Confusion& all, int classes) {
  graft::Confusion part(classes);
  for (int r = 0; r < classes; ++r) {
    for (int c = 0; c < classes; ++c) {
      for (std::int64_t k = 0; k < all.count(r, c); ++k) part.add(r, c);
    }
  }
  return part;
}

/// Every k-th sample of a set, so that about `most` are taken.
inline std::vector<std::size_t> some_of(std::size_t size, std::size_t most = 250) {
  const std::size_t count = std::min(size, most);
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < count; ++i) places.push_back(i * size / count);
  return places;
}

/// Makes the method that the settings name and calls f(method).
template <class N, class F>
void with_method(N& nets, const Settings& settings, F&& f) {
  bool found = false;
  for_each_method([&](const char* name, const char*, auto make) {
    if (settings.method != name) return;
    found = true;
    if constexpr (requires { make(nets, settings); }) {
      auto method = make(nets, settings);
      f(method);
    } else {
      graft::fail("the method '", settings.method, "' needs nets that this backbone does not have; try another --backbone.");
    }
  });
  if (!found) graft::fail("there is no method '", settings.method, "'; --method list tells them.");
}

}  // namespace example

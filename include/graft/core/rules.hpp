#pragma once
/// \file rules.hpp  A net's layers as values: what each is called, its shape rule, its arrays and the branches within it. What
/// asks a net about itself (names of arrays, architecture, what stands behind a flattened image) is written once over these
/// values, so that a further network costs the compiler a table and not a copy of the question.
#include "graft/config.hpp"
#include "graft/core/layer.hpp"
#include "graft/core/named.hpp"

#include <string>
#include <string_view>

GRAFT_BEGIN

struct LayerRules;

/// Layers in sequence, or a branch.
struct ChainRules {
  int count = 0;
  const LayerRules* layer = nullptr;
  std::string_view label{};  ///< of a branch
  bool named = false;
};

/// Who is told of a net's arrays by name.
struct NameVisitor {
  virtual void operator()(const std::string& name, const Weight& weight) = 0;

 protected:
  ~NameVisitor() = default;
};

/// How a layer names its arrays where it does not do as the others.
using Naming = void (*)(const LayerRules& layer, Shape in, const std::string& path, NameVisitor& visitor);

struct LayerRules {
  const char* name = "";
  std::string_view label{};
  bool named = false;
  Traits traits{};
  Fit (*fit)(Shape) = nullptr;
  Counts (*counts)(Shape) = nullptr;
  void (*visit)(Shape, WeightVisitor&) = nullptr;
  const ChainRules* branch = nullptr;  ///< of a layer made of branches, else null
  int branches = 0;
  Naming naming = nullptr;
};

namespace detail {

template <class L>
constexpr LayerRules rules_of() {
  LayerRules rules;
  rules.name = L::name;
  rules.label = label_of<L>();
  rules.named = is_named<L>;
  rules.traits = L::traits;
  rules.fit = &L::fit;
  rules.counts = &counts_of<L>;
  rules.visit = &L::template visit<WeightVisitor&>;
  if constexpr (requires { L::branch_rules; }) {
    rules.branch = L::branch_rules.data();
    rules.branches = static_cast<int>(L::branch_rules.size());
  }
  if constexpr (requires { &L::visit_names; }) rules.naming = &L::visit_names;
  return rules;
}

/// `path` and, behind it, the name or (where there is none) `ordinal`, with a slash.
inline std::string path_of(const std::string& path, bool named, std::string_view label, int ordinal) {
  if (!named) return path + std::to_string(ordinal) + "/";
  return label.empty() ? path : path + std::string(label) + "/";
}

inline int arrays_of(const ChainRules& chain, Shape in) {
  int arrays = 0;
  for (int i = 0; i < chain.count; ++i) {
    arrays += chain.layer[i].counts(in).arrays;
    in = chain.layer[i].fit(in).out;
  }
  return arrays;
}

inline void visit_names(const ChainRules& chain, Shape in, const std::string& path, NameVisitor& visitor);

/// visitor(name, weight) for all arrays of a layer that takes `in` and stands at `path`, whatever its own naming.
GRAFT_COLD inline void visit_arrays(const LayerRules& layer, Shape in, const std::string& path, NameVisitor& visitor) {
  if (layer.branch == nullptr) {
    struct Prefix final : WeightVisitor {
      Prefix(const std::string& p, NameVisitor& v) : before(p), to(v) {}
      void operator()(const Weight& weight) override { to(before + weight.name, weight); }
      const std::string& before;
      NameVisitor& to;
    };
    Prefix prefix(path, visitor);
    layer.visit(in, prefix);
    return;
  }
  int with_arrays = 0;
  for (int i = 0; i < layer.branches; ++i) with_arrays += arrays_of(layer.branch[i], in) > 0 ? 1 : 0;
  for (int i = 0; i < layer.branches; ++i) {
    const ChainRules& b = layer.branch[i];
    visit_names(b, in, with_arrays == 1 && !b.named ? path : path_of(path, b.named, b.label, i), visitor);
  }
}

/// The same for layers in sequence. A name is a path (core/named.hpp) that begins with `path`.
GRAFT_COLD inline void visit_names(const ChainRules& chain, Shape in, const std::string& path, NameVisitor& visitor) {
  int ordinal = 0;
  for (int i = 0; i < chain.count; ++i) {
    const LayerRules& layer = chain.layer[i];
    if (layer.counts(in).arrays > 0) {
      const std::string here = path_of(path, layer.named, layer.label, ordinal);
      layer.naming != nullptr ? layer.naming(layer, in, here, visitor) : visit_arrays(layer, in, here, visitor);
      ++ordinal;
    }
    in = layer.fit(in).out;
  }
}

}  // namespace detail
GRAFT_END

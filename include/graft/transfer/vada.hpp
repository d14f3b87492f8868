#pragma once
/// \file vada.hpp  VADA: Shu, Bui, Narui, Ermon, "A DIRT-T approach to unsupervised domain adaptation", ICLR 2018, with virtual
/// adversarial training: Miyato, Maeda, Koyama, Ishii, TPAMI 41 (2019).
#include "graft/config.hpp"
#include "graft/core/normals.hpp"
#include "graft/loss/unsupervised.hpp"
#include "graft/transfer/parts.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

GRAFT_BEGIN

struct VatOptions {
  double radius = 1.75;     ///< length of the perturbation of a sample; 3.5 in VADA for numbers from -1 to 1, half as much here
  double probe = 0.01;      ///< xi, length of the random step at which the direction is found
  Growing on_source{1.0};   ///< lambda_s
  Growing on_target{0.01};  ///< lambda_t
  std::uint64_t seed = 0;
};
struct VadaOptions {
  DannLambda lambda{};    ///< lambda_d; 0.01 in the paper, which aligned nothing here: docs/methods/vada.md
  Growing entropy{0.01};  ///< lambda_t, of the target's conditional entropy
  VatOptions vat{};
  Recipe recipe{};
};

namespace part {

/// KL(p(x) || p(x + r)) up to the constant entropy of p(x), for both domains: r has length `radius` and the direction in which
/// the divergence grows most, by one power step (Miyato et al., equations 5 to 13). p(x) is constant in the gradient.
template <class Body, class LabelHead>
class Vat {
  using T = typename Body::Scalar;

 public:
  Vat(Body& features, LabelHead& labels, const VatOptions& options = {})
      : features_(features), labels_(labels), options_(options), probe_(std::make_shared<Tape<T>>()) {
    probe_->domain_norm = DomainNorm::frozen;  // running statistics, which stay as they are
  }
  template <class S>
  Loss<T> loss(Tape<T>& tape, const S& step, Means& means) {
    const Rows<T> rows = step.batch.rows();
    const std::size_t n = static_cast<std::size_t>(rows.count);
    p_.resize(n * LabelHead::output.size());
    moved_.resize(n * Body::input.size());
    kernel::softmax_forward(Cpu{}, rows.count, LabelHead::output.c, step.logits.value(), p_.data());
    draw(tape.step());
    move(rows, moved_.data(), options_.probe);
    probe_->set_step(tape.step());
    Var<Body::input, Kind::features, T> x{probe_.get(),
                                          probe_->input({moved_.data(), rows.count, rows.split}, Body::input.size())};
    x.view.node->wanted = true;
    const auto z = (*probe_)(fixed(labels_), (*probe_)(fixed(features_), x));
    backward(cross_entropy(z, SoftLabels<T>{p_.data(), rows.count, LabelHead::output.c}));
    probe_->synchronise();
    move(rows, x.view.node->gradient, options_.radius);

    const auto logits = tape(labels_, tape(features_, Rows<T>{moved_.data(), rows.count, rows.split}));
    const T* const of_target = p_.data() + static_cast<std::size_t>(rows.split) * LabelHead::output.size();
    const auto source = cross_entropy(logits.source(), SoftLabels<T>{p_.data(), rows.split, LabelHead::output.c});
    const auto target = cross_entropy(logits.target(), SoftLabels<T>{of_target, rows.count - rows.split, LabelHead::output.c});
    means.add("vat_source", source);
    means.add("vat_target", target);
    return options_.on_source(step.progress) * source + options_.on_target(step.progress) * target;
  }
  /// The last batch as perturbed: rows x Body::input.
  [[nodiscard]] const std::vector<T>& perturbed() const { return moved_; }

 private:
  void draw(std::uint64_t step) {
    Random random(options_.seed, mix(0x766174, step));
    direction_.resize(moved_.size());
    fill_normals(direction_.data(), direction_.size(), random);
    for (std::size_t i = 0; i < moved_.size(); ++i) moved_[i] = static_cast<T>(direction_[i]);
  }
  /// moved = rows + length * direction / |direction|, sample by sample; a direction of 0 moves nothing.
  void move(const Rows<T>& rows, const T* direction, double length) {
    const std::size_t size = Body::input.size();
    for (std::size_t begin = 0; begin < moved_.size(); begin += size) {
      double squares = 0.0;
      for (std::size_t i = begin; i < begin + size; ++i)
        squares += static_cast<double>(direction[i]) * static_cast<double>(direction[i]);
      const T scale = static_cast<T>(squares > 0.0 ? length / std::sqrt(squares) : 0.0);
      for (std::size_t i = begin; i < begin + size; ++i) moved_[i] = rows.data[i] + scale * direction[i];
    }
  }
  Body& features_;
  LabelHead& labels_;
  VatOptions options_;
  std::shared_ptr<Tape<T>> probe_;
  std::vector<T> p_, moved_;
  std::vector<float> direction_;
};

/// The target's conditional entropy.
struct ConditionalEntropy {
  Growing weight;
  template <class T, class S>
  Loss<T> loss(Tape<T>&, const S& step, Means& means) {
    const auto loss = entropy(step.logits.target());
    means.add("entropy", loss);
    return weight(step.progress) * loss;
  }
};

}  // namespace part

/// `Vada{features, labels, domains}`: Dann, a classifier that is sure on the target, and one that does not
/// change its mind within `radius` of a sample, so that its borders keep away from both domains (equation 8).
template <class Body, class LabelHead, class DomainHead>
class Vada : public Composed<Body, LabelHead, part::Dann<DomainHead>, part::ConditionalEntropy, part::Vat<Body, LabelHead>> {
 public:
  Vada(Body& features, LabelHead& labels, DomainHead& domains, const VadaOptions& options = {})
      : Composed<Body, LabelHead, part::Dann<DomainHead>, part::ConditionalEntropy, part::Vat<Body, LabelHead>>(
            features, labels, options.recipe, part::Dann<DomainHead>(domains, options.lambda),
            part::ConditionalEntropy{options.entropy}, part::Vat<Body, LabelHead>(features, labels, options.vat)) {}
};

GRAFT_END

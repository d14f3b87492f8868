#pragma once
/// \file audit.hpp  Which loss of a method reaches which model, and with which factor: found by running the losses, not by
/// reading the code, so that a sign, a detached batch or a forgotten term is seen before a night of training.
#include "graft/config.hpp"
#include "graft/transfer/adaptation.hpp"

#include <cmath>
#include <cstddef>
#include <cstdio>
#include <string>
#include <tuple>
#include <vector>

GRAFT_BEGIN

/// One loss and one model. What the optimiser subtracts for this loss is factor * (gradient of the loss as it is written).
struct AuditRow {
  std::string loss, model;
  bool reached = false;  ///< whether any gradient of this loss comes to this model at all
  double factor = 0.0;   ///< its weight in the sum, times -lambda where it was reversed; 0: weighed with nothing
  bool mixed = false;    ///< several ways lead there, with different factors
  double norm = 0.0;     ///< of what arrives
};

class Audit {
 public:
  std::vector<AuditRow> rows;
  /// The row of a loss and a model. Throws Error when there is none.
  [[nodiscard]] const AuditRow& at(const std::string& loss, const std::string& model) const {
    for (const AuditRow& row : rows) {
      if (row.loss == loss && row.model == model) return row;
    }
    fail("the audit has no row for the loss '", loss, "' and the model '", model, "'.");
  }
  /// A line for each loss, a column for each model; "-" where nothing arrives, "mixed" where there is no one factor.
  [[nodiscard]] std::string table() const {
    std::string text;
    char cell[64];
    const auto add = [&](const std::string& word) {
      std::snprintf(cell, sizeof cell, "%-16s", word.c_str());
      text += cell;
    };
    add("");
    for (const AuditRow& row : rows) {
      if (row.loss == rows.front().loss) add(row.model);
    }
    std::string now;
    for (const AuditRow& row : rows) {
      if (row.loss != now) text += "\n", add(now = row.loss);
      std::snprintf(cell, sizeof cell, "%+.4g", row.factor);
      add(!row.reached ? "-" : row.mixed ? "mixed" : cell);
    }
    return text + "\n";
  }
};

/// Audits one step of a method at `progress` on a batch of both sets: for each loss that it reports by name
/// (means.add("label_loss", loss)) and each of its models. Changes neither weights nor statistics.
template <class M>
Audit audit(M& method, const data::Labelled& source, const data::Unlabelled& target, const FitOptions& options,
            double progress = 0.5) {
  using T = typename M::Scalar;
  data::PairedLoader<T> loader(source, target, M::input,
                               {.source_batch = options.batch,
                                .target_batch = options.target_batch > 0 ? options.target_batch : options.batch,
                                .seed = options.seed,
                                .normalize = options.normalize,
                                .prefetch = false});
  if constexpr (requires { method.begin_epoch(progress, target, options.normalize); })
    method.begin_epoch(progress, target, options.normalize);
  const auto batch = loader.next();
  Tape<T> tape;
  tape.domain_norm = options.batch_norm;
  Means unused;
  const auto models = method.models();
  const auto kept = std::apply([](auto&... m) { return std::make_tuple(m.statistics_of(0)...); }, models);
  const auto clear = [&] {
    std::apply([](auto&... m) { (std::fill(m.gradients().begin(), m.gradients().end(), T{0}), ...); }, models);
  };
  const auto record = [&](bool plain) {
    clear();
    tape.plain = plain;
    tape.set_step(0);
    return method.loss(tape, batch, progress, unused);
  };
  backward(record(false));
  std::vector<std::pair<std::string, double>> losses;  // name, weight in the sum
  for (const Node<T>* node : tape.named())
    losses.emplace_back(node->name, node->gradient != nullptr ? static_cast<double>(*node->gradient) : 0.0);

  Audit result;
  for (std::size_t k = 0; k < losses.size(); ++k) {
    std::vector<std::vector<double>> seen[2];  // as it is, and with reversals passed on plainly; for each model
    for (const bool plain : {false, true}) {
      record(plain);
      tape.backward(*tape.named()[k]);
      std::apply([&](auto&... m) { (seen[plain].emplace_back(m.gradients().begin(), m.gradients().end()), ...); }, models);
    }
    std::size_t at = 0;
    const auto row = [&](auto& model) {
      const auto &own = seen[0][at], &plain = seen[1][at];
      ++at;
      double product = 0.0, square = 0.0, norm = 0.0, off = 0.0;
      for (std::size_t i = 0; i < own.size(); ++i) {
        product += own[i] * plain[i];
        square += plain[i] * plain[i];
        norm += own[i] * own[i];
      }
      const double factor = square > 0.0 ? product / square : 0.0;
      for (std::size_t i = 0; i < own.size(); ++i) off += (own[i] - factor * plain[i]) * (own[i] - factor * plain[i]);
      const double weight = losses[k].second;
      result.rows.push_back({losses[k].first, model.name, square > 0.0, weight * factor, off > 1e-6 * std::max(norm, 1e-30),
                             std::abs(weight) * std::sqrt(norm)});
    };
    std::apply([&](auto&... m) { (row(m), ...); }, models);
  }
  clear();
  std::apply([&](auto&... m) { std::apply([&](const auto&... s) { ((m.statistics_of(0) = s), ...); }, kept); }, models);
  return result;
}

GRAFT_END

// Predictions that are drawn to given ones.
#include <graft/loss/consistency.hpp>

#include "catch.hpp"
#include "golden.hpp"

namespace test_consistency {
using namespace graft;
using namespace golden;

namespace {
std::vector<double> softmax(const std::vector<double>& logits) {
  std::vector<double> p(logits.size());
  kernel::softmax_forward(Cpu{}, static_cast<int>(logits.size() / 3), 3, logits.data(), p.data());
  return p;
}
}  // namespace

TEST_CASE("consistency: squared distance of probabilities, of rows of which the teacher is sure", "[loss]") {
  const std::vector<double> teacher = softmax(Lt), student = softmax(At);
  for (const double confidence : {0.0, 0.7, 0.99}) {
    const auto loss = [&](const auto& z) { return consistency(z, teacher.data(), confidence); };
    double expected = 0.0;
    for (std::size_t i = 0; i < 12; ++i) {
      const bool sure = *std::max_element(teacher.begin() + static_cast<std::ptrdiff_t>(i / 3 * 3),
                                          teacher.begin() + static_cast<std::ptrdiff_t>(i / 3 * 3 + 3)) >= confidence;
      if (sure) expected += (student[i] - teacher[i]) * (student[i] - teacher[i]) / 12.0;
    }
    const Result result = evaluate(At, loss);
    CHECK(is(result.value, expected));
    CHECK(off_differences<Vector<3>, Kind::logits>(At, At, [&](const auto& a, const auto&) { return loss(a); }) < 1e-8);
    if (confidence == 0.99) CHECK(result.value == 0.0);
    if (confidence == 0.7) CHECK((result.dx[3] == 0.0 && result.dx[6] != 0.0));  // 0.367 and 0.915
  }
}

}  // namespace test_consistency

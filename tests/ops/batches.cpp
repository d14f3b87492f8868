// A sample's output in inference does not depend on what else is in its batch: what cached features rest on.
#include <graft/core/model.hpp>
#include <graft/ops/list.hpp>

#include "catch.hpp"
#include "support/case.hpp"

using namespace graft;

TEMPLATE_LIST_TEST_CASE("a sample's output does not depend on its batch, to the bit", "[ops]", OpList) {
  using N = typename TestType::Net;
  constexpr int most = 37;
  Model<N> model{{.seed = 5, .bias = 0.1}};
  const auto x = support::numbers<float>(most * N::input.size(), 11);
  std::vector<float> whole(most * N::output.size()), part(whole.size());
  model.predict(x.data(), most, whole.data());
  for (const int batch : {1, 2, 5, 16, 24}) {
    for (int begin = 0; begin < most; begin += batch) {
      const int n = std::min(batch, most - begin);
      model.predict(x.data() + static_cast<std::size_t>(begin) * N::input.size(), n,
                    part.data() + static_cast<std::size_t>(begin) * N::output.size());
    }
    CHECK((part == whole));
  }
}

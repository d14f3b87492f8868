// InceptionV3 against Keras'.
#include <graft/models/inception_v3.hpp>

#include "models/fixture.hpp"

namespace test_inception_v3 {
using namespace graft;
using namespace graft::models;

TEST_CASE("Keras' InceptionV3", "[models]") {
  fixture::meet<InceptionV3<>, InceptionV3<10, Image<75, 75, 3>>>("inception_v3", false);
}

}  // namespace test_inception_v3

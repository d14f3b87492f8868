// expect: name the outputs in the order
#include <graft/graft.hpp>
using namespace graft;
struct Body : Net<Vector<4>, Named<"a", Dense<3>>, Named<"b", Dense<2>>> {};
void f(Model<Body>& body, const float* x, float* y) { predict_at<"b", "a">(body, x, 1, y, y); }

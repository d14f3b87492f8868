// expect: reversed gradient goes into a domain head only
#include <graft/graft.hpp>
using namespace graft;
struct Body : Net<Image<12, 12, 3>, Conv2D<8, 5>, ReLU, Flatten> {};
struct Labels : Net<Body::output, Dense<10>> {};
void step(Model<Body>& body, Model<Labels>& labels, Rows<float> x) {
  Tape tape;
  tape(labels, reverse_gradient(tape(body, x), 1.0));
}

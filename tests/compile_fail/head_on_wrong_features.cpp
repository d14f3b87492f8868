// expect: NetTakesAnotherShape ;; \{1, 1, 1, 768\} ;; \{1, 1, 1, 512\} ;; declare the head as Net<Body::output
#include <graft/graft.hpp>
using namespace graft;
struct Body : Net<Image<28, 28, 3>, Conv2D<32, 5>, ReLU, MaxPool2D<2>, Conv2D<48, 5>, ReLU, MaxPool2D<2>, Flatten> {};
struct Head : Net<Vector<512>, Dense<10>> {};
void step(Model<Body>& body, Model<Head>& head, Rows<float> x) {
  Tape tape;
  tape(head, tape(body, x));
}

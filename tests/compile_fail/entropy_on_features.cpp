// expect: LossWantsLogits ;; wants logits but the net ends in features
#include <graft/graft.hpp>
using namespace graft;
struct Body : Net<Vector<64>, Dense<10>, ReLU> {};
void step(Model<Body>& body, Rows<float> x) {
  Tape tape;
  entropy(tape(body, x));
}

// expect: LossWantsLogits ;; wants logits; remove Softmax or Sigmoid from the head
#include <graft/graft.hpp>
using namespace graft;
struct Head : Net<Vector<64>, Dense<10>, Softmax> {};
void step(Model<Head>& head, Rows<float> x, ClassLabels<10> y) {
  Tape tape;
  cross_entropy(tape(head, x), y);
}

// expect: LossWantsLogits ;; wants logits; remove Softmax or Sigmoid from the head
#include <graft/graft.hpp>
using namespace graft;
struct Head : Net<Vector<64>, Dense<10>, Softmax> {};
void step(Model<Head>& head, Rows<float> x) {
  Tape tape;
  minimum_class_confusion(tape(head, x));
}

// expect: mmd compares features or logits, not probabilities
#include <graft/graft.hpp>
using namespace graft;
struct Head : Net<Vector<64>, Dense<10>, Softmax> {};
void step(Model<Head>& head, Rows<float> x) {
  Tape tape;
  const auto p = tape(head, x);
  mmd(p.source(), p.target());
}

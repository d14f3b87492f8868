// expect: LossWantsLogits ;; wants logits; remove Softmax or Sigmoid from the head
#include <graft/graft.hpp>
using namespace graft;
struct Body : Net<Vector<64>, Dense<10>, ReLU> {};
struct Labels : Net<Body::output, Dense<4>> {};
struct Domains : Net<Body::output, Dense<1>, Softmax> {};  // always 1, with no gradient
void fit(Model<Body>& body, Model<Labels>& labels, Model<Domains>& domains, Tape<float>& tape, Means& means) {
  DannThreeAdam{body, labels, domains}.loss(tape, data::PairedBatch<float>{}, 0.0, means);
}

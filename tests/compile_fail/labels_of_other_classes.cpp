// expect: HeadAndLabelsDiffer ;; \{1, 1, 1, 10\}, 2> ;; outputs and the labels' classes differ in number
#include <graft/graft.hpp>
using namespace graft;
struct Head : Net<Vector<64>, Dense<10>> {};
void step(Model<Head>& head, Rows<float> x, DomainLabels domains) {
  Tape tape;
  cross_entropy(tape(head, x), domains);
}

// expect: the domain head must give 1 output, the logit of the source
#include <graft/graft.hpp>
using namespace graft;
struct Body : Net<Vector<64>, Dense<10>, ReLU> {};
struct Labels : Net<Body::output, Dense<4>> {};
struct Domains : Net<Body::output, Dense<2>> {};
void fit(Model<Body>& body, Model<Labels>& labels, Model<Domains>& domains) { DannThreeAdam method{body, labels, domains}; }

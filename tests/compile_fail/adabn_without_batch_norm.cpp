// expect: Adabn adapts BatchNorm layers and these nets have none
#include <graft/graft.hpp>
using namespace graft;
struct Body : Net<Vector<64>, Dense<10>, ReLU> {};
struct Labels : Net<Body::output, Dense<4>> {};
void fit(Model<Body>& body, Model<Labels>& labels) { Adabn method{body, labels}; }

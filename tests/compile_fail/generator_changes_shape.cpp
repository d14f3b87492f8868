// expect: the generator takes and gives the body's input or its output
#include <graft/graft.hpp>
using namespace graft;
struct Body : Net<Vector<64>, Dense<10>, ReLU> {};
struct Labels : Net<Body::output, Dense<4>> {};
struct Maker : Net<Body::output, Dense<12>> {};
void fit(Model<Body>& body, Model<Labels>& labels, Model<Maker>& maker) { AdversarialSamples method{body, labels, maker}; }

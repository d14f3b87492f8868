// expect: gradient_penalty differentiates Dense, activations and Flatten; no other layer in a critic
#include <graft/graft.hpp>
using namespace graft;
struct Critic : Net<Vector<8>, Dense<4>, BatchNorm<>, ReLU, Dense<1>> {};
void step(Model<Critic>& critic, Tape<float>& tape, Rows<float> rows) { backward(gradient_penalty(tape, critic, rows)); }
